//! The store's tables: created, migrated, or refused.
//!
//! Everything happens in one transaction under an advisory lock: of two processes that start together one migrates, the
//! other waits and finds it done; a crash leaves the version before.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::events_table::{self, Extension};
use super::layout::Layout;
use super::options::Target;
use super::session::Session;
use super::{compression, error, owner};
use crate::port::StoreError;

/// Migrations in order, by version from 1.
const MIGRATIONS: [Migration; 6] = [
    Migration {
        tables: include_str!("sql/v1_tables.sql"),
        functions: include_str!("sql/v1_sketch.sql"),
        plain: include_str!("sql/v1_events_partitions.sql"),
        timescale: include_str!("sql/v1_events_hypertable.sql"),
        views: include_str!("sql/v1_views.sql"),
        ..NOTHING
    },
    Migration { tables: include_str!("sql/v2_tables.sql"), views: include_str!("sql/v2_views.sql"), ..NOTHING },
    Migration { tables: include_str!("sql/v3_tables.sql"), ..NOTHING },
    Migration { tables: include_str!("sql/v4_tables.sql"), ..NOTHING },
    Migration {
        tables: include_str!("sql/v5_tables.sql"),
        functions: include_str!("sql/v5_functions.sql"),
        timescale: include_str!("sql/v5_hypertables.sql"),
        aggregate_tables: concat!(include_str!("sql/v5_aggregate_tables.sql"), include_str!("sql/v5_views_tables.sql")),
        continuous: concat!(include_str!("sql/v5_continuous.sql"), include_str!("sql/v5_views_continuous.sql")),
        views: V5_VIEWS,
        ..NOTHING
    },
    Migration { tables: include_str!("sql/v6_tables.sql"), ..NOTHING },
];

const V5_VIEWS: &str = include_str!("sql/v5_views.sql");

/// What makes aggregates continuous where there are none.
pub const CONTINUOUS: &str = concat!(
    include_str!("sql/v5_continuous.sql"),
    include_str!("sql/v5_views_continuous.sql"),
    include_str!("sql/v5_views.sql")
);

/// The oldest server that supports our SQL: function bodies that are bound when they are created (14).
pub const OLDEST_SERVER: i32 = 140_000;

/// Statements of a version, in the order of these fields. Of each pair one is run.
struct Migration {
    tables: &'static str,
    functions: &'static str,
    /// Without TimescaleDB,
    plain: &'static str,
    /// and with it.
    timescale: &'static str,
    /// Without continuous aggregates,
    aggregate_tables: &'static str,
    /// and with them.
    continuous: &'static str,
    views: &'static str,
}

const NOTHING: Migration =
    Migration { tables: "", functions: "", plain: "", timescale: "", aggregate_tables: "", continuous: "", views: "" };

/// The version of the tables that this build creates.
pub fn known_version() -> i32 {
    MIGRATIONS.len() as i32
}

/// Migrates the schema. Returns a session to continue with, and how the tables are kept.
///
/// # Errors
/// When the schema is newer than this build, rights are missing, or the server cannot serve.
pub async fn migrate(target: &Target) -> Result<(Session, Layout), StoreError> {
    let doing = format!("creating the tables of {} in {}", target.schema, target.place);
    if is_new(target, &doing).await? {
        events_table::try_extension(target).await?;
    }
    // Opened only now, so that it finds the extension.
    let mut session = Session::open(target).await?;
    let transaction = session.begin(&doing).await?;
    let found = make_tables(&transaction, target, &doing).await?;
    transaction.commit().await.map_err(error::at(doing))?;
    compression::ensure(&mut session, found).await?;
    Ok((session, found))
}

/// Whether the server can serve and has no tables of ours yet.
async fn is_new(target: &Target, doing: &str) -> Result<bool, StoreError> {
    let mut session = Session::open(target).await?;
    let transaction = session.begin_reading(doing).await?;
    check_server(&transaction, doing).await?;
    Ok(!exists(&transaction, &target.schema, doing).await?)
}

async fn make_tables(transaction: &Transaction<'_>, target: &Target, doing: &str) -> Result<Layout, StoreError> {
    lock(transaction, &target.schema, doing).await?;
    let version = version_under_lock(transaction, &target.schema, doing).await?;
    refuse_newer(version, doing)?;
    let extension = Extension::find(transaction, doing).await?;
    // Tables that are there stay as they are: `slipstream store migrate` turns them into hypertables.
    let timescale = extension.as_ref().filter(|_| version == 0);
    timescale.map_or(Ok(()), |extension| extension.require_usable(doing))?;
    if (1..known_version()).contains(&version) {
        owner::act_as(transaction, "schema_versions").await?;
    }
    for (done, migration) in MIGRATIONS.iter().enumerate().skip(version as usize) {
        let events = if timescale.is_some() { migration.timescale } else { migration.plain };
        let is_community = timescale.is_some_and(Extension::is_community);
        let aggregates = if is_community { migration.continuous } else { migration.aggregate_tables };
        for part in [migration.tables, migration.functions, events, aggregates, migration.views] {
            transaction.batch_execute(part).await.map_err(error::at(doing))?;
        }
        let noted = format!("INSERT INTO schema_versions (version) VALUES ({})", done + 1);
        transaction.batch_execute(&noted).await.map_err(error::at(doing))?;
    }
    let found = Layout::find(transaction, doing).await?;
    match extension.filter(|_| found.events) {
        Some(extension) => extension.require_usable(doing).map(|()| found),
        None => Ok(found),
    }
}

/// Checks that the tables have the version of this build. Changes nothing.
///
/// # Errors
/// When they are missing, older or newer.
pub async fn check(target: &Target) -> Result<(), StoreError> {
    let doing = format!("opening {} in {} for reading", target.schema, target.place);
    let mut session = Session::open(target).await?;
    let transaction = session.begin_reading(&doing).await?;
    check_server(&transaction, &doing).await?;
    let refuse = |why: String| Err(StoreError::Fatal { doing: doing.clone(), cause: why.into() });
    match version(&transaction, &target.schema).await? {
        None => refuse("there are no tables of Slipstream yet: run a sink first".to_owned()),
        Some(version) if version < known_version() => {
            refuse(format!("its tables have version {version}: run a sink of this release first"))
        }
        Some(version) => refuse_newer(version, &doing),
    }
}

/// The version of the tables; `None` if there are none.
///
/// # Errors
/// When the database does not respond, or refuses the query.
pub async fn version(transaction: &Transaction<'_>, schema: &str) -> Result<Option<i32>, StoreError> {
    let doing = "reading the version of the store's tables";
    if !exists(transaction, schema, doing).await? {
        return Ok(None);
    }
    let sql = format!("SELECT coalesce(max(version), 0) FROM {schema}.schema_versions");
    let row = transaction.query_typed_one(&sql, &[]).await.map_err(error::at(doing))?;
    row.try_get(0).map(Some).map_err(error::at(doing))
}

async fn exists(transaction: &Transaction<'_>, schema: &str, doing: &str) -> Result<bool, StoreError> {
    let table = format!("{schema}.schema_versions");
    let row = transaction
        .query_typed_one("SELECT to_regclass($1) IS NOT NULL", &[(&table, Type::TEXT)])
        .await
        .map_err(error::at(doing))?;
    row.try_get(0).map_err(error::at(doing))
}

/// One migrates at a time, in this schema of this database.
async fn lock(transaction: &Transaction<'_>, schema: &str, doing: &str) -> Result<(), StoreError> {
    let name = format!("slipstream store {schema}");
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    transaction.execute_typed(sql, &[(&name, Type::TEXT)]).await.map(drop).map_err(error::at(doing))
}

async fn version_under_lock(transaction: &Transaction<'_>, schema: &str, doing: &str) -> Result<i32, StoreError> {
    // Created only if it is missing: an owner may have created it for a user without the right to.
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
    let there = transaction.query_typed_one(sql, &[(&schema, Type::TEXT)]).await.map_err(error::at(doing))?;
    if there.try_get::<_, i64>(0).map_err(error::at(doing))? == 0 {
        transaction.batch_execute(&format!("CREATE SCHEMA {schema}")).await.map_err(error::at(doing))?;
    }
    if !exists(transaction, schema, doing).await? {
        let sql =
            "CREATE TABLE schema_versions (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";
        transaction.batch_execute(sql).await.map_err(error::at(doing))?;
    }
    let sql = "SELECT coalesce(max(version), 0) FROM schema_versions";
    let row = transaction.query_typed_one(sql, &[]).await.map_err(error::at(doing))?;
    row.try_get(0).map_err(error::at(doing))
}

fn refuse_newer(version: i32, doing: &str) -> Result<(), StoreError> {
    let known = known_version();
    if version <= known {
        return Ok(());
    }
    let why = format!("its tables have version {version}, this build supports up to {known}: upgrade slipstream");
    Err(StoreError::Fatal { doing: doing.to_owned(), cause: why.into() })
}

async fn check_server(transaction: &Transaction<'_>, doing: &str) -> Result<(), StoreError> {
    let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
               current_setting('server_encoding')";
    let row = transaction.query_typed_one(sql, &[]).await.map_err(error::at(doing))?;
    let (number, version): (i32, String) = (row.get(0), row.get(1));
    let encoding: String = row.get(2);
    let refuse = |why: String| Err(StoreError::Fatal { doing: doing.to_owned(), cause: why.into() });
    if number < OLDEST_SERVER {
        return refuse(format!(
            "the server is PostgreSQL {version}, which is too old: version 14 or newer is required"
        ));
    }
    if encoding != "UTF8" {
        return refuse(format!(
            "the database has encoding {encoding}: create one with UTF8 (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)"
        ));
    }
    Ok(())
}
