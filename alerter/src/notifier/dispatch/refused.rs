//! What a receiver refused, and when it is sent again.
//!
//! A refusal (401, 404, 413, a redirect, ...) is recorded at once and the position moves on: waiting for a receiver that
//! may never be repaired would hold up every other alert. But the alert still fires and nobody knows, so what was refused
//! is sent again while it is true, with the same keys, until the receiver takes it. When it does, that is recorded as
//! well (A3). Alertmanager does the same at each group_interval.
//!
//! One alert that a receiver cannot digest (a severity that it does not know, say) must not keep others from it. So what
//! was refused never travels with news, and each refusal halves how many are sent together, down to one.

use std::collections::BTreeSet;
use std::time::Duration;

use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_schemas::records::TransitionKind;

use super::Dispatcher;
use super::delivery::NEWS;
use super::tracked::Pending;
use crate::notifier::payload::Labels;

/// How long a refused resolved is sent again, as Prometheus does. A refused firing is sent again while it fires.
const RESOLVED_FOR_MS: i64 = 15 * 60_000;

/// Between two attempts at what was refused: at first a group's interval, but not less than this.
const SOONEST: Duration = Duration::from_secs(1);

/// Between two attempts at what was refused: at last this, or a group's interval where that is longer.
const LATEST: Duration = Duration::from_secs(60);

/// A transition that the receiver refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The transition, with the attempts made.
    pub pending: Pending,
    since: i64,
    tried: i64,
}

impl Refused {
    /// Refused for the first time that is known.
    pub fn new(pending: Pending, now: i64) -> Self {
        Refused { pending, since: now, tried: now }
    }

    /// Refused once more.
    pub fn tried(&mut self, now: i64) {
        self.pending.attempts = self.pending.attempts.saturating_add(1);
        self.tried = now;
    }

    /// When it was tried last: who has waited longest goes first.
    pub fn last_tried(&self) -> i64 {
        self.tried
    }

    /// Whether it is too late to say: an end that the receiver would not hear.
    pub fn given_up(&self, now: i64) -> bool {
        self.pending.transition.kind == TransitionKind::Resolved && now - self.since > RESOLVED_FOR_MS
    }
}

/// The alerts of a group that the receiver refused, and when they are sent again.
#[derive(Debug)]
pub struct Again {
    /// Their ids.
    pub alerts: BTreeSet<String>,
    /// How many go into one delivery.
    pub room: usize,
    at: i64,
    retry: Retry,
}

impl Again {
    /// Nothing was refused. `interval`: the group's.
    pub fn new(interval: Duration, seed: u64) -> Self {
        let first = interval.max(SOONEST);
        let retry = Retry::new(Backoff { first, max: LATEST.max(first) }, seed);
        Again { alerts: BTreeSet::new(), room: NEWS, at: i64::MIN, retry }
    }

    /// When the next attempt is due; `None` if nothing was refused.
    pub fn due_at(&self) -> Option<i64> {
        (!self.alerts.is_empty()).then_some(self.at)
    }

    /// A delivery of so many transitions was refused.
    pub fn refused(&mut self, parts: usize, now: i64) {
        self.room = (parts / 2).max(1);
        self.at = now + self.retry.failed().as_millis() as i64;
    }

    /// It was refused before this process began: what `alerts` says since is read first.
    pub fn restored(&mut self, now: i64) {
        self.at = self.at.max(now + SOONEST.as_millis() as i64);
    }

    /// The receiver took what it had refused.
    pub fn taken(&mut self) {
        self.room = (self.room * 2).min(NEWS);
        self.at = i64::MIN;
        self.retry.reset();
    }
}

impl Dispatcher {
    /// Keeps a group's list of what was refused true.
    pub(super) fn note_refused(&mut self, id: &str) {
        let Some(tracked) = self.alerts.get(id) else { return };
        let Some(group) = self.groups.get_mut(&tracked.group) else { return };
        match tracked.refused {
            Some(_) => group.again.alerts.insert(id.to_owned()),
            None => group.again.alerts.remove(id),
        };
    }

    /// Forgets what was refused for so long that it is not sent again.
    pub(super) fn give_up(&mut self, labels: &Labels, now: i64) {
        let Some(group) = self.groups.get(labels) else { return };
        for id in group.again.alerts.clone() {
            let Some(tracked) = self.alerts.get_mut(&id) else { continue };
            if tracked.refused.take_if(|refused| refused.given_up(now)).is_some() {
                tracked.told.clear();
                self.note_refused(&id);
                self.tidy(&id);
            }
        }
    }
}
