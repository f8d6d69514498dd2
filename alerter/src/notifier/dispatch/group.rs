//! One notification group: its members, and when it may speak.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use slipstream_runtime::backoff::Retry;
use slipstream_slo::hash::fnv1a64;

use super::BACKOFF;
use super::delivery::Delivery;
use super::refused::Again;
use crate::notifier::payload::Labels;

/// A group of alerts.
#[derive(Debug)]
pub struct Group {
    /// Ids of its alerts.
    pub members: BTreeSet<String>,
    /// Transitions of its alerts that wait or are under way.
    pub pending: usize,
    /// What the receiver refused.
    pub again: Again,
    /// What was decided and has not ended: sent again as it is.
    pub decided: Option<Arc<Delivery>>,
    /// Whether it is under way.
    pub in_flight: bool,
    /// Whether something did not fit.
    pub more: bool,
    /// Before this the group's interval holds it back.
    pub interval_until: i64,
    retry: Retry,
    retry_at: i64,
}

impl Group {
    /// A group without members.
    pub fn new(labels: &Labels, interval: Duration) -> Self {
        let seed = fnv1a64(labels.iter().flat_map(|(n, v)| [n.as_str(), v.as_str()]));
        Group {
            members: BTreeSet::new(),
            pending: 0,
            again: Again::new(interval, seed),
            decided: None,
            in_flight: false,
            more: false,
            interval_until: i64::MIN,
            retry: Retry::new(BACKOFF, seed),
            retry_at: i64::MIN,
        }
    }

    /// When it may speak; `None` if it has nothing to say, or is saying it.
    pub fn due_at(&self) -> Option<i64> {
        if self.in_flight {
            return None;
        }
        let wanted = if self.has_news() { i64::MIN } else { self.again.due_at()? };
        Some(wanted.max(self.interval_until).max(self.retry_at))
    }

    /// Whether something waits that the receiver did not refuse.
    pub fn has_news(&self) -> bool {
        self.pending > 0
    }

    /// An attempt failed.
    pub fn failed(&mut self, now: i64) {
        self.in_flight = false;
        self.retry_at = now + self.retry.failed().as_millis() as i64;
    }

    /// The delivery ended.
    pub fn settled(&mut self, interval_until: i64) {
        self.in_flight = false;
        self.decided = None;
        self.retry.reset();
        self.retry_at = i64::MIN;
        self.interval_until = interval_until;
    }
}
