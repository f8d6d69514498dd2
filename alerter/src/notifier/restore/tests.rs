//! What is found of an alert, by what was noted of it.

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
        ("under another severity", vec![took(2), took(3)], vec![at(2, Fired), at(3, Severity)], Some((Some(3), None))),
        ("which was refused", vec![took(2), refused(3)], vec![at(2, Fired), at(3, Severity)], Some((Some(2), Some(3)))),
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
        let seqs = |a: FoundAlert| {
            (a.first.seq, a.told.last().map(|told| told.transition.seq), a.lacking.map(|l| l.transition.seq))
        };
        let alerts: Vec<_> = found.into_alerts().map(seqs).collect();
        assert_eq!(alerts, want.map(|(told, refused)| (2, told, refused)).into_iter().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a2_what_the_receiver_may_have_is_found_until_it_is_settled() {
    use TransitionKind::{Firing as Fired, Severity};
    let doubt = |seq| Notification { reason: NotificationReason::InDoubt, ..note(seq, "ops", Outcome::Failed) };
    let failed = |seq| note(seq, "ops", Outcome::Failed);
    let held = |seq| note(seq, "ops", Outcome::HeldBack);
    let took = |seq| note(seq, "ops", Outcome::Delivered);
    let dry = |seq| Notification { reason: NotificationReason::DryRun, ..note(seq, "ops", Outcome::NotDue) };
    let cases = [
        ("it was held back since", vec![doubt(2), held(2)], vec![2], Some(2)),
        ("nothing was taken", vec![failed(2), held(2)], vec![], Some(2)),
        ("it was taken at last", vec![doubt(2), took(2)], vec![2], None),
        ("the next one is in doubt, too", vec![took(2), doubt(3), held(3)], vec![2, 3], Some(3)),
        ("the next one was taken", vec![doubt(2), took(3)], vec![3], None),
        ("a remediation that is not asked", vec![dry(2)], vec![2], None),
    ];
    for (name, notes, told, lacking) in cases {
        let mut answered = Answered::default();
        notes.iter().for_each(|n| answered.take("ops", n));
        let mut found = Found::at(NOW);
        for (offset, t) in (0..).zip([at(2, Fired), at(3, Severity)]) {
            found.take(&answered, offset, t);
        }
        let alert = found.into_alerts().next().unwrap();
        let seqs: Vec<i32> = alert.told.iter().map(|told| told.transition.seq).collect();
        assert_eq!((seqs, alert.lacking.map(|l| l.transition.seq)), (told, lacking), "{name}");
    }
    let mut answered = Answered::default();
    [failed(2), doubt(2)].iter().for_each(|n| answered.take("ops", n));
    let tried = Tried { of: (transition().episode, 2), attempts: 1, doubt: true };
    assert_eq!(answered.tried().map(|(_, tried)| tried).collect::<Vec<_>>(), [tried]);
    answered.take("ops", &took(2));
    assert_eq!(answered.tried().count(), 0, "it was taken");
    answered.take("ops", &doubt(2));
    assert_eq!(answered.tried().count(), 0, "which was noted late by whoever spoke before");
}

#[test]
fn a3_all_that_the_receiver_may_have_is_known_beside_what_failed_last() {
    let doubt = |seq| Notification { reason: NotificationReason::InDoubt, ..note(seq, "ops", Outcome::Failed) };
    let again = Notification { attempts: 10, ..doubt(2) };
    let mut answered = Answered::default();
    [doubt(2), again, doubt(3), note(4, "ops", Outcome::Failed)].iter().for_each(|n| answered.take("ops", n));
    let mut tried: Vec<_> = answered.tried().map(|(_, tried)| (tried.of.1, tried.attempts, tried.doubt)).collect();
    tried.sort_unstable();
    assert_eq!(tried, [(2, 10, true), (3, 1, true), (4, 1, false)]);
    answered.take("ops", &note(2, "ops", Outcome::HeldBack));
    assert_eq!(answered.tried().count(), 3, "what is held back is in doubt still");
    answered.take("ops", &note(3, "ops", Outcome::Delivered));
    assert_eq!(answered.tried().map(|(_, tried)| tried.of.1).collect::<Vec<_>>(), [4]);
}

#[test]
fn the_next_reminder_is_due_after_the_last_whether_it_was_left_out_or_not() {
    let left_out = |at, reason| Notification { repeated: true, at, reason, ..note(2, "ops", Outcome::NotDue) };
    let mut answered = Answered::default();
    answered.take("ops", &note(2, "ops", Outcome::Delivered));
    answered.take("ops", &left_out(NOW - 2_000, NotificationReason::Silenced));
    answered.take("ops", &left_out(NOW - 1_000, NotificationReason::NoRoute));
    let mut found = Found::at(NOW);
    found.take(&answered, 0, at(2, TransitionKind::Firing));
    let alert = found.into_alerts().next().unwrap();
    assert_eq!((alert.told.len(), alert.told_at), (1, Some(NOW - 1_000)));
}
