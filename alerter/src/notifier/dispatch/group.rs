//! One notification group: its members, and when it may speak.

use std::collections::BTreeSet;
use std::time::Duration;

use slipstream_runtime::backoff::Retry;
use slipstream_slo::hash::fnv1a64;

use super::BACKOFF;
use super::refused::Again;
use super::tracked::Ticket;
use crate::notifier::payload::Labels;
use crate::notifier::policy::Applied;

/// Which group: alerts of one route that share labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey {
    /// Key of the route.
    pub route: String,
    /// What they share.
    pub labels: Labels,
}

/// A group of alerts.
#[derive(Debug)]
pub struct Group {
    /// Ids of its alerts.
    pub members: BTreeSet<String>,
    /// Transitions of its alerts that wait or are under way.
    pub pending: usize,
    /// What the receiver refused.
    pub again: Again,
    /// What the receiver may have taken although the attempt failed: told again together, with the same keys.
    pub doubted: BTreeSet<Ticket>,
    /// Whether it is under way.
    pub in_flight: bool,
    /// Whether more is to follow at once.
    pub more: bool,
    /// Before this the group's interval holds it back.
    pub interval_until: i64,
    /// How long its first notification waits.
    pub wait: Duration,
    /// How long further changes wait after a notification.
    pub interval: Duration,
    /// When the receiver was told of it last.
    pub told_at: Option<i64>,
    /// How often the receiver is reminded; zero: never.
    repeat: Duration,
    retry: Retry,
    retry_at: i64,
}

impl Group {
    /// A group without members.
    pub fn new(key: &GroupKey, applied: &Applied) -> Self {
        let labels = key.labels.iter().flat_map(|(n, v)| [n.as_str(), v.as_str()]);
        let seed = fnv1a64(std::iter::once(key.route.as_str()).chain(labels));
        let interval = applied.group_interval;
        Group {
            members: BTreeSet::new(),
            pending: 0,
            again: Again::new(interval, seed),
            doubted: BTreeSet::new(),
            in_flight: false,
            more: false,
            interval_until: i64::MIN,
            wait: applied.group_wait,
            interval,
            told_at: None,
            repeat: applied.repeat_interval,
            retry: Retry::new(BACKOFF, seed),
            retry_at: i64::MIN,
        }
    }

    /// When it may speak at the earliest of what `wanted` asks for; `None` while it is saying something.
    pub fn may_speak(&self, wanted: i64) -> Option<i64> {
        (!self.in_flight).then(|| wanted.max(self.interval_until).max(self.retry_at))
    }

    /// When it may say again what the receiver has, whatever its interval; `None` while it is saying something.
    pub fn may_resend(&self, wanted: i64) -> Option<i64> {
        (!self.in_flight).then(|| wanted.max(self.retry_at))
    }

    /// When the receiver is to be reminded; `None` if it was told nothing, or wants no reminders.
    pub fn remind_at(&self) -> Option<i64> {
        let told_at = self.told_at.filter(|_| !self.repeat.is_zero())?;
        Some(told_at.saturating_add(i64::try_from(self.repeat.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Whether something waits that the receiver did not refuse.
    pub fn has_news(&self) -> bool {
        self.pending > 0
    }

    /// An attempt failed; `doubted`: what the receiver may have taken by it. What it may have taken before is in doubt still.
    pub fn failed(&mut self, doubted: BTreeSet<Ticket>, now: i64) {
        self.in_flight = false;
        if !doubted.is_empty() {
            self.doubted = doubted;
        }
        self.retry_at = now + self.retry.failed().as_millis() as i64;
    }

    /// The delivery ended; `news`: it told of something new, about which there is no doubt any more.
    pub fn settled(&mut self, news: bool, interval_until: i64) {
        self.in_flight = false;
        if news {
            self.doubted.clear();
        }
        self.retry.reset();
        self.retry_at = i64::MIN;
        self.interval_until = interval_until;
    }
}
