-- Raw events in native partitions: one per day of log time, made by the writer before it writes to it.
CREATE TABLE events (
    "time" timestamptz NOT NULL,
    log_time timestamptz NOT NULL,
    "offset" bigint NOT NULL,
    latency_ms double precision,
    partition integer NOT NULL,
    dimensions integer NOT NULL,
    weight integer NOT NULL,
    status_code smallint NOT NULL,
    trace_id uuid,
    event_id text COLLATE "C" NOT NULL,
    user_ref text COLLATE "C",
    attributes jsonb
) PARTITION BY RANGE (log_time);
CREATE INDEX events_by_time ON events ("time");
