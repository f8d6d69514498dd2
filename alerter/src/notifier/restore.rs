//! What a receiver was told before: rebuilt from `alerts` below the committed position and from `notifications`, when a
//! partition is gained. Pure.
//!
//! Outcomes are committed together with the position that covers them, so what was delivered is known for every record
//! below the position, and nothing above it counts as sent.

use std::collections::{BTreeMap, HashMap};

use slipstream_schemas::records::{AlertTransition, Notification, Outcome, TransitionKind};

/// Of each alert the last transition that the receiver took.
#[derive(Debug, Default)]
pub struct Delivered {
    last: HashMap<String, (i64, i32)>,
}

impl Delivered {
    /// Folds a record of `notifications`.
    pub fn take(&mut self, receiver: &str, notification: &Notification) {
        if notification.receiver != receiver || notification.outcome != Outcome::Delivered {
            return;
        }
        let last = self.last.entry(notification.alert_id.clone()).or_insert((i64::MIN, 0));
        *last = (*last).max((notification.episode, notification.seq));
    }

    fn has(&self, t: &AlertTransition) -> bool {
        self.last.get(&t.alert_id).is_some_and(|(episode, seq)| *episode == t.episode && t.seq <= *seq)
    }
}

/// An alert that fires at the receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct FiringAlert {
    /// The transition that made it known, which chose its group.
    pub first: AlertTransition,
    /// The last firing or severity transition that the receiver has.
    pub last: AlertTransition,
}

/// The alerts of a partition that fire at the receiver.
#[derive(Debug, Default)]
pub struct Firing {
    open: BTreeMap<String, FiringAlert>,
}

impl Firing {
    /// Folds a record of `alerts` below the committed position, in order.
    pub fn take(&mut self, delivered: &Delivered, t: AlertTransition) {
        match t.kind {
            TransitionKind::Firing | TransitionKind::Severity if delivered.has(&t) => {
                let of_episode = self.open.get(&t.alert_id).filter(|told| told.first.episode == t.episode);
                let first = of_episode.map_or_else(|| t.clone(), |told| told.first.clone());
                self.open.insert(t.alert_id.clone(), FiringAlert { first, last: t });
            }
            TransitionKind::Resolved => {
                self.open.remove(&t.alert_id);
            }
            _ => {}
        }
    }

    /// What was found, in the order of alert ids.
    pub fn into_told(self) -> impl Iterator<Item = FiringAlert> {
        self.open.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::words::tests::transition;

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
            detail: String::new(),
            at: 0,
        }
    }

    #[test]
    fn a2_only_what_the_receiver_took_and_what_is_not_over_fires_there() {
        use TransitionKind::{Firing as Fired, Resolved, Severity};
        let took = |seq| note(seq, "ops", Outcome::Delivered);
        let cases = [
            ("nothing was delivered", Vec::new(), vec![at(2, Fired)], None),
            ("it was refused", vec![note(2, "ops", Outcome::Refused)], vec![at(2, Fired)], None),
            ("another receiver took it", vec![note(2, "dev", Outcome::Delivered)], vec![at(2, Fired)], None),
            ("it fires", vec![took(2)], vec![at(2, Fired)], Some(2)),
            ("under another severity", vec![took(2), took(3)], vec![at(2, Fired), at(3, Severity)], Some(3)),
            ("it is over", vec![took(2), took(4)], vec![at(2, Fired), at(4, Resolved)], None),
        ];
        for (name, notes, transitions, want) in cases {
            let mut delivered = Delivered::default();
            notes.iter().for_each(|n| delivered.take("ops", n));
            let mut firing = Firing::default();
            transitions.into_iter().for_each(|t| firing.take(&delivered, t));
            let told: Vec<(i32, i32)> = firing.into_told().map(|t| (t.first.seq, t.last.seq)).collect();
            assert_eq!(told, want.map(|seq| (2, seq)).into_iter().collect::<Vec<_>>(), "{name}");
        }
    }
}
