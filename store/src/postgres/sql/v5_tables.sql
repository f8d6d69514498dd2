-- Aggregates of hours and days: which of them questions may read.
CREATE TABLE closed (
    one boolean PRIMARY KEY CHECK (one),
    until timestamptz NOT NULL
);
-- Every batch shares this row, and closing hours waits for it: so it is there from the beginning on.
INSERT INTO closed (one, until) VALUES (true, '-infinity');
COMMENT ON TABLE closed IS 'How far hourly and daily go.';
COMMENT ON COLUMN closed.until IS 'Hours before it are closed: hourly has them, and daily the days before it, but for those that are stale.';

CREATE TABLE stale_hours (
    hour timestamptz PRIMARY KEY,
    mark bigint NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE stale_hours IS 'Closed hours whose rollups have changed since they were added up: until they are again, their rollups answer.';
COMMENT ON COLUMN stale_hours.mark IS 'The transaction that changed it last: an hour that changes while it is added up stays stale.';

CREATE TABLE stale_days (
    day timestamptz PRIMARY KEY,
    mark bigint NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE stale_days IS 'The same for days, whose hours may be up to date already.';

CREATE TABLE made_days (
    day timestamptz PRIMARY KEY,
    version bigint NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE made_days IS 'How often each day was added up: who keeps its aggregates in memory knows by it whether they are still right.';

CREATE TABLE kept_burn_rates (
    one boolean PRIMARY KEY CHECK (one),
    from_time timestamptz NOT NULL
);
COMMENT ON TABLE kept_burn_rates IS 'What retention left of burn rates. No row: it removed none yet.';
COMMENT ON COLUMN kept_burn_rates.from_time IS 'From which tick on the states of all series can be told.';

CREATE TABLE kept_alerts (
    one boolean PRIMARY KEY CHECK (one),
    from_time timestamptz NOT NULL
);
COMMENT ON TABLE kept_alerts IS 'What retention left of alerts. No row: it removed none yet.';
COMMENT ON COLUMN kept_alerts.from_time IS 'From which tick on every episode that was not over by then is there.';

-- Where it was at work before: rows that another one of their series follows are all there from the oldest of them on.
INSERT INTO kept_burn_rates (one, from_time)
SELECT true, min(f.first) FROM kept, series s
CROSS JOIN LATERAL (SELECT min(b."time") AS first, max(b."time") AS last FROM burn_rates b WHERE b.series = s.id) f
WHERE f.first < f.last HAVING count(*) > 0;

CREATE INDEX notifications_by_time ON notifications ("at");
