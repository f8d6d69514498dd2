//! What an answer means.

use std::collections::BTreeSet;
use std::time::Duration;

use slipstream_schemas::records::{AlertTransition, Notification, NotificationReason, Outcome, TransitionKind};

use super::tracked::NO_ROUTE;
use super::{Answer, Concluded, Delivery, Dispatcher, GroupKey, LONGEST_RETRY_AFTER, Part, Pending};

/// How an attempt failed.
struct Failure<'a> {
    status: Option<u16>,
    detail: &'a str,
    /// Whether the receiver may have it, by this attempt or one before.
    doubt: bool,
    /// Whether nobody knew that.
    news: bool,
}

impl Dispatcher {
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
        let told = tracked.last_told().cloned();
        let was_pending = tracked.queue.front().is_some_and(|head| head.ticket == part.ticket);
        match answer {
            Answer::Delivered { .. } | Answer::NotAsked { .. } => tracked.taken(part.ticket),
            Answer::Refused { .. } => tracked.refused(part.ticket, now),
            Answer::Failed { doubt, status, detail, .. } => {
                let news = tracked.failed(part.ticket, *doubt);
                let doubt = news || tracked.has(&sent.transition);
                return self.failing(&sent, Failure { status: *status, detail, doubt, news }, now);
            }
        }
        if was_pending {
            self.count_settled(id);
        }
        self.note_refused(id);
        let news = was_pending || !matches!(answer, Answer::Refused { .. });
        let notification = self.answered(&sent, told.as_ref(), answer, now);
        self.note_held(id);
        self.tidy(id);
        news.then_some(Concluded { ticket: Some(sent.ticket), notification })
    }

    /// What is noted of a transition that the receiver answered to; `told`: what it was told of the alert before.
    fn answered(&self, sent: &Pending, told: Option<&AlertTransition>, answer: &Answer, now: i64) -> Notification {
        let attempts = sent.attempts.saturating_add(1);
        let detail = match answer {
            Answer::NotAsked { detail, .. } | Answer::Refused { detail, .. } => detail,
            Answer::Delivered { .. } | Answer::Failed { .. } => "",
        };
        let note = self.note(&sent.transition, detail, now);
        let mut note = match answer {
            Answer::NotAsked { reason, .. } => {
                Notification { outcome: Outcome::NotDue, attempts: sent.attempts, reason: *reason, ..note }
            }
            Answer::Refused { status, .. } => {
                let status = Some(i32::from(*status));
                Notification { outcome: Outcome::Refused, status, attempts, ..note }
            }
            Answer::Delivered { status } => {
                let status = Some(i32::from(*status));
                Notification { outcome: Outcome::Delivered, status, attempts, ..note }
            }
            Answer::Failed { .. } => note,
        };
        // A severity that is not for this receiver was told as the end of the one before.
        if sent.route.is_none() && sent.transition.kind != TransitionKind::Resolved {
            note.reason = NO_ROUTE.reason;
            note.kind = TransitionKind::Resolved.name().to_owned();
            note.severity = told.map_or(note.severity, |told| told.severity.clone());
        }
        note
    }

    /// The first failure is noted, the tenth, and so on: who looks for a notification sees that it is under way. So is the first after which
    /// the receiver may have it: whoever takes over has to know. It moves no position.
    fn failing(&self, sent: &Pending, failure: Failure<'_>, now: i64) -> Option<Concluded> {
        let attempts = sent.attempts.saturating_add(1);
        let notification = Notification {
            outcome: Outcome::Failed,
            status: failure.status.map(i32::from),
            attempts,
            reason: if failure.doubt { NotificationReason::InDoubt } else { NotificationReason::None },
            ..self.note(&sent.transition, failure.detail, now)
        };
        let power_of_ten = 10_i32.checked_pow(attempts.max(1).ilog10()) == Some(attempts);
        (power_of_ten || failure.news).then_some(Concluded { ticket: None, notification })
    }

    /// Backoff after a failure, the group's interval after anything else.
    fn move_group(&mut self, delivery: &Delivery, answer: &Answer, now: i64) {
        if let Answer::Failed { retry_after, doubt, .. } = answer {
            self.back_off(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER), now);
            if let Some(group) = self.groups.get_mut(&delivery.group) {
                let parts = delivery.parts.iter().filter(|_| *doubt && !delivery.again);
                group.failed(parts.map(|part| part.ticket).collect::<BTreeSet<_>>(), now);
            }
            return;
        }
        self.is_there(delivery, answer, now);
        self.close_round(delivery, answer, now);
        self.refused_or_well(delivery, answer, now);
        self.put_off(&delivery.group);
    }

    /// The receiver is left alone for a while, as long as it `asked` for at least.
    fn back_off(&mut self, asked: Duration, now: i64) {
        // Attempts that were under way together fail together: that is one failure of the receiver.
        let own = if now < self.not_before { Duration::ZERO } else { self.retry.failed() };
        self.not_before = self.not_before.max(now + own.max(asked).as_millis() as i64);
    }

    /// The receiver answers.
    fn is_there(&mut self, delivery: &Delivery, answer: &Answer, now: i64) {
        self.retry.reset();
        self.not_before = i64::MIN;
        match answer {
            Answer::Refused { .. } => self.probe.refused(delivery.again, now),
            _ => self.probe.taken(),
        }
    }

    /// The group has spoken.
    fn close_round(&mut self, delivery: &Delivery, answer: &Answer, now: i64) {
        let Some(group) = self.groups.get_mut(&delivery.group) else { return };
        let until = now + group.interval.as_millis() as i64;
        let news = !delivery.again && delivery.reminder.is_none();
        group.settled(news, if group.more { now } else { until });
        // Also where a reminder was refused: the next one is due later.
        if delivery.reminder.is_some() || !matches!(answer, Answer::Refused { .. }) {
            group.told_at = Some(now);
        }
    }

    /// When the group tells again of what was refused.
    fn refused_or_well(&mut self, delivery: &Delivery, answer: &Answer, now: i64) {
        let Some(group) = self.groups.get_mut(&delivery.group) else { return };
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
    }

    /// What waits for its group's interval is not behind.
    fn put_off(&mut self, group: &GroupKey) {
        let Some(group) = self.groups.get(group) else { return };
        let due = group.interval_until;
        for id in group.members.iter() {
            let queue = self.alerts.get_mut(id).into_iter().flat_map(|a| a.queue.iter_mut());
            queue.for_each(|p| p.since = p.since.max(due));
        }
    }
}
