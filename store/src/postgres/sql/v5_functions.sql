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
