//! What to send when: transitions and the receiver's state in, deliveries and outcomes out. Pure: time is an
//! argument, milliseconds by one monotonic clock of the caller.
//!
//! - Alerts are sent in groups; a delivery holds the oldest pending transition of each alert of the group and repeats
//!   what else fires in it, as Alertmanager does. An alert's transitions go out in order (A3): the next one only when
//!   the one before is delivered, refused or not due.
//! - A group is due at once, then not before its interval has passed.
//! - Each attempt is decided anew: after a failure what is held back by then is recorded as that, and the rest is told as it stands. What
//!   an alert did meanwhile follows at once; of a group that is more than [`BEHIND_MS`] behind only the present state is told.
//! - Where the receiver may have taken what failed, the same transitions go out again, with the same keys, as long as all of them
//!   are still to be told; and the end of what it may have is told in any case.
//! - What was refused is sent again while it is true, apart from news and in turns with it: see [`refused`].
//! - After a failure the receiver is left alone for a while, and tried with one delivery at a time until one succeeds;
//!   a group that failed waits for its own backoff too, so that one body that a receiver cannot digest does not starve
//!   the others.
//!
//! [`arrival`] is what becomes known, [`decide`] what to send now, [`delivery`] how it is put together, [`finished`] what an answer
//! means, [`notes`] what is recorded.

mod arrival;
mod decide;
mod delivery;
mod finished;
mod group;
mod held;
mod notes;
mod refused;
mod reminder;
mod tracked;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_schemas::records::Notification;
use slipstream_slo::hash::fnv1a64;

pub use arrival::Tried;
pub use delivery::{Answer, Delivery, Part};
pub use group::GroupKey;
pub use notes::{in_doubt, shortened};
pub use refused::{RESOLVED_FOR_MS, Refused};
pub use reminder::{LeftOut, Reminder};
pub use tracked::{Head, Held, NotDue, Pending, Ticket, Told, Tracked};

use crate::notifier::links::Links;
use crate::notifier::policy::Policy;
use crate::notifier::receiver::ReceiverConfig;
use group::Group;
use held::Holding;
use refused::Probe;

/// What waits longer than this is not told in full: the receiver gets the present state instead.
pub const BEHIND_MS: i64 = 60_000;

/// Groups that are decided on at a time, at most.
const AT_ONCE: usize = 64;

/// Deliveries under way at a time, while the receiver is well.
const AT_A_TIME: usize = 8;

/// No answer of a receiver holds its notifications back longer.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), max: Duration::from_secs(10) };

/// A transition's fate: which record, and what to note of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Concluded {
    /// The record of `alerts`; `None` of a reminder and of a failure, which move no position.
    pub ticket: Option<Ticket>,
    /// What to record.
    pub notification: Notification,
}

/// What to do now.
#[derive(Debug, Default)]
pub struct Decision {
    /// Transitions that are not due, or held back.
    pub settled: Vec<Concluded>,
    /// What to send; each comes back by [`Dispatcher::finished`].
    pub deliveries: Vec<Arc<Delivery>>,
}

/// The notifier's mind, for one receiver.
#[derive(Debug)]
pub struct Dispatcher {
    config: ReceiverConfig,
    links: Links,
    policy: Policy,
    alerts: BTreeMap<String, Tracked>,
    groups: BTreeMap<GroupKey, Group>,
    holding: Holding,
    retry: Retry,
    probe: Probe,
    not_before: i64,
    in_flight: usize,
    pending: usize,
    /// By alert, episode and number within it: what a former owner attempted, and did not settle.
    tried: HashMap<String, BTreeMap<(i64, i32), Tried>>,
    /// The time of day less the caller's clock, milliseconds: silences and mute times go by it.
    clock_off: i64,
}

impl Dispatcher {
    /// A dispatcher that knows nothing yet.
    pub fn new(config: ReceiverConfig, links: Links) -> Self {
        let seed = fnv1a64([config.name.as_str()]);
        Dispatcher {
            retry: Retry::new(BACKOFF, seed),
            probe: Probe::new(seed),
            policy: Policy::new(&config),
            holding: Holding::default(),
            config,
            links,
            alerts: BTreeMap::new(),
            groups: BTreeMap::new(),
            not_before: i64::MIN,
            in_flight: 0,
            pending: 0,
            tried: HashMap::new(),
            clock_off: 0,
        }
    }

    /// How far the time of day is ahead of the caller's clock, milliseconds. Where that has moved, what is held back is looked
    /// at again.
    pub fn set_clock(&mut self, off: i64) {
        self.clock_off = off;
        self.holding.set_clock(off);
    }

    /// The time of day at a time of the caller's clock.
    fn day(&self, now: i64) -> i64 {
        now.saturating_add(self.clock_off)
    }

    /// Transitions that wait or are under way.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Alerts that the receiver knows to fire.
    pub fn firing(&self) -> usize {
        self.alerts.values().filter(|a| !a.told.is_empty()).count()
    }

    /// Alerts that the receiver refused, and that are sent again.
    pub fn refused(&self) -> usize {
        self.alerts.values().filter(|a| a.refused.is_some()).count()
    }

    /// Failures in a row; 0 if the receiver is well.
    pub fn failures(&self) -> u32 {
        self.retry.failures()
    }

    /// Whether something waits for longer than [`BEHIND_MS`]: then the caller reads `alerts` to its end before it asks
    /// for the [`Dispatcher::next`] deliveries.
    pub fn behind(&self, now: i64) -> bool {
        self.alerts.values().any(|a| behind(a, now))
    }

    /// When [`Dispatcher::next`] may have something to do, unless more is pushed or a delivery ends before.
    pub fn wake_at(&self) -> Option<i64> {
        if self.in_flight >= self.at_a_time() {
            return None;
        }
        let due = self.groups.values().filter_map(|group| self.due_at(group)).min();
        [due, self.holding.look_at()].into_iter().flatten().min().map(|due| due.max(self.not_before))
    }

    /// When a group may speak; what was refused waits for its turn among the groups, too.
    fn due_at(&self, group: &Group) -> Option<i64> {
        let again = || group.again.due_at().and_then(|at| Some(at.max(self.probe.due_at()?)));
        let news = if group.has_news() { Some(i64::MIN) } else { again() };
        match (group.remind_at(), self.config.format.resend()) {
            // Whoever takes silence for the end does not wait for a group's interval.
            (Some(at), Some(_)) => {
                let news = news.and_then(|at| group.may_speak(at));
                [group.may_resend(at), news].into_iter().flatten().min()
            }
            (remind_at, _) => group.may_speak([news, remind_at].into_iter().flatten().min()?),
        }
    }

    fn at_a_time(&self) -> usize {
        if self.retry.failures() == 0 { AT_A_TIME } else { 1 }
    }
}

fn behind(tracked: &Tracked, now: i64) -> bool {
    tracked.queue.front().is_some_and(|p| now - p.since > BEHIND_MS)
}
