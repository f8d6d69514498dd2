-- What a budget is counted in, and what it promises: they no longer follow from its totals alone.
ALTER TABLE burn_rates ADD COLUMN unit text COLLATE "C";
ALTER TABLE burn_rates ADD COLUMN target double precision;
ALTER TABLE burn_rates ADD COLUMN period_start timestamptz;
COMMENT ON COLUMN burn_rates.unit IS 'events, seconds or share; null: events, written by a version that knew nothing else.';
COMMENT ON COLUMN burn_rates.target IS 'What the objective promises, 0 to 1; null of a retired series, or written by a version that did not keep it.';
COMMENT ON COLUMN burn_rates.period_start IS 'When the present period of a calendar began; null where the window rolls.';
