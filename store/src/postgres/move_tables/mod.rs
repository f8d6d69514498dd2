//! Turning plain tables into hypertables of TimescaleDB, in place: what `slipstream store migrate` does.
//!
//! Each table is copied part by part, a day at a time, into a hypertable beside it, while sinks write and questions are asked as
//! ever. In the end sinks wait for one transaction that copies the parts that have changed meanwhile and exchanges the two. A crash
//! leaves the parts that were copied: the next call continues behind them. Meanwhile a table takes its room twice.

mod parts;
mod views;

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::events_table::{self, Extension};
use super::layout::Layout;
use super::migrate;
use super::options::{PostgresOptions, Target};
use super::session::Session;
use super::{compression, error, owner};
use crate::port::StoreError;
use parts::{Part, Table};

const DOING: &str = "turning tables into hypertables";

type Answer<T> = Result<T, StoreError>;

/// What is being done, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A part of a table was copied.
    Copied {
        /// The table.
        table: &'static str,
        /// Parts that are copied,
        done: usize,
        /// of so many.
        of: usize,
    },
    /// A table is a hypertable now.
    Moved {
        /// The table.
        table: &'static str,
    },
    /// Aggregates are continuous now; they fill up with the next refreshes.
    Continuous,
}

/// Brings the tables up to date, and turns those that are plain into hypertables. `tell` is called with each step.
///
/// # Errors
/// When the database has no TimescaleDB, the user does not own the tables, or the database does not answer: the next call continues.
pub async fn to_hypertables(options: &PostgresOptions, mut tell: impl FnMut(Progress)) -> Answer<Layout> {
    let target = Target::new(options)?;
    let (session, _) = migrate::migrate(&target).await?;
    drop(session);
    events_table::try_extension(&target).await?;
    // Opened only now, so that it finds the extension.
    let mut session = Session::open(&target).await?;
    let extension = extension(&mut session).await?;
    let asked = session.begin_reading(DOING).await?;
    views::refuse_materialized(&asked).await?;
    commit(asked).await?;
    for table in Table::ALL {
        if !table.is_hypertable(layout(&mut session).await?) {
            move_table(&mut session, table, &mut tell).await?;
        }
    }
    if !layout(&mut session).await?.continuous && extension.is_community() {
        continuous(&mut session).await?;
        tell(Progress::Continuous);
    }
    let found = layout(&mut session).await?;
    compression::ensure(&mut session, found).await?;
    Ok(found)
}

async fn extension(session: &mut Session) -> Answer<Extension> {
    let asked = session.begin_reading(DOING).await?;
    let found = Extension::find(&asked, DOING).await?;
    asked.commit().await.map_err(error::at(DOING))?;
    let Some(extension) = found else {
        let cause = "TimescaleDB is not enabled in this database: CREATE EXTENSION timescaledb; where that is refused, see \
                     `slipstream doctor`";
        return Err(StoreError::Fatal { doing: DOING.to_owned(), cause: cause.into() });
    };
    extension.require_usable(DOING)?;
    Ok(extension)
}

async fn layout(session: &mut Session) -> Answer<Layout> {
    let asked = session.begin_reading(DOING).await?;
    let layout = Layout::find(&asked, DOING).await?;
    asked.commit().await.map_err(error::at(DOING))?;
    Ok(layout)
}

/// A transaction that takes as long as it takes.
async fn begin(session: &mut Session) -> Answer<Transaction<'_>> {
    let transaction = session.begin(DOING).await?;
    run(&transaction, "SET LOCAL statement_timeout TO 0; SET LOCAL idle_in_transaction_session_timeout TO 0").await?;
    Ok(transaction)
}

async fn run(transaction: &Transaction<'_>, sql: &str) -> Answer<()> {
    transaction.batch_execute(sql).await.map_err(error::at(DOING))
}

async fn commit(transaction: Transaction<'_>) -> Answer<()> {
    transaction.commit().await.map_err(error::at(DOING))
}

async fn move_table(session: &mut Session, table: Table, tell: &mut impl FnMut(Progress)) -> Answer<()> {
    let transaction = begin(session).await?;
    owner::act_as(&transaction, table.name()).await?;
    run(&transaction, &table.beside()).await?;
    commit(transaction).await?;
    // What changes while this copies is copied once more while sinks go on, so that the rest of it is little.
    for round in 0..2 {
        let transaction = begin(session).await?;
        let (all, copied) = (table.parts(&transaction).await?, table.copied(&transaction).await?);
        commit(transaction).await?;
        let left: Vec<&Part> = all.iter().filter(|part| !copied.contains(part)).collect();
        for (done, part) in (all.len() - left.len() + 1..).zip(left) {
            let transaction = begin(session).await?;
            // An erasure waits until the part is there, and then finds it.
            run(&transaction, LOCK).await?;
            table.copy(&transaction, part.begin).await?;
            commit(transaction).await?;
            if round == 0 {
                tell(Progress::Copied { table: table.name(), done, of: all.len() });
            }
        }
    }
    exchange(session, table).await?;
    tell(Progress::Moved { table: table.name() });
    Ok(())
}

/// Held by what copies events; shared by what erases users from them.
pub const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('slipstream moves ' || current_schema(), 0))";

/// Copies what has changed, and puts the hypertable in the place of the table. Sinks wait, questions too.
async fn exchange(session: &mut Session, table: Table) -> Answer<()> {
    let transaction = begin(session).await?;
    run(&transaction, LOCK).await?;
    let name = table.name();
    // It waits for those who read and write, and they do not wait for it for ever. Views come first, as in whoever reads them: in the
    // other order the two would wait for each other.
    run(&transaction, "SET LOCAL lock_timeout TO 0").await?;
    let views = views::taken_down(&transaction, name).await?;
    run(&transaction, &format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")).await?;
    let (all, copied) = (table.parts(&transaction).await?, table.copied(&transaction).await?);
    for gone in copied.iter().filter(|copy| !all.iter().any(|part| part.begin == copy.begin)) {
        table.remove(&transaction, gone.begin).await?;
    }
    for part in all.iter().filter(|part| !copied.contains(part)) {
        table.copy(&transaction, part.begin).await?;
    }
    let rights = views::rights(&transaction, name).await?;
    let exchange = format!(
        "DROP TABLE {name}; ALTER TABLE {name}_moving RENAME TO {name}; DELETE FROM moving WHERE table_name = '{name}'"
    );
    run(&transaction, &exchange).await?;
    views::give(&transaction, &rights).await?;
    views::put_up(&transaction, &views).await?;
    commit(transaction).await
}

/// Views of ours that continuous aggregates have others of.
const AGGREGATE_VIEWS: [&str; 2] = ["http_requests_1h", "http_requests_1d"];

/// Continuous aggregates in the place of tables. Nothing is closed then: they fill up from rollups.
async fn continuous(session: &mut Session) -> Answer<()> {
    let transaction = begin(session).await?;
    let mut rights = Vec::new();
    for name in ["hourly", "daily"].into_iter().chain(AGGREGATE_VIEWS) {
        rights.extend(views::rights(&transaction, name).await?);
    }
    run(&transaction, "SET LOCAL lock_timeout TO 0").await?;
    let mut views = views::taken_down(&transaction, "hourly").await?;
    views.extend(views::taken_down(&transaction, "daily").await?);
    views.retain(|view| !view.is_one_of(&AGGREGATE_VIEWS));
    run(
        &transaction,
        "LOCK TABLE closed IN ACCESS EXCLUSIVE MODE;
         UPDATE closed SET until = '-infinity'; DELETE FROM stale_hours; DELETE FROM stale_days;",
    )
    .await?;
    owner::act_as(&transaction, "rollups").await?;
    run(&transaction, "DROP TABLE hourly, daily").await?;
    run(&transaction, migrate::CONTINUOUS).await?;
    run(&transaction, "RESET ROLE").await?;
    views::give(&transaction, &rights).await?;
    views::put_up(&transaction, &views).await?;
    commit(transaction).await
}

/// Whether events are being copied: then a user is erased from the copy, too.
pub async fn is_copying_events(transaction: &Transaction<'_>) -> Answer<bool> {
    let sql = "SELECT to_regclass($1) IS NOT NULL";
    let row = transaction.query_typed_one(sql, &[(&"events_moving", Type::TEXT)]).await.map_err(error::at(DOING))?;
    Ok(row.get(0))
}
