//! Aggregates of hours and days, made anew beside the writer (see [`crate::aggregates`]).
//!
//! Every stale hour or day has a mark, another one after each change: one that changes while it is added up has another mark
//! afterwards, and stays stale.

use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use super::aggregates::{MARK, state};
use super::continuous;
use super::error;
use super::layout::Layout;
use super::options::Target;
use super::session::{Session, within};
use super::stamp::Stamp;
use crate::aggregates::{DAY_US, HOUR_US, Refreshed, SLICE_ROWS, closed_at, days_of};
use crate::port::StoreError;
use slipstream_schemas::LogTime;

const DOING: &str = "making aggregates anew";

/// A day is added up at once, and may have a million rows.
const DEADLINE: Duration = Duration::from_secs(600);

type Answer<T> = Result<T, StoreError>;
type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// A stale hour or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// Its begin.
    pub begin: Stamp,
    /// Its mark when it was looked up.
    mark: i64,
}

/// Hours or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Hour,
    Day,
}

impl Unit {
    /// Where aggregates of it are.
    pub fn table(self) -> &'static str {
        match self {
            Unit::Hour => "hourly",
            Unit::Day => "daily",
        }
    }

    /// Microseconds.
    pub fn length(self) -> i64 {
        match self {
            Unit::Hour => HOUR_US,
            Unit::Day => DAY_US,
        }
    }

    /// Where stale ones are noted, and the column of their begin.
    fn noted(self) -> (&'static str, &'static str) {
        match self {
            Unit::Hour => ("stale_hours", "hour"),
            Unit::Day => ("stale_days", "day"),
        }
    }

    /// What they are made of, and the column of its begin.
    fn source(self) -> (&'static str, &'static str) {
        match self {
            Unit::Hour => ("rollups", "minute"),
            Unit::Day => ("hourly", "\"time\""),
        }
    }

    /// So many are looked at at once.
    fn most(self) -> i64 {
        match self {
            Unit::Hour => 24 * 7,
            Unit::Day => 31,
        }
    }
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
    close(session, Stamp(closed_at(now))).await?;
    let hours = stale(session, Unit::Hour).await?;
    anew(session, target, Unit::Hour, &hours).await?;
    let days = if hours.is_empty() { stale(session, Unit::Day).await? } else { Vec::new() };
    // Each is as much as a slice of hours.
    for day in &days {
        anew(session, target, Unit::Day, std::slice::from_ref(day)).await?;
    }
    let left = state(&session.begin_reading(DOING).await?).await?.stale;
    Ok(Refreshed { hours: hours.len() as u64, days: days.len() as u64, stale: left })
}

/// What the hours before `until` hold is stale, and so are the days that end with them.
async fn close(session: &mut Session, until: Stamp) -> Answer<()> {
    let transaction = session.begin(DOING).await?;
    // Every batch in progress shares the row: this waits for them, and those that follow for this, which is short.
    let before = "SELECT greatest(until, timestamptz '0001-01-01 00:00Z'), until >= $1 FROM closed FOR UPDATE";
    let before = rows(&transaction, before, &[(&until, Type::TIMESTAMPTZ)]).await?;
    if before[0].get::<_, bool>(1) {
        return commit(transaction).await;
    }
    let from: Stamp = before[0].get(0);
    for unit in [Unit::Hour, Unit::Day] {
        let ((table, column), length) = (unit.noted(), unit.length());
        let whole = |stamp: Stamp| Stamp(stamp.0 - stamp.0.rem_euclid(length));
        let sql = format!(
            "INSERT INTO {table} ({column}, mark)
             SELECT DISTINCT date_trunc('{column}', minute, 'UTC'), {MARK} FROM minutes WHERE minute >= $1 AND minute < $2
             ON CONFLICT ({column}) DO UPDATE SET mark = excluded.mark"
        );
        execute(&transaction, &sql, &[(&whole(from), Type::TIMESTAMPTZ), (&whole(until), Type::TIMESTAMPTZ)]).await?;
    }
    execute(&transaction, "UPDATE closed SET until = $1", &[(&until, Type::TIMESTAMPTZ)]).await?;
    commit(transaction).await
}

/// The oldest that are stale: as many as have about a slice of rows, and one at least. Days whose hours are not up to date wait
/// for them.
async fn stale(session: &mut Session, unit: Unit) -> Answer<Vec<Stale>> {
    let asked = session.begin_reading(DOING).await?;
    let ((table, column), (source, begin)) = (unit.noted(), unit.source());
    let ready = match unit {
        Unit::Hour => "true",
        Unit::Day => {
            "NOT EXISTS (SELECT FROM stale_hours h WHERE h.hour >= s.day AND h.hour < s.day + interval '1 day')"
        }
    };
    let sql = format!("SELECT s.{column}, s.mark FROM {table} s WHERE {ready} ORDER BY 1 LIMIT {}", unit.most());
    let found = rows(&asked, &sql, &[]).await?;
    let (mut taken, mut sum) = (Vec::new(), 0);
    for found in found.iter().map(|row| Stale { begin: row.get(0), mark: row.get(1) }) {
        if sum >= SLICE_ROWS {
            break;
        }
        let end = Stamp(found.begin.0 + unit.length());
        let sql = format!("SELECT count(*) FROM {source} WHERE {begin} >= $1 AND {begin} < $2");
        let range: Values<'_> = &[(&found.begin, Type::TIMESTAMPTZ), (&end, Type::TIMESTAMPTZ)];
        sum += rows(&asked, &sql, range).await?[0].get::<_, i64>(0);
        taken.push(found);
    }
    commit(asked).await?;
    Ok(taken)
}

/// Adds up what is stale, and notes that it is not any more.
async fn anew(session: &mut Session, target: &Target, unit: Unit, stale: &[Stale]) -> Answer<()> {
    if stale.is_empty() {
        return Ok(());
    }
    if layout(session).await?.continuous {
        continuous::anew(session, target, unit, stale).await?;
    } else {
        added_up(session, unit, stale).await?;
    }
    settled(session, unit, stale).await
}

/// As it is now: `slipstream store migrate` may be at work.
async fn layout(session: &mut Session) -> Answer<Layout> {
    let asked = session.begin_reading(DOING).await?;
    let layout = Layout::find(&asked, DOING).await?;
    commit(asked).await?;
    Ok(layout)
}

async fn added_up(session: &mut Session, unit: Unit, stale: &[Stale]) -> Answer<()> {
    let begins: Vec<Stamp> = stale.iter().map(|stale| stale.begin).collect();
    let ((source, begin), (_, column), table) = (unit.source(), unit.noted(), unit.table());
    let transaction = session.begin(DOING).await?;
    // It takes as long as it takes, within the deadline: what is broken off would be begun again for ever. Two that do the same
    // wait for each other, and the second one does it once more.
    let alone = format!(
        "SET LOCAL statement_timeout TO {}; SELECT pg_advisory_xact_lock('{table}'::regclass::oid::bigint)",
        DEADLINE.as_millis()
    );
    transaction.batch_execute(&alone).await.map_err(error::at(DOING))?;
    let values: Values<'_> = &[(&begins, Type::TIMESTAMPTZ_ARRAY)];
    execute(&transaction, &format!("DELETE FROM {table} WHERE \"time\" = ANY ($1)"), values).await?;
    let sql = format!(
        "INSERT INTO {table} SELECT n.begin, r.dimensions, r.status_class, sum(r.hits)::bigint, sum(r.errors)::bigint,
         sum(r.latency_count)::bigint, sum(r.latency_sum), min(r.latency_min), max(r.latency_max), sketch_merge(r.sketch)
         FROM unnest($1::timestamptz[]) AS n (begin)
         JOIN {source} r ON r.{begin} >= n.begin AND r.{begin} < n.begin + interval '1 {column}' GROUP BY 1, 2, 3"
    );
    execute(&transaction, &sql, values).await?;
    commit(transaction).await
}

/// They are up to date, but for those that have changed meanwhile. The days of hours become stale, if they are closed.
async fn settled(session: &mut Session, unit: Unit, done: &[Stale]) -> Answer<()> {
    let (begins, marks): (Vec<Stamp>, Vec<i64>) = done.iter().map(|stale| (stale.begin, stale.mark)).unzip();
    let transaction = session.begin(DOING).await?;
    let (sql, days) = match unit {
        // With the end of their being stale: who read them before has another version.
        Unit::Day => (
            "INSERT INTO made_days AS m (day, version) SELECT n.day, 1 FROM unnest($1::timestamptz[]) AS n (day)
             ORDER BY 1 ON CONFLICT (day) DO UPDATE SET version = m.version + 1"
                .to_owned(),
            begins.clone(),
        ),
        Unit::Hour => (
            format!(
                "INSERT INTO stale_days (day, mark)
                 SELECT n.day, {MARK} FROM unnest($1::timestamptz[]) AS n (day), closed
                 WHERE n.day + interval '1 day' <= closed.until
                 ON CONFLICT (day) DO UPDATE SET mark = excluded.mark"
            ),
            days_of(&begins.iter().map(|begin| begin.0).collect::<Vec<_>>()).into_iter().map(Stamp).collect(),
        ),
    };
    execute(&transaction, &sql, &[(&days, Type::TIMESTAMPTZ_ARRAY)]).await?;
    let (table, column) = unit.noted();
    let sql = format!(
        "DELETE FROM {table} s USING unnest($1::timestamptz[], $2::bigint[]) AS n (begin, mark)
         WHERE s.{column} = n.begin AND s.mark = n.mark"
    );
    execute(&transaction, &sql, &[(&begins, Type::TIMESTAMPTZ_ARRAY), (&marks, Type::INT8_ARRAY)]).await?;
    commit(transaction).await
}

async fn rows(asked: &Transaction<'_>, sql: &str, values: Values<'_>) -> Answer<Vec<Row>> {
    asked.query_typed(sql, values).await.map_err(error::at(DOING))
}

async fn execute(transaction: &Transaction<'_>, sql: &str, values: Values<'_>) -> Answer<()> {
    transaction.execute_typed(sql, values).await.map(drop).map_err(error::at(DOING))
}

async fn commit(transaction: Transaction<'_>) -> Answer<()> {
    transaction.commit().await.map_err(error::at(DOING))
}
