//! Writing history: burn rates, alert transitions, delivery outcomes. Of several records of one key the last stays, as if
//! they had been written one by one.

use std::collections::BTreeMap;

use slipstream_schemas::records::{AlertTransition, BudgetUnit, Notification, WindowRates};
use slipstream_schemas::{Cause, codec};
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

use super::error;
use super::stamp::Stamp;
use crate::alerts::AlertEpisode;
use crate::port::{StoreError, StoredBurnRates, WriteBatch};

type Done = Result<(), StoreError>;

/// All of a batch's history; `series` has the id of each row of burn rates.
pub async fn insert(transaction: &Transaction<'_>, batch: &WriteBatch, series: &[i32]) -> Done {
    insert_burn_rates(transaction, &batch.burn_rates, series).await?;
    insert_transitions(transaction, &batch.transitions).await?;
    insert_notifications(transaction, &batch.notifications).await
}

/// Text as a column for people has it: PostgreSQL's has no NUL.
pub fn plain(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

async fn execute(
    transaction: &Transaction<'_>,
    doing: &str,
    sql: &str,
    values: &[(&(dyn ToSql + Sync), Type)],
) -> Done {
    transaction.execute_typed(sql, values).await.map(drop).map_err(error::at(doing))
}

const BURN_RATES: &str = "INSERT INTO burn_rates (series, \"time\", generation, complete, retired, sli, budget_total,
     budget_remaining, exhaustion_at, covered_from, good, total, unknown, too_late, body, unit, target,
     period_start, window_seconds, window_good, window_total, window_burn)
     SELECT n.series, n.\"time\", n.generation, n.complete, n.retired, n.sli, n.budget_total, n.budget_remaining,
            n.exhaustion_at, n.covered_from, n.good, n.total, n.unknown, n.too_late, n.body, n.unit, n.target,
            n.period_start, ($21::bigint[])[n.first:n.last], ($22::bigint[])[n.first:n.last],
            ($23::bigint[])[n.first:n.last], ($24::float8[])[n.first:n.last]
     FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) AS n (series, \"time\",
          generation, complete, retired, sli, budget_total, budget_remaining, exhaustion_at, covered_from, good, total,
          unknown, too_late, body, unit, target, period_start, first, last)
     ORDER BY 1, 2, 3
     ON CONFLICT (series, \"time\", generation) DO UPDATE SET complete = excluded.complete, retired = excluded.retired,
     sli = excluded.sli, budget_total = excluded.budget_total, budget_remaining = excluded.budget_remaining,
     exhaustion_at = excluded.exhaustion_at, covered_from = excluded.covered_from, good = excluded.good,
     total = excluded.total, unknown = excluded.unknown, too_late = excluded.too_late, body = excluded.body,
     unit = excluded.unit, target = excluded.target, period_start = excluded.period_start,
     window_seconds = excluded.window_seconds, window_good = excluded.window_good, window_total = excluded.window_total,
     window_burn = excluded.window_burn";

async fn insert_burn_rates(transaction: &Transaction<'_>, rows: &[StoredBurnRates], series: &[i32]) -> Done {
    let last: BTreeMap<(i32, i64, i64), &StoredBurnRates> =
        rows.iter().zip(series).map(|(row, id)| ((*id, row.rates.tick, row.rates.generation), row)).collect();
    if last.is_empty() {
        return Ok(());
    }
    let ids: Vec<i32> = last.keys().map(|(id, ..)| *id).collect();
    let rows: Vec<_> = last.into_values().map(|row| &row.rates).collect();
    let windows: Vec<&WindowRates> = rows.iter().flat_map(|r| &r.windows).collect();
    let (mut first, mut end, mut at) = (Vec::new(), Vec::new(), 0);
    for row in &rows {
        first.push(at + 1);
        at += row.windows.len() as i32;
        end.push(at);
    }
    let times: Vec<Stamp> = rows.iter().map(|r| Stamp::seconds(r.tick)).collect();
    let exhausted: Vec<Option<Stamp>> = rows.iter().map(|r| r.exhaustion_at.map(Stamp::seconds)).collect();
    let covered: Vec<Stamp> = rows.iter().map(|r| Stamp::seconds(r.covered_from)).collect();
    let bodies: Vec<Vec<u8>> = rows.iter().map(|r| codec::encode(*r)).collect();
    let began: Vec<Option<Stamp>> = rows.iter().map(|r| r.period_start.map(Stamp::seconds)).collect();
    let values: [(&(dyn ToSql + Sync), Type); 24] = [
        (&ids, Type::INT4_ARRAY),
        (&times, Type::TIMESTAMPTZ_ARRAY),
        (&column(&rows, |r| r.generation), Type::INT8_ARRAY),
        (&column(&rows, |r| r.complete), Type::BOOL_ARRAY),
        (&column(&rows, |r| r.retired), Type::BOOL_ARRAY),
        (&column(&rows, |r| r.sli), Type::FLOAT8_ARRAY),
        (&column(&rows, |r| r.budget_total), Type::FLOAT8_ARRAY),
        (&column(&rows, |r| r.budget_remaining), Type::FLOAT8_ARRAY),
        (&exhausted, Type::TIMESTAMPTZ_ARRAY),
        (&covered, Type::TIMESTAMPTZ_ARRAY),
        (&column(&rows, |r| r.windows.last().map_or(0, |w| w.good)), Type::INT8_ARRAY),
        (&column(&rows, |r| r.windows.last().map_or(0, |w| w.total)), Type::INT8_ARRAY),
        (&column(&rows, |r| r.unknown), Type::INT8_ARRAY),
        (&column(&rows, |r| r.too_late), Type::INT8_ARRAY),
        (&bodies, Type::BYTEA_ARRAY),
        (&column(&rows, |r| unit(r.unit)), Type::TEXT_ARRAY),
        (&column(&rows, |r| r.target), Type::FLOAT8_ARRAY),
        (&began, Type::TIMESTAMPTZ_ARRAY),
        (&first, Type::INT4_ARRAY),
        (&end, Type::INT4_ARRAY),
        (&column(&windows, |w| w.seconds), Type::INT8_ARRAY),
        (&column(&windows, |w| w.good), Type::INT8_ARRAY),
        (&column(&windows, |w| w.total), Type::INT8_ARRAY),
        (&column(&windows, |w| w.burn), Type::FLOAT8_ARRAY),
    ];
    execute(transaction, "storing burn rates", BURN_RATES, &values).await
}

/// A unit as views name it, and as it travels.
fn unit(unit: BudgetUnit) -> &'static str {
    match unit {
        BudgetUnit::Events => "events",
        BudgetUnit::Seconds => "seconds",
        BudgetUnit::Share => "share",
    }
}

const TRANSITIONS: &str = "INSERT INTO alert_transitions (alert_id, episode, seq, \"time\", kind, state, slo, service,
     objective, group_name, rule, severity, value, pending_at, fired_at, body)
     SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) AS n (alert_id, episode,
          seq, \"time\", kind, state, slo, service, objective, group_name, rule, severity, value, pending_at, fired_at, body)
     ORDER BY 1, 2, 3
     ON CONFLICT (alert_id, episode, seq) DO UPDATE SET \"time\" = excluded.\"time\", kind = excluded.kind,
     state = excluded.state, slo = excluded.slo, service = excluded.service, objective = excluded.objective,
     group_name = excluded.group_name, rule = excluded.rule, severity = excluded.severity, value = excluded.value,
     pending_at = excluded.pending_at, fired_at = excluded.fired_at, body = excluded.body";

async fn insert_transitions(transaction: &Transaction<'_>, transitions: &[AlertTransition]) -> Done {
    let doing = "storing alert transitions";
    let last: BTreeMap<(&str, i64, i32), &AlertTransition> =
        transitions.iter().map(|t| ((t.alert_id.as_str(), t.episode, t.seq), t)).collect();
    if last.is_empty() {
        return Ok(());
    }
    let rows: Vec<&AlertTransition> = last.into_values().collect();
    let episodes: Vec<AlertEpisode> = rows.iter().map(|t| AlertEpisode::new(t)).collect();
    let bodies: Vec<String> = rows.iter().map(|t| json(doing, t)).collect::<Result<_, _>>()?;
    let kinds: Vec<String> = rows.iter().map(|t| word(doing, &t.kind)).collect::<Result<_, _>>()?;
    let states: Vec<String> = episodes.iter().map(|e| word(doing, &e.state)).collect::<Result<_, _>>()?;
    let fired: Vec<Option<Stamp>> = rows.iter().map(|t| t.fired_at.map(Stamp::seconds)).collect();
    let group = |t: &AlertTransition| {
        let labels: Vec<String> = t.group.iter().map(|label| format!("{}={}", label.name, label.value)).collect();
        plain(&labels.join(", "))
    };
    let values: [(&(dyn ToSql + Sync), Type); 16] = [
        (&column(&rows, |t| plain(&t.alert_id)), Type::TEXT_ARRAY),
        (&column(&rows, |t| t.episode), Type::INT8_ARRAY),
        (&column(&rows, |t| t.seq), Type::INT4_ARRAY),
        (&column(&rows, |t| Stamp::seconds(t.tick)), Type::TIMESTAMPTZ_ARRAY),
        (&kinds, Type::TEXT_ARRAY),
        (&states, Type::TEXT_ARRAY),
        (&column(&rows, |t| plain(&t.slo)), Type::TEXT_ARRAY),
        (&column(&rows, |t| plain(&t.service)), Type::TEXT_ARRAY),
        (&column(&rows, |t| plain(&t.objective)), Type::TEXT_ARRAY),
        (&column(&rows, group), Type::TEXT_ARRAY),
        (&column(&rows, |t| plain(&t.rule)), Type::TEXT_ARRAY),
        (&column(&rows, |t| plain(&t.severity)), Type::TEXT_ARRAY),
        (&episodes.iter().map(|e| e.value).collect::<Vec<_>>(), Type::FLOAT8_ARRAY),
        (&column(&rows, |t| Stamp::seconds(t.episode)), Type::TIMESTAMPTZ_ARRAY),
        (&fired, Type::TIMESTAMPTZ_ARRAY),
        (&bodies, Type::TEXT_ARRAY),
    ];
    execute(transaction, doing, TRANSITIONS, &values).await
}

const NOTIFICATIONS: &str = "INSERT INTO notifications (alert_id, episode, seq, receiver, outcome, status, attempts,
     detail, \"at\", reason, \"by\", kind, slo, severity, latency_ms, repeated)
     SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) AS n (alert_id, episode,
          seq, receiver, outcome, status, attempts, detail, \"at\", reason, \"by\", kind, slo, severity, latency_ms, repeated)
     ORDER BY alert_id, episode, seq, receiver, \"at\", outcome
     ON CONFLICT (alert_id, episode, seq, receiver, \"at\", outcome) DO UPDATE SET status = excluded.status,
     attempts = excluded.attempts, detail = excluded.detail, reason = excluded.reason, \"by\" = excluded.\"by\",
     kind = excluded.kind, slo = excluded.slo, severity = excluded.severity, latency_ms = excluded.latency_ms,
     repeated = excluded.repeated";

async fn insert_notifications(transaction: &Transaction<'_>, notifications: &[Notification]) -> Done {
    let key = |n: &Notification| (plain(&n.alert_id), n.episode, n.seq, plain(&n.receiver), n.at, n.outcome.name());
    let last: BTreeMap<_, &Notification> = notifications.iter().map(|n| (key(n), n)).collect();
    if last.is_empty() {
        return Ok(());
    }
    let rows: Vec<&Notification> = last.into_values().collect();
    let values: [(&(dyn ToSql + Sync), Type); 16] = [
        (&column(&rows, |n| plain(&n.alert_id)), Type::TEXT_ARRAY),
        (&column(&rows, |n| n.episode), Type::INT8_ARRAY),
        (&column(&rows, |n| n.seq), Type::INT4_ARRAY),
        (&column(&rows, |n| plain(&n.receiver)), Type::TEXT_ARRAY),
        (&column(&rows, |n| n.outcome.name()), Type::TEXT_ARRAY),
        (&column(&rows, |n| n.status), Type::INT4_ARRAY),
        (&column(&rows, |n| n.attempts), Type::INT4_ARRAY),
        (&column(&rows, |n| plain(&n.detail)), Type::TEXT_ARRAY),
        (&column(&rows, |n| Stamp::millis(n.at)), Type::TIMESTAMPTZ_ARRAY),
        (&column(&rows, |n| n.reason.name()), Type::TEXT_ARRAY),
        (&column(&rows, |n| plain(&n.by)), Type::TEXT_ARRAY),
        (&column(&rows, |n| plain(&n.kind)), Type::TEXT_ARRAY),
        (&column(&rows, |n| plain(&n.slo)), Type::TEXT_ARRAY),
        (&column(&rows, |n| plain(&n.severity)), Type::TEXT_ARRAY),
        (&column(&rows, |n| n.latency_ms), Type::INT8_ARRAY),
        (&column(&rows, |n| n.repeated), Type::BOOL_ARRAY),
    ];
    execute(transaction, "storing delivery outcomes", NOTIFICATIONS, &values).await
}

/// One column of some rows.
fn column<R, T>(rows: &[&R], value: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(|row| value(row)).collect()
}

fn json(doing: &str, value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Fatal { doing: doing.to_owned(), cause: Cause::of(error) })
}

/// The name of an enum's case, as its records have it.
fn word(doing: &str, case: &impl serde::Serialize) -> Result<String, StoreError> {
    Ok(json(doing, case)?.trim_matches('"').to_owned())
}
