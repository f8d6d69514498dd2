-- The store's tables. Times of events are microseconds since 1970, log times milliseconds, ticks whole seconds.

-- How far each partition of the log is in here; moved in the transaction that writes the rows.
CREATE TABLE positions (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    log_time INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE dimensions (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    method TEXT NOT NULL,
    UNIQUE (service, environment, endpoint, method)
) STRICT;

-- Clustered by event time: a range of time is one run of pages, and there is no second index to pay for.
CREATE TABLE events (
    time INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    log_time INTEGER NOT NULL,
    dimensions INTEGER NOT NULL,
    status_code INTEGER NOT NULL,
    latency_ms REAL,
    weight INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    trace_id BLOB,
    user_ref TEXT,
    attributes TEXT,
    PRIMARY KEY (time, partition, "offset")
) STRICT, WITHOUT ROWID;

-- Which minutes of event time hold what, and when they were last written to: retention goes by log time.
CREATE TABLE minutes (
    minute INTEGER PRIMARY KEY,
    events INTEGER NOT NULL,
    newest_log INTEGER NOT NULL,
    raw_gone INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE rollups (
    minute INTEGER NOT NULL,
    dimensions INTEGER NOT NULL,
    status_class INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    latency_count INTEGER NOT NULL,
    latency_sum REAL NOT NULL,
    latency_min REAL,
    latency_max REAL,
    sketch BLOB,
    PRIMARY KEY (minute, dimensions, status_class)
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    slo TEXT NOT NULL,
    objective TEXT NOT NULL,
    group_values TEXT NOT NULL,
    UNIQUE (slo, objective, group_values)
) STRICT;

CREATE TABLE burn_rates (
    series INTEGER NOT NULL,
    tick INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    retired INTEGER NOT NULL,
    sli REAL,
    budget_remaining REAL NOT NULL,
    good INTEGER NOT NULL,
    total INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (series, tick, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_transitions (
    alert_id TEXT NOT NULL,
    episode INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    slo TEXT NOT NULL,
    service TEXT NOT NULL,
    severity TEXT NOT NULL,
    kind TEXT NOT NULL,
    tick INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (alert_id, episode, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX alert_transitions_by_tick ON alert_transitions (tick);

CREATE TABLE notifications (
    alert_id TEXT NOT NULL,
    episode INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER,
    attempts INTEGER NOT NULL,
    detail TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (alert_id, episode, seq, receiver)
) STRICT, WITHOUT ROWID;

-- Events as people want to see them.
CREATE VIEW request_events AS
SELECT e.event_id, e.time, d.service, d.environment, d.endpoint, d.method, e.status_code, e.latency_ms, e.weight,
       lower(hex(e.trace_id)) AS trace_id, e.user_ref, e.attributes, e.log_time, e.partition, e."offset"
FROM events e JOIN dimensions d ON d.id = e.dimensions;
