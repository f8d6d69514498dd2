-- What is called inside of an aggregate is named with its schema: a continuous aggregate is refreshed with a search_path of its
-- own.
DO $$
BEGIN
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION sketch_add(a bigint[], b bigint[]) RETURNS bigint[]
        LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $body$
        BEGIN
            IF a IS NULL THEN RETURN b; END IF;
            IF b IS NULL THEN RETURN a; END IF;
            -- Joining is quick, folding takes a tenth of a millisecond: only every few times.
            IF cardinality(a) + cardinality(b) > 512 THEN RETURN %1$I.sketch_fold(a || b); END IF;
            RETURN a || b;
        END $body$;

        CREATE OR REPLACE FUNCTION sketch_join(a bigint[], b bigint[]) RETURNS bigint[]
        LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $body$
        BEGIN
            IF a IS NULL THEN RETURN b; END IF;
            IF b IS NULL THEN RETURN a; END IF;
            IF cardinality(a) + cardinality(b) > 4096 THEN RETURN %1$I.sketch_fold(a || b); END IF;
            RETURN a || b;
        END $body$
    $sql$, current_schema());
END $$;

-- What only the owner of a table may do, and a writer without that right needs: a partition for a day, and dropping what is past
-- retention. They run with the owner's rights, and find nothing but the store's own tables and catalogs: no function of a schema
-- in which others may make some. So chunks are dropped as the tables that they are.
DO $$
BEGIN
    EXECUTE format($sql$
        CREATE FUNCTION events_make_day(day integer) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_catalog, pg_temp AS $body$
        DECLARE
            begins timestamptz := (date '1970-01-01' + day)::timestamp AT TIME ZONE 'UTC';
            name text := 'events_' || to_char(date '1970-01-01' + day, 'YYYYMMDD');
        BEGIN
            IF (SELECT relkind FROM pg_class WHERE oid = 'events'::regclass) <> 'p' OR to_regclass(name) IS NOT NULL THEN RETURN; END IF;
            -- Attached, not created in place: that would lock the whole table against readers.
            EXECUTE format('CREATE TABLE %%I (LIKE events INCLUDING INDEXES)', name);
            EXECUTE format('ALTER TABLE events ATTACH PARTITION %%I FOR VALUES FROM (%%L) TO (%%L)', name, begins, begins + interval '1 day');
        END $body$;
        COMMENT ON FUNCTION events_make_day(integer) IS 'Makes the partition for a day of log time, counted from 1970-01-01, if it is missing.';

        CREATE FUNCTION chunks_drop(hypertable text, begins timestamptz, ends timestamptz) RETURNS bigint
        LANGUAGE plpgsql SET search_path = %1$I, pg_catalog, pg_temp AS $body$
        DECLARE
            past text;
            dropped bigint := 0;
        BEGIN
            -- TimescaleDB may have come after this function, or not at all.
            IF to_regclass('timescaledb_information.chunks') IS NULL THEN RETURN 0; END IF;
            FOR past IN
                SELECT format('%%I.%%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks
                WHERE hypertable_schema = current_schema() AND hypertable_name = hypertable AND range_start >= begins AND range_end <= ends
            LOOP
                EXECUTE 'DROP TABLE ' || past;
                dropped := dropped + 1;
            END LOOP;
            RETURN dropped;
        END $body$;
        COMMENT ON FUNCTION chunks_drop(text, timestamptz, timestamptz) IS 'Drops the chunks of a hypertable in a range.';

        CREATE FUNCTION events_drop_before(day integer) RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_catalog, pg_temp AS $body$
        DECLARE
            before timestamptz := (date '1970-01-01' + day)::timestamp AT TIME ZONE 'UTC';
            past text;
            dropped bigint := 0;
        BEGIN
            IF (SELECT relkind FROM pg_class WHERE oid = 'events'::regclass) <> 'p' THEN
                RETURN chunks_drop('events', '-infinity', before);
            END IF;
            FOR past IN
                SELECT c.oid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'events'::regclass AND c.relname < 'events_' || to_char(date '1970-01-01' + day, 'YYYYMMDD')
            LOOP
                EXECUTE 'DROP TABLE ' || past;
                dropped := dropped + 1;
            END LOOP;
            RETURN dropped;
        END $body$;
        COMMENT ON FUNCTION events_drop_before(integer) IS 'Drops the raw events of all days of log time before one.';

        CREATE FUNCTION burn_rates_drop(begins timestamptz, ends timestamptz) RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_catalog, pg_temp AS $body$
        BEGIN
            RETURN chunks_drop('burn_rates', begins, ends);
        END $body$;
        COMMENT ON FUNCTION burn_rates_drop(timestamptz, timestamptz) IS 'Drops the chunks of burn-rate history in a range, where it is a hypertable.';

        REVOKE EXECUTE ON FUNCTION events_make_day(integer), events_drop_before(integer), chunks_drop(text, timestamptz, timestamptz), burn_rates_drop(timestamptz, timestamptz) FROM PUBLIC
    $sql$, current_schema());
END $$;
