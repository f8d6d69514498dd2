//! What becomes known: transitions as they arrive, and what the receiver was sent before a partition was gained.

use slipstream_schemas::records::{AlertTransition, Outcome, TransitionKind};

use super::group::Group;
use super::tracked::{NO_ROUTE, Told};
use super::{Concluded, Dispatcher, GroupKey, Pending, Refused, Tracked};
use crate::notifier::identity;

/// What a former owner attempted of a transition and did not settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Which transition: episode and number within it.
    pub of: (i64, i32),
    /// Attempts made, at least.
    pub attempts: i32,
    /// Whether the receiver may have it.
    pub doubt: bool,
}

impl Dispatcher {
    /// Makes known at `now` what the receiver refused before; `first` of its episode chose its group.
    pub fn restore_refused(&mut self, mut refused: Refused, first: &AlertTransition, now: i64) {
        let t = &refused.pending.transition;
        refused.pending.route = self.policy.route(&identity::labels(t));
        // Other routes than then: it is not this receiver's any more.
        if refused.pending.route.is_none() && t.kind != TransitionKind::Resolved {
            return;
        }
        let id = refused.pending.transition.alert_id.clone();
        self.track(refused.pending.ticket.partition, first);
        let Some(tracked) = self.alerts.get_mut(&id) else { return };
        tracked.refused = Some(refused);
        self.note_refused(&id);
        if let Some(group) = self.alerts.get(&id).and_then(|a| self.groups.get_mut(&a.group)) {
            group.again.restored(now);
        }
    }

    /// Restores what the receiver has of an alert, or may have, oldest first; `first` of its episode chose its group. `at`: when it was
    /// told or reminded last, `None` if that is in doubt.
    pub fn restore(&mut self, partition: u32, told: Vec<Told>, first: &AlertTransition, at: Option<i64>) {
        self.track(partition, first);
        let Some(tracked) = self.alerts.get_mut(&first.alert_id) else { return };
        tracked.told = told;
        if let Some(group) = self.groups.get_mut(&tracked.group) {
            group.told_at = group.told_at.max(at);
        }
    }

    /// Makes known all that a former owner attempted, by alert: what of that is read again goes on from there.
    pub fn restore_tried(&mut self, tried: impl IntoIterator<Item = (String, Tried)>) {
        self.tried.clear();
        for (id, tried) in tried {
            self.tried.entry(id).or_default().insert(tried.of, tried);
        }
    }

    /// All that a former owner may have attempted was read again.
    pub fn read_again(&mut self) {
        self.tried.clear();
    }

    /// Takes a transition of which receivers are told ([`TransitionKind::is_told`]). Transitions of an alert come in order. One that is not for this
    /// receiver, and of an alert that it knows nothing of, is settled at once, at `now`.
    pub fn push(&mut self, mut pending: Pending, now: i64) -> Option<Concluded> {
        let t = &pending.transition;
        self.stands(pending.ticket.partition, t);
        let id = t.alert_id.clone();
        pending.route = self.policy.route(&identity::labels(t));
        let doubt = self.go_on(&mut pending);
        if pending.route.is_none() && !doubt && !self.alerts.contains_key(&id) {
            return Some(self.settled(&pending, Outcome::NotDue, NO_ROUTE, now));
        }
        self.track(pending.ticket.partition, &pending.transition);
        let tracked = self.alerts.get_mut(&id)?;
        if doubt && !tracked.has(&pending.transition) {
            tracked.told.push(Told::doubted(pending.transition.clone()));
        }
        if let Some(group) = self.groups.get_mut(&tracked.group) {
            if group.told_at.is_none() && group.pending == 0 {
                let wait = i64::try_from(group.wait.as_millis()).unwrap_or(i64::MAX);
                group.interval_until = group.interval_until.max(pending.since.saturating_add(wait));
            }
            pending.since = pending.since.max(group.interval_until);
            group.pending += 1;
        }
        tracked.queue.push_back(pending);
        self.pending += 1;
        None
    }

    /// Goes on with what a former owner attempted. Returns whether the receiver may have been told that it fires.
    fn go_on(&mut self, pending: &mut Pending) -> bool {
        let t = &pending.transition;
        let of_alert = self.tried.get_mut(&t.alert_id);
        let Some(Tried { attempts, doubt, .. }) = of_alert.and_then(|tried| tried.remove(&(t.episode, t.seq))) else {
            return false;
        };
        pending.attempts = pending.attempts.max(attempts);
        doubt && t.kind != TransitionKind::Resolved
    }

    pub(super) fn track(&mut self, partition: u32, first: &AlertTransition) {
        if self.alerts.contains_key(&first.alert_id) {
            return;
        }
        let labels = identity::labels(first);
        let applied = self.policy.applied(self.policy.route(&labels));
        let key = GroupKey { route: applied.key.clone(), labels: applied.group(&labels) };
        let new = |key: &GroupKey| Group::new(key, applied);
        self.groups.entry(key.clone()).or_insert_with_key(new).members.insert(first.alert_id.clone());
        self.alerts.insert(first.alert_id.clone(), Tracked::new(partition, key));
    }

    /// Forgets the alerts of a partition that was lost; its next owner knows them from the log.
    pub fn drop_partition(&mut self, partition: u32) {
        let lost: Vec<String> =
            self.alerts.iter().filter(|(_, a)| a.partition == partition).map(|(id, _)| id.clone()).collect();
        lost.iter().for_each(|id| self.forget(id));
        self.forget_standing(partition);
    }

    /// Forgets an alert about which nothing is left to say.
    pub(super) fn tidy(&mut self, id: &str) {
        if self.alerts.get(id).is_some_and(Tracked::forgotten) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: &str) {
        let Some(tracked) = self.alerts.remove(id) else { return };
        self.holding.forget(id);
        self.pending -= tracked.queue.len();
        if let Some(group) = self.groups.get_mut(&tracked.group) {
            group.members.remove(id);
            group.again.forget(id);
            group.pending -= tracked.queue.len();
            if group.members.is_empty() && !group.in_flight {
                self.groups.remove(&tracked.group);
            }
        }
    }
}
