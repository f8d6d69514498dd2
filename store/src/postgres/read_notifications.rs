//! Questions for what became of notifications.

use serde::de::DeserializeOwned;
use slipstream_schemas::Cause;
use slipstream_schemas::records::Notification;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use super::conditions::Conditions;
use super::stamp::Stamp;
use super::write_history::plain;
use super::{error, read};
use crate::notifications::{MOST_NOTIFICATIONS, NotificationCursor, NotificationPage, NotificationQuestion};
use crate::port::StoreError;

pub async fn page(asked: &Transaction<'_>, question: NotificationQuestion) -> Result<NotificationPage, StoreError> {
    let limit = question.limit.clamp(1, MOST_NOTIFICATIONS);
    let conditions = conditions(question);
    let sql = format!(
        "SELECT alert_id, episode, seq, receiver, outcome, status, attempts, detail, \"at\", reason, \"by\", kind, slo, severity,
                latency_ms, repeated FROM notifications
         WHERE {} ORDER BY \"at\" DESC, alert_id, episode, seq, receiver, outcome LIMIT {}",
        conditions.sql(),
        limit + 1
    );
    let found = read::rows(asked, "reading notifications", &sql, &conditions.values()).await?;
    let mut notifications = found.iter().map(notification).collect::<Result<Vec<_>, StoreError>>()?;
    let more = notifications.len() > limit;
    notifications.truncate(limit);
    let next = notifications.last().filter(|_| more).map(NotificationCursor::of);
    Ok(NotificationPage { notifications, next })
}

fn conditions(question: NotificationQuestion) -> Conditions {
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
    let bound = |at: Option<i64>, open: i64| at.map_or(open, |at| Stamp::millis(at).0);
    conditions.between("\"at\"", bound(question.from, i64::MIN), bound(question.to, i64::MAX));
    if let Some(NotificationCursor(at, alert, episode, seq, receiver, outcome)) = question.after {
        let at = conditions.value(Stamp::millis(at), Type::TIMESTAMPTZ);
        let [alert, receiver, outcome] =
            [alert, receiver, outcome].map(|text| conditions.value(plain(&text), Type::TEXT));
        let (episode, seq) = (conditions.value(episode, Type::INT8), conditions.value(seq, Type::INT4));
        conditions.and(format!(
            "\"at\" <= {at} AND (\"at\" < {at} OR (alert_id, episode, seq, receiver, outcome)
                                > ({alert}, {episode}, {seq}, {receiver}, {outcome}))"
        ));
    }
    conditions
}

fn notification(row: &Row) -> Result<Notification, StoreError> {
    Ok(Notification {
        alert_id: row.get(0),
        episode: row.get(1),
        seq: row.get(2),
        receiver: row.get(3),
        outcome: named(row.get(4))?,
        status: row.get(5),
        attempts: row.get(6),
        detail: row.get(7),
        at: row.get::<_, Stamp>(8).0.div_euclid(1_000),
        reason: named(row.get(9))?,
        by: row.get(10),
        kind: row.get(11),
        slo: row.get(12),
        severity: row.get(13),
        latency_ms: row.get(14),
        repeated: row.get(15),
    })
}

/// A case of an enum, which is stored by its name.
fn named<T: DeserializeOwned>(name: &str) -> Result<T, StoreError> {
    serde_json::from_value(name.into()).map_err(|cause| error::unreadable("a notification", Cause::of(cause)))
}
