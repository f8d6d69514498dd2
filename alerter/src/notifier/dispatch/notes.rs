//! What is recorded of a transition.

use std::borrow::Cow;

use slipstream_schemas::records::{AlertTransition, Notification, NotificationReason, Outcome, TransitionKind};

use super::tracked::Held;
use super::{Concluded, Dispatcher, LeftOut, NotDue, Pending};

/// Bytes of a detail at most.
const DETAIL: usize = 1_000;

/// As much of a text as is noted and logged.
pub fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= DETAIL {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(DETAIL - '…'.len_utf8())]))
}

/// What is noted of what the receiver took where that could not be recorded together with the position: whoever takes over has
/// to know. `None` of what begins nothing.
pub fn in_doubt(outcome: Notification) -> Option<Notification> {
    let began = [TransitionKind::Firing, TransitionKind::Severity].iter().any(|kind| kind.name() == outcome.kind);
    (began && outcome.outcome == Outcome::Delivered && !outcome.repeated).then(|| Notification {
        outcome: Outcome::Failed,
        status: None,
        reason: NotificationReason::InDoubt,
        detail: "the receiver took it, and the notifier lost its partition before that was recorded".to_owned(),
        ..outcome
    })
}

impl Dispatcher {
    /// A transition that was not sent.
    pub(super) fn settled(&self, pending: &Pending, outcome: Outcome, why: NotDue, now: i64) -> Concluded {
        let notification = Notification {
            outcome,
            attempts: pending.attempts,
            reason: why.reason,
            ..self.note(&pending.transition, why.words, now)
        };
        Concluded { ticket: Some(pending.ticket), notification }
    }

    /// What is noted of a transition, whatever became of it. It is noted of each alert of a delivery, so details are bounded.
    pub(super) fn note(&self, t: &AlertTransition, detail: &str, now: i64) -> Notification {
        Notification {
            alert_id: t.alert_id.clone(),
            episode: t.episode,
            seq: t.seq,
            receiver: self.config.name.clone(),
            at: now,
            kind: t.kind.name().to_owned(),
            slo: t.slo.clone(),
            severity: t.severity.clone(),
            detail: shortened(detail).into_owned(),
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
            ..self.note(&pending.transition, &hold.words(), now)
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
            repeated: true,
            ..self.note(transition, &hold.words(), now)
        };
        Concluded { ticket: None, notification }
    }
}
