//! What became of notifications, as a question finds it.

use serde::Serialize;
use slipstream_schemas::records::{Notification, Outcome};

use crate::error::StoreError;

/// Notifications of a page at most.
pub const MOST_NOTIFICATIONS: usize = 10_000;

/// Which notifications; the default selects all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotificationQuestion {
    /// Exactly this alert.
    pub alert_id: Option<String>,
    /// Exactly this receiver.
    pub receiver: Option<String>,
    /// Exactly this outcome.
    pub outcome: Option<Outcome>,
    /// Ended at this millisecond or later, by the notifier's clock.
    pub from: Option<i64>,
    /// Ended before this millisecond.
    pub to: Option<i64>,
    /// At most so many; within 1 and [`MOST_NOTIFICATIONS`].
    pub limit: usize,
    /// Behind this place.
    pub after: Option<NotificationCursor>,
}

/// A page, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NotificationPage {
    /// By `at`, newest first; then alert id, episode, seq, receiver.
    pub notifications: Vec<Notification>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<NotificationCursor>,
}

/// A place in that order: at the notification it names. Its text form is opaque to its user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub struct NotificationCursor(pub i64, pub String, pub i64, pub i32, pub String);

impl NotificationCursor {
    /// The place of a notification.
    pub fn of(notification: &Notification) -> Self {
        let Notification { at, alert_id, episode, seq, receiver, .. } = notification;
        NotificationCursor(*at, alert_id.clone(), *episode, *seq, receiver.clone())
    }
}

impl std::fmt::Display for NotificationCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

impl std::str::FromStr for NotificationCursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text).map_err(|_| {
            StoreError::Refused(format!("`{text}` is not a cursor: pass the `next` of the previous page unchanged"))
        })
    }
}
