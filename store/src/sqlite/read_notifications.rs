//! Questions for what became of notifications.

use rusqlite::types::{Type, Value};
use rusqlite::{Connection, Row, params_from_iter};
use serde::de::DeserializeOwned;
use slipstream_schemas::records::Notification;

use super::conditions::Conditions;
use super::{error, read};
use crate::notifications::{MOST_NOTIFICATIONS, NotificationCursor, NotificationPage, NotificationQuestion};
use crate::port::StoreError;

const DOING: &str = "reading notifications";
const TABLE: &str = "notifications";
/// The table of version 4 and before, as if its rows had all columns.
const FORMER: &str = "(SELECT *, 'none' AS reason, '' AS by, '' AS kind, '' AS slo, '' AS severity, NULL AS latency_ms,
                               0 AS repeated FROM notifications)";

pub fn page(reader: &Connection, question: &NotificationQuestion) -> Result<NotificationPage, StoreError> {
    let conditions = conditions(question);
    let limit = question.limit.clamp(1, MOST_NOTIFICATIONS);
    let sql = format!(
        "SELECT alert_id, episode, seq, receiver, outcome, status, attempts, detail, at, reason, by, kind, slo, severity,
                latency_ms, repeated FROM {}
         WHERE {} ORDER BY at DESC, alert_id, episode, seq, receiver, outcome LIMIT {}",
        if tells_reasons(reader).map_err(error::at(DOING))? { TABLE } else { FORMER },
        conditions.sql(),
        limit + 1
    );
    let mut found = read::all(reader, DOING, &sql, params_from_iter(conditions.values), notification)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(NotificationCursor::of);
    Ok(NotificationPage { notifications: found, next })
}

/// Whether the table has the columns of version 5.
fn tells_reasons(reader: &Connection) -> rusqlite::Result<bool> {
    let known = "SELECT count(*) FROM pragma_table_info('notifications') WHERE name = 'reason'";
    reader.query_row(known, [], |row| Ok(row.get::<_, i64>(0)? > 0))
}

fn conditions(question: &NotificationQuestion) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.equal(&[
        ("alert_id", &question.alert_id),
        ("receiver", &question.receiver),
        ("outcome", &question.outcome.map(|outcome| outcome.name().to_owned())),
        ("reason", &question.reason.map(|reason| reason.name().to_owned())),
        ("slo", &question.slo),
        ("severity", &question.severity),
        ("kind", &question.kind),
    ]);
    conditions.and("at >= ?", [Value::Integer(question.from.unwrap_or(i64::MIN))]);
    conditions.and("at < ?", [Value::Integer(question.to.unwrap_or(i64::MAX))]);
    if let Some(NotificationCursor(at, alert, episode, seq, receiver, outcome)) = &question.after {
        let behind = [
            Value::Integer(-at),
            Value::Text(alert.clone()),
            Value::Integer(*episode),
            Value::Integer((*seq).into()),
            Value::Text(receiver.clone()),
            Value::Text(outcome.clone()),
        ];
        conditions.and("(-at, alert_id, episode, seq, receiver, outcome) > (?, ?, ?, ?, ?, ?)", behind);
    }
    conditions
}

fn notification(row: &Row<'_>) -> rusqlite::Result<Notification> {
    Ok(Notification {
        alert_id: row.get(0)?,
        episode: row.get(1)?,
        seq: row.get(2)?,
        receiver: row.get(3)?,
        outcome: named(row, 4)?,
        status: row.get(5)?,
        attempts: row.get(6)?,
        detail: row.get(7)?,
        at: row.get(8)?,
        reason: named(row, 9)?,
        by: row.get(10)?,
        kind: row.get(11)?,
        slo: row.get(12)?,
        severity: row.get(13)?,
        latency_ms: row.get(14)?,
        repeated: row.get(15)?,
    })
}

/// A case of an enum, which is stored by its name.
fn named<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let name: String = row.get(column)?;
    serde_json::from_value(name.into())
        .map_err(|cause| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(cause)))
}
