//! Aggregates of hours and days, made anew beside the writer (see [`crate::aggregates`]).
//!
//! Hours are closed under a lock on one row that every writer shares, so that no batch is in between: it either finds the hour
//! open, and its rollups are there when the hour is added up, or it notes that the hour has changed. An hour that changes while it
//! is added up has a greater number of changes afterwards, and stays stale.

use hashbrown::HashMap;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use super::continuous;
use super::error;
use super::layout::Layout;
use super::options::Target;
use super::session::{DEADLINE, Session, within};
use super::stamp::Stamp;
use crate::aggregates::{AggregateState, DAY_US, HOUR_US, Refreshed, SLICE_ROWS, closed_at, day_of, days_of, hour_of};
use crate::port::StoreError;
use crate::rollup::MINUTE_US;
use crate::spread::Spread;
use slipstream_schemas::LogTime;

const DOING: &str = "making aggregates anew";

type Answer<T> = Result<T, StoreError>;
type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// A stale hour or day, and how often it had changed when it was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// Its begin.
    pub begin: Stamp,
    changes: i64,
}

/// Closes hours that are over, and makes some of what is stale anew.
///
/// # Errors
/// When the database does not answer, or the user lacks a right.
pub async fn refresh(target: &Target, now: LogTime) -> Answer<Refreshed> {
    let mut session = Session::open(target).await?;
    within(DEADLINE, DOING, some_anew(&mut session, target, now)).await
}

async fn some_anew(session: &mut Session, target: &Target, now: LogTime) -> Answer<Refreshed> {
    let (layout, hours) = closed_and_stale(session, now).await?;
    if layout.continuous {
        continuous::hours_anew(session, target, &hours).await?;
    } else {
        hours_anew(session, &hours).await?;
    }
    settled(session, "stale_hours", "hour", &hours, note_days(&hours)).await?;
    let days = if hours.is_empty() { stale_days(session).await? } else { Vec::new() };
    if layout.continuous {
        continuous::days_anew(session, target, &days).await?;
    } else {
        days_anew(session, &days).await?;
    }
    settled(session, "stale_days", "day", &days, None).await?;
    let left = state(&session.begin_reading(DOING).await?).await?.stale;
    Ok(Refreshed { hours: hours.len() as u64, days: days.len() as u64, stale: left })
}

/// Closes hours, and returns some stale ones: as many as have about a slice of rollups.
async fn closed_and_stale(session: &mut Session, now: LogTime) -> Answer<(Layout, Vec<Stale>)> {
    let transaction = session.begin(DOING).await?;
    close(&transaction, Stamp(closed_at(now))).await?;
    let layout = Layout::find(&transaction, DOING).await?;
    // The oldest rollups first. How many there are is estimated by the busiest hour of those before it.
    let sql = "SELECT hour, changes FROM stale_hours ORDER BY hour LIMIT $1";
    let found = rows(&transaction, sql, &[(&MOST_HOURS, Type::INT8)]).await?;
    let hours: Vec<Stale> = found.iter().map(stale).collect();
    let mut kept = Vec::new();
    let mut sum = 0;
    for hour in hours {
        if sum >= SLICE_ROWS {
            break;
        }
        let range: [(&(dyn ToSql + Sync), Type); 2] =
            [(&hour.begin, Type::TIMESTAMPTZ), (&Stamp(hour.begin.0 + HOUR_US), Type::TIMESTAMPTZ)];
        let sql = "SELECT count(*) FROM rollups WHERE minute >= $1 AND minute < $2";
        sum += rows(&transaction, sql, &range).await?[0].get::<_, i64>(0);
        kept.push(hour);
    }
    transaction.commit().await.map_err(error::at(DOING))?;
    Ok((layout, kept))
}

/// Hours that are looked at at once.
const MOST_HOURS: i64 = 24 * 7;

fn stale(row: &Row) -> Stale {
    Stale { begin: row.get(0), changes: row.get(1) }
}

/// What they hold is stale, and so are the days that end with them.
async fn close(transaction: &Transaction<'_>, until: Stamp) -> Answer<()> {
    // Every batch in progress shares the row: this waits for them, and those that follow for this, which is short.
    let row = "INSERT INTO closed (one, until) VALUES (true, '-infinity') ON CONFLICT DO NOTHING";
    execute(transaction, row, &[]).await?;
    let before = "SELECT greatest(until, timestamptz '0001-01-01 00:00Z'), until >= $1 FROM closed FOR UPDATE";
    let before = rows(transaction, before, &[(&until, Type::TIMESTAMPTZ)]).await?;
    if before[0].get::<_, bool>(1) {
        return Ok(());
    }
    let from: Stamp = before[0].get(0);
    for (table, column, unit) in [("stale_hours", "hour", HOUR_US), ("stale_days", "day", DAY_US)] {
        let whole = |stamp: Stamp| Stamp(stamp.0 - stamp.0.rem_euclid(unit));
        let sql = format!(
            "INSERT INTO {table} AS s ({column}, changes)
             SELECT DISTINCT date_trunc('{column}', minute, 'UTC'), 1 FROM minutes WHERE minute >= $1 AND minute < $2
             ON CONFLICT ({column}) DO UPDATE SET changes = s.changes + 1"
        );
        let range: [(&(dyn ToSql + Sync), Type); 2] =
            [(&whole(from), Type::TIMESTAMPTZ), (&whole(until), Type::TIMESTAMPTZ)];
        execute(transaction, &sql, &range).await?;
    }
    execute(transaction, "UPDATE closed SET until = $1", &[(&until, Type::TIMESTAMPTZ)]).await
}

/// Adds up the rollups of hours, into tables.
async fn hours_anew(session: &mut Session, hours: &[Stale]) -> Answer<()> {
    if hours.is_empty() {
        return Ok(());
    }
    let begins: Vec<Stamp> = hours.iter().map(|hour| hour.begin).collect();
    let source = "FROM unnest($1::timestamptz[]) AS n (begin)
                  JOIN rollups r ON r.minute >= n.begin AND r.minute < n.begin + interval '1 hour'";
    anew(session, "hourly", source, &begins).await
}

/// Adds up the hours of days, into tables.
async fn days_anew(session: &mut Session, days: &[Stale]) -> Answer<()> {
    if days.is_empty() {
        return Ok(());
    }
    let begins: Vec<Stamp> = days.iter().map(|day| day.begin).collect();
    let source = "FROM unnest($1::timestamptz[]) AS n (begin)
                  JOIN hourly r ON r.\"time\" >= n.begin AND r.\"time\" < n.begin + interval '1 day'";
    anew(session, "daily", source, &begins).await
}

async fn anew(session: &mut Session, table: &str, source: &str, begins: &[Stamp]) -> Answer<()> {
    let transaction = session.begin(DOING).await?;
    // Two that do the same wait for each other, and the second one does it once more.
    let lock = format!("SELECT pg_advisory_xact_lock('{table}'::regclass::oid::bigint)");
    execute(&transaction, &lock, &[]).await?;
    let values: Values<'_> = &[(&begins, Type::TIMESTAMPTZ_ARRAY)];
    execute(&transaction, &format!("DELETE FROM {table} WHERE \"time\" = ANY ($1)"), values).await?;
    let sql = format!(
        "INSERT INTO {table} SELECT n.begin, r.dimensions, r.status_class, sum(r.hits)::bigint, sum(r.errors)::bigint,
         sum(r.latency_count)::bigint, sum(r.latency_sum), min(r.latency_min), max(r.latency_max), sketch_merge(r.sketch)
         {source} GROUP BY 1, 2, 3"
    );
    execute(&transaction, &sql, values).await?;
    transaction.commit().await.map_err(error::at(DOING))
}

/// The days of hours that were added up.
fn note_days(hours: &[Stale]) -> Option<Vec<Stamp>> {
    let hours: Vec<i64> = hours.iter().map(|hour| hour.begin.0).collect();
    Some(days_of(&hours).into_iter().map(Stamp).collect())
}

/// They are up to date, but for those that have changed meanwhile. `days` become stale, if they are closed.
async fn settled(
    session: &mut Session,
    table: &str,
    column: &str,
    done: &[Stale],
    days: Option<Vec<Stamp>>,
) -> Answer<()> {
    if done.is_empty() {
        return Ok(());
    }
    let (begins, changes): (Vec<Stamp>, Vec<i64>) = done.iter().map(|stale| (stale.begin, stale.changes)).unzip();
    let transaction = session.begin(DOING).await?;
    if days.is_none() {
        // With the end of their being stale: who read them before has another version.
        let sql = "INSERT INTO made_days AS m (day, version) SELECT n.day, 1 FROM unnest($1::timestamptz[]) AS n (day)
                   ORDER BY 1 ON CONFLICT (day) DO UPDATE SET version = m.version + 1";
        execute(&transaction, sql, &[(&begins, Type::TIMESTAMPTZ_ARRAY)]).await?;
    }
    if let Some(days) = days {
        let sql = "INSERT INTO stale_days AS s (day, changes)
                   SELECT n.day, 1 FROM unnest($1::timestamptz[]) AS n (day), closed WHERE n.day + interval '1 day' <= closed.until
                   ON CONFLICT (day) DO UPDATE SET changes = s.changes + 1";
        execute(&transaction, sql, &[(&days, Type::TIMESTAMPTZ_ARRAY)]).await?;
    }
    let sql = format!(
        "DELETE FROM {table} s USING unnest($1::timestamptz[], $2::bigint[]) AS n (begin, changes)
         WHERE s.{column} = n.begin AND s.changes = n.changes"
    );
    let values: Values<'_> = &[(&begins, Type::TIMESTAMPTZ_ARRAY), (&changes, Type::INT8_ARRAY)];
    execute(&transaction, &sql, values).await?;
    transaction.commit().await.map_err(error::at(DOING))
}

/// Stale days whose hours are all up to date.
async fn stale_days(session: &mut Session) -> Answer<Vec<Stale>> {
    let asked = session.begin_reading(DOING).await?;
    let sql = "SELECT d.day, d.changes FROM stale_days d WHERE NOT EXISTS
               (SELECT FROM stale_hours h WHERE h.hour >= d.day AND h.hour < d.day + interval '1 day') ORDER BY 1 LIMIT $1";
    let found = rows(&asked, sql, &[(&MOST_DAYS, Type::INT8)]).await?;
    Ok(found.iter().map(stale).collect())
}

/// Days that are made anew at once.
const MOST_DAYS: i64 = 4;

/// Notes which closed hours a batch changes. The row of `closed` is shared until the batch is committed.
pub async fn touched(transaction: &Transaction<'_>, spread: &Spread) -> Answer<()> {
    let mut hours: Vec<i64> = spread.minutes().map(|(minute, _)| hour_of(minute * MINUTE_US)).collect();
    hours.dedup();
    changed(transaction, hours.into_iter().map(Stamp).collect()).await
}

/// Notes that rollups of these times have changed, where they are of closed hours.
pub async fn changed(transaction: &Transaction<'_>, times: Vec<Stamp>) -> Answer<()> {
    if times.is_empty() {
        return Ok(());
    }
    let sql = "WITH closed AS (SELECT until FROM closed FOR SHARE)
               INSERT INTO stale_hours AS s (hour, changes)
               SELECT DISTINCT date_trunc('hour', n.at, 'UTC'), 1 FROM unnest($1::timestamptz[]) AS n (at), closed WHERE n.at < closed.until
               ORDER BY 1 ON CONFLICT (hour) DO UPDATE SET changes = s.changes + 1";
    let values: Values<'_> = &[(&times, Type::TIMESTAMPTZ_ARRAY)];
    transaction.execute_typed(sql, values).await.map(drop).map_err(error::at("noting changed hours"))
}

/// How far the aggregates are.
pub async fn state(asked: &Transaction<'_>) -> Answer<AggregateState> {
    let sql = "SELECT (SELECT until FROM closed WHERE until > '-infinity'),
               (SELECT count(*) FROM stale_hours) + (SELECT count(*) FROM stale_days)";
    let found = rows(asked, sql, &[]).await?;
    let closed = found[0].get::<_, Option<Stamp>>(0).map(|stamp| stamp.0);
    Ok(AggregateState { closed, stale: found[0].get::<_, i64>(1) as u64 })
}

/// The version of each day of a range that was ever added up.
pub async fn versions(asked: &Transaction<'_>, (from, to): (i64, i64)) -> Answer<HashMap<i64, i64>> {
    let sql = "SELECT day, version FROM made_days WHERE day >= $1 AND day < $2";
    let found = rows(asked, sql, &[(&Stamp(from), Type::TIMESTAMPTZ), (&Stamp(to), Type::TIMESTAMPTZ)]).await?;
    Ok(found.iter().map(|row| (row.get::<_, Stamp>(0).0, row.get(1))).collect())
}

/// How the aggregates of a range stand: the first hour that is not closed, and what is stale, in order.
pub struct Standing {
    /// Microseconds.
    pub closed: i64,
    /// Hours.
    pub hours: Vec<i64>,
    /// Days.
    pub days: Vec<i64>,
}

/// How the aggregates of a range stand.
pub async fn standing(asked: &Transaction<'_>, (from, to): (i64, i64)) -> Answer<Standing> {
    let range = |whole: fn(i64) -> i64| (Stamp(whole(from)), Stamp(to));
    let within = async |sql: &str, (from, to): (Stamp, Stamp)| -> Answer<Vec<i64>> {
        let found = rows(asked, sql, &[(&from, Type::TIMESTAMPTZ), (&to, Type::TIMESTAMPTZ)]).await?;
        Ok(found.iter().map(|row| row.get::<_, Stamp>(0).0).collect())
    };
    let hours = "SELECT hour FROM stale_hours WHERE hour >= $1 AND hour <= $2 ORDER BY hour";
    let days = "SELECT day FROM stale_days WHERE day >= $1 AND day <= $2 ORDER BY day";
    Ok(Standing {
        closed: state(asked).await?.closed.unwrap_or(i64::MIN),
        hours: within(hours, range(hour_of)).await?,
        days: within(days, range(day_of)).await?,
    })
}

async fn rows(asked: &Transaction<'_>, sql: &str, values: Values<'_>) -> Answer<Vec<Row>> {
    asked.query_typed(sql, values).await.map_err(error::at(DOING))
}

async fn execute(transaction: &Transaction<'_>, sql: &str, values: Values<'_>) -> Answer<()> {
    transaction.execute_typed(sql, values).await.map(drop).map_err(error::at(DOING))
}
