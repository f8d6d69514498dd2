//! When the log brought what a range of event time holds. Raw events lie by log time, in days that are tables of their own and
//! compressed when they are old; questions are about event time. The table of minutes knows which log times belong together with which
//! event times, so that only those days are looked at.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::conditions::Conditions;
use super::stamp::Stamp;
use super::{error, read};
use crate::page::Order;
use crate::port::StoreError;
use crate::rollup::MINUTE_US;

type Answer<T> = Result<T, StoreError>;

const DOING: &str = "looking up minutes";

/// Reads events in the order of the index on event time, and stops where it has enough. Log times say which days are looked at; the
/// planner would also look them up, and sort all events of the minutes.
pub async fn in_order(asked: &Transaction<'_>) -> Answer<()> {
    asked.batch_execute("SET LOCAL enable_bitmapscan TO off").await.map_err(error::at(DOING))
}

/// Reads as the server thinks best again.
pub async fn in_any_order(asked: &Transaction<'_>) -> Answer<()> {
    asked.batch_execute("SET LOCAL enable_bitmapscan TO DEFAULT").await.map_err(error::at(DOING))
}

/// A range of event time, microseconds, and the log times of all that is stored of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brought {
    pub from: i64,
    pub to: i64,
    oldest: Stamp,
    newest: Stamp,
}

impl Brought {
    /// `None` if nothing is stored of a range.
    pub async fn within(asked: &Transaction<'_>, from: i64, to: i64) -> Answer<Option<Brought>> {
        let mut minutes = Conditions::default();
        minutes.between("minute", minute(from), to);
        let sql = format!("SELECT min(oldest_log), max(newest_log) FROM minutes WHERE {}", minutes.sql());
        let found = read::rows(asked, DOING, &sql, &minutes.values()).await?;
        let log = |i| found.first().and_then(|row| row.get::<_, Option<Stamp>>(i));
        Ok(log(0).zip(log(1)).map(|(oldest, newest)| Brought { from, to, oldest, newest }))
    }

    /// Of the first minutes of a range in an order, at most so many of which something is left. It begins where the range does, so
    /// what is left of that lies behind it.
    pub async fn first(
        asked: &Transaction<'_>,
        order: Order,
        (from, to): (i64, i64),
        most: i64,
    ) -> Answer<Option<Brought>> {
        let mut minutes = Conditions::default();
        minutes.between("minute", minute(from), to);
        let most = minutes.value(most, Type::INT8);
        let direction = direction(order);
        let sql = format!(
            "SELECT min(minute), max(minute), min(oldest_log), max(newest_log) FROM
             (SELECT minute, oldest_log, newest_log FROM minutes
              WHERE {} AND (NOT raw_gone OR newest_log >= coalesce((SELECT raw_from FROM kept), '-infinity'))
              ORDER BY minute {direction} LIMIT {most}) m",
            minutes.sql()
        );
        let found = read::rows(asked, DOING, &sql, &minutes.values()).await?;
        let stamp = |i| found.first().and_then(|row| row.get::<_, Option<Stamp>>(i));
        let (Some(first), Some(last)) = (stamp(0), stamp(1)) else { return Ok(None) };
        let (Some(oldest), Some(newest)) = (stamp(2), stamp(3)) else { return Ok(None) };
        let (from, to) = match order {
            Order::Oldest => (from, to.min(last.0.saturating_add(MINUTE_US))),
            Order::Newest => (from.max(first.0), to),
        };
        Ok(Some(Brought { from, to, oldest, newest }))
    }

    /// The conditions on the events `e`.
    pub fn limit(&self, conditions: &mut Conditions) {
        conditions.between("e.\"time\"", self.from, self.to);
        let (oldest, newest) =
            (conditions.value(self.oldest, Type::TIMESTAMPTZ), conditions.value(self.newest, Type::TIMESTAMPTZ));
        conditions.and(format!("e.log_time >= {oldest} AND e.log_time <= {newest}"));
    }
}

/// As SQL has an order.
pub fn direction(order: Order) -> &'static str {
    if order == Order::Oldest { "" } else { "DESC" }
}

/// The minute that a time lies in.
pub fn minute(time: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(MINUTE_US))
}
