COMMENT ON TABLE rollups IS 'What the events of a minute, a tuple of dimensions and a status class add up to. See the view http_requests_1m.';

DO $$
DECLARE
    length text;
BEGIN
    FOREACH length IN ARRAY ARRAY['1h', '1d'] LOOP
        EXECUTE format(
            'COMMENT ON VIEW http_requests_%s IS %L', length,
            'Rate, errors, durations per ' || CASE length WHEN '1h' THEN 'hour' ELSE 'day (UTC)' END
            || ' of event time, the present one included. Aggregate as http_requests_1m.');
        EXECUTE (
            SELECT string_agg(format('COMMENT ON COLUMN http_requests_%s.%I IS %L', length, a.attname,
                                     CASE a.attname WHEN 'time' THEN 'Its begin.' ELSE col_description(a.attrelid, a.attnum) END), ';')
            FROM pg_attribute a WHERE a.attrelid = 'http_requests_1m'::regclass AND a.attnum > 0);
    END LOOP;
END $$;
