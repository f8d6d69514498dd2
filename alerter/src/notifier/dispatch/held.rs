//! What is held back, and when it is looked at again.
//!
//! A transition that a silence, another alert or a mute time holds back is recorded as such, so that the position moves on, and
//! kept while it describes the alert. Once nothing holds it back it waits to be sent like any other (and is recorded once more);
//! where the alert is over before, nobody hears of it. So holding back delays, and never loses.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_schemas::records::{AlertTransition, TransitionKind};

use super::tracked::{Held, Pending};
use super::{Concluded, Dispatcher};
use crate::notifier::identity::labels;
use crate::notifier::policy::Hold;

/// Which alerts have something that is held back.
#[derive(Debug, Default)]
pub struct Holding {
    /// By time, those to look at then.
    at: BTreeMap<i64, BTreeSet<String>>,
    /// When each is looked at; `None`: when something changes.
    alerts: BTreeMap<String, Option<i64>>,
    /// Something changed.
    changed: bool,
    /// By alert that fires, whoever is told: its partition.
    standing: BTreeMap<String, u32>,
    /// The time of day less the caller's clock when the times to look were last all found anew, milliseconds.
    clock_off: i64,
}

/// By how much the time of day may drift from the caller's clock until all that is held back is looked at again, milliseconds.
const DRIFT: u64 = 1_000;

impl Holding {
    /// When something is to be looked at; `None` if nothing is held back, or only a change can end it.
    pub fn look_at(&self) -> Option<i64> {
        if self.changed && !self.alerts.is_empty() {
            return Some(i64::MIN);
        }
        self.at.keys().next().copied()
    }

    /// Times to look are by the caller's clock, and what they stand for is by the time of day.
    pub fn set_clock(&mut self, off: i64) {
        if off.abs_diff(self.clock_off) > DRIFT {
            self.clock_off = off;
            self.changed = true;
        }
    }

    /// An alert is looked at at this time.
    fn note(&mut self, id: &str, until: Option<i64>) {
        self.forget(id);
        self.alerts.insert(id.to_owned(), until);
        if let Some(until) = until {
            self.at.entry(until).or_default().insert(id.to_owned());
        }
    }

    /// Nothing of an alert is held back.
    pub fn forget(&mut self, id: &str) {
        let Some(until) = self.alerts.remove(id) else { return };
        let Some(ids) = until.and_then(|until| self.at.get_mut(&until)) else { return };
        ids.remove(id);
        if let (true, Some(until)) = (ids.is_empty(), until) {
            self.at.remove(&until);
        }
    }

    /// The alerts to look at now.
    fn due(&mut self, now: i64) -> Vec<String> {
        if std::mem::take(&mut self.changed) {
            return self.alerts.keys().cloned().collect();
        }
        self.at.range(..=now).flat_map(|(_, ids)| ids.iter().cloned()).collect()
    }
}

impl Dispatcher {
    /// Restores what was held back before; `first` of its episode chose its group. It is looked at when the next decision is made.
    pub fn restore_held(&mut self, mut held: Held, first: &AlertTransition) {
        held.pending.route = self.policy.route(&labels(&held.pending.transition));
        // Other routes than then: it is not this receiver's any more.
        if held.pending.route.is_none() {
            return;
        }
        let id = held.pending.transition.alert_id.clone();
        self.track(held.pending.ticket.partition, first);
        if let Some(tracked) = self.alerts.get_mut(&id) {
            tracked.held = Some(held);
            self.holding.note(&id, None);
            self.holding.changed = true;
        }
    }

    /// What people have said is different now.
    pub fn said(
        &mut self,
        silences: impl Iterator<Item = slipstream_slo::alerts::Silence>,
        acknowledgements: impl Iterator<Item = slipstream_schemas::records::Acknowledgement>,
    ) {
        self.policy.said(silences, acknowledgements);
        self.holding.changed = true;
    }

    /// Alerts whose notification is held back.
    pub fn held(&self) -> usize {
        self.holding.alerts.len()
    }

    /// An alert fires, or is over, whoever is told: others may be held back by it.
    pub fn stands(&mut self, partition: u32, t: &AlertTransition) {
        let changed = match t.kind {
            TransitionKind::Firing | TransitionKind::Severity => {
                self.holding.standing.insert(t.alert_id.clone(), partition);
                self.policy.fires(t)
            }
            TransitionKind::Resolved => {
                self.holding.standing.remove(&t.alert_id);
                self.policy.over(&t.alert_id)
            }
            _ => false,
        };
        self.holding.changed |= changed;
    }

    pub(super) fn forget_standing(&mut self, partition: u32) {
        let lost: Vec<String> =
            self.holding.standing.iter().filter(|(_, of)| **of == partition).map(|(id, _)| id.clone()).collect();
        for id in lost {
            self.holding.standing.remove(&id);
            self.holding.changed |= self.policy.over(&id);
        }
    }

    /// Keeps the list of what is held back true.
    pub(super) fn note_held(&mut self, id: &str) {
        match self.alerts.get(id).and_then(|tracked| tracked.held.as_ref()) {
            Some(held) => self.holding.note(id, held.hold.until),
            None => self.holding.forget(id),
        }
    }

    /// Takes from the front of an alert's queue what is not due and what is held back, and holds back what was refused.
    pub(super) fn sift(&mut self, id: &str, now: i64, settled: &mut Vec<Concluded>) {
        self.pass_over(id, now, settled);
        while let Some(hold) = self.held_head(id, now) {
            let held = self.alerts.get_mut(id).and_then(|tracked| tracked.hold_head(hold)).cloned();
            self.count_settled(id);
            self.note_hold(id, held, now, settled);
            self.pass_over(id, now, settled);
        }
        if let Some(hold) = self.held_refusal(id, now) {
            let held = self.alerts.get_mut(id).and_then(|tracked| tracked.hold_refused(hold)).cloned();
            self.note_hold(id, held, now, settled);
        }
    }

    /// Something of an alert is held back now.
    fn note_hold(&mut self, id: &str, held: Option<Held>, now: i64, settled: &mut Vec<Concluded>) {
        settled.extend(held.map(|held| self.held_back(&held, now)));
        self.note_refused(id);
        self.note_held(id);
    }

    /// When it is looked at again, by the caller's clock.
    fn by_our_clock(&self, hold: Hold) -> Hold {
        Hold { until: hold.until.map(|until| until.saturating_sub(self.clock_off)), ..hold }
    }

    /// What holds back the oldest pending transition. After an attempt that failed it goes by what applies now, as for all that
    /// was decided on before.
    fn held_head(&self, id: &str, now: i64) -> Option<Hold> {
        let head = self.alerts.get(id)?.firing_head()?;
        if head.attempts > 0 {
            return self.still_holds(head, now);
        }
        self.policy.holds(&head.transition, head.route, self.day(now)).map(|hold| self.by_our_clock(hold))
    }

    /// What holds back what was decided on before.
    fn still_holds(&self, pending: &Pending, now: i64) -> Option<Hold> {
        let hold = self.policy.still_holds(&pending.transition, pending.route, self.day(now));
        hold.map(|hold| self.by_our_clock(hold))
    }

    /// Of an alert with news that decides.
    fn held_refusal(&self, id: &str, now: i64) -> Option<Hold> {
        let tracked = self.alerts.get(id).filter(|tracked| tracked.queue.is_empty())?;
        let pending = &tracked.refused.as_ref()?.pending;
        let fires = pending.transition.kind != TransitionKind::Resolved && pending.route.is_some();
        fires.then(|| self.still_holds(pending, now)).flatten()
    }

    /// Lets go of what nothing holds back any more.
    pub(super) fn release(&mut self, now: i64, settled: &mut Vec<Concluded>) {
        for id in self.holding.due(now) {
            let Some(held) = self.alerts.get(&id).and_then(|tracked| tracked.held.as_ref()) else { continue };
            match self.still_holds(&held.pending, now) {
                Some(hold) => self.hold_on(&id, hold, now, settled),
                None => self.let_go(&id, now),
            }
        }
    }

    /// It is still held back; where for another reason, that is recorded, too.
    fn hold_on(&mut self, id: &str, hold: Hold, now: i64, settled: &mut Vec<Concluded>) {
        let Some(held) = self.alerts.get_mut(id).and_then(|tracked| tracked.held.as_mut()) else { return };
        let other = (held.hold.reason, &held.hold.by) != (hold.reason, &hold.by);
        held.hold = hold;
        let held = other.then(|| held.clone());
        settled.extend(held.map(|held| self.held_back(&held, now)));
        self.note_held(id);
    }

    fn let_go(&mut self, id: &str, now: i64) {
        let Some(tracked) = self.alerts.get_mut(id) else { return };
        // News of the alert, if there is any, says how it stands now. What waits for its group's interval is not behind.
        let since = self.groups.get(&tracked.group).map_or(now, |group| group.interval_until.max(now));
        let waits = tracked.queue.is_empty() && tracked.release(since);
        tracked.held = None;
        if waits {
            self.pending += 1;
            if let Some(group) = self.alerts.get(id).and_then(|tracked| self.groups.get_mut(&tracked.group)) {
                group.pending += 1;
            }
        }
        self.note_held(id);
    }
}
