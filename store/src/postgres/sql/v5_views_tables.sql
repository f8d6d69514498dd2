-- Aggregates with what they lack: hours that are open or stale come from their rollups, days from such hours. Each part is looked up
-- by its time: an open hour is behind the closed ones, a stale one among them.
CREATE VIEW http_requests_1h AS
WITH parts AS (
    SELECT h."time", h.dimensions, h.status_class, h.hits, h.errors, h.latency_count, h.latency_sum, h.latency_min, h.latency_max, h.sketch
    FROM hourly h WHERE NOT EXISTS (SELECT FROM stale_hours s WHERE s.hour = h."time")
    UNION ALL
    SELECT date_trunc('hour', r.minute, 'UTC'), r.dimensions, r.status_class, sum(r.hits)::bigint, sum(r.errors)::bigint,
           sum(r.latency_count)::bigint, sum(r.latency_sum), min(r.latency_min), max(r.latency_max), sketch_merge(r.sketch)
    FROM rollups r WHERE r.minute >= (SELECT until FROM closed) GROUP BY 1, 2, 3
    UNION ALL
    SELECT s.hour, r.dimensions, r.status_class, sum(r.hits)::bigint, sum(r.errors)::bigint,
           sum(r.latency_count)::bigint, sum(r.latency_sum), min(r.latency_min), max(r.latency_max), sketch_merge(r.sketch)
    FROM stale_hours s JOIN rollups r ON r.minute >= s.hour AND r.minute < s.hour + interval '1 hour' GROUP BY 1, 2, 3
)
SELECT p."time", d.service, d.environment, d.endpoint, d.method, p.status_class, p.hits, p.errors,
       p.latency_count, p.latency_sum, p.latency_min, p.latency_max, p.sketch
FROM parts p JOIN dimensions d ON d.id = p.dimensions;

CREATE VIEW http_requests_1d AS
WITH unfinished AS (
    SELECT day FROM stale_days
    UNION SELECT date_trunc('day', hour, 'UTC') FROM stale_hours
    UNION SELECT date_trunc('day', until, 'UTC') FROM closed
), parts AS (
    SELECT u.day, h.dimensions, h.status_class, h.hits, h.errors, h.latency_count, h.latency_sum, h.latency_min, h.latency_max, h.sketch
    FROM unfinished u JOIN hourly h ON h."time" >= u.day AND h."time" < u.day + interval '1 day'
    WHERE NOT EXISTS (SELECT FROM stale_hours s WHERE s.hour = h."time")
    UNION ALL
    SELECT date_trunc('day', r.minute, 'UTC'), r.dimensions, r.status_class, r.hits, r.errors,
           r.latency_count, r.latency_sum, r.latency_min, r.latency_max, r.sketch
    FROM rollups r WHERE r.minute >= (SELECT until FROM closed)
    UNION ALL
    SELECT date_trunc('day', s.hour, 'UTC'), r.dimensions, r.status_class, r.hits, r.errors,
           r.latency_count, r.latency_sum, r.latency_min, r.latency_max, r.sketch
    FROM stale_hours s JOIN rollups r ON r.minute >= s.hour AND r.minute < s.hour + interval '1 hour'
), days AS (
    SELECT y."time", y.dimensions, y.status_class, y.hits, y.errors, y.latency_count, y.latency_sum, y.latency_min, y.latency_max, y.sketch
    FROM daily y WHERE NOT EXISTS (SELECT FROM unfinished u WHERE u.day = y."time")
    UNION ALL
    SELECT p.day, p.dimensions, p.status_class, sum(p.hits)::bigint, sum(p.errors)::bigint,
           sum(p.latency_count)::bigint, sum(p.latency_sum), min(p.latency_min), max(p.latency_max), sketch_merge(p.sketch)
    FROM parts p GROUP BY 1, 2, 3
)
SELECT y."time", d.service, d.environment, d.endpoint, d.method, y.status_class, y.hits, y.errors,
       y.latency_count, y.latency_sum, y.latency_min, y.latency_max, y.sketch
FROM days y JOIN dimensions d ON d.id = y.dimensions;
