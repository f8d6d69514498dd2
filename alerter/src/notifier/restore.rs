//! What a receiver was sent before: rebuilt from `alerts` below the committed position and from `notifications`, when a
//! partition is gained. Pure.
//!
//! Outcomes are committed together with the position that covers them, so what was delivered is known for every record
//! below the position, and nothing above it counts as sent. What was refused and is still true is found as well: it is
//! sent again. So is an end that was refused a short time ago: restarting is how a wrong URL or token is put right.

use std::collections::{BTreeMap, HashMap};

use slipstream_log::Offset;
use slipstream_schemas::records::{AlertTransition, Notification, Outcome, TransitionKind};

use crate::notifier::dispatch::RESOLVED_FOR_MS;

/// Of each alert the last transition that the receiver took, and the last that it refused: episode and seq, attempts and
/// time.
#[derive(Debug, Default)]
pub struct Answered {
    delivered: HashMap<String, (i64, i32)>,
    refused: HashMap<String, (i64, i32, i32, i64)>,
}

impl Answered {
    /// Folds a record of `notifications`.
    pub fn take(&mut self, receiver: &str, n: &Notification) {
        if n.receiver != receiver {
            return;
        }
        match n.outcome {
            Outcome::Delivered => {
                let last = self.delivered.entry(n.alert_id.clone()).or_insert((i64::MIN, 0));
                *last = (*last).max((n.episode, n.seq));
            }
            Outcome::Refused => {
                let last = self.refused.entry(n.alert_id.clone()).or_insert((i64::MIN, 0, 0, 0));
                *last = (*last).max((n.episode, n.seq, n.attempts, n.at));
            }
            Outcome::NotDue | Outcome::HeldBack => {}
        }
    }

    fn delivered(&self, t: &AlertTransition) -> bool {
        self.delivered.get(&t.alert_id).is_some_and(|(episode, seq)| *episode == t.episode && t.seq <= *seq)
    }

    /// How often it was tried, and when it was refused; `None` if it was not.
    fn refused(&self, t: &AlertTransition) -> Option<(i32, i64)> {
        let last = self.refused.get(&t.alert_id).filter(|(episode, seq, ..)| (*episode, *seq) == (t.episode, t.seq));
        last.map(|(.., attempts, at)| (*attempts, *at))
    }
}

/// A transition that the receiver refused, and that is still true.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Its record of `alerts`.
    pub offset: Offset,
    /// What happened.
    pub transition: AlertTransition,
    /// Attempts made.
    pub attempts: i32,
    /// When it was refused, milliseconds since the epoch.
    pub at: i64,
}

/// An alert that fires, or whose end the receiver refused.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundAlert {
    /// The transition that made it known, which chose its group.
    pub first: AlertTransition,
    /// The last firing or severity transition that the receiver has.
    pub told: Option<AlertTransition>,
    /// The last that it refused.
    pub refused: Option<Refusal>,
}

/// The alerts of a partition of which the receiver was told, or refused to be told, and which fire as far as it knows.
#[derive(Debug)]
pub struct Found {
    now: i64,
    open: BTreeMap<String, FoundAlert>,
}

impl Found {
    /// Nothing was read. `now`: milliseconds since the epoch.
    pub fn at(now: i64) -> Self {
        Found { now, open: BTreeMap::new() }
    }

    /// Folds a record of `alerts` below the committed position, in order.
    pub fn take(&mut self, answered: &Answered, offset: Offset, t: AlertTransition) {
        match t.kind {
            TransitionKind::Firing | TransitionKind::Severity if answered.delivered(&t) => {
                let alert = self.alert(&t);
                alert.told = Some(t);
                alert.refused = None;
            }
            TransitionKind::Firing | TransitionKind::Severity => {
                if let Some((attempts, at)) = answered.refused(&t) {
                    let alert = self.alert(&t);
                    alert.refused = Some(Refusal { offset, transition: t, attempts, at });
                }
            }
            TransitionKind::Resolved => self.over(answered, offset, t),
            _ => {}
        }
    }

    /// An end that the receiver refused is kept for as long as it would be sent again.
    fn over(&mut self, answered: &Answered, offset: Offset, t: AlertTransition) {
        let refused =
            answered.refused(&t).filter(|(_, at)| !answered.delivered(&t) && self.now - at <= RESOLVED_FOR_MS);
        let told = self.open.get_mut(&t.alert_id).filter(|alert| alert.told.is_some());
        match (told, refused) {
            (Some(alert), Some((attempts, at))) => {
                alert.refused = Some(Refusal { offset, transition: t, attempts, at });
            }
            _ => {
                self.open.remove(&t.alert_id);
            }
        }
    }

    fn alert(&mut self, t: &AlertTransition) -> &mut FoundAlert {
        self.open.retain(|id, alert| *id != t.alert_id || alert.first.episode == t.episode);
        let new = || FoundAlert { first: t.clone(), told: None, refused: None };
        self.open.entry(t.alert_id.clone()).or_insert_with(new)
    }

    /// What was found, in the order of alert ids.
    pub fn into_alerts(self) -> impl Iterator<Item = FoundAlert> {
        self.open.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::words::tests::transition;

    const NOW: i64 = 1_769_940_000_000;

    fn at(seq: i32, kind: TransitionKind) -> AlertTransition {
        AlertTransition { seq, kind, ..transition() }
    }

    fn note(seq: i32, receiver: &str, outcome: Outcome) -> Notification {
        let t = transition();
        Notification {
            alert_id: t.alert_id,
            episode: t.episode,
            seq,
            receiver: receiver.to_owned(),
            outcome,
            status: None,
            attempts: 1,
            at: NOW - RESOLVED_FOR_MS,
            ..Notification::default()
        }
    }

    #[test]
    fn a2_a3_what_the_receiver_took_or_refused_and_what_is_not_over_is_found() {
        use TransitionKind::{Firing as Fired, Resolved, Severity};
        let took = |seq| note(seq, "ops", Outcome::Delivered);
        let refused = |seq| note(seq, "ops", Outcome::Refused);
        let other = note(2, "dev", Outcome::Delivered);
        let cases = [
            ("nothing was delivered", vec![], vec![at(2, Fired)], None),
            ("another receiver took it", vec![other], vec![at(2, Fired)], None),
            ("it fires", vec![took(2)], vec![at(2, Fired)], Some((Some(2), None))),
            ("it was refused", vec![refused(2)], vec![at(2, Fired)], Some((None, Some(2)))),
            ("it was refused, then taken", vec![refused(2), took(2)], vec![at(2, Fired)], Some((Some(2), None))),
            (
                "under another severity",
                vec![took(2), took(3)],
                vec![at(2, Fired), at(3, Severity)],
                Some((Some(3), None)),
            ),
            (
                "which was refused",
                vec![took(2), refused(3)],
                vec![at(2, Fired), at(3, Severity)],
                Some((Some(2), Some(3))),
            ),
            ("it is over", vec![took(2), took(4)], vec![at(2, Fired), at(4, Resolved)], None),
            ("nobody heard of it and it is over", vec![refused(2)], vec![at(2, Fired), at(4, Resolved)], None),
            (
                "its end was refused",
                vec![took(2), refused(4)],
                vec![at(2, Fired), at(4, Resolved)],
                Some((Some(2), Some(4))),
            ),
            (
                "its end was refused, then taken",
                vec![took(2), refused(4), took(4)],
                vec![at(2, Fired), at(4, Resolved)],
                None,
            ),
            (
                "its end was refused too long ago",
                vec![took(2), Notification { at: NOW - RESOLVED_FOR_MS - 1, ..refused(4) }],
                vec![at(2, Fired), at(4, Resolved)],
                None,
            ),
        ];
        for (name, notes, transitions, want) in cases {
            let mut answered = Answered::default();
            notes.iter().for_each(|n| answered.take("ops", n));
            let mut found = Found::at(NOW);
            for (offset, t) in (0..).zip(transitions) {
                found.take(&answered, offset, t);
            }
            let seqs = |a: FoundAlert| (a.first.seq, a.told.map(|t| t.seq), a.refused.map(|r| r.transition.seq));
            let alerts: Vec<_> = found.into_alerts().map(seqs).collect();
            assert_eq!(
                alerts,
                want.map(|(told, refused)| (2, told, refused)).into_iter().collect::<Vec<_>>(),
                "{name}"
            );
        }
    }
}
