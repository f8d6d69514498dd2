-- Aggregates in tables of their own: without TimescaleDB's continuous aggregates.
CREATE TABLE hourly (
    "time" timestamptz NOT NULL,
    dimensions integer NOT NULL,
    status_class smallint NOT NULL,
    hits bigint NOT NULL,
    errors bigint NOT NULL,
    latency_count bigint NOT NULL,
    latency_sum double precision NOT NULL,
    latency_min double precision,
    latency_max double precision,
    sketch bigint[],
    PRIMARY KEY ("time", dimensions, status_class)
);
CREATE TABLE daily (LIKE hourly INCLUDING ALL);
COMMENT ON TABLE hourly IS 'What the rollups of a closed hour add up to. See the view http_requests_1h.';
COMMENT ON TABLE daily IS 'What the hours of a closed day (UTC) add up to. See the view http_requests_1d.';
