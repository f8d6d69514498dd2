//! Raw events, in native partitions or, with TimescaleDB, in a hypertable: either way one partition per day of log time.
//!
//! By log time, not event time: log time only moves forward, so there are never more parts than days of retention, what is
//! past retention is removed by dropping partitions, and nothing is ever written to a compressed one. Event times may be
//! anywhere between 1970 and 2100; each partition has an index on them.

use std::collections::BTreeSet;

use slipstream_schemas::cause::chain;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use super::error;
use super::layout::Layout;
use super::options::Target;
use super::session::{DEADLINE, Session, within};
use super::stamp::{self, Day};
use crate::port::StoreError;
use crate::spread::Spread;

/// TimescaleDB, enabled in the database.
pub struct Extension {
    /// Where its functions are; like the user, as SQL takes it.
    schema: String,
    /// Whether the user may use them.
    usable: bool,
    user: String,
    community: bool,
}

impl Extension {
    /// Looks for it.
    pub async fn find(transaction: &Transaction<'_>, doing: &str) -> Result<Option<Extension>, StoreError> {
        let sql = "SELECT quote_ident(n.nspname), has_schema_privilege(n.oid, 'USAGE'), quote_ident(current_user),
                   current_setting('timescaledb.license', true) IS NOT DISTINCT FROM 'timescale'
                   FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'";
        let rows = transaction.query_typed(sql, &[]).await.map_err(error::at(doing))?;
        let extension =
            |row: &Row| Extension { schema: row.get(0), usable: row.get(1), user: row.get(2), community: row.get(3) };
        Ok(rows.first().map(extension))
    }

    /// The schema of its functions, as SQL takes it.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Whether it has what is under the community licence: compression, continuous aggregates, jobs.
    pub fn is_community(&self) -> bool {
        self.community
    }

    /// Refuses an extension whose schema the user may not use: the server reports that its functions do not exist.
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

/// Creates the extension if the server has it and allows it. Without it, native partitions are used. In its own
/// session: if the extension is not preloaded, the server ends the session that creates it.
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
    let Err(cause) = within(DEADLINE, doing, created).await else { return Ok(()) };
    // Of two that start together one is refused what the other has just done.
    if !is_enabled(target, doing).await? {
        tracing::warn!(%cause, "TimescaleDB is installed but cannot be enabled: raw events go to native partitions (slipstream doctor)");
    }
    Ok(())
}

async fn is_enabled(target: &Target, doing: &str) -> Result<bool, StoreError> {
    let mut session = Session::open(target).await?;
    let asked = session.begin_reading(doing).await?;
    let enabled = Extension::find(&asked, doing).await?.is_some();
    asked.commit().await.map_err(error::at(doing))?;
    Ok(enabled)
}

/// Creates missing partitions of days. Not in the transaction that writes: they are empty, and
/// it must not wait for other writers. Returns how the tables are kept: what were partitions may have become a hypertable, which
/// creates its chunks itself.
pub async fn ensure(session: &mut Session, days: &[Day]) -> Result<Layout, StoreError> {
    let doing = "creating a partition for raw events";
    let transaction = session.begin(doing).await?;
    let lock = "SELECT pg_advisory_xact_lock('events'::regclass::oid::bigint)";
    transaction.execute_typed(lock, &[]).await.map_err(error::at(doing))?;
    let layout = Layout::find(&transaction, doing).await?;
    let days = if layout.events { &[] } else { days };
    for Day(day) in days {
        let sql = "SELECT events_make_day($1)";
        transaction.execute_typed(sql, &[(day, Type::INT4)]).await.map_err(error::at(doing))?;
    }
    transaction.commit().await.map_err(error::at(doing))?;
    Ok(layout)
}

/// Drops what holds only days before `day`. The caller holds the lock on the table.
pub async fn drop_before(transaction: &Transaction<'_>, day: Day, doing: &str) -> Result<u64, StoreError> {
    let sql = "SELECT events_drop_before($1)";
    let dropped = transaction.query_typed_one(sql, &[(&day.0, Type::INT4)]).await.map_err(error::at(doing))?;
    Ok(dropped.get::<_, i64>(0) as u64)
}

/// The days of log time that some events fall into.
pub fn days(spread: &Spread) -> BTreeSet<Day> {
    spread.days().map(|(begin, ..)| stamp::day(begin)).collect()
}
