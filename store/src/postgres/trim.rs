//! Retention: whole days of raw events, bounded slices of the rest.
//!
//! It goes by log time: what was imported yesterday stays, however old its event times are. A day of raw events is past
//! retention when its last moment is. A minute of event time whose events arrived on several days has lost some of them
//! then: from then on its rollups answer for the whole minute.

use slipstream_schemas::{LogTime, Retention};
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

use super::layout::Layout;
use super::session::Session;
use super::stamp::{self, Stamp};
use super::{aggregates, error, events_table};
use crate::port::StoreError;

/// Rows that one slice removes at most of each kind, about.
const SLICE: i64 = 20_000;
/// Minutes whose rollups go at once.
const MINUTES: i64 = 500;
/// What is being done here.
pub const DOING: &str = "removing what is past retention";

type Answer<T> = Result<T, StoreError>;

/// Removes some of the rows older than retention before `now`; returns how many.
pub async fn slice(session: &mut Session, retention: Retention, now: LogTime) -> Answer<u64> {
    let (raw, history) = retention.before(now);
    let transaction = session.begin(DOING).await?;
    let layout = Layout::find(&transaction, DOING).await?;
    let mut removed = days(&transaction, layout.events, LogTime(raw)).await?;
    transaction.commit().await.map_err(error::at(DOING))?;
    let transaction = session.begin(DOING).await?;
    // A minute stays as long as its raw events: they are found by it.
    removed += minutes(&transaction, Stamp::millis(history.min(raw))).await?;
    removed += match layout.burn_rates {
        true => burn_rate_chunk(&transaction, Stamp::millis(raw)).await?,
        false => burn_rates(&transaction, Stamp::millis(raw)).await?,
    };
    removed += alerts(&transaction, Stamp::millis(history)).await?;
    transaction.commit().await.map_err(error::at(DOING))?;
    Ok(removed)
}

async fn execute(transaction: &Transaction<'_>, sql: &str, values: &[(&(dyn ToSql + Sync), Type)]) -> Answer<u64> {
    transaction.execute_typed(sql, values).await.map_err(error::at(DOING))
}

/// Raw events of days of log time that are past retention.
async fn days(transaction: &Transaction<'_>, is_hypertable: bool, before: LogTime) -> Answer<u64> {
    // The day that holds `before` is not over.
    let day = stamp::day(before);
    let number: [(&(dyn ToSql + Sync), Type); 1] = [(&day.0, Type::INT4)];
    let sql = "SELECT EXISTS (SELECT 1 FROM days WHERE day < date '1970-01-01' + $1)";
    let past = transaction.query_typed_one(sql, &number).await.map_err(error::at(DOING))?;
    if !past.get::<_, bool>(0) {
        return Ok(0);
    }
    // Waits for readers and writers, but not for long: while this waits, they queue behind it. The lock comes before
    // any row's, as writers have it.
    let lock = "SET LOCAL lock_timeout TO 2000; LOCK TABLE events IN ACCESS EXCLUSIVE MODE";
    if !is_hypertable {
        transaction.batch_execute(lock).await.map_err(error::at(DOING))?;
    }
    events_table::drop_before(transaction, day, DOING).await?;
    let sql = "UPDATE minutes SET raw_gone = true WHERE oldest_log < $1 AND NOT raw_gone";
    execute(transaction, sql, &[(&day.begin(), Type::TIMESTAMPTZ)]).await?;
    let sql = "INSERT INTO kept AS k (one, raw_from) VALUES (true, $1)
               ON CONFLICT (one) DO UPDATE SET raw_from = greatest(k.raw_from, excluded.raw_from)";
    execute(transaction, sql, &[(&day.begin(), Type::TIMESTAMPTZ)]).await?;
    let sql = "WITH gone AS (DELETE FROM days WHERE day < date '1970-01-01' + $1 RETURNING events)
               SELECT coalesce(sum(events), 0)::bigint FROM gone";
    let gone = transaction.query_typed_one(sql, &number).await.map_err(error::at(DOING))?;
    Ok(gone.get::<_, i64>(0).max(1) as u64)
}

/// Minutes first, as in writers: after waiting for a minute's row, its rollups are either all gone or all there.
async fn minutes(transaction: &Transaction<'_>, before: Stamp) -> Answer<u64> {
    let sql = "DELETE FROM minutes WHERE newest_log < $1 AND raw_gone AND minute IN
               (SELECT minute FROM minutes WHERE newest_log < $1 AND raw_gone ORDER BY minute LIMIT $2)
               RETURNING minute";
    let values: [(&(dyn ToSql + Sync), Type); 2] = [(&before, Type::TIMESTAMPTZ), (&MINUTES, Type::INT8)];
    let gone = transaction.query_typed(sql, &values).await.map_err(error::at(DOING))?;
    if gone.is_empty() {
        return Ok(0);
    }
    let minutes: Vec<Stamp> = gone.iter().map(|row| row.get(0)).collect();
    let sql = "DELETE FROM rollups WHERE minute = ANY ($1)";
    let rollups = execute(transaction, sql, &[(&minutes, Type::TIMESTAMPTZ_ARRAY)]).await?;
    aggregates::changed(transaction, minutes).await?;
    Ok(rollups + gone.len() as u64)
}

/// Of a hypertable, the oldest chunk that is past retention: dropped, unless it has the newest row of a series, which stays. Then
/// all others are deleted.
async fn burn_rate_chunk(transaction: &Transaction<'_>, before: Stamp) -> Answer<u64> {
    let sql = "SELECT c.range_start, c.range_end FROM timescaledb_information.chunks c
               WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = 'burn_rates' AND c.range_end <= $1
               AND EXISTS (SELECT FROM burn_rates b WHERE b.\"time\" >= c.range_start AND b.\"time\" < c.range_end
                           AND EXISTS (SELECT FROM burn_rates n WHERE n.series = b.series AND n.\"time\" > b.\"time\"))
               ORDER BY 1 LIMIT 1";
    let found = transaction.query_typed(sql, &[(&before, Type::TIMESTAMPTZ)]).await.map_err(error::at(DOING))?;
    let Some(chunk) = found.first() else { return Ok(0) };
    let (from, to): (Stamp, Stamp) = (chunk.get(0), chunk.get(1));
    let range: [(&(dyn ToSql + Sync), Type); 2] = [(&from, Type::TIMESTAMPTZ), (&to, Type::TIMESTAMPTZ)];
    // Those that have rows in it are told again when each has come once more.
    let series = "SELECT count(*) FILTER (WHERE n.next IS NULL), greatest(max(n.next), $2) FROM
                  (SELECT DISTINCT series FROM burn_rates WHERE \"time\" >= $1 AND \"time\" < $2) s
                  CROSS JOIN LATERAL (SELECT min(\"time\") AS next FROM burn_rates b WHERE b.series = s.series AND b.\"time\" >= $2) n";
    let series = transaction.query_typed_one(series, &range).await.map_err(error::at(DOING))?;
    kept_from(transaction, "kept_burn_rates", series.get(1)).await?;
    if series.get::<_, i64>(0) == 0 {
        let sql = "SELECT burn_rates_drop($1, $2)";
        return Ok(transaction.query_typed_one(sql, &range).await.map_err(error::at(DOING))?.get::<_, i64>(0) as u64);
    }
    let sql = "DELETE FROM burn_rates b WHERE b.\"time\" >= $1 AND b.\"time\" < $2
               AND EXISTS (SELECT FROM burn_rates n WHERE n.series = b.series AND n.\"time\" > b.\"time\")";
    execute(transaction, sql, &range).await
}

/// The newest of each series before that stays: from then on every state of the series can be told.
async fn burn_rates(transaction: &Transaction<'_>, before: Stamp) -> Answer<u64> {
    let sql = "DELETE FROM burn_rates b USING (
                 SELECT o.series, o.\"time\", o.generation FROM series s
                 CROSS JOIN LATERAL (SELECT max(n.\"time\") AS newest FROM burn_rates n
                                     WHERE n.series = s.id AND n.\"time\" <= $1) state
                 CROSS JOIN LATERAL (SELECT series, \"time\", generation FROM burn_rates p WHERE p.series = s.id
                                     AND p.\"time\" < least($1, state.newest)) o
                 LIMIT $2
               ) past
               WHERE (b.series, b.\"time\", b.generation) = (past.series, past.\"time\", past.generation)";
    let removed = execute(transaction, sql, &[(&before, Type::TIMESTAMPTZ), (&SLICE, Type::INT8)]).await?;
    if removed > 0 {
        kept_from(transaction, "kept_burn_rates", before).await?;
    }
    Ok(removed)
}

/// In the transaction that removes what was before it.
async fn kept_from(transaction: &Transaction<'_>, table: &str, tick: Stamp) -> Answer<()> {
    let sql = format!(
        "INSERT INTO {table} AS k (one, from_time) VALUES (true, $1)
         ON CONFLICT (one) DO UPDATE SET from_time = greatest(k.from_time, excluded.from_time)"
    );
    execute(transaction, &sql, &[(&tick, Type::TIMESTAMPTZ)]).await.map(drop)
}

/// Whole episodes, once they have been over for so long.
async fn alerts(transaction: &Transaction<'_>, before: Stamp) -> Answer<u64> {
    let sql = "DELETE FROM alert_transitions WHERE (alert_id, episode) IN
               (SELECT alert_id, episode FROM alert_transitions
                WHERE \"time\" < $1 AND kind IN ('resolved', 'inactive') ORDER BY \"time\" LIMIT $2)";
    let transitions = execute(transaction, sql, &[(&before, Type::TIMESTAMPTZ), (&SLICE, Type::INT8)]).await?;
    if transitions > 0 {
        kept_from(transaction, "kept_alerts", before).await?;
    }
    let sql = "DELETE FROM notifications WHERE \"at\" < $1";
    Ok(transitions + execute(transaction, sql, &[(&before, Type::TIMESTAMPTZ)]).await?)
}
