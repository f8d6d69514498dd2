-- Rollups and burn-rate history in hypertables of TimescaleDB, with the chunks that docs/store.md lists. Their primary keys have
-- the time already.
SELECT create_hypertable('rollups', 'minute', chunk_time_interval => INTERVAL '7 days', create_default_indexes => false);
SELECT create_hypertable('burn_rates', 'time', chunk_time_interval => INTERVAL '1 day', create_default_indexes => false);
