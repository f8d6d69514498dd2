//! Raw events, in native partitions or, where TimescaleDB is, in a hypertable: either way one part per day of log time.
//!
//! By log time, not event time: log time only moves forward, so there are never more parts than days of retention, what is
//! past retention goes by dropping parts, and nothing is ever written to a part that is compressed. Event times may lie
//! anywhere between 1970 and 2100; each part has an index on them.

use std::collections::BTreeSet;

use slipstream_schemas::cause::chain;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use super::error;
use super::options::Target;
use super::session::{DEADLINE, Session, within};
use super::stamp::{self, Day};
use crate::port::StoreError;
use crate::spread::Spread;

/// How raw events are kept; decided when the tables are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventsTable {
    /// Native partitions, made by the writer.
    Partitions,
    /// A hypertable of TimescaleDB.
    Hypertable,
}

/// TimescaleDB, enabled in the database.
pub struct Extension {
    /// Where its functions are.
    schema: String,
    /// Whether the user may use them.
    usable: bool,
    user: String,
}

impl Extension {
    /// Looks for it.
    pub async fn find(transaction: &Transaction<'_>, doing: &str) -> Result<Option<Extension>, StoreError> {
        let sql = "SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE'), current_user::text
                   FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'";
        let rows = transaction.query_typed(sql, &[]).await.map_err(error::at(doing))?;
        let extension = |row: &Row| Extension { schema: row.get(0), usable: row.get(1), user: row.get(2) };
        Ok(rows.first().map(extension))
    }

    /// Refuses one whose functions the user would look for in vain: the server says of them that they do not exist.
    pub fn require_usable(&self, doing: &str) -> Result<(), StoreError> {
        if self.usable {
            return Ok(());
        }
        let Extension { schema, user, .. } = self;
        let cause = format!(
            "TimescaleDB is in the schema {schema}, which the user {user} may not use: GRANT USAGE ON SCHEMA {schema} TO {user}"
        );
        Err(StoreError::Fatal { doing: doing.to_owned(), cause: cause.into() })
    }
}

/// Creates the extension where the server has it and lets us. Without it native partitions do. On a session of its own: where
/// the extension is not preloaded, the server ends the session that asks for it.
pub async fn try_extension(target: &Target) -> Result<(), StoreError> {
    let doing = "looking for TimescaleDB";
    let mut session = Session::open(target).await?;
    let asked = session.begin_reading(doing).await?;
    let sql = "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb' AND installed_version IS NULL";
    let offered = asked.query_typed_one(sql, &[]).await.map_err(error::at(doing))?.get::<_, i64>(0) > 0;
    asked.commit().await.map_err(error::at(doing))?;
    if !offered {
        return Ok(());
    }
    let created = async {
        let created = session.risk("CREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA public").await;
        created.map_err(|cause| StoreError::Refused(chain(&cause)))
    };
    if let Err(cause) = within(DEADLINE, doing, created).await {
        tracing::warn!(%cause, "TimescaleDB is installed but cannot be enabled: raw events go to native partitions (slipstream doctor)");
    }
    Ok(())
}

/// What the tables use.
pub async fn found(transaction: &Transaction<'_>, doing: &str) -> Result<EventsTable, StoreError> {
    let sql = "SELECT relkind::text FROM pg_class WHERE oid = 'events'::regclass";
    let row = transaction.query_typed_one(sql, &[]).await.map_err(error::at(doing))?;
    Ok(if row.get::<_, &str>(0) == "p" { EventsTable::Partitions } else { EventsTable::Hypertable })
}

/// Compression after two days, where the licence has it: the Apache build of TimescaleDB refuses.
pub async fn compress_old_chunks(session: &mut Session) -> Result<(), StoreError> {
    let doing = "asking whether old events are compressed";
    let transaction = session.begin(doing).await?;
    let sql = "SELECT bool_or(compression_enabled) FROM timescaledb_information.hypertables
               WHERE hypertable_schema = current_schema() AND hypertable_name = 'events'";
    let asked = transaction.query_typed_one(sql, &[]).await.map_err(error::at(doing))?;
    if asked.get::<_, Option<bool>>(0) == Some(true) {
        return transaction.commit().await.map_err(error::at(doing));
    }
    let sql = "ALTER TABLE events SET (timescaledb.compress, timescaledb.compress_segmentby = 'dimensions',
               timescaledb.compress_orderby = '\"time\", partition, \"offset\"');
               SELECT add_compression_policy('events', INTERVAL '2 days', if_not_exists => true);";
    let done = match transaction.batch_execute(sql).await {
        Ok(()) => transaction.commit().await,
        Err(error) => Err(error),
    };
    if let Err(cause) = done {
        let cause = chain(&cause);
        tracing::info!(%cause, "TimescaleDB does not compress here: raw events stay as they are written");
    }
    Ok(())
}

/// Makes the partitions of days where they are missing. Not in the transaction that writes: what it makes is empty, and
/// it must not wait for who writes elsewhere.
pub async fn ensure(session: &mut Session, days: &[Day]) -> Result<(), StoreError> {
    let doing = "making a partition for raw events";
    let transaction = session.begin(doing).await?;
    let lock = "SELECT pg_advisory_xact_lock('events'::regclass::oid::bigint)";
    transaction.execute_typed(lock, &[]).await.map_err(error::at(doing))?;
    for day in days {
        let name = name(*day);
        let there = transaction.query_typed_one("SELECT to_regclass($1) IS NOT NULL", &[(&name, Type::TEXT)]).await;
        if there.map_err(error::at(doing))?.get(0) {
            continue;
        }
        // Attached, not created in place: that would lock the whole table against readers.
        let (from, to) = (day.begin_sql(), Day(day.0 + 1).begin_sql());
        let sql = format!(
            "CREATE TABLE {name} (LIKE events INCLUDING INDEXES);
             ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}');"
        );
        transaction.batch_execute(&sql).await.map_err(error::at(doing))?;
    }
    transaction.commit().await.map_err(error::at(doing))
}

/// Drops what holds only days before `day`. The caller holds the lock on the table.
pub async fn drop_before(
    transaction: &Transaction<'_>,
    table: EventsTable,
    day: Day,
    doing: &str,
) -> Result<u64, StoreError> {
    match table {
        EventsTable::Hypertable => {
            let sql = "SELECT count(*) FROM drop_chunks('events', older_than => $1::timestamptz)";
            let dropped = transaction.query_typed_one(sql, &[(&day.begin(), Type::TIMESTAMPTZ)]).await;
            Ok(dropped.map_err(error::at(doing))?.get::<_, i64>(0) as u64)
        }
        EventsTable::Partitions => {
            let past: Vec<String> =
                partitions(transaction, doing).await?.into_iter().filter(|d| *d < day).map(name).collect();
            if !past.is_empty() {
                let sql = format!("DROP TABLE {}", past.join(", "));
                transaction.batch_execute(&sql).await.map_err(error::at(doing))?;
            }
            Ok(past.len() as u64)
        }
    }
}

async fn partitions(transaction: &Transaction<'_>, doing: &str) -> Result<Vec<Day>, StoreError> {
    let sql = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = 'events'::regclass";
    let rows = transaction.query_typed(sql, &[]).await.map_err(error::at(doing))?;
    Ok(rows.iter().filter_map(|row| day_of(row.get(0))).collect())
}

fn name(day: Day) -> String {
    format!("events_{}", day.digits())
}

fn day_of(name: &str) -> Option<Day> {
    Day::from_digits(name.strip_prefix("events_")?)
}

/// The days of log time that some events fall into.
pub fn days(spread: &Spread) -> BTreeSet<Day> {
    spread.days().map(|(begin, ..)| stamp::day(begin)).collect()
}
