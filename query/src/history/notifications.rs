//! What became of notifications: what was told to whom, and what was held back and why.

use serde::{Deserialize, Serialize};
use slipstream_schemas::EventTime;
use slipstream_schemas::records::{Notification, NotificationReason, Outcome};
use slipstream_store::notifications::NotificationQuestion;
use slipstream_store::text;

use super::History;
use crate::QueryError;

/// A page of notifications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationAnswer {
    /// Newest first.
    pub notifications: Vec<NotificationRow>,
    /// Where the next page starts, as text; null at the end.
    pub next: Option<String>,
}

/// What became of a transition at a receiver. Several rows of one transition and receiver tell its story.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationRow {
    /// When it ended, RFC 3339, by the notifier's clock.
    pub at: String,
    /// The alert.
    pub alert_id: String,
    /// Its episode.
    pub episode: i64,
    /// The transition within it.
    pub seq: i32,
    /// Receiver name.
    pub receiver: String,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status; null if there was no response.
    pub status: Option<i32>,
    /// Attempts made.
    pub attempts: i32,
    /// What the receiver or the transport said, or why it was not sent.
    pub detail: String,
    /// Why it was not sent.
    #[serde(default)]
    pub reason: NotificationReason,
    /// What holds it back: id of the silence or of the inhibiting alert, the name of the time interval, or who acknowledged it.
    #[serde(default)]
    pub by: String,
    /// What happened: `firing`, `severity` or `resolved`; empty where a former version recorded it. Likewise SLO and severity.
    #[serde(default)]
    pub kind: String,
    /// The SLO.
    #[serde(default)]
    pub slo: String,
    /// Severity at the transition.
    #[serde(default)]
    pub severity: String,
    /// How long the last attempt took, milliseconds; null without one.
    #[serde(default)]
    pub latency_ms: Option<i64>,
    /// Whether the receiver had it already: it was reminded, or would have been.
    #[serde(default)]
    pub repeated: bool,
}

impl From<Notification> for NotificationRow {
    fn from(n: Notification) -> Self {
        NotificationRow {
            at: text::micros(EventTime(n.at.saturating_mul(1_000))),
            alert_id: n.alert_id,
            episode: n.episode,
            seq: n.seq,
            receiver: n.receiver,
            outcome: n.outcome,
            status: n.status,
            attempts: n.attempts,
            detail: n.detail,
            reason: n.reason,
            by: n.by,
            kind: n.kind,
            slo: n.slo,
            severity: n.severity,
            latency_ms: n.latency_ms,
            repeated: n.repeated,
        }
    }
}

impl History {
    /// A page of what became of notifications.
    ///
    /// # Errors
    /// When the store cannot be read, or refuses the question.
    pub async fn notifications(&self, question: &NotificationQuestion) -> Result<NotificationAnswer, QueryError> {
        let page = self.store.notifications(question).await?;
        let notifications = page.notifications.into_iter().map(NotificationRow::from).collect();
        Ok(NotificationAnswer { notifications, next: page.next.map(|next| next.to_string()) })
    }
}
