//! Aggregates of hours and days, made anew by the writer between batches (see [`crate::aggregates`]).

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use slipstream_schemas::LogTime;

use super::error;
use crate::aggregates::{AggregateState, DAY_US, HOUR_US, Refreshed, SLICE_ROWS, closed_at};
use crate::port::StoreError;
use crate::rollup::MINUTE_US;
use crate::spread::Spread;

const MINUTES: i64 = HOUR_US / MINUTE_US;
const HOURS: i64 = DAY_US / HOUR_US;

/// An hour before every event, and far from overflow.
const EARLIEST: i64 = -1_000_000_000;

/// The columns that are added up, and how.
const SUMS: &str = "sum(hits), sum(errors), sum(latency_count), sum(latency_sum), min(latency_min), max(latency_max), sketch_merge(sketch)";

/// Closes hours that are over, and makes some of what is stale anew.
pub fn refresh(connection: &mut Connection, now: LogTime) -> Result<Refreshed, StoreError> {
    let mut run = || -> rusqlite::Result<Refreshed> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        close(&transaction, closed_at(now).div_euclid(HOUR_US))?;
        let mut done = Refreshed::default();
        let mut rows = 0;
        while rows < SLICE_ROWS {
            let Some(hour) = first(&transaction, "SELECT hour FROM stale_hours ORDER BY hour LIMIT 1")? else { break };
            rows += hour_anew(&transaction, hour)?;
            done.hours += 1;
        }
        while rows < SLICE_ROWS {
            let Some(day) = first(&transaction, SETTLED_DAY)? else { break };
            rows += day_anew(&transaction, day)?;
            done.days += 1;
        }
        done.stale = transaction.query_row(STALE, [], |row| row.get::<_, i64>(0))? as u64;
        transaction.commit()?;
        Ok(done)
    };
    run().map_err(error::at("making aggregates anew"))
}

const STALE: &str = "SELECT (SELECT count(*) FROM stale_hours) + (SELECT count(*) FROM stale_days)";
/// A stale day whose hours are all up to date.
const SETTLED_DAY: &str = "SELECT day FROM stale_days WHERE NOT EXISTS
     (SELECT 1 FROM stale_hours WHERE hour >= day * 24 AND hour < (day + 1) * 24) ORDER BY day LIMIT 1";

fn first(transaction: &Transaction<'_>, sql: &str) -> rusqlite::Result<Option<i64>> {
    transaction.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()
}

/// Closes the hours before `until`: what they hold is stale, and so are the days that end with them.
fn close(transaction: &Transaction<'_>, until: i64) -> rusqlite::Result<()> {
    let before = closed(transaction)?;
    if before.is_some_and(|before| before >= until) {
        return Ok(());
    }
    let from = before.unwrap_or(EARLIEST);
    transaction.execute(
        "INSERT OR IGNORE INTO stale_hours SELECT DISTINCT floor_div(minute, ?3) FROM minutes WHERE minute >= ?1 AND minute < ?2",
        (from * MINUTES, until * MINUTES, MINUTES),
    )?;
    let days = |hour: i64| hour.div_euclid(HOURS);
    transaction.execute(
        "INSERT OR IGNORE INTO stale_days SELECT DISTINCT floor_div(minute, ?3) FROM minutes WHERE minute >= ?1 AND minute < ?2",
        (days(from) * HOURS * MINUTES, days(until) * HOURS * MINUTES, HOURS * MINUTES),
    )?;
    transaction.execute("INSERT OR REPLACE INTO closed (one, until) VALUES (1, ?1)", [until])?;
    Ok(())
}

/// Adds up the rollups of an hour; returns how many there were.
fn hour_anew(transaction: &Transaction<'_>, hour: i64) -> rusqlite::Result<i64> {
    transaction.prepare_cached("DELETE FROM hourly WHERE hour = ?1")?.execute([hour])?;
    let sql = format!(
        "INSERT INTO hourly SELECT ?1, dimensions, status_class, {SUMS} FROM rollups WHERE minute >= ?2 AND minute < ?3
         GROUP BY dimensions, status_class"
    );
    let minutes = (hour * MINUTES, (hour + 1) * MINUTES);
    transaction.prepare_cached(&sql)?.execute((hour, minutes.0, minutes.1))?;
    transaction.prepare_cached("DELETE FROM stale_hours WHERE hour = ?1")?.execute([hour])?;
    transaction
        .prepare_cached("INSERT OR IGNORE INTO stale_days SELECT ?1 FROM closed WHERE until >= ?2")?
        .execute((hour.div_euclid(HOURS), (hour.div_euclid(HOURS) + 1) * HOURS))?;
    // An hour without rollups is work, too.
    let count = "SELECT 1 + count(*) FROM rollups WHERE minute >= ?1 AND minute < ?2";
    transaction.prepare_cached(count)?.query_row(minutes, |row| row.get(0))
}

/// Adds up the hours of a day; returns how many rows there were.
fn day_anew(transaction: &Transaction<'_>, day: i64) -> rusqlite::Result<i64> {
    transaction.prepare_cached("DELETE FROM daily WHERE day = ?1")?.execute([day])?;
    let sql = format!(
        "INSERT INTO daily SELECT ?1, dimensions, status_class, {SUMS} FROM hourly WHERE hour >= ?2 AND hour < ?3
         GROUP BY dimensions, status_class"
    );
    let hours = (day * HOURS, (day + 1) * HOURS);
    transaction.prepare_cached(&sql)?.execute((day, hours.0, hours.1))?;
    transaction.prepare_cached("DELETE FROM stale_days WHERE day = ?1")?.execute([day])?;
    transaction
        .prepare_cached("INSERT INTO made_days VALUES (?1, 1) ON CONFLICT (day) DO UPDATE SET version = version + 1")?
        .execute([day])?;
    let count = "SELECT 1 + count(*) FROM hourly WHERE hour >= ?1 AND hour < ?2";
    transaction.prepare_cached(count)?.query_row(hours, |row| row.get(0))
}

/// The first hour that is not closed; `None` if none is.
pub fn closed(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached("SELECT until FROM closed")?.query_row([], |row| row.get(0)).optional()
}

/// Notes which closed hours a batch changes.
pub fn touched(transaction: &Transaction<'_>, spread: &Spread) -> rusqlite::Result<()> {
    let Some(closed) = closed(transaction)? else { return Ok(()) };
    let mut noted = None;
    let mut note = transaction.prepare_cached("INSERT OR IGNORE INTO stale_hours (hour) VALUES (?1)")?;
    for hour in spread.minutes().map(|(minute, _)| minute.div_euclid(MINUTES)).take_while(|hour| *hour < closed) {
        if noted.replace(hour) != Some(hour) {
            note.execute([hour])?;
        }
    }
    Ok(())
}

/// Notes that rollups of an hour were removed.
pub fn removed(transaction: &Transaction<'_>, minute: i64) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO stale_hours SELECT ?1 FROM closed WHERE until > ?1";
    transaction.prepare_cached(sql)?.execute([minute.div_euclid(MINUTES)]).map(drop)
}

/// How far the aggregates are.
pub fn state(reader: &Connection) -> Result<AggregateState, StoreError> {
    let ask = || -> rusqlite::Result<AggregateState> {
        if !are_known(reader)? {
            return Ok(AggregateState::default());
        }
        let closed = closed(reader)?.map(|hour| hour.saturating_mul(HOUR_US));
        Ok(AggregateState { closed, stale: reader.query_row(STALE, [], |row| row.get::<_, i64>(0))? as u64 })
    };
    ask().map_err(error::at("reading how far the aggregates are"))
}

/// Whether there are aggregates: tables of version 3 have none.
pub fn are_known(reader: &Connection) -> rusqlite::Result<bool> {
    let known = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'closed'";
    Ok(reader.query_row(known, [], |_| Ok(())).optional()?.is_some())
}

/// Closed hours, and those of a span of hours that are stale; days likewise.
pub struct Standing {
    /// The first hour that is not closed.
    pub closed: i64,
    /// Hours.
    pub stale_hours: Vec<i64>,
    /// Days.
    pub stale_days: Vec<i64>,
}

/// The begin of each day of a span that was ever added up, and how often it was, in order.
pub fn versions(reader: &Connection, (from, to): (i64, i64)) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut asked =
        reader.prepare_cached("SELECT day, version FROM made_days WHERE day >= ?1 AND day < ?2 ORDER BY day")?;
    let days = (from.div_euclid(DAY_US), to.div_euclid(DAY_US));
    asked.query_map(days, |row| Ok((row.get::<_, i64>(0)? * DAY_US, row.get(1)?)))?.collect()
}

/// How the aggregates of a span of event time stand, microseconds.
pub fn standing(reader: &Connection, (from, to): (i64, i64)) -> rusqlite::Result<Standing> {
    let none = Standing { closed: EARLIEST, stale_hours: Vec::new(), stale_days: Vec::new() };
    if !are_known(reader)? {
        return Ok(none);
    }
    let Some(closed) = closed(reader)? else { return Ok(none) };
    let within = |sql: &str, unit: i64| -> rusqlite::Result<Vec<i64>> {
        let mut asked = reader.prepare_cached(sql)?;
        asked.query_map((from.div_euclid(unit), to.div_euclid(unit)), |row| row.get(0))?.collect()
    };
    Ok(Standing {
        closed,
        stale_hours: within("SELECT hour FROM stale_hours WHERE hour >= ?1 AND hour <= ?2 ORDER BY hour", HOUR_US)?,
        stale_days: within("SELECT day FROM stale_days WHERE day >= ?1 AND day <= ?2 ORDER BY day", DAY_US)?,
    })
}
