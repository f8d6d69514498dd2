-- Which topics the positions were places in, by the ids that the cluster gave them: a topic that is deleted and recreated has
-- other records at the same offsets. Of each name the one with the greatest epoch is current, the others never come back.
CREATE TABLE topics (
    topic TEXT NOT NULL,
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (topic, id),
    UNIQUE (topic, epoch)
) STRICT, WITHOUT ROWID;

-- events.partition has the epoch of its topic above bit 31 from here on: events of a recreated topic may have the times and
-- offsets of those before it.
DROP VIEW request_events;

-- Events as people want to see them.
CREATE VIEW request_events AS
SELECT e.event_id, e.time, d.service, d.environment, d.endpoint, d.method, e.status_code, e.latency_ms, e.weight,
       lower(hex(e.trace_id)) AS trace_id, e.user_ref, e.attributes, e.log_time, e.partition & 0xFFFFFFFF AS partition, e."offset"
FROM events e JOIN dimensions d ON d.id = e.dimensions;
