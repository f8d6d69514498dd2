CREATE OR REPLACE VIEW slo_history AS
SELECT b."time", s.slo, s.objective, s.group_name, s.group_values::json AS group_values, b.generation, b.complete, b.retired,
       coalesce(b.target, CASE WHEN b.total > 0 THEN 1 - b.budget_total / b.total END) AS target, b.sli, b.budget_total, b.budget_remaining, b.exhaustion_at, b.covered_from, b.good, b.total, b.unknown, b.too_late,
       coalesce(b.unit, 'events') AS unit, b.period_start,
       b.covered_from <= coalesce(b.period_start, b."time" + interval '1 second' - make_interval(secs => b.window_seconds[cardinality(b.window_seconds)])) AS covers_period
FROM burn_rates b JOIN series s ON s.id = b.series;
COMMENT ON COLUMN slo_history.target IS 'What the objective promises, 0 to 1; null of a retired series.';
COMMENT ON COLUMN slo_history.budget_total IS 'What the period allows to be bad, by unit.';
COMMENT ON COLUMN slo_history.exhaustion_at IS 'When the budget is spent at the present rate; null when it is not being spent, is spent, or begins anew before.';
COMMENT ON COLUMN slo_history.good IS 'What was good over the period, by unit.';
COMMENT ON COLUMN slo_history.total IS 'Good and bad over the period, by unit.';
COMMENT ON COLUMN slo_history.unit IS 'What good, total and budget_total count: events; seconds of sliced time; share, of a composite, in parts of 1,000,000,000.';
COMMENT ON COLUMN slo_history.period_start IS 'When the present period of a calendar began; null where the window rolls.';
COMMENT ON COLUMN slo_history.covers_period IS 'Whether the counts cover the period from its begin; null of a retired series.';

CREATE OR REPLACE VIEW slo_state AS
SELECT n."time", s.slo, s.objective, s.group_name, s.group_values::json AS group_values, n.generation, n.complete,
       coalesce(n.target, CASE WHEN n.total > 0 THEN 1 - n.budget_total / n.total END) AS target, n.sli, n.budget_total, n.budget_remaining, n.exhaustion_at, n.covered_from, n.good, n.total, n.unknown, n.too_late,
       coalesce(n.unit, 'events') AS unit, n.period_start,
       n.covered_from <= coalesce(n.period_start, n."time" + interval '1 second' - make_interval(secs => n.window_seconds[cardinality(n.window_seconds)])) AS covers_period
FROM series s
CROSS JOIN LATERAL (SELECT * FROM burn_rates b WHERE b.series = s.id ORDER BY b."time" DESC, b.generation DESC LIMIT 1) n
WHERE NOT n.retired;

-- A period of a calendar may be as long as a window that rolls, and not as long as the one before it: its name is no length.
CREATE OR REPLACE VIEW burn_rate AS
SELECT b."time", s.slo, s.objective, s.group_name,
       CASE WHEN w.place = cardinality(b.window_seconds) AND b.period_start IS NOT NULL THEN 'budget' ELSE window_name(w.seconds) END AS "window",
       w.seconds AS window_seconds, w.good, w.total, w.burn, b.generation, b.complete, coalesce(b.unit, 'events') AS unit,
       w.place = cardinality(b.window_seconds) AS is_budget
FROM burn_rates b JOIN series s ON s.id = b.series
CROSS JOIN LATERAL unnest(b.window_seconds, b.window_good, b.window_total, b.window_burn) WITH ORDINALITY AS w (seconds, good, total, burn, place);
COMMENT ON COLUMN burn_rate."window" IS 'Length for people: 5m, 1h, 30d; budget, of a calendar''s present period.';
COMMENT ON COLUMN burn_rate.window_seconds IS 'Length in seconds; of a calendar''s present period from its begin to its end. Several rows may have the same: see is_budget.';
COMMENT ON COLUMN burn_rate.good IS 'What was good in the window, by unit.';
COMMENT ON COLUMN burn_rate.total IS 'Good and bad in the window, by unit.';
COMMENT ON COLUMN burn_rate.is_budget IS 'Whether the window is the period that the budget is for: one row of each series and tick.';

-- A column that several views have is documented once.
DO $$
DECLARE
    same record;
BEGIN
    FOR same IN
        SELECT v.name AS view, a.attname, col_description(s.attrelid, s.attnum) AS said
        FROM (VALUES ('slo_state'::regclass), ('burn_rate')) AS v (name)
        JOIN pg_attribute a ON a.attrelid = v.name AND a.attnum > 0
        JOIN pg_attribute s ON s.attrelid = 'slo_history'::regclass AND s.attname = a.attname
        WHERE v.name = 'slo_state'::regclass OR col_description(a.attrelid, a.attnum) IS NULL
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', same.view, same.attname, same.said);
    END LOOP;
END $$;
