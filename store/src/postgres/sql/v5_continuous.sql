-- Aggregates as continuous aggregates of TimescaleDB, the daily one over the hourly one. Both answer for the present hour and
-- day, too: what is not materialised yet is added up from rollups.
CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(INTERVAL '1 hour', minute) AS "time", dimensions, status_class,
       sum(hits)::bigint AS hits, sum(errors)::bigint AS errors, sum(latency_count)::bigint AS latency_count,
       sum(latency_sum) AS latency_sum, min(latency_min) AS latency_min, max(latency_max) AS latency_max,
       sketch_merge(sketch) AS sketch
FROM rollups GROUP BY 1, 2, 3 WITH NO DATA;

CREATE MATERIALIZED VIEW daily WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(INTERVAL '1 day', "time") AS "time", dimensions, status_class,
       sum(hits)::bigint AS hits, sum(errors)::bigint AS errors, sum(latency_count)::bigint AS latency_count,
       sum(latency_sum) AS latency_sum, min(latency_min) AS latency_min, max(latency_max) AS latency_max,
       sketch_merge(sketch) AS sketch
FROM hourly GROUP BY 1, 2, 3 WITH NO DATA;
COMMENT ON VIEW hourly IS 'What the rollups of an hour add up to: a continuous aggregate. See the view http_requests_1h.';
COMMENT ON VIEW daily IS 'What the hours of a day (UTC) add up to: a continuous aggregate. See the view http_requests_1d.';

-- The sink refreshes what it has changed. These do so, too, where it does not run or may not: from the beginning on, because
-- late events may be of any time, and what was not changed costs nothing.
SELECT add_continuous_aggregate_policy('hourly', start_offset => NULL, end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '30 minutes');
SELECT add_continuous_aggregate_policy('daily', start_offset => NULL, end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 hour');
