//! What became of notifications, as a question finds it.

use serde::Serialize;
use slipstream_schemas::records::{Notification, NotificationReason, Outcome};

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
    /// Exactly this reason.
    pub reason: Option<NotificationReason>,
    /// Of exactly this SLO. Rows of former versions do not tell theirs; likewise kind and severity.
    pub slo: Option<String>,
    /// Exactly this severity.
    pub severity: Option<String>,
    /// Exactly this kind: `firing`, `severity` or `resolved`.
    pub kind: Option<String>,
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
    /// By `at`, newest first; then alert id, episode, seq, receiver, name of the outcome.
    pub notifications: Vec<Notification>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<NotificationCursor>,
}

/// A place in that order: at the notification it names. Its text form is opaque to its user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub struct NotificationCursor(pub i64, pub String, pub i64, pub i32, pub String, pub String);

impl NotificationCursor {
    /// The place of a notification.
    pub fn of(notification: &Notification) -> Self {
        let Notification { at, alert_id, episode, seq, receiver, outcome, .. } = notification;
        NotificationCursor(*at, alert_id.clone(), *episode, *seq, receiver.clone(), outcome.name().to_owned())
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
        // Far beyond every time of the notifier, and far from overflow.
        const LATEST: i64 = 100_000_000_000_000;
        let read = serde_json::from_str(text).ok().filter(|NotificationCursor(at, ..)| (-LATEST..=LATEST).contains(at));
        read.ok_or_else(|| {
            StoreError::Refused(format!("`{text}` is not a cursor: pass the `next` of the previous page unchanged"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_no_page_has_is_refused() {
        let cursor = NotificationCursor(1_700_000_000_000, "a".into(), 1, 1, "r".into(), "refused".into());
        assert_eq!(cursor.to_string().parse::<NotificationCursor>().ok(), Some(cursor));
        for at in [i64::MIN, i64::MAX] {
            let text = format!("[{at},\"a\",1,1,\"r\",\"refused\"]");
            assert!(text.parse::<NotificationCursor>().is_err(), "{text}");
        }
    }
}
