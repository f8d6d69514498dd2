//! A3 and A2 over random histories: whatever the answers, each alert is told in order, nothing is told twice once it
//! is delivered, everything ends with one outcome (or is delivered after it was refused), nothing ends that was not
//! begun, and a group is over only when nothing fires in it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    /// The next thing happens to an alert.
    Happens(usize),
    /// Time passes.
    Pass(i64),
    /// Everything due is sent and answered so.
    Send(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0usize..4).prop_map(Act::Happens),
        1 => (0i64..20_000).prop_map(Act::Pass),
        3 => (0u8..6).prop_map(Act::Send),
    ]
}

fn answer(code: u8) -> Answer {
    match code {
        0 => failed(false),
        1 => failed(true),
        2 => refused(),
        _ => OK,
    }
}

/// What an alert does next: fires, changes severity, is over, fires again.
fn step(id: usize, n: i64) -> (i64, i32, TransitionKind) {
    let kinds = [FIRING, SEVERITY, RESOLVED];
    let place = (n % 3) as usize;
    (1_000 * (n / 3 + 1) + id as i64, place as i32 + 2, kinds[place])
}

/// Label sets that fire at the receiver, with their groups and alerts.
#[derive(Default)]
struct Receiver {
    firing: BTreeMap<String, (String, String)>,
}

impl Receiver {
    fn take(&mut self, message: &Message, answer: &Answer) {
        let took = matches!(answer, Answer::Delivered { .. } | Answer::Failed { doubt: true, .. });
        for alert in message.alerts.iter().filter(|_| took) {
            match alert.status {
                Status::Firing => {
                    let of = (message.group_key.clone(), alert.annotations["alert_id"].clone());
                    self.firing.insert(alert.fingerprint.clone(), of);
                }
                Status::Resolved => {
                    self.firing.remove(&alert.fingerprint);
                }
            }
        }
    }

    /// Whether a body may say so of its group: it is over only where nothing fires, ends that the receiver refused aside.
    fn agrees(&self, message: &Message, ended: &BTreeSet<String>) -> bool {
        let over: BTreeSet<&str> =
            message.alerts.iter().filter(|a| a.status == Status::Resolved).map(|a| a.fingerprint.as_str()).collect();
        let others = self.firing.iter().filter(|(fingerprint, _)| !over.contains(fingerprint.as_str()));
        let fires = message.alerts.iter().any(|a| a.status == Status::Firing)
            || others.into_iter().any(|(_, (group, id))| *group == message.group_key && !ended.contains(id));
        fires == (message.status == Status::Firing)
    }
}

proptest! {
    #[test]
    fn a2_a3_every_history_is_told_in_order(acts in proptest::collection::vec(act(), 1..120)) {
        let mut story = Story::new(|_| ());
        let mut receiver = Receiver::default();
        let mut done: BTreeMap<usize, i64> = BTreeMap::new();
        for act in acts {
            match act {
                Act::Happens(id) => {
                    let n = done.entry(id).or_default();
                    let (episode, seq, kind) = step(id, *n);
                    *n += 1;
                    story.happens_late(0, &format!("a{id}"), if id < 2 { "x" } else { "y" }, episode, seq, kind);
                }
                Act::Pass(ms) => story.now += ms,
                Act::Send(code) => send(&mut story, &mut receiver, &answer(code)),
            }
        }
        // In the end the receiver is well, and the alerts are over.
        for (id, n) in &mut done {
            while *n % 3 != 0 {
                let (episode, seq, kind) = step(*id, *n);
                *n += 1;
                story.happens_late(0, &format!("a{id}"), if *id < 2 { "x" } else { "y" }, episode, seq, kind);
            }
        }
        while story.dispatcher.wake_at().is_some() {
            story.wait();
            send(&mut story, &mut receiver, &OK);
        }
        prop_assert!(receiver.firing.is_empty(), "still firing at the receiver: {:?}", receiver.firing);
        check(&story, &done)?;
    }
}

fn send(story: &mut Story, receiver: &mut Receiver, answer: &Answer) {
    for delivery in story.next() {
        let last: BTreeMap<&str, (i32, Outcome)> = story.outcomes.iter().map(|o| (o.0.as_str(), (o.2, o.3))).collect();
        let ended = last.iter().filter(|(_, last)| **last == (4, Refused)).map(|(id, _)| (*id).to_owned()).collect();
        assert!(receiver.agrees(&delivery.message, &ended), "{:?}", delivery.message);
        receiver.take(&delivery.message, answer);
        story.answer(&delivery, answer);
    }
}

fn check(story: &Story, done: &BTreeMap<usize, i64>) -> Result<(), TestCaseError> {
    for (id, n) in done {
        let name = format!("a{id}");
        let mine: Vec<(i64, i32)> = story.outcomes.iter().filter(|o| o.0 == name).map(|o| (o.1, o.2)).collect();
        let all: BTreeSet<(i64, i32)> = (0..*n).map(|k| step(*id, k)).map(|(e, s, _)| (e, s)).collect();
        let name = &name;
        let of = |outcome| story.outcomes.iter().filter(move |o| o.0 == *name && o.3 == outcome).map(|o| (o.1, o.2));
        let refused: BTreeSet<(i64, i32)> = of(Refused).collect();
        let second = of(Delivered).filter(|key| refused.contains(key)).count();
        prop_assert_eq!(
            mine.len(),
            all.len() + second,
            "one outcome each, and a second one where the first was a refusal"
        );
        prop_assert_eq!(mine.iter().copied().collect::<BTreeSet<_>>(), all);
        let told: Vec<(i64, i32)> =
            story.outcomes.iter().filter(|o| o.0 == *name && o.3 == Delivered).map(|o| (o.1, o.2)).collect();
        prop_assert!(told.is_sorted(), "in order: {told:?}");
    }
    Ok(())
}
