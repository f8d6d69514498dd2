//! What to send now, and what is not due.

use std::cmp::Reverse;
use std::sync::Arc;

use slipstream_schemas::records::Outcome;

use super::group::Group;
use super::{AT_ONCE, Concluded, Decision, Delivery, Dispatcher, GroupKey, Head, NotDue, Pending, behind};

impl Dispatcher {
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

    /// Decides about a group that is due, also where it was decided before and the attempt failed.
    fn decide(&mut self, labels: &GroupKey, now: i64, settled: &mut Vec<Concluded>) -> Option<Arc<Delivery>> {
        self.give_up(labels, now);
        let members = self.groups.get(labels)?.members.clone();
        if members.iter().filter_map(|id| self.alerts.get(id)).any(|a| behind(a, now)) {
            members.iter().for_each(|id| self.catch_up(id, now, settled));
        }
        members.iter().for_each(|id| self.sift(id, now, settled));
        let Some((delivery, more)) = self.news_or_again(labels, now) else { return self.remind(labels, now, settled) };
        let group = self.groups.get_mut(labels)?;
        group.in_flight = true;
        group.more = more;
        Some(Arc::new(delivery))
    }

    /// News goes first, but not twice in a row while something that was refused is due: an alert that fires and ends all
    /// the time would keep the others out. News that comes second goes at once when the answer is there.
    fn news_or_again(&mut self, labels: &GroupKey, now: i64) -> Option<(Delivery, bool)> {
        let again = if self.probe.is_due(now) { self.compose_again(labels, now) } else { None };
        let news = self.compose(labels, now);
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
    pub(super) fn pass_over(&mut self, id: &str, now: i64, settled: &mut Vec<Concluded>) {
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

    pub(super) fn count_settled(&mut self, id: &str) {
        self.pending -= 1;
        if let Some(group) = self.alerts.get(id).and_then(|a| self.groups.get_mut(&a.group)) {
            group.pending -= 1;
        }
    }
}
