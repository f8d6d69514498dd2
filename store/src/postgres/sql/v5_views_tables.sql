-- Aggregates with what they lack: hours that are open or stale come from their rollups, days from such hours.
CREATE VIEW http_requests_1h AS
WITH parts AS (
    SELECT h."time", h.dimensions, h.status_class, h.hits, h.errors, h.latency_count, h.latency_sum, h.latency_min, h.latency_max, h.sketch
    FROM hourly h WHERE NOT EXISTS (SELECT FROM stale_hours s WHERE s.hour = h."time")
    UNION ALL
    SELECT date_trunc('hour', r.minute, 'UTC'), r.dimensions, r.status_class, sum(r.hits)::bigint, sum(r.errors)::bigint,
           sum(r.latency_count)::bigint, sum(r.latency_sum), min(r.latency_min), max(r.latency_max), sketch_merge(r.sketch)
    FROM rollups r
    WHERE r.minute >= coalesce((SELECT until FROM closed), '-infinity')
       OR EXISTS (SELECT FROM stale_hours s WHERE s.hour = date_trunc('hour', r.minute, 'UTC'))
    GROUP BY 1, 2, 3
)
SELECT p."time", d.service, d.environment, d.endpoint, d.method, p.status_class, p.hits, p.errors,
       p.latency_count, p.latency_sum, p.latency_min, p.latency_max, p.sketch
FROM parts p JOIN dimensions d ON d.id = p.dimensions;

CREATE VIEW http_requests_1d AS
WITH fresh AS (
    SELECT d.* FROM daily d WHERE NOT EXISTS (SELECT FROM stale_days s WHERE s.day = d."time")
    AND NOT EXISTS (SELECT FROM stale_hours s WHERE s.hour >= d."time" AND s.hour < d."time" + interval '1 day')
)
SELECT f."time", d.service, d.environment, d.endpoint, d.method, f.status_class, f.hits, f.errors,
       f.latency_count, f.latency_sum, f.latency_min, f.latency_max, f.sketch
FROM fresh f JOIN dimensions d ON d.id = f.dimensions
UNION ALL
SELECT date_trunc('day', h."time", 'UTC'), h.service, h.environment, h.endpoint, h.method, h.status_class, sum(h.hits)::bigint,
       sum(h.errors)::bigint, sum(h.latency_count)::bigint, sum(h.latency_sum), min(h.latency_min), max(h.latency_max), sketch_merge(h.sketch)
FROM http_requests_1h h
WHERE h."time" >= coalesce(date_trunc('day', (SELECT until FROM closed), 'UTC'), '-infinity')
   OR EXISTS (SELECT FROM stale_days s WHERE s.day = date_trunc('day', h."time", 'UTC'))
   OR EXISTS (SELECT FROM stale_hours s WHERE date_trunc('day', s.hour, 'UTC') = date_trunc('day', h."time", 'UTC'))
GROUP BY 1, 2, 3, 4, 5, 6;
