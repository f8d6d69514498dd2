-- Raw events by log time. An index on all that is there takes as long as it takes.
SET LOCAL statement_timeout TO 0;

-- Small: a summary of each 32 pages. Log time only moves forward, so neighbours on disk are neighbours in it.
CREATE INDEX events_by_log_time ON events USING brin (log_time) WITH (pages_per_range = 32, autosummarize = on);

-- Events of a recreated topic may have the partitions and offsets of those before it.
ALTER TABLE events ADD COLUMN epoch integer;
COMMENT ON COLUMN events.epoch IS 'How many topics of the name there were before the one that the event came from; null: none, or stored by a version that did not know.';

-- Of a recreated topic, what was stored without an epoch cannot be told from what its predecessors left.
ALTER TABLE topics ADD COLUMN raw_from timestamptz;
COMMENT ON COLUMN topics.raw_from IS 'From which log time on events have the epoch of this topic; null: all of them.';
UPDATE topics t SET raw_from = (SELECT max(p.log_time) + interval '1 millisecond' FROM positions p WHERE p.topic = t.topic)
WHERE t.topic = 'request-events' AND t.epoch > 0 AND t.epoch = (SELECT max(o.epoch) FROM topics o WHERE o.topic = t.topic);

CREATE TABLE kept (
    one boolean PRIMARY KEY CHECK (one),
    raw_from timestamptz NOT NULL
);
COMMENT ON TABLE kept IS 'What retention left. No row: it removed no raw event yet.';
COMMENT ON COLUMN kept.raw_from IS 'From which log time on no raw event was removed.';

-- Days are removed whole, and the oldest first.
INSERT INTO kept (one, raw_from)
SELECT true, coalesce((SELECT min(day)::timestamp AT TIME ZONE 'UTC' FROM days), max(newest_log) + interval '1 millisecond')
FROM minutes WHERE raw_gone HAVING count(*) > 0;
