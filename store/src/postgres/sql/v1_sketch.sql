-- Latency sketches in SQL: buckets with fixed logarithmic bounds (32 to a doubling), so that any two merge. A quantile is
-- within 1.1 % of the value of its rank.
--
-- A sketch is a list of cells, each one number: place * 2^52 + weight. Place 0 counts what took no time; place p covers
-- (2^((p-1025)/32), 2^((p-1024)/32)] milliseconds. Cells may come in any order, and a place may have several: lists are
-- merged by joining them, and folded when they are read or have grown long.

CREATE FUNCTION sketch_fold(sketch bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    -- The weight of one cell ends below 2^52: the next place begins there.
    SELECT array_agg((folded.place << 52) | least(folded.weight, 4503599627370495)::bigint ORDER BY folded.place)
    FROM (SELECT cell >> 52 AS place, sum(cell & 4503599627370495) AS weight FROM unnest(sketch) cell GROUP BY 1) folded;
END;
COMMENT ON FUNCTION sketch_fold(bigint[]) IS 'The same sketch with one cell per place, in order of place.';

CREATE FUNCTION sketch_add(a bigint[], b bigint[]) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF a IS NULL THEN RETURN b; END IF;
    IF b IS NULL THEN RETURN a; END IF;
    -- Joining is quick, folding takes a tenth of a millisecond: only every few times.
    IF cardinality(a) + cardinality(b) > 512 THEN RETURN sketch_fold(a || b); END IF;
    RETURN a || b;
END $$;
COMMENT ON FUNCTION sketch_add(bigint[], bigint[]) IS 'The sketch of both inputs; null adds nothing.';

-- What merging passes from row to row: joined until it is longer than all places there are, then folded.
CREATE FUNCTION sketch_join(a bigint[], b bigint[]) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF a IS NULL THEN RETURN b; END IF;
    IF b IS NULL THEN RETURN a; END IF;
    IF cardinality(a) + cardinality(b) > 4096 THEN RETURN sketch_fold(a || b); END IF;
    RETURN a || b;
END $$;

CREATE AGGREGATE sketch_merge(bigint[]) (
    SFUNC = sketch_join,
    STYPE = bigint[],
    FINALFUNC = sketch_fold,
    COMBINEFUNC = sketch_join,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE sketch_merge(bigint[]) IS 'The sketch of all rows: sketch_quantile(sketch_merge(sketch), 0.95).';

CREATE FUNCTION sketch_count(sketch bigint[]) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(sum(cell & 4503599627370495), 0)::bigint FROM unnest(sketch) cell;
END;
COMMENT ON FUNCTION sketch_count(bigint[]) IS 'The weight a sketch holds.';

CREATE FUNCTION sketch_quantile(sketch bigint[], p double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    total bigint := 0;
    remaining bigint;
    cell bigint;
    exact double precision;
BEGIN
    FOREACH cell IN ARRAY sketch LOOP
        total := total + (cell & 4503599627370495);
    END LOOP;
    IF total = 0 THEN RETURN NULL; END IF;
    -- Nearest rank: ceil(p x n). A product such as 0.95 x 20 lies a hair above 19: without the allowance it would take
    -- the next rank.
    exact := least(greatest(p, 0), 1) * total;
    remaining := least(greatest(ceil(exact - exact * 1e-12)::bigint, 1), total);
    FOR cell IN SELECT c FROM unnest(sketch) c ORDER BY c >> 52 LOOP
        remaining := remaining - (cell & 4503599627370495);
        IF remaining <= 0 THEN
            IF cell >> 52 = 0 THEN RETURN 0; END IF;
            -- The harmonic middle of the bucket: off by at most 1.09 %.
            RETURN power(2, ((cell >> 52) - 1024) / 32.0::double precision) * 2
                   / (1 + power(2, 1 / 32.0::double precision));
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION sketch_quantile(bigint[], double precision) IS
    'The quantile p (0 to 1) in milliseconds, within 1.1 %; null when the sketch is empty.';
