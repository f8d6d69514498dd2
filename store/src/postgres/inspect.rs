//! Inspection of a database before it is used: for `slipstream doctor`. Changes nothing.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::layout::Layout;
use super::options::{PostgresOptions, Target};
use super::session::Session;
use super::{error, migrate};
use crate::port::StoreError;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Its address, without user and password.
    pub place: String,
    /// `15.18 (Debian …)`.
    pub server_version: String,
    /// `150018`
    pub server_version_number: i32,
    /// Whether this version of the server can serve.
    pub server_new_enough: bool,
    /// Encoding of the database; only `UTF8` serves.
    pub encoding: String,
    /// True on a standby: nothing can be written here.
    pub read_only: bool,
    /// Whether this connection is encrypted.
    pub encrypted: bool,
    /// Version of TimescaleDB, if it is enabled in this database.
    pub timescaledb: Option<String>,
    /// Version that the server could enable.
    pub timescaledb_available: Option<String>,
    /// Whether the server loaded it at startup; without that it cannot be enabled. Null if the user may not see that.
    pub timescaledb_preloaded: Option<bool>,
    /// `timescale` or `apache`: whether it compresses.
    pub timescaledb_license: Option<String>,
    /// Whether its build has only the Apache licence: no setting can make it compress.
    pub timescaledb_apache_build: bool,
    /// The schema of its functions, as SQL takes it, where it is enabled.
    pub timescaledb_schema: Option<String>,
    /// Whether the user may use that schema; null if it is not enabled.
    pub timescaledb_usable: Option<bool>,
    /// Whether raw events are in a hypertable; null if there is no table for them yet.
    pub events_in_hypertable: Option<bool>,
    /// How all tables are kept; null if there are none yet.
    pub layout: Option<Layout>,
    /// The user we are, as SQL takes it.
    pub user: String,
    /// The schema that was inspected.
    pub schema: String,
    /// Whether the schema is there.
    pub schema_exists: bool,
    /// Whether the user may create the schema, or, if it exists, tables in it.
    pub can_create_schema: bool,
    /// Whether the user may write to the tables; null if there are none.
    pub can_write: Option<bool>,
    /// Version of the tables; null if there are none.
    pub schema_version: Option<i32>,
    /// Tables of the store that are missing, although its version says that they were created.
    pub missing_tables: Vec<String>,
    /// Version that this build creates.
    pub known_schema_version: i32,
    /// The database's clock less ours, milliseconds; off by at most half of `round_trip_ms`.
    pub clock_difference_ms: i64,
    /// How long a question took.
    pub round_trip_ms: f64,
    /// Connections that the server allows.
    pub max_connections: i32,
    /// Open connections, as far as the user may see them.
    pub connections: i64,
}

const DOING: &str = "inspecting the database";

/// Tables, and the version that each came with: without one of them nothing can be written.
const TABLES: [(&str, i32); 18] = [
    ("positions", 1),
    ("dimensions", 1),
    ("days", 1),
    ("minutes", 1),
    ("rollups", 1),
    ("series", 1),
    ("burn_rates", 1),
    ("alert_transitions", 1),
    ("notifications", 1),
    ("events", 1),
    ("topics", 3),
    ("kept", 4),
    ("closed", 5),
    ("kept_burn_rates", 5),
    ("kept_alerts", 5),
    ("stale_hours", 5),
    ("stale_days", 5),
    ("made_days", 5),
];

/// Tables that a version has and that are not `there`.
fn missing(version: i32, there: &Tables) -> Vec<String> {
    let expected = TABLES.iter().filter(|(_, since)| *since <= version).map(|(table, _)| *table);
    expected.filter(|table| !there.contains_key(*table)).map(str::to_owned).collect()
}

/// Looks at a database.
///
/// # Errors
/// When connecting fails; the error says what to do.
pub async fn inspect(options: &PostgresOptions) -> Result<Inspection, StoreError> {
    let target = Target::new(options)?;
    let mut session = Session::open(&target).await?;
    let asked = session.begin_reading(DOING).await?;
    let schema = &target.schema;
    let (clock_difference_ms, round_trip_ms) = clock(&asked).await?;
    let sql = format!(
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int,
           current_setting('server_encoding'), pg_is_in_recovery(),
           coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
           (SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'),
           (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'),
           current_setting('timescaledb.license', true), quote_ident(current_user),
           to_regnamespace('{schema}') IS NOT NULL,
           CASE WHEN to_regnamespace('{schema}') IS NULL THEN has_database_privilege(current_database(), 'CREATE')
                ELSE has_schema_privilege(to_regnamespace('{schema}')::oid, 'CREATE') END,
           (SELECT has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{schema}' AND c.relname = 'positions'),
           current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity)"
    );
    let row = asked.query_typed_one(&sql, &[]).await.map_err(error::at(DOING))?;
    let number: i32 = row.get(1);
    let extension = extension(&asked).await?;
    let (events_in_hypertable, there) = tables(&asked, schema).await?;
    let layout = match events_in_hypertable {
        Some(_) => Some(Layout::find(&asked, DOING).await?),
        None => None,
    };
    // Last, because a refusal ends the transaction: who may not look into the schema is told by the rights above.
    let schema_version = match migrate::version(&asked, schema).await {
        Ok(version) => version,
        Err(StoreError::Fatal { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Inspection {
        place: target.place.clone(),
        server_version: row.get(0),
        server_version_number: number,
        server_new_enough: number >= migrate::OLDEST_SERVER,
        encoding: row.get(2),
        read_only: row.get(3),
        encrypted: row.get(4),
        timescaledb: row.get(5),
        timescaledb_available: row.get(6),
        timescaledb_preloaded: extension.preloaded,
        timescaledb_license: row.get(7),
        timescaledb_apache_build: extension.apache_build,
        timescaledb_schema: extension.schema,
        timescaledb_usable: extension.usable,
        events_in_hypertable: layout.map(|layout| layout.events),
        layout,
        user: row.get(8),
        schema: schema.clone(),
        schema_exists: row.get(9),
        can_create_schema: row.get(10),
        can_write: row.get(11),
        missing_tables: missing(schema_version.unwrap_or_default(), &there),
        schema_version,
        known_schema_version: migrate::known_version(),
        clock_difference_ms,
        round_trip_ms,
        max_connections: row.get(12),
        connections: row.get(13),
    })
}

/// Facts about TimescaleDB other than its versions.
struct Extension {
    preloaded: Option<bool>,
    apache_build: bool,
    schema: Option<String>,
    usable: Option<bool>,
}

/// The list of preloaded libraries is for those who may read all settings. What the extension's loader leaves behind, a
/// setting of its own, tells everybody; one of its name that somebody only set is no setting that the server lists.
async fn extension(asked: &Transaction<'_>) -> Result<Extension, StoreError> {
    let sql = "SELECT CASE
             WHEN EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.max_background_workers') THEN true
             WHEN pg_has_role('pg_read_all_settings', 'USAGE')
               THEN current_setting('shared_preload_libraries', true) LIKE '%timescaledb%'
           END,
           EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.license' AND boot_val = 'apache'),
           (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
            WHERE e.extname = 'timescaledb'),
           (SELECT has_schema_privilege(e.extnamespace, 'USAGE') FROM pg_extension e WHERE e.extname = 'timescaledb')";
    let row = asked.query_typed_one(sql, &[]).await.map_err(error::at(DOING))?;
    Ok(Extension { preloaded: row.get(0), apache_build: row.get(1), schema: row.get(2), usable: row.get(3) })
}

/// Tables, each with whether it has no native partitions.
type Tables = BTreeMap<String, bool>;

/// Whether events are in a hypertable, and which tables there are.
async fn tables(asked: &Transaction<'_>, schema: &str) -> Result<(Option<bool>, Tables), StoreError> {
    let sql = "SELECT c.relname::text, c.relkind <> 'p' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')";
    let rows = asked.query_typed(sql, &[(&schema, Type::TEXT)]).await.map_err(error::at(DOING))?;
    let there: Tables = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok((there.get("events").copied(), there))
}

/// The database's clock less ours, and how long the question took, milliseconds. Ours is read before and after.
async fn clock(asked: &Transaction<'_>) -> Result<(i64, f64), StoreError> {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let before = now();
    let row = asked.query_typed_one(sql, &[]).await.map_err(error::at(DOING))?;
    let after = now();
    let theirs: i64 = row.get(0);
    Ok(((theirs - before.midpoint(after)) / 1_000, (after - before) as f64 / 1_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_missing_from_the_version_on_that_it_came_with() {
        let all =
            |except: &str| TABLES.iter().map(|(t, _)| ((*t).to_owned(), true)).filter(|(t, _)| t != except).collect();
        assert_eq!(missing(0, &Tables::new()), Vec::<String>::new());
        assert_eq!(missing(2, &all("topics")), Vec::<String>::new());
        assert_eq!(missing(3, &all("topics")), ["topics"]);
        assert_eq!(missing(1, &all("days")), ["days"]);
        assert!(TABLES.iter().all(|(_, since)| *since <= migrate::known_version()));
    }
}
