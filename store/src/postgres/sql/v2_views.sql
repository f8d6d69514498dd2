CREATE OR REPLACE VIEW slo_history AS
SELECT b."time", s.slo, s.objective, s.group_name, s.group_values::json AS group_values, b.generation, b.complete, b.retired,
       coalesce(b.target, CASE WHEN b.total > 0 THEN 1 - b.budget_total / b.total END) AS target, b.sli, b.budget_total, b.budget_remaining, b.exhaustion_at, b.covered_from, b.good, b.total, b.unknown, b.too_late,
       coalesce(b.unit, 'events') AS unit, b.period_start
FROM burn_rates b JOIN series s ON s.id = b.series;
COMMENT ON COLUMN slo_history.target IS 'What the objective promises, 0 to 1; null of a retired series.';
COMMENT ON COLUMN slo_history.budget_total IS 'What the period allows to be bad, by unit.';
COMMENT ON COLUMN slo_history.exhaustion_at IS 'When the budget is spent at the present rate; null when it is not being spent, is spent, or begins anew before.';
COMMENT ON COLUMN slo_history.good IS 'What was good over the period, by unit.';
COMMENT ON COLUMN slo_history.total IS 'Good and bad over the period, by unit.';
COMMENT ON COLUMN slo_history.unit IS 'What good, total and budget_total count: events; seconds of sliced time; share, of a composite, in parts of 1,000,000,000.';
COMMENT ON COLUMN slo_history.period_start IS 'When the present period of a calendar began; null where the window rolls.';

CREATE OR REPLACE VIEW slo_state AS
SELECT n."time", s.slo, s.objective, s.group_name, s.group_values::json AS group_values, n.generation, n.complete,
       coalesce(n.target, CASE WHEN n.total > 0 THEN 1 - n.budget_total / n.total END) AS target, n.sli, n.budget_total, n.budget_remaining, n.exhaustion_at, n.covered_from, n.good, n.total, n.unknown, n.too_late,
       coalesce(n.unit, 'events') AS unit, n.period_start
FROM series s
CROSS JOIN LATERAL (SELECT * FROM burn_rates b WHERE b.series = s.id ORDER BY b."time" DESC, b.generation DESC LIMIT 1) n
WHERE NOT n.retired;

COMMENT ON COLUMN burn_rate.window_seconds IS 'Length in seconds. The budget''s period is the last of a series; of a calendar the length of the present one.';
COMMENT ON COLUMN burn_rate.good IS 'What was good in the window, by the unit of slo_state.';
COMMENT ON COLUMN burn_rate.total IS 'Good and bad in the window, by the unit of slo_state.';

-- A column that both views have is documented once.
DO $$
DECLARE
    same record;
BEGIN
    FOR same IN
        SELECT a.attname, col_description(s.attrelid, s.attnum) AS said
        FROM pg_attribute a JOIN pg_attribute s ON s.attrelid = 'slo_history'::regclass AND s.attname = a.attname
        WHERE a.attrelid = 'slo_state'::regclass AND a.attnum > 0
    LOOP
        EXECUTE format('COMMENT ON COLUMN slo_state.%I IS %L', same.attname, same.said);
    END LOOP;
END $$;
