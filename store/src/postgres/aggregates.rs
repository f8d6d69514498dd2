//! Which hours are closed and which are stale: noted by who changes rollups, read by questions (see [`crate::aggregates`]).
//!
//! Hours are closed under a lock on one row that every writer shares ([`super::refresh`]), so that no batch is in between: it either
//! finds the hour open, and its rollups are there when the hour is added up, or it notes that the hour has changed.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use super::error;
use super::stamp::Stamp;
use crate::aggregates::{AggregateState, day_of, hour_of};
use crate::port::StoreError;
use crate::rollup::MINUTE_US;
use crate::spread::Spread;

const DOING: &str = "making aggregates anew";

type Answer<T> = Result<T, StoreError>;
type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// The mark that a change leaves on a stale hour or day: the id of the transaction, which no other one ever has. A count would begin
/// again after each time that the hour was made anew, and an old mark would be taken for a new one.
pub const MARK: &str = "pg_current_xact_id()::text::bigint";

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
    let sql = format!(
        "WITH closed AS (SELECT until FROM closed FOR SHARE)
         INSERT INTO stale_hours (hour, mark)
         SELECT DISTINCT date_trunc('hour', n.at, 'UTC'), {MARK} FROM unnest($1::timestamptz[]) AS n (at), closed
         WHERE n.at < closed.until ORDER BY 1 ON CONFLICT (hour) DO UPDATE SET mark = excluded.mark"
    );
    let values: Values<'_> = &[(&times, Type::TIMESTAMPTZ_ARRAY)];
    transaction.execute_typed(&sql, values).await.map(drop).map_err(error::at("noting changed hours"))
}

/// How far the aggregates are.
pub async fn state(asked: &Transaction<'_>) -> Answer<AggregateState> {
    let sql = "SELECT (SELECT until FROM closed WHERE until > '-infinity'),
               (SELECT count(*) FROM stale_hours) + (SELECT count(*) FROM stale_days)";
    let found = rows(asked, sql, &[]).await?;
    let closed = found[0].get::<_, Option<Stamp>>(0).map(|stamp| stamp.0);
    Ok(AggregateState { closed, stale: found[0].get::<_, i64>(1) as u64 })
}

/// The begin of each day of a span that was ever added up, and how often it was, in order.
pub async fn versions(asked: &Transaction<'_>, (from, to): (i64, i64)) -> Answer<Vec<(i64, i64)>> {
    let sql = "SELECT day, version FROM made_days WHERE day >= $1 AND day < $2 ORDER BY day";
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
