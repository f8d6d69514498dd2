//! What a receiver is reminded of, and what is left out.

use std::sync::Arc;

use slipstream_schemas::records::{AlertTransition, Notification, Outcome};
use slipstream_slo::hash::fnv1a64;

use super::tracked::NO_ROUTE;
use super::{Answer, Concluded, Delivery, Dispatcher, GroupKey, Tracked};
use crate::notifier::identity;
use crate::notifier::policy::Hold;

/// What a reminder repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Reminder {
    /// The transitions that the receiver has.
    pub of: Vec<AlertTransition>,
    /// What fires, and is left out this time.
    pub left_out: Vec<LeftOut>,
    /// The same for each attempt.
    pub key: String,
}

/// Something of which a receiver is not reminded.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// What the receiver was told.
    pub transition: AlertTransition,
    /// Why it is left out.
    pub hold: Hold,
}

impl Dispatcher {
    /// A reminder is composed anew for each attempt: what it says may be over.
    pub(super) fn remind(
        &mut self,
        labels: &GroupKey,
        now: i64,
        settled: &mut Vec<Concluded>,
    ) -> Option<Arc<Delivery>> {
        self.groups.get(labels)?.remind_at().filter(|at| *at <= now)?;
        let (of, left_out) = self.due_again(labels, now);
        if of.is_empty() {
            settled.extend(left_out.iter().map(|left_out| self.left_out(left_out, now)));
            // Nothing to remind of now: the next look is due when a reminder would have been.
            self.groups.get_mut(labels)?.told_at = Some(now);
            return None;
        }
        let delivery = self.compose_reminder(labels, of, left_out, now);
        self.groups.get_mut(labels)?.in_flight = true;
        Some(Arc::new(delivery))
    }

    /// What fires in a group, as far as the receiver knows: what it is reminded of, and what is quiet now. A receiver that takes for over
    /// what it is not sent gets everything.
    fn due_again(&self, group: &GroupKey, now: i64) -> (Vec<AlertTransition>, Vec<LeftOut>) {
        let members = self.groups.get(group).into_iter().flat_map(|group| &group.members);
        let (mut of, mut left_out) = (Vec::new(), Vec::new());
        for told in members.filter_map(|id| self.alerts.get(id)).filter_map(Tracked::present) {
            match self.quiet(told, now) {
                None => of.push(told.clone()),
                Some(hold) => left_out.push(LeftOut { transition: told.clone(), hold }),
            }
        }
        // A receiver that is sent everything all the time is no person: nothing is noted.
        left_out.retain(|_| self.config.format.resend().is_none());
        (of, left_out)
    }

    fn quiet(&self, told: &AlertTransition, now: i64) -> Option<Hold> {
        let route = self.policy.route(&identity::labels(told));
        if route.is_none() {
            // With other routes than when it was told, it is somebody else's.
            return Some(Hold { reason: NO_ROUTE.reason, by: String::new(), until: None });
        }
        if self.config.format.resend().is_some() {
            return None;
        }
        self.policy.quiet(told, route, self.day(now))
    }

    fn compose_reminder(
        &self,
        group: &GroupKey,
        of: Vec<AlertTransition>,
        left_out: Vec<LeftOut>,
        now: i64,
    ) -> Delivery {
        let (speaker, day) = (self.speaker(), self.day(now));
        let alerts = of.iter().map(|t| speaker.firing_at(t, day)).collect();
        let message = self.message(&speaker, group, Vec::new(), alerts);
        let hash = fnv1a64([message.group_key.as_str()]);
        // By when it is due: the same for each attempt.
        let due_at = self.groups.get(group).and_then(|group| group.remind_at()).unwrap_or(now);
        let key = format!("reminder/{hash:016x}/{due_at}/{}", self.config.name);
        let reminder = Some(Reminder { of, left_out, key });
        Delivery { group: group.clone(), parts: Vec::new(), message, again: false, reminder }
    }

    /// What the receiver was reminded of, and of what not. A receiver that is sent everything all the time is no person: nothing is noted.
    pub(super) fn reminded(&self, delivery: &Delivery, answer: &Answer, now: i64) -> Vec<Concluded> {
        let Some(reminder) = delivery.reminder.as_ref().filter(|_| self.config.format.resend().is_none()) else {
            return Vec::new();
        };
        let (outcome, status, detail) = match answer {
            Answer::Delivered { status } => (Outcome::Delivered, *status, ""),
            Answer::Refused { status, detail } => (Outcome::Refused, *status, detail.as_str()),
            // It is tried again; a remediation is asked once.
            Answer::Failed { .. } | Answer::NotAsked { .. } => return Vec::new(),
        };
        let note = |t| Notification {
            outcome,
            status: Some(i32::from(status)),
            attempts: 1,
            repeated: true,
            ..self.note(t, detail, now)
        };
        let told = reminder.of.iter().map(|t| Concluded { ticket: None, notification: note(t) });
        told.chain(reminder.left_out.iter().map(|left_out| self.left_out(left_out, now))).collect()
    }
}
