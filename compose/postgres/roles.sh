#!/bin/sh
# Runs once, when the database is created: Slipstream's database and its owner, and a reader for Grafana. The superuser is
# for people only.
set -eu

# A password is a secret: it is passed in a variable of psql, not on a command line that ps shows.
psql --username "$POSTGRES_USER" --dbname postgres -v ON_ERROR_STOP=1 --quiet <<'SQL'
\set owner_password `cat /run/secrets/slipstream_password`
\set reader_password `cat /run/secrets/grafana_reader_password`
CREATE ROLE slipstream LOGIN PASSWORD :'owner_password';
CREATE ROLE grafana LOGIN PASSWORD :'reader_password';
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
-- The store's tables, views and functions are in a schema of their own.
ALTER ROLE grafana SET search_path = slipstream, public;
CREATE DATABASE slipstream OWNER slipstream;
REVOKE ALL ON DATABASE slipstream FROM PUBLIC;
GRANT CONNECT ON DATABASE slipstream TO grafana;
SQL

psql --username "$POSTGRES_USER" --dbname slipstream -v ON_ERROR_STOP=1 --quiet <<'SQL'
-- With the extension the store keeps raw events in hypertables; without it, in partitions of PostgreSQL's own.
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
    CREATE EXTENSION IF NOT EXISTS timescaledb;
  END IF;
END $$;
-- What the owner makes later, by its migrations, the reader may read.
ALTER DEFAULT PRIVILEGES FOR ROLE slipstream GRANT USAGE ON SCHEMAS TO grafana;
ALTER DEFAULT PRIVILEGES FOR ROLE slipstream GRANT SELECT ON TABLES TO grafana;
GRANT USAGE ON SCHEMA public TO grafana;
SQL
