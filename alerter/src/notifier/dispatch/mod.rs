//! What to send when: transitions and the receiver's state in, deliveries and outcomes out. Pure: time is an
//! argument, milliseconds by one monotonic clock of the caller.
//!
//! - Alerts are sent in groups; a delivery holds the oldest pending transition of each alert of the group and repeats
//!   what else fires in it, as Alertmanager does. An alert's transitions go out in order (A3): the next one only when
//!   the one before is delivered, refused or not due.
//! - A group is due at once, then not before its interval has passed.
//! - A delivery is decided once and sent again as it was, until the group is more than [`BEHIND_MS`] behind: then what
//!   is pending is replaced by the present state.
//! - What was refused is sent again while it is true, apart from news and in turns with it: see [`refused`].
//! - After a failure the receiver is left alone for a while, and tried with one delivery at a time until one succeeds;
//!   a group that failed waits for its own backoff too, so that one body that a receiver cannot digest does not starve
//!   the others.

mod delivery;
mod group;
mod held;
mod refused;
mod tracked;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_schemas::records::{AlertTransition, Notification, NotificationReason, Outcome, TransitionKind};
use slipstream_slo::hash::fnv1a64;

pub use delivery::{Answer, Delivery, Part, Reminder};
pub use group::GroupKey;
pub use refused::{RESOLVED_FOR_MS, Refused};
pub use tracked::{Head, Held, NotDue, Pending, Ticket, Tracked};

use crate::notifier::identity;
use crate::notifier::links::Links;
use crate::notifier::policy::Policy;
use crate::notifier::receiver::ReceiverConfig;
use group::Group;
use held::Holding;
use refused::Probe;
use tracked::NO_ROUTE;

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
    /// The record of `alerts`; `None` of a reminder, which moves no position.
    pub ticket: Option<Ticket>,
    /// What to record.
    pub notification: Notification,
}

/// What to do now.
#[derive(Debug, Default)]
pub struct Decision {
    /// Transitions that are not due.
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
            clock_off: 0,
        }
    }

    /// How far the time of day is ahead of the caller's clock, milliseconds.
    pub fn set_clock(&mut self, off: i64) {
        self.clock_off = off;
    }

    /// The time of day at a time of the caller's clock.
    fn day(&self, now: i64) -> i64 {
        now.saturating_add(self.clock_off)
    }

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

    /// Restores what the receiver was sent before: `told` at `at`, in the group of `first` of its episode.
    pub fn restore(&mut self, partition: u32, told: AlertTransition, first: &AlertTransition, at: i64) {
        self.track(partition, first);
        let Some(tracked) = self.alerts.get_mut(&told.alert_id) else { return };
        tracked.told = vec![told];
        if let Some(group) = self.groups.get_mut(&tracked.group) {
            group.told_at = group.told_at.max(Some(at));
        }
    }

    /// Takes a transition of which receivers are told ([`TransitionKind::is_told`]). Transitions of an alert come in order. One that is not for this
    /// receiver, and of an alert that it knows nothing of, is settled at once, at `now`.
    pub fn push(&mut self, mut pending: Pending, now: i64) -> Option<Concluded> {
        let t = &pending.transition;
        self.stands(pending.ticket.partition, t);
        let id = t.alert_id.clone();
        pending.route = self.policy.route(&identity::labels(t));
        if pending.route.is_none() && !self.alerts.contains_key(&id) {
            return Some(self.settled(&pending, Outcome::NotDue, NO_ROUTE, now));
        }
        self.track(pending.ticket.partition, t);
        let tracked = self.alerts.get_mut(&id)?;
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

    fn track(&mut self, partition: u32, first: &AlertTransition) {
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

    /// Decides what to send and what is not due.
    pub fn next(&mut self, now: i64) -> Decision {
        let mut decision = Decision::default();
        if now < self.not_before {
            return decision;
        }
        self.release(now, &mut decision.settled);
        for labels in self.due(now) {
            if self.in_flight >= self.at_a_time() {
                break;
            }
            if let Some(delivery) = self.decide(&labels, now, &mut decision.settled) {
                self.in_flight += 1;
                if delivery.again {
                    self.probe.began();
                }
                decision.deliveries.push(delivery);
            }
        }
        decision
    }

    /// The first groups that are due, in the order in which they speak. Of thousands only those are put in order.
    fn due(&self, now: i64) -> Vec<GroupKey> {
        let due = |(key, group)| {
            let at = self.due_at(group).filter(|at| *at <= now)?;
            Some((Reverse(self.urgency(group)), at, key))
        };
        let mut due: Vec<(Reverse<u8>, i64, &GroupKey)> = self.groups.iter().filter_map(due).collect();
        if due.len() > AT_ONCE {
            due.select_nth_unstable(AT_ONCE);
            due.truncate(AT_ONCE);
        }
        due.sort_unstable();
        due.into_iter().map(|(.., key)| key.clone()).collect()
    }

    /// News before all else, then, every second time, the worst that was refused.
    fn urgency(&self, group: &Group) -> u8 {
        if group.has_news() {
            return u8::MAX;
        }
        if !self.probe.worst_first {
            return 0;
        }
        let severities = group.again.alerts.iter().filter_map(|id| self.alerts.get(id)?.refused_severity());
        severities.map(|severity| self.config.rank(severity)).max().unwrap_or_default()
    }

    /// Decides about a group that is due.
    fn decide(&mut self, labels: &GroupKey, now: i64, settled: &mut Vec<Concluded>) -> Option<Arc<Delivery>> {
        self.give_up(labels, now);
        let members = self.groups.get(labels)?.members.clone();
        if members.iter().filter_map(|id| self.alerts.get(id)).any(|a| behind(a, now)) {
            members.iter().for_each(|id| self.catch_up(id, now, settled));
        } else if let Some(decided) = self.standing(labels, now) {
            self.groups.get_mut(labels)?.in_flight = true;
            return Some(decided);
        }
        members.iter().for_each(|id| self.sift(id, now, settled));
        let Some((delivery, more)) = self.news_or_again(labels, now) else { return self.remind(labels, now) };
        let delivery = Arc::new(delivery);
        let group = self.groups.get_mut(labels)?;
        group.in_flight = true;
        group.more = more;
        group.decided = Some(Arc::clone(&delivery));
        Some(delivery)
    }

    /// A reminder is composed anew for each attempt: what it says may be over.
    fn remind(&mut self, labels: &GroupKey, now: i64) -> Option<Arc<Delivery>> {
        self.groups.get(labels)?.remind_at().filter(|at| *at <= now)?;
        let reminder = self.compose_reminder(labels, now);
        let group = self.groups.get_mut(labels)?;
        match reminder {
            Some(_) => group.in_flight = true,
            // Nothing to remind of now: the next look is due when a reminder would have been.
            None => group.told_at = Some(now),
        }
        reminder.map(Arc::new)
    }

    /// What was decided about a group and is sent again as it was. News does not wait for what was refused.
    fn standing(&self, labels: &GroupKey, now: i64) -> Option<Arc<Delivery>> {
        let group = self.groups.get(labels)?;
        let decided = group.decided.as_ref().filter(|decided| self.still_true(decided))?;
        let stands = if decided.again { !group.has_news() && self.probe.is_due(now) } else { true };
        stands.then(|| Arc::clone(decided))
    }

    /// News goes first, but not twice in a row while something that was refused is due: an alert that fires and ends all
    /// the time would keep the others out. News that comes second goes at once when the answer is there.
    fn news_or_again(&mut self, labels: &GroupKey, now: i64) -> Option<(Delivery, bool)> {
        let again = if self.probe.is_due(now) { self.compose_again(labels, now) } else { None };
        let news = self.compose(labels);
        let passed_over = &mut self.groups.get_mut(labels)?.again.passed_over;
        let turn = std::mem::take(passed_over);
        match (news, again) {
            (None, again) => again,
            (Some(_), Some((again, _))) if turn => Some((again, true)),
            (news, again) => {
                *passed_over = turn || again.is_some();
                news
            }
        }
    }

    fn still_true(&self, delivery: &Delivery) -> bool {
        // News of an alert supersedes what the receiver refused of it before.
        let next = |a: &Tracked| a.queue.front().or(a.refused.as_ref().map(|r| &r.pending)).map(|p| p.ticket);
        delivery.parts.iter().all(|part| self.alerts.get(&part.alert_id).and_then(next) == Some(part.ticket))
    }

    fn catch_up(&mut self, id: &str, now: i64, settled: &mut Vec<Concluded>) {
        let Some(tracked) = self.alerts.get_mut(id) else { return };
        for (pending, why) in tracked.catch_up() {
            settled.push(self.not_due(&pending, why, now));
        }
        self.note_refused(id);
        self.note_held(id);
        self.tidy(id);
    }

    /// Takes what is not due from the front of an alert's queue.
    fn pass_over(&mut self, id: &str, now: i64, settled: &mut Vec<Concluded>) {
        while let Some(tracked) = self.alerts.get_mut(id)
            && let Head::NotDue(why) = tracked.head(self.config.send_resolved)
            && let Some(pending) = tracked.passed_over()
        {
            settled.push(self.not_due(&pending, why, now));
            self.note_refused(id);
            self.note_held(id);
            self.tidy(id);
        }
    }

    fn not_due(&mut self, pending: &Pending, why: NotDue, now: i64) -> Concluded {
        self.count_settled(&pending.transition.alert_id);
        self.settled(pending, Outcome::NotDue, why, now)
    }

    fn count_settled(&mut self, id: &str) {
        self.pending -= 1;
        if let Some(group) = self.alerts.get(id).and_then(|a| self.groups.get_mut(&a.group)) {
            group.pending -= 1;
        }
    }

    /// A transition that was not sent.
    fn settled(&self, pending: &Pending, outcome: Outcome, why: NotDue, now: i64) -> Concluded {
        let notification = Notification {
            outcome,
            attempts: pending.attempts,
            reason: why.reason,
            detail: why.words.to_owned(),
            ..self.note(&pending.transition, now)
        };
        Concluded { ticket: Some(pending.ticket), notification }
    }

    /// What is noted of a transition, whatever became of it.
    fn note(&self, t: &AlertTransition, now: i64) -> Notification {
        Notification {
            alert_id: t.alert_id.clone(),
            episode: t.episode,
            seq: t.seq,
            receiver: self.config.name.clone(),
            at: now,
            kind: t.kind.name().to_owned(),
            slo: t.slo.clone(),
            severity: t.severity.clone(),
            ..Notification::default()
        }
    }

    /// A delivery came back. What is settled by it is to be recorded, then the positions may move. A transition that was
    /// refused is settled as that, and once more as delivered if the receiver takes it later.
    pub fn finished(&mut self, delivery: &Delivery, answer: &Answer, now: i64) -> Vec<Concluded> {
        self.in_flight = self.in_flight.saturating_sub(1);
        if delivery.again {
            self.probe.ended();
        }
        self.move_group(delivery, answer, now);
        let mut settled: Vec<Concluded> =
            delivery.parts.iter().filter_map(|part| self.conclude(part, answer, now)).collect();
        settled.extend(self.reminded(delivery, answer, now));
        if self.groups.get(&delivery.group).is_some_and(|g| g.members.is_empty()) {
            self.groups.remove(&delivery.group);
        }
        settled
    }

    /// What an answer means for one of the transitions that were sent.
    fn conclude(&mut self, part: &Part, answer: &Answer, now: i64) -> Option<Concluded> {
        let id = &part.alert_id;
        let tracked = self.alerts.get_mut(id)?;
        let sent = tracked.find(part.ticket)?.clone();
        let told = tracked.told.last().cloned();
        let was_pending = tracked.queue.front().is_some_and(|head| head.ticket == part.ticket);
        let (outcome, status, detail) = match answer {
            Answer::Delivered { status } => {
                tracked.taken(part.ticket);
                (Outcome::Delivered, *status, "")
            }
            Answer::Refused { status, detail } => {
                tracked.refused(part.ticket, now);
                (Outcome::Refused, *status, detail.as_str())
            }
            Answer::Failed { doubt, status, detail, .. } => {
                tracked.failed(part.ticket, *doubt);
                return self.failing(&sent, *status, detail, now);
            }
        };
        if was_pending {
            self.count_settled(id);
        }
        self.note_refused(id);
        let news = was_pending || outcome == Outcome::Delivered;
        // A severity that is not for this receiver was told as the end of the one before.
        let gone = sent.route.is_none() && sent.transition.kind != TransitionKind::Resolved;
        let reason = if gone { NO_ROUTE.reason } else { NotificationReason::None };
        let (kind, of) = if gone { (TransitionKind::Resolved, told) } else { (sent.transition.kind, None) };
        let notification = Notification {
            kind: kind.name().to_owned(),
            severity: of.map_or_else(|| sent.transition.severity.clone(), |told| told.severity),
            outcome,
            status: Some(i32::from(status)),
            attempts: sent.attempts.saturating_add(1),
            reason,
            detail: detail.to_owned(),
            ..self.note(&sent.transition, now)
        };
        self.note_held(id);
        self.tidy(id);
        news.then_some(Concluded { ticket: Some(sent.ticket), notification })
    }

    /// The first failure is noted, the tenth, and so on: who looks for a notification sees that it is under way. It moves no position.
    fn failing(&self, sent: &Pending, status: Option<u16>, detail: &str, now: i64) -> Option<Concluded> {
        let attempts = sent.attempts.saturating_add(1);
        let notification = Notification {
            outcome: Outcome::Failed,
            status: status.map(i32::from),
            attempts,
            detail: detail.to_owned(),
            ..self.note(&sent.transition, now)
        };
        let power_of_ten = 10_i32.checked_pow(attempts.max(1).ilog10()) == Some(attempts);
        power_of_ten.then_some(Concluded { ticket: None, notification })
    }

    /// What the receiver was reminded of. A receiver that is sent everything all the time is no person: nothing is noted.
    fn reminded(&self, delivery: &Delivery, answer: &Answer, now: i64) -> Vec<Concluded> {
        let (Some(reminder), Answer::Delivered { status }) = (&delivery.reminder, answer) else { return Vec::new() };
        let of = reminder.of.iter().filter(|_| self.config.format.resend().is_none());
        let note = |t| Notification {
            outcome: Outcome::Delivered,
            status: Some(i32::from(*status)),
            attempts: 1,
            repeated: true,
            ..self.note(t, now)
        };
        of.map(|t| Concluded { ticket: None, notification: note(t) }).collect()
    }

    /// Backoff after a failure, the group's interval after anything else.
    fn move_group(&mut self, delivery: &Delivery, answer: &Answer, now: i64) {
        let group = self.groups.get_mut(&delivery.group);
        if let Answer::Failed { retry_after, .. } = answer {
            let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
            // Attempts that were under way together fail together: that is one failure of the receiver.
            let own = if now < self.not_before { Duration::ZERO } else { self.retry.failed() };
            self.not_before = self.not_before.max(now + own.max(asked).as_millis() as i64);
            if let Some(group) = group {
                group.failed(now);
            }
            return;
        }
        self.retry.reset();
        self.not_before = i64::MIN;
        match answer {
            Answer::Refused { .. } => self.probe.refused(delivery.again, now),
            _ => self.probe.taken(),
        }
        let Some(group) = group else { return };
        let until = now + group.interval.as_millis() as i64;
        group.settled(if group.more { now } else { until });
        // Also where a reminder was refused: the next one is due later.
        if delivery.reminder.is_some() || matches!(answer, Answer::Delivered { .. }) {
            group.told_at = Some(now);
        }
        let parts = delivery.parts.len();
        match answer {
            Answer::Refused { .. } if delivery.again => {
                let of = delivery.parts.first().and_then(|part| self.alerts.get(&part.alert_id)?.refused_severity());
                group.again.refused(of.unwrap_or_default().to_owned(), parts, now);
            }
            Answer::Refused { .. } if delivery.reminder.is_some() => {}
            Answer::Refused { .. } => group.again.news_refused(parts, now),
            _ => {
                group.again.well();
                if delivery.again {
                    group.again.taken();
                }
            }
        }
        let due = group.interval_until;
        for id in group.members.iter() {
            let queue = self.alerts.get_mut(id).into_iter().flat_map(|a| a.queue.iter_mut());
            queue.for_each(|p| p.since = p.since.max(due));
        }
    }

    /// Forgets an alert about which nothing is left to say.
    fn tidy(&mut self, id: &str) {
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

fn behind(tracked: &Tracked, now: i64) -> bool {
    tracked.queue.front().is_some_and(|p| now - p.since > BEHIND_MS)
}
