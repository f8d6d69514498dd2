//! Retention, a bounded slice at a time so that the writer never waits long.
//!
//! It goes by log time: what was imported yesterday stays, however old its event times are. A minute of event time is
//! as old as the last record that was written to it.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use slipstream_schemas::{LogTime, Retention};

use super::{aggregates, error};
use crate::port::StoreError;
use crate::rollup::MINUTE_US;

/// Rows that one slice removes at most of each kind, about.
const SLICE: i64 = 20_000;

/// Removes some of the rows older than retention before `now`; returns how many.
pub fn slice(connection: &mut Connection, retention: Retention, now: LogTime) -> Result<u64, StoreError> {
    let (raw, rollups) = retention.before(now);
    let mut run = || -> rusqlite::Result<usize> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let removed = raw_events(&transaction, raw)?
            + oldest_of_former(&transaction)?
            + whole_minutes(&transaction, rollups)?
            + burn_rates(&transaction, raw.div_euclid(1_000))?
            + alerts(&transaction, rollups)?;
        transaction.commit()?;
        Ok(removed)
    };
    run().map(|rows| rows as u64).map_err(error::at("removing what is past retention"))
}

/// A minute whose raw events are gone may have got some since: those go in their turn.
fn raw_events(transaction: &Transaction<'_>, before: i64) -> rusqlite::Result<usize> {
    let found: Option<(i64, i64)> = transaction
        .prepare_cached(
            "SELECT minute, newest_log FROM minutes WHERE newest_log < ?1 AND oldest_log IS NOT NULL
             ORDER BY newest_log LIMIT 1",
        )?
        .query_row([before], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((minute, newest)) = found else { return Ok(0) };
    let removed = transaction
        .prepare_cached(
            "DELETE FROM events WHERE (time, partition, \"offset\") IN
             (SELECT time, partition, \"offset\" FROM events WHERE time >= ?1 AND time < ?2 LIMIT ?3)",
        )?
        .execute((minute * MINUTE_US, (minute + 1) * MINUTE_US, SLICE))?;
    if (removed as i64) < SLICE {
        transaction.execute("UPDATE minutes SET raw_gone = 1, oldest_log = NULL WHERE minute = ?1", [minute])?;
    }
    if removed > 0 {
        // With the first rows of the minute, not with the last: from here on it is not complete.
        transaction.execute(
            "INSERT INTO kept (one, raw_from) VALUES (1, ?1)
             ON CONFLICT (one) DO UPDATE SET raw_from = max(raw_from, excluded.raw_from)",
            [newest + 1],
        )?;
    }
    // Marking counts: an empty minute is progress too.
    Ok(removed.max(1))
}

/// Minutes that a former version wrote get their oldest log time, as many at a time as have a few slices of events.
fn oldest_of_former(transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
    let mut asked =
        transaction.prepare_cached("SELECT minute, events FROM minutes WHERE oldest_log = -1 LIMIT 1000")?;
    let found: Vec<(i64, i64)> =
        asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut update = transaction.prepare_cached(
        "UPDATE minutes SET oldest_log = (SELECT min(log_time) FROM events WHERE time >= ?2 AND time < ?3) WHERE minute = ?1",
    )?;
    let (mut done, mut read) = (0, 0);
    for (minute, events) in found {
        update.execute((minute, minute * MINUTE_US, (minute + 1) * MINUTE_US))?;
        (done, read) = (done + 1, read + events);
        if read > 10 * SLICE {
            break;
        }
    }
    Ok(done)
}

fn whole_minutes(transaction: &Transaction<'_>, before: i64) -> rusqlite::Result<usize> {
    let sql =
        "SELECT minute FROM minutes WHERE newest_log < ?1 AND raw_gone AND oldest_log IS NULL ORDER BY minute LIMIT 1";
    let minute: Option<i64> = transaction.prepare_cached(sql)?.query_row([before], |row| row.get(0)).optional()?;
    let Some(minute) = minute else { return Ok(0) };
    let removed = transaction.execute("DELETE FROM rollups WHERE minute = ?1", [minute])?;
    aggregates::removed(transaction, minute)?;
    Ok(removed + transaction.execute("DELETE FROM minutes WHERE minute = ?1", [minute])?)
}

/// The newest of each series before that stays: from then on every state of the series can be told.
fn burn_rates(transaction: &Transaction<'_>, before_tick: i64) -> rusqlite::Result<usize> {
    let removed = transaction
        .prepare_cached(
            "DELETE FROM burn_rates WHERE (series, tick, generation) IN
             (SELECT b.series, b.tick, b.generation FROM series s CROSS JOIN burn_rates b ON b.series = s.id
              WHERE b.tick < min(?1, (SELECT max(tick) FROM burn_rates n WHERE n.series = s.id AND n.tick <= ?1)) LIMIT ?2)",
        )?
        .execute((before_tick, SLICE))?;
    note(transaction, "kept_burn_rates", removed, before_tick)?;
    Ok(removed)
}

/// From which tick on rows are whole, with the first that were removed.
fn note(transaction: &Transaction<'_>, table: &str, removed: usize, from_tick: i64) -> rusqlite::Result<()> {
    if removed > 0 {
        let sql = format!(
            "INSERT INTO {table} (one, tick) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET tick = max(tick, excluded.tick)"
        );
        transaction.execute(&sql, [from_tick])?;
    }
    Ok(())
}

/// Whole episodes, once they have been over for so long.
fn alerts(transaction: &Transaction<'_>, before: i64) -> rusqlite::Result<usize> {
    let transitions = transaction
        .prepare_cached(
            "DELETE FROM alert_transitions WHERE (alert_id, episode) IN
             (SELECT alert_id, episode FROM alert_transitions
              WHERE tick < ?1 AND kind IN ('resolved', 'inactive') LIMIT ?2)",
        )?
        .execute((before.div_euclid(1_000), SLICE))?;
    note(transaction, "kept_alerts", transitions, before.div_euclid(1_000))?;
    let notifications = transaction.prepare_cached("DELETE FROM notifications WHERE at < ?1")?.execute([before])?;
    Ok(transitions + notifications)
}
