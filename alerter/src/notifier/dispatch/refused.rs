//! What a receiver refused, and when it is sent again.
//!
//! A refusal (401, 404, 413, a redirect, ...) is recorded at once and the position moves on: waiting for a receiver that
//! may never be repaired would hold up every other alert. But the alert still fires and nobody knows, so what was refused
//! is sent again while it is true, with the same keys, until the receiver takes it. When it does, that is recorded as
//! well (A3). Alertmanager does the same at each group_interval.
//!
//! One alert that a receiver cannot digest (a severity that it does not know, say) must not keep others from it. So what
//! was refused never travels with news nor with another severity, severities take turns, and each refusal halves how many
//! are sent together, down to one. And a receiver that refuses everything is not sent everything: see [`Probe`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_schemas::records::TransitionKind;

use super::delivery::NEWS;
use super::tracked::Pending;
use super::{AT_A_TIME, Dispatcher, GroupKey};

/// How long a refused resolved is sent again, as Prometheus does. A refused firing is sent again while it fires.
pub const RESOLVED_FOR_MS: i64 = 15 * 60_000;

/// Between two attempts at what was refused: at first a group's interval, but not less than this.
const SOONEST: Duration = Duration::from_secs(1);

/// Between two attempts at what was refused: at last this, or a group's interval where that is longer.
const LATEST: Duration = Duration::from_secs(60);

/// Between two attempts of all groups together, while the receiver takes nothing.
const PROBES: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(10) };

/// A transition that the receiver refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The transition, with the attempts made.
    pub pending: Pending,
    since: i64,
    tried: i64,
}

impl Refused {
    /// Refused for the first time at `since`.
    pub fn new(pending: Pending, since: i64) -> Self {
        Refused { pending, since, tried: since }
    }

    /// Refused once more.
    pub fn tried(&mut self, now: i64) {
        self.pending.attempts = self.pending.attempts.saturating_add(1);
        self.tried = now;
    }

    /// When it was tried last: the one that has waited longest goes first.
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
    /// News went first although something of this was due: next it is this one's turn.
    pub passed_over: bool,
    at: i64,
    retry: Retry,
    /// By severity, when an attempt was refused last: who was refused lets the others go first.
    turns: BTreeMap<String, i64>,
}

impl Again {
    /// Nothing was refused. `interval`: the group's.
    pub fn new(interval: Duration, seed: u64) -> Self {
        let first = interval.max(SOONEST);
        let retry = Retry::new(Backoff { first, max: LATEST.max(first) }, seed);
        Again { alerts: BTreeSet::new(), room: NEWS, passed_over: false, at: i64::MIN, retry, turns: BTreeMap::new() }
    }

    /// When the next attempt is due; `None` if nothing was refused.
    pub fn due_at(&self) -> Option<i64> {
        (!self.alerts.is_empty()).then_some(self.at)
    }

    /// When an attempt with a severity was refused last.
    pub fn turn(&self, severity: &str) -> i64 {
        self.turns.get(severity).copied().unwrap_or(i64::MIN)
    }

    /// News of so many transitions was refused. What waits already is not put off by it: an alert that fires and ends all
    /// the time would put it off for ever.
    pub fn news_refused(&mut self, parts: usize, now: i64) {
        if self.alerts.is_empty() {
            self.room = (parts / 2).max(1);
            self.at = now + self.retry.failed().as_millis() as i64;
        }
    }

    /// An attempt with so many transitions of a severity was refused.
    pub fn refused(&mut self, severity: String, parts: usize, now: i64) {
        self.room = (parts / 2).max(1);
        self.at = now + self.retry.failed().as_millis() as i64;
        self.turns.insert(severity, now);
    }

    /// It was refused before this process began: what `alerts` says since is read first.
    pub fn restored(&mut self, now: i64) {
        self.at = self.at.max(now + SOONEST.as_millis() as i64);
    }

    /// The receiver took something: it may take this too, once the group may speak again.
    pub fn well(&mut self) {
        self.at = i64::MIN;
        self.retry.reset();
    }

    /// The receiver took what it had refused.
    pub fn taken(&mut self) {
        self.room = (self.room * 2).min(NEWS);
    }

    /// An alert is no more among them. What was learned of the receiver goes with the last one.
    pub fn forget(&mut self, id: &str) {
        if self.alerts.remove(id) && self.alerts.is_empty() {
            self.room = NEWS;
            self.passed_over = false;
            self.at = i64::MIN;
            self.retry.reset();
            self.turns.clear();
        }
    }
}

/// How many groups tell at a time of what was refused. Without it a thousand groups would knock, each at its own pace, at
/// a receiver that knows our token no more.
#[derive(Debug)]
pub struct Probe {
    width: usize,
    in_flight: usize,
    not_before: i64,
    retry: Retry,
    /// Every second attempt takes the worst severity first, the others who has waited longest: so neither starves.
    pub worst_first: bool,
}

impl Probe {
    /// The receiver is well.
    pub fn new(seed: u64) -> Self {
        let retry = Retry::new(PROBES, seed);
        Probe { width: AT_A_TIME, in_flight: 0, not_before: i64::MIN, retry, worst_first: true }
    }

    /// When one more attempt may begin; `None` if one has to end first.
    pub fn due_at(&self) -> Option<i64> {
        (self.in_flight < self.width).then_some(self.not_before)
    }

    /// Whether one more attempt may begin.
    pub fn is_due(&self, now: i64) -> bool {
        self.due_at().is_some_and(|at| at <= now)
    }

    /// An attempt began.
    pub fn began(&mut self) {
        self.in_flight += 1;
    }

    /// An attempt ended.
    pub fn ended(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// The receiver took something.
    pub fn taken(&mut self) {
        self.width = (self.width * 2).min(AT_A_TIME);
        self.not_before = i64::MIN;
        self.retry.reset();
    }

    /// The receiver refused something. `again`: what it had refused before. News is sent in any case and puts nothing off.
    pub fn refused(&mut self, again: bool, now: i64) {
        if again && self.width == 1 {
            self.not_before = now + self.retry.failed().as_millis() as i64;
        }
        self.worst_first ^= again;
        self.width = 1;
    }
}

impl Dispatcher {
    /// Keeps a group's list of what was refused true.
    pub(super) fn note_refused(&mut self, id: &str) {
        let Some(tracked) = self.alerts.get(id) else { return };
        let Some(group) = self.groups.get_mut(&tracked.group) else { return };
        match tracked.refused {
            Some(_) => {
                group.again.alerts.insert(id.to_owned());
            }
            None => group.again.forget(id),
        }
    }

    /// Forgets what was refused for so long that it is not sent again.
    pub(super) fn give_up(&mut self, labels: &GroupKey, now: i64) {
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
