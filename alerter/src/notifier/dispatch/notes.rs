//! What is recorded of a transition.

use slipstream_schemas::records::{AlertTransition, Notification, Outcome};

use super::tracked::Held;
use super::{Concluded, Dispatcher, LeftOut, NotDue, Pending};

impl Dispatcher {
    /// A transition that was not sent.
    pub(super) fn settled(&self, pending: &Pending, outcome: Outcome, why: NotDue, now: i64) -> Concluded {
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
    pub(super) fn note(&self, t: &AlertTransition, now: i64) -> Notification {
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

    /// A transition that was held back.
    pub(super) fn held_back(&self, held: &Held, now: i64) -> Concluded {
        let Held { pending, hold } = held;
        let notification = Notification {
            outcome: Outcome::HeldBack,
            attempts: pending.attempts,
            reason: hold.reason,
            by: hold.by.clone(),
            detail: hold.words(),
            ..self.note(&pending.transition, now)
        };
        Concluded { ticket: Some(pending.ticket), notification }
    }

    /// A reminder that was left out. It is not told later, and moves no position.
    pub(super) fn left_out(&self, left_out: &LeftOut, now: i64) -> Concluded {
        let LeftOut { transition, hold } = left_out;
        let notification = Notification {
            outcome: Outcome::NotDue,
            reason: hold.reason,
            by: hold.by.clone(),
            detail: hold.words(),
            repeated: true,
            ..self.note(transition, now)
        };
        Concluded { ticket: None, notification }
    }
}
