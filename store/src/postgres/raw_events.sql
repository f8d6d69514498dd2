-- A piece of log time, behind a place: the log time of the place again as a bound, because an index can use only that. Sorted
-- before the names of dimensions make rows wide.
SELECT e.partition, e."offset", e.log_time, e."time", d.service, d.environment, d.endpoint, d.method,
       e.status_code, e.latency_ms, e.weight, e.event_id, e.trace_id, e.user_ref, e.attributes::text
FROM (
    SELECT * FROM events e
    WHERE e.log_time >= $1 AND e.log_time < $2 AND (e.log_time, e.partition, e."offset") > ($1, $3, $4)
    AND coalesce(e.epoch, 0) = $5 AND ($6::bigint[] IS NULL OR e."offset" < ($6::bigint[])[e.partition + 1])
    ORDER BY e.log_time, e.partition, e."offset" LIMIT $7
) e JOIN dimensions d ON d.id = e.dimensions
ORDER BY e.log_time, e.partition, e."offset"
