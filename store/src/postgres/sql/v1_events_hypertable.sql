-- Raw events in a hypertable of TimescaleDB: one chunk per day of log time.
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
);
CREATE INDEX events_by_time ON events ("time");
SELECT create_hypertable('events', 'log_time', chunk_time_interval => INTERVAL '1 day', create_default_indexes => false);
