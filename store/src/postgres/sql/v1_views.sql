-- Tables as people and dashboards want to see them.

COMMENT ON TABLE events IS 'Raw events. See the view request_events.';

CREATE VIEW request_events AS
SELECT e."time", d.service, d.environment, d.endpoint, d.method, e.status_code, e.latency_ms, e.weight, e.event_id,
       replace(e.trace_id::text, '-', '') AS trace_id, e.user_ref, e.attributes, e.log_time, e.partition, e."offset"
FROM events e JOIN dimensions d ON d.id = e.dimensions;
COMMENT ON VIEW request_events IS 'Raw events, as long as retention keeps them. One row may stand for several requests: see weight.';
COMMENT ON COLUMN request_events."time" IS 'Event time: when the request ended, by its producer.';
COMMENT ON COLUMN request_events.environment IS 'Empty where the event named none.';
COMMENT ON COLUMN request_events.latency_ms IS 'Null where it was not measured.';
COMMENT ON COLUMN request_events.weight IS 'How many requests this event stands for (sampling): sum it, do not count rows.';
COMMENT ON COLUMN request_events.trace_id IS '32 hex digits; null where there was none.';
COMMENT ON COLUMN request_events.attributes IS 'Name to value, all values text; null when there are none.';
COMMENT ON COLUMN request_events.log_time IS 'When the log took it.';
COMMENT ON COLUMN request_events.partition IS 'Partition of request-events.';
COMMENT ON COLUMN request_events."offset" IS 'Offset there.';

CREATE VIEW http_requests_1m AS
SELECT r.minute AS "time", d.service, d.environment, d.endpoint, d.method, r.status_class, r.hits, r.errors,
       r.latency_count, r.latency_sum, r.latency_min, r.latency_max, r.sketch
FROM rollups r JOIN dimensions d ON d.id = r.dimensions;
COMMENT ON VIEW http_requests_1m IS
    'Rate, errors, durations per minute of event time. Aggregate: sum(hits), sum(errors), sum(latency_sum) / sum(latency_count), sketch_quantile(sketch_merge(sketch), 0.95).';
COMMENT ON COLUMN http_requests_1m."time" IS 'Begin of the minute.';
COMMENT ON COLUMN http_requests_1m.environment IS 'Empty where events named none.';
COMMENT ON COLUMN http_requests_1m.status_class IS 'Status code divided by 100: 1 to 5.';
COMMENT ON COLUMN http_requests_1m.hits IS 'Requests.';
COMMENT ON COLUMN http_requests_1m.errors IS 'Those with status 500 and above.';
COMMENT ON COLUMN http_requests_1m.latency_count IS 'Requests whose latency was measured.';
COMMENT ON COLUMN http_requests_1m.latency_sum IS 'Their latencies added up, milliseconds.';
COMMENT ON COLUMN http_requests_1m.latency_min IS 'The least, milliseconds; null where none was measured.';
COMMENT ON COLUMN http_requests_1m.latency_max IS 'The greatest, milliseconds.';
COMMENT ON COLUMN http_requests_1m.sketch IS 'For quantiles: give it to sketch_merge.';

-- `5m`, `1h`, `30d`: the greatest unit that divides it.
CREATE FUNCTION window_name(seconds bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN seconds > 0 AND seconds % 86400 = 0 THEN seconds / 86400 || 'd'
    WHEN seconds > 0 AND seconds % 3600 = 0 THEN seconds / 3600 || 'h'
    WHEN seconds > 0 AND seconds % 60 = 0 THEN seconds / 60 || 'm'
    ELSE seconds || 's'
END;

CREATE VIEW slo_history AS
SELECT b."time", s.slo, s.objective, s.group_name, s.group_values::json AS group_values, b.generation, b.complete, b.retired,
       CASE WHEN b.total > 0 THEN 1 - b.budget_total / b.total END AS target, b.sli, b.budget_total, b.budget_remaining, b.exhaustion_at, b.covered_from, b.good, b.total, b.unknown, b.too_late
FROM burn_rates b JOIN series s ON s.id = b.series;
COMMENT ON VIEW slo_history IS 'SLI and error budget of each series at each tick that was published.';
COMMENT ON COLUMN slo_history."time" IS 'The tick, in log time.';
COMMENT ON COLUMN slo_history.slo IS 'Name of the SLO.';
COMMENT ON COLUMN slo_history.objective IS 'Its objective: display name, or index.';
COMMENT ON COLUMN slo_history.group_name IS 'Values of groupBy, joined by comma and blank; empty when not grouped.';
COMMENT ON COLUMN slo_history.group_values IS 'The same as a JSON list.';
COMMENT ON COLUMN slo_history.generation IS 'Which meaning of the SLO; changes with its filter, groupBy or method.';
COMMENT ON COLUMN slo_history.complete IS 'False where a source was missing at that tick.';
COMMENT ON COLUMN slo_history.retired IS 'The last row of a series that was deleted or changed its meaning.';
COMMENT ON COLUMN slo_history.target IS 'What the objective promises, 0 to 1; null without traffic.';
COMMENT ON COLUMN slo_history.sli IS 'good / total over the budget''s period, 0 to 1; null without traffic.';
COMMENT ON COLUMN slo_history.budget_total IS 'Bad events that the period allows at its present total.';
COMMENT ON COLUMN slo_history.budget_remaining IS 'Share of the budget that is left: 1 is all of it; negative when overspent.';
COMMENT ON COLUMN slo_history.exhaustion_at IS 'When the budget is spent at the present rate; null when it is not being spent, or is spent.';
COMMENT ON COLUMN slo_history.covered_from IS 'From when on the counts cover everything; later than the period''s begin: the budget is not whole yet.';
COMMENT ON COLUMN slo_history.good IS 'Good events over the period.';
COMMENT ON COLUMN slo_history.total IS 'All events over the period.';
COMMENT ON COLUMN slo_history.unknown IS 'Events that could not be decided.';
COMMENT ON COLUMN slo_history.too_late IS 'Events that were older, at their own tick, than any window reaches.';

CREATE VIEW slo_state AS
SELECT n."time", s.slo, s.objective, s.group_name, s.group_values::json AS group_values, n.generation, n.complete,
       CASE WHEN n.total > 0 THEN 1 - n.budget_total / n.total END AS target, n.sli, n.budget_total, n.budget_remaining, n.exhaustion_at, n.covered_from, n.good, n.total, n.unknown, n.too_late
FROM series s
CROSS JOIN LATERAL (SELECT * FROM burn_rates b WHERE b.series = s.id ORDER BY b."time" DESC, b.generation DESC LIMIT 1) n
WHERE NOT n.retired;
COMMENT ON VIEW slo_state IS 'The newest row of slo_history of every series that is not retired.';

CREATE VIEW burn_rate AS
SELECT b."time", s.slo, s.objective, s.group_name, window_name(w.seconds) AS "window", w.seconds AS window_seconds, w.good,
       w.total, w.burn, b.generation, b.complete
FROM burn_rates b JOIN series s ON s.id = b.series
CROSS JOIN LATERAL unnest(b.window_seconds, b.window_good, b.window_total, b.window_burn) AS w (seconds, good, total, burn);
COMMENT ON VIEW burn_rate IS 'Burn rates: one row per series, tick and window.';
COMMENT ON COLUMN burn_rate."time" IS 'The tick, in log time; the window ends one second after it.';
COMMENT ON COLUMN burn_rate."window" IS 'Length for people: 5m, 1h, 30d.';
COMMENT ON COLUMN burn_rate.window_seconds IS 'Length in seconds; the longest of a series is its budget''s period.';
COMMENT ON COLUMN burn_rate.good IS 'Good events in the window.';
COMMENT ON COLUMN burn_rate.total IS 'All events in the window.';
COMMENT ON COLUMN burn_rate.burn IS '(bad / total) / (1 - target): 1 spends the budget exactly over its period; 0 without traffic.';

CREATE VIEW alerts AS
SELECT DISTINCT ON (t.alert_id, t.episode) t.alert_id, t.episode, t."time", t.state, t.slo, t.service, t.objective,
       t.group_name, t.rule, t.severity, t.value, t.pending_at, t.fired_at,
       CASE WHEN t.state IN ('resolved', 'inactive') THEN t."time" END AS ended_at
FROM alert_transitions t
ORDER BY t.alert_id, t.episode, t.seq DESC;
COMMENT ON VIEW alerts IS 'Episodes of alerts, each as its latest transition left it.';
COMMENT ON COLUMN alerts."time" IS 'The latest transition, in log time.';
COMMENT ON COLUMN alerts.state IS 'pending, inactive (never fired), firing, resolved.';
COMMENT ON COLUMN alerts.severity IS 'Of an episode that is over, the last one; empty where none was ripe.';
COMMENT ON COLUMN alerts.value IS 'Burn rate in the long window of the worst rule at the latest transition.';
COMMENT ON COLUMN alerts.pending_at IS 'When a condition began to hold.';
COMMENT ON COLUMN alerts.fired_at IS 'When it fired; null: not yet, or never.';
COMMENT ON COLUMN alerts.ended_at IS 'When it was resolved or ceased; null: it still goes on.';

COMMENT ON COLUMN request_events.service IS 'Who answered.';
COMMENT ON COLUMN request_events.endpoint IS 'Path template, not the raw path.';
COMMENT ON COLUMN request_events.method IS 'GET, POST and so on.';
COMMENT ON COLUMN request_events.status_code IS 'HTTP status: 100 to 599.';
COMMENT ON COLUMN request_events.event_id IS 'Given by the producer; copies that were sent again within the redelivery window are not stored.';
COMMENT ON COLUMN request_events.user_ref IS 'Who asked, as the producer has it; null where it gave none.';
COMMENT ON COLUMN alert_transitions.slo IS 'Name of the SLO.';
COMMENT ON COLUMN alert_transitions.service IS 'Service of the SLO.';
COMMENT ON COLUMN alert_transitions.objective IS 'Objective of the SLO: display name, or index.';

-- A column that several views have is documented once.
DO $$
DECLARE
    same record;
BEGIN
    FOR same IN
        SELECT pairs.view, a.attname, col_description(s.attrelid, s.attnum) AS said
        FROM (VALUES ('slo_state'::regclass, 'slo_history'::regclass), ('burn_rate', 'slo_history'),
              ('alerts', 'alert_transitions'), ('http_requests_1m', 'request_events')) AS pairs (view, source)
        JOIN pg_attribute a ON a.attrelid = pairs.view AND a.attnum > 0
        JOIN pg_attribute s ON s.attrelid = pairs.source AND s.attname = a.attname
        WHERE col_description(a.attrelid, a.attnum) IS NULL
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', same.view, same.attname, same.said);
    END LOOP;
END $$;
