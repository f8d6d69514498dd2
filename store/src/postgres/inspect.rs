//! A look at a database before it is used: for `slipstream doctor`. Changes nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::options::{PostgresOptions, Target};
use super::session::Session;
use super::{error, migrate};
use crate::port::StoreError;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Where, without user and password.
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
    /// Version of TimescaleDB, where it is enabled in this database.
    pub timescaledb: Option<String>,
    /// Version that the server could enable.
    pub timescaledb_available: Option<String>,
    /// `timescale` or `apache`: whether it compresses.
    pub timescaledb_license: Option<String>,
    /// The user we are.
    pub user: String,
    /// The schema that was asked about.
    pub schema: String,
    /// Whether the schema is there.
    pub schema_exists: bool,
    /// Whether the user may make the schema, or tables in it where it is there.
    pub can_create_schema: bool,
    /// Whether the user may write to the tables; null: there are none.
    pub can_write: Option<bool>,
    /// Version of the tables; null: there are none.
    pub schema_version: Option<i32>,
    /// Version that this build makes.
    pub known_schema_version: i32,
    /// The database's clock less ours, milliseconds; off by at most half of `round_trip_ms`.
    pub clock_difference_ms: i64,
    /// How long a question took.
    pub round_trip_ms: f64,
    /// Connections that the server allows.
    pub max_connections: i32,
    /// Connections that are open, as far as the user sees them.
    pub connections: i64,
}

const DOING: &str = "inspecting the database";

/// Looks at a database.
///
/// # Errors
/// When there is no way in; the error says what to do.
pub async fn inspect(options: &PostgresOptions) -> Result<Inspection, StoreError> {
    let target = Target::new(options)?;
    let session = Session::open(&target).await?;
    let schema = &target.schema;
    let (clock_difference_ms, round_trip_ms) = clock(&session).await?;
    let sql = format!(
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int,
           current_setting('server_encoding'), pg_is_in_recovery(),
           coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
           (SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'),
           (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'),
           current_setting('timescaledb.license', true), current_user::text,
           to_regnamespace('{schema}') IS NOT NULL,
           CASE WHEN to_regnamespace('{schema}') IS NULL THEN has_database_privilege(current_database(), 'CREATE')
                ELSE has_schema_privilege(to_regnamespace('{schema}')::oid, 'CREATE') END,
           (SELECT has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{schema}' AND c.relname = 'positions'),
           current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity)"
    );
    let row = session.client.query_typed_one(&sql, &[]).await.map_err(error::at(DOING))?;
    let number: i32 = row.get(1);
    // Who may not look into the schema is told by the rights above.
    let schema_version = match migrate::version(&session, schema).await {
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
        timescaledb_license: row.get(7),
        user: row.get(8),
        schema: schema.clone(),
        schema_exists: row.get(9),
        can_create_schema: row.get(10),
        can_write: row.get(11),
        schema_version,
        known_schema_version: migrate::known_version(),
        clock_difference_ms,
        round_trip_ms,
        max_connections: row.get(12),
        connections: row.get(13),
    })
}

/// The database's clock less ours, and how long the question took, milliseconds. Ours is read before and after.
async fn clock(session: &Session) -> Result<(i64, f64), StoreError> {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let before = now();
    let row = session.client.query_typed_one(sql, &[]).await.map_err(error::at(DOING))?;
    let after = now();
    let theirs: i64 = row.get(0);
    Ok(((theirs - before.midpoint(after)) / 1_000, (after - before) as f64 / 1_000.0))
}
