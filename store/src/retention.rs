//! How long a store keeps what it has.

use std::time::Duration;

use slipstream_schemas::LogTime;

/// How long rows stay, by log time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Raw events and burn-rate history; the longest window of an SLO must fit.
    pub events: Duration,
    /// Rollups, alert transitions, delivery outcomes.
    pub history: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Retention {
    fn default() -> Self {
        Retention { events: DAY * 35, history: DAY * 400 }
    }
}

impl Retention {
    /// Log times, milliseconds, before which raw events, and before which rollups and alerts are past it.
    pub fn before(&self, now: LogTime) -> (i64, i64) {
        let before = |kept: Duration| now.0.saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
        (before(self.events), before(self.history))
    }
}
