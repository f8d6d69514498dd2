//! How long things stay, said once. What is in the log stays as [`topics`](crate::topics) says, topic by topic; what is in
//! the store, by log time, as [`Retention`] says:
//!
//! | rows of the store | stay for | setting |
//! |---|---|---|
//! | raw events | 35 d | `retention.events` |
//! | burn-rate history; the newest of each series always stays | as long | `retention.events` |
//! | rollups per minute | 400 d | `retention.history` |
//! | transitions of alerts, once their episode is over | as long | `retention.history` |
//! | outcomes of notifications | as long | `retention.history` |

use std::time::Duration;

use crate::time::LogTime;

/// A day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// How long rows of the store stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Raw events and burn-rate history; at least the longest window of any SLO.
    pub events: Duration,
    /// Rollups per minute, transitions of alerts, outcomes of notifications.
    pub history: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { events: DAY * 35, history: DAY * 400 }
    }
}

impl Retention {
    /// Log times, milliseconds, before which what stays as long as events, and before which what stays as long as history
    /// is past it.
    pub fn before(&self, now: LogTime) -> (i64, i64) {
        let before = |kept: Duration| now.0.saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
        (before(self.events), before(self.history))
    }
}
