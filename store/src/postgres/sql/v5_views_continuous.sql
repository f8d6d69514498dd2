CREATE VIEW http_requests_1h AS
SELECT h."time", d.service, d.environment, d.endpoint, d.method, h.status_class, h.hits, h.errors,
       h.latency_count, h.latency_sum, h.latency_min, h.latency_max, h.sketch
FROM hourly h JOIN dimensions d ON d.id = h.dimensions;

CREATE VIEW http_requests_1d AS
SELECT y."time", d.service, d.environment, d.endpoint, d.method, y.status_class, y.hits, y.errors,
       y.latency_count, y.latency_sum, y.latency_min, y.latency_max, y.sketch
FROM daily y JOIN dimensions d ON d.id = y.dimensions;
