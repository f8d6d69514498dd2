-- Burn rates and alerts are removed by tick: from which one on they are whole. Null: none was removed.
ALTER TABLE kept RENAME TO kept_before;
CREATE TABLE kept (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    raw_from INTEGER,
    rates_from INTEGER,
    alerts_from INTEGER
) STRICT;

-- What a former version removed it did not note: of each series there is what is left, and it may have removed what was before.
INSERT INTO kept (one, raw_from, rates_from)
SELECT one, raw_from, (SELECT max(first) FROM (SELECT min(tick) AS first FROM burn_rates GROUP BY series)) FROM kept_before;
DROP TABLE kept_before;
