//! What became of notifications.

use serde::Serialize;
use slipstream_query::history::{NotificationAnswer, NotificationRow};
use slipstream_schemas::records;
use utoipa::ToSchema;

use super::{Example, Rows, at};

/// How a notification ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// The receiver refused it.
    Refused,
    /// It is not for this receiver, or came to nothing.
    NotDue,
    /// It was not sent for now.
    HeldBack,
}

impl From<records::Outcome> for Outcome {
    fn from(outcome: records::Outcome) -> Self {
        match outcome {
            records::Outcome::Delivered => Outcome::Delivered,
            records::Outcome::Refused => Outcome::Refused,
            records::Outcome::NotDue => Outcome::NotDue,
            records::Outcome::HeldBack => Outcome::HeldBack,
        }
    }
}

/// What became of a transition at a receiver.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Notification {
    /// When it ended, by the notifier's clock.
    pub at: String,
    /// The alert.
    pub alert_id: String,
    /// Its episode.
    pub episode: i64,
    /// The transition within it.
    pub seq: i32,
    /// The receiver.
    pub receiver: String,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status of the receiver; null if it did not respond.
    pub status: Option<i32>,
    /// Attempts made.
    pub attempts: i32,
    /// What the receiver or the transport said, for people.
    pub detail: String,
}

impl From<NotificationRow> for Notification {
    fn from(row: NotificationRow) -> Self {
        Notification {
            at: row.at,
            alert_id: row.alert_id,
            episode: row.episode,
            seq: row.seq,
            receiver: row.receiver,
            outcome: row.outcome.into(),
            status: row.status,
            attempts: row.attempts,
            detail: row.detail,
        }
    }
}

/// A page of notifications.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Notifications {
    /// Newest first.
    pub notifications: Vec<Notification>,
    /// `after` of the next page; null at the end.
    pub next: Option<String>,
    /// Log time up to which the store has all of them; null if it has none of some yet.
    pub as_of: Option<String>,
}

impl Notifications {
    /// What was answered, and up to when that is known.
    pub fn new(answer: NotificationAnswer, as_of: Option<String>) -> Notifications {
        let notifications = answer.notifications.into_iter().map(Notification::from).collect();
        Notifications { notifications, next: answer.next, as_of }
    }
}

impl Rows for Notifications {
    const COLUMNS: &'static [&'static str] =
        &["at", "alert_id", "episode", "seq", "receiver", "outcome", "status", "attempts", "detail"];
    type Row = Notification;

    fn rows(&self) -> &[Notification] {
        &self.notifications
    }

    fn as_of(&self) -> Option<&str> {
        self.as_of.as_deref()
    }
}

impl Example for Notification {
    fn example() -> Self {
        Notification {
            at: at("09:31:12.118000"),
            alert_id: "5a2f9c01d3b7e846".to_owned(),
            episode: 1_796_031_070,
            seq: 2,
            receiver: "on-call".to_owned(),
            outcome: Outcome::Delivered,
            status: Some(200),
            attempts: 1,
            detail: String::new(),
        }
    }
}

impl Example for Notifications {
    fn example() -> Self {
        Notifications { notifications: vec![Notification::example()], next: None, as_of: Some(at("10:00:02")) }
    }
}
