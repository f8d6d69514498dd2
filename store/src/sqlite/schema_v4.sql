-- What the rollups of an hour (since 1970), and of a day, add up to: of closed hours and days. See `closed`.
CREATE TABLE hourly (
    hour INTEGER NOT NULL,
    dimensions INTEGER NOT NULL,
    status_class INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    latency_count INTEGER NOT NULL,
    latency_sum REAL NOT NULL,
    latency_min REAL,
    latency_max REAL,
    sketch BLOB,
    PRIMARY KEY (hour, dimensions, status_class)
) STRICT, WITHOUT ROWID;

CREATE TABLE daily (
    day INTEGER NOT NULL,
    dimensions INTEGER NOT NULL,
    status_class INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    latency_count INTEGER NOT NULL,
    latency_sum REAL NOT NULL,
    latency_min REAL,
    latency_max REAL,
    sketch BLOB,
    PRIMARY KEY (day, dimensions, status_class)
) STRICT, WITHOUT ROWID;

-- Hours before it are closed: the aggregates have them, but for the stale ones. No row: none is closed yet.
CREATE TABLE closed (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    until INTEGER NOT NULL
) STRICT;

-- Closed hours, and closed days, whose rollups have changed since they were added up.
CREATE TABLE stale_hours (hour INTEGER PRIMARY KEY) STRICT;
CREATE TABLE stale_days (day INTEGER PRIMARY KEY) STRICT;

-- How often each day was added up: who keeps its aggregates in memory knows by it whether they are still right.
CREATE TABLE made_days (
    day INTEGER PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT;

-- From which tick on the states of all series can be told; no row: from the first on.
CREATE TABLE kept_burn_rates (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    tick INTEGER NOT NULL
) STRICT;

-- From which tick on every episode of an alert that was not over by then is there; no row: all are.
CREATE TABLE kept_alerts (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    tick INTEGER NOT NULL
) STRICT;

-- Where retention was at work before: rows that another one of their series follows are all there from the oldest of them on.
INSERT INTO kept_burn_rates
SELECT 1, min(f.first) FROM kept, (SELECT min(tick) AS first, max(tick) AS last FROM burn_rates GROUP BY series) f
WHERE f.first < f.last HAVING count(*) > 0;
