//! Stories about one receiver, told by time and answers.

mod burst;
mod histories;
mod holding;
mod refusals;
mod reminders;
mod retries;
mod strangers;

use std::collections::BTreeSet;
use std::time::Duration;

use slipstream_runtime::config::{Route, Routing};
use slipstream_schemas::records::Outcome::{Delivered, NotDue, Refused};
use slipstream_schemas::records::{Outcome, TransitionKind};

use slipstream_schemas::records::AlertTransition;

use super::*;
use crate::notifier::payload::{Message, Status};
use crate::notifier::words::tests::transition;

const OK: Answer = Answer::Delivered { status: 200 };

fn refused() -> Answer {
    Answer::Refused { status: 400, detail: "no".to_owned() }
}

fn failed(doubt: bool) -> Answer {
    Answer::Failed { status: Some(500), detail: "oh".to_owned(), retry_after: None, doubt }
}

/// A dispatcher, a clock and a log of its own.
struct Story {
    dispatcher: Dispatcher,
    now: i64,
    offset: i64,
    outcomes: Vec<(String, i64, i32, Outcome)>,
    /// All that was noted, failures too.
    notes: Vec<Notification>,
    attempted: BTreeSet<Ticket>,
}

impl Story {
    fn new(change: impl FnOnce(&mut ReceiverConfig)) -> Self {
        let mut config = ReceiverConfig::webhook("ops", "http://localhost");
        // Without reminders, unless a story is about them.
        let root = Route { repeat_interval: Some(Duration::ZERO), ..Route::default() };
        config.routing = Arc::new(Routing { root: Some(root), ..Routing::default() });
        change(&mut config);
        Story {
            dispatcher: Dispatcher::new(config, Links::default()),
            now: 0,
            offset: 0,
            outcomes: Vec::new(),
            notes: Vec::new(),
            attempted: BTreeSet::new(),
        }
    }

    /// Something happens to an alert of SLO `slo`, and is read `lag` ms later.
    fn happens_late(&mut self, lag: i64, id: &str, slo: &str, episode: i64, seq: i32, kind: TransitionKind) {
        let severity = if kind == TransitionKind::Severity { "ticket" } else { "page" };
        let transition = AlertTransition {
            alert_id: id.to_owned(),
            slo: slo.to_owned(),
            group: vec![slipstream_schemas::records::GroupLabel { name: "endpoint".to_owned(), value: id.to_owned() }],
            episode,
            seq,
            kind,
            severity: severity.to_owned(),
            tick: episode + i64::from(seq),
            fired_at: Some(episode),
            ..transition()
        };
        let ticket = Ticket { partition: 0, offset: self.offset };
        self.offset += 1;
        let pending = Pending { ticket, transition, since: self.now - lag, attempts: 0, route: None };
        let settled = self.dispatcher.push(pending, self.now);
        self.note(settled.into_iter().collect());
    }

    fn happens(&mut self, id: &str, seq: i32, kind: TransitionKind) {
        self.happens_late(0, id, "checkout", 100, seq, kind);
    }

    fn note(&mut self, settled: Vec<Concluded>) {
        self.notes.extend(settled.iter().map(|s| s.notification.clone()));
        let noted = settled.into_iter().map(|s| s.notification).filter(|n| n.outcome != Outcome::Failed);
        self.outcomes.extend(noted.map(|n| (n.alert_id, n.episode, n.seq, n.outcome)));
    }

    fn next(&mut self) -> Vec<Arc<Delivery>> {
        let decision = self.dispatcher.next(self.now);
        self.note(decision.settled);
        decision.deliveries
    }

    fn answer(&mut self, delivery: &Delivery, answer: &Answer) {
        let settled = self.dispatcher.finished(delivery, answer, self.now);
        self.note(settled);
    }

    /// Sends what is due now; all of it gets this answer.
    fn flush(&mut self, answer: &Answer) -> Vec<Message> {
        let deliveries = self.next();
        deliveries.iter().for_each(|d| self.answer(d, answer));
        deliveries.iter().map(|d| d.message.clone()).collect()
    }

    /// Lets time pass until the dispatcher has something to do.
    fn wait(&mut self) {
        self.now = self.dispatcher.wake_at().expect("something waits").max(self.now);
    }

    fn noted(&self) -> Vec<(&str, i32, Outcome)> {
        self.outcomes.iter().map(|(id, _, seq, outcome)| (id.as_str(), *seq, *outcome)).collect()
    }
}

fn alerts(message: &Message) -> Vec<(&str, &str, Status)> {
    message.alerts.iter().map(|a| (a.labels["endpoint"].as_str(), a.labels["severity"].as_str(), a.status)).collect()
}

const FIRING: TransitionKind = TransitionKind::Firing;
const SEVERITY: TransitionKind = TransitionKind::Severity;
const RESOLVED: TransitionKind = TransitionKind::Resolved;

#[test]
fn a_group_speaks_at_once_then_after_its_interval_and_repeats_what_fires() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    let first = story.flush(&OK);
    assert_eq!(alerts(&first[0]), [("a", "page", Status::Firing)]);
    story.happens("b", 2, FIRING);
    story.happens("a", 3, RESOLVED);
    assert!(story.flush(&OK).is_empty(), "the group's interval");
    story.now += 5_000;
    let second = story.flush(&OK);
    assert_eq!(alerts(&second[0]), [("a", "page", Status::Resolved), ("b", "page", Status::Firing)]);
    story.happens("c", 2, FIRING);
    story.now += 5_000;
    assert_eq!(alerts(&story.flush(&OK)[0]), [("b", "page", Status::Firing), ("c", "page", Status::Firing)]);
    assert_eq!(story.noted(), [("a", 2, Delivered), ("a", 3, Delivered), ("b", 2, Delivered), ("c", 2, Delivered)]);
    assert_eq!((story.dispatcher.pending(), story.dispatcher.firing()), (0, 2));
}

#[test]
fn groups_do_not_wait_for_each_other() {
    let mut story = Story::new(|_| ());
    for (id, slo) in [("a", "checkout"), ("b", "search")] {
        story.happens_late(0, id, slo, 100, 2, FIRING);
    }
    let messages = story.flush(&OK);
    let keys: Vec<&str> = messages.iter().map(|m| m.group_key.as_str()).collect();
    let want = [r#"{}:{alertname="SLOBurnRate", slo="checkout"}"#, r#"{}:{alertname="SLOBurnRate", slo="search"}"#];
    assert_eq!(keys, want);
}

#[test]
fn a3_an_alerts_transitions_go_out_one_after_the_other() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.happens("a", 3, RESOLVED);
    let first = story.next();
    assert_eq!(first.len(), 1);
    assert!(story.next().is_empty(), "the firing is under way");
    story.answer(&first[0], &OK);
    story.wait();
    let second = story.flush(&OK);
    assert_eq!(alerts(&second[0]), [("a", "page", Status::Resolved)]);
    assert_eq!(story.noted(), [("a", 2, Delivered), ("a", 3, Delivered)]);
    assert_eq!(story.dispatcher.firing(), 0);
}

#[test]
fn a_change_of_severity_ends_the_old_label_set_and_begins_the_new_one() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&OK);
    story.happens("a", 3, SEVERITY);
    story.wait();
    let changed = story.flush(&OK);
    assert_eq!(alerts(&changed[0]), [("a", "page", Status::Resolved), ("a", "ticket", Status::Firing)]);
    story.happens("a", 4, RESOLVED);
    story.wait();
    assert_eq!(alerts(&story.flush(&OK)[0]), [("a", "ticket", Status::Resolved)]);
}

#[test]
fn what_fires_comes_last_and_the_worst_of_it_is_in_the_common_labels() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, SEVERITY);
    story.flush(&OK);
    story.happens("a", 3, FIRING);
    story.wait();
    let worse = story.flush(&OK).remove(0);
    assert_eq!(alerts(&worse), [("a", "ticket", Status::Resolved), ("a", "page", Status::Firing)]);
    assert_eq!(worse.common_labels["severity"], "page", "the title names what fires");

    story.happens("b", 2, SEVERITY);
    story.wait();
    let both = story.flush(&OK).remove(0);
    assert_eq!(alerts(&both), [("a", "page", Status::Firing), ("b", "ticket", Status::Firing)]);
    assert_eq!(both.common_labels["severity"], "page", "the worst of what fires");

    story.happens("a", 4, RESOLVED);
    story.wait();
    let better = story.flush(&OK).remove(0);
    assert_eq!(better.common_labels["severity"], "ticket", "what is over does not count");
}

#[test]
fn the_worst_severity_is_found_under_the_receivers_names() {
    let names = [("page", "P1"), ("ticket", "P4")];
    let mut story = Story::new(|c| c.severities = names.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
    story.happens("a", 2, SEVERITY);
    story.happens("b", 2, FIRING);
    let message = story.flush(&OK).remove(0);
    assert_eq!(alerts(&message), [("a", "P4", Status::Firing), ("b", "P1", Status::Firing)]);
    assert_eq!(message.common_labels["severity"], "P1");
}

#[test]
fn a2_no_resolved_without_its_firing() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.happens("a", 3, RESOLVED);
    assert_eq!(story.flush(&refused()).len(), 1);
    story.wait();
    assert!(story.flush(&OK).is_empty());
    assert_eq!(story.noted(), [("a", 2, Refused), ("a", 3, NotDue)]);
    assert_eq!(story.dispatcher.wake_at(), None);
}

#[test]
fn who_wants_no_resolved_alerts_gets_none() {
    let mut story = Story::new(|c| c.send_resolved = false);
    story.happens("a", 2, FIRING);
    story.flush(&OK);
    story.happens("a", 3, SEVERITY);
    story.wait();
    assert_eq!(alerts(&story.flush(&OK)[0]), [("a", "ticket", Status::Firing)]);
    story.happens("a", 4, RESOLVED);
    story.wait();
    assert!(story.flush(&OK).is_empty());
    assert_eq!(story.noted()[2..], [("a", 4, NotDue)]);
    assert_eq!(story.dispatcher.firing(), 0);
}

#[test]
fn a3_what_failed_is_sent_again_and_later_each_time() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    let mut last = story.next();
    let mut waits = Vec::new();
    for _ in 0..8 {
        story.answer(&last[0], &failed(false));
        let before = story.now;
        story.wait();
        waits.push(story.now - before);
        let again = story.next();
        assert_eq!(again[0], last[0], "nothing has changed");
        last = again;
    }
    assert!(waits.iter().all(|w| (100..=10_000).contains(w)) && waits[7] > 4_000, "{waits:?}");
    story.answer(&last[0], &OK);
    assert_eq!(story.dispatcher.failures(), 0);
}

#[test]
fn a_receiver_that_fails_is_tried_with_one_delivery_at_a_time() {
    let mut story = Story::new(|_| ());
    let slos: Vec<String> = (0..20).map(|i| format!("slo{i}")).collect();
    slos.iter().for_each(|slo| story.happens_late(0, slo, slo, 100, 2, FIRING));
    let first = story.next();
    assert_eq!(first.len(), AT_A_TIME);
    first.iter().for_each(|d| story.answer(d, &failed(false)));
    assert_eq!(story.dispatcher.failures(), 1, "what failed together is one failure");
    assert!(story.next().is_empty());
    story.wait();
    let probe = story.next();
    assert_eq!(probe.len(), 1);
    assert!(!first.contains(&probe[0]), "others go first");
    story.answer(&probe[0], &OK);
    assert!(story.next().len() > 1, "it is well again");
}

#[test]
fn retry_after_is_honoured_within_reason() {
    let asks = |seconds| Answer::Failed {
        status: Some(429),
        detail: String::new(),
        retry_after: Some(Duration::from_secs(seconds)),
        doubt: false,
    };
    for (asked, got) in [(30, 30_000), (86_400, 600_000)] {
        let mut story = Story::new(|_| ());
        story.happens("a", 2, FIRING);
        story.flush(&asks(asked));
        assert_eq!(story.dispatcher.wake_at(), Some(got));
    }
}

#[test]
fn who_is_behind_gets_the_present_state_and_the_rest_is_recorded() {
    let mut story = Story::new(|_| ());
    let late = BEHIND_MS + 1;
    for (id, episode, seq, kind) in [
        ("came-and-went", 100, 2, FIRING),
        ("came-and-went", 100, 3, RESOLVED),
        ("still", 100, 2, FIRING),
        ("still", 100, 3, SEVERITY),
        ("again", 100, 2, FIRING),
        ("again", 100, 3, RESOLVED),
        ("again", 200, 2, FIRING),
    ] {
        story.happens_late(late, id, "checkout", episode, seq, kind);
    }
    assert!(story.dispatcher.behind(story.now));
    let sent = story.flush(&OK);
    assert_eq!(alerts(&sent[0]), [("again", "page", Status::Firing), ("still", "ticket", Status::Firing)]);
    let not_due = |o: &&(String, i64, i32, Outcome)| o.3 == NotDue;
    let recorded: Vec<(&str, i64, i32)> =
        story.outcomes.iter().filter(not_due).map(|(id, e, s, _)| (id.as_str(), *e, *s)).collect();
    let want =
        [("again", 100, 2), ("again", 100, 3), ("came-and-went", 100, 2), ("came-and-went", 100, 3), ("still", 100, 2)];
    assert_eq!(recorded, want);
    assert_eq!(story.dispatcher.pending(), 0);
}

#[test]
fn a2_who_is_behind_still_learns_the_end_of_what_it_knows() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&OK);
    story.now += 600_000;
    for (episode, seq, kind) in [(100, 3, RESOLVED), (300, 2, FIRING), (300, 3, RESOLVED), (400, 2, FIRING)] {
        story.happens_late(BEHIND_MS + 1, "a", "checkout", episode, seq, kind);
    }
    assert_eq!(alerts(&story.flush(&OK)[0]), [("a", "page", Status::Resolved)]);
    story.wait();
    assert_eq!(alerts(&story.flush(&OK)[0]), [("a", "page", Status::Firing)]);
    let want = [("a", 2, Delivered), ("a", 2, NotDue), ("a", 3, NotDue), ("a", 3, Delivered), ("a", 2, Delivered)];
    assert_eq!(story.noted(), want);
}

#[test]
fn a_dead_receiver_that_returns_gets_the_present_state() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.happens("b", 2, FIRING);
    while story.now < BEHIND_MS {
        story.flush(&failed(false));
        story.wait();
    }
    story.happens("a", 3, RESOLVED);
    story.now += 2_000;
    story.wait();
    assert_eq!(alerts(&story.flush(&OK)[0]), [("b", "page", Status::Firing)]);
    assert_eq!(story.noted(), [("a", 2, NotDue), ("a", 3, NotDue), ("b", 2, Delivered)]);
}

#[test]
fn a2_a_firing_that_the_receiver_may_have_is_resolved() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    story.flush(&failed(true));
    story.now += BEHIND_MS + 1;
    story.happens("a", 3, RESOLVED);
    assert_eq!(alerts(&story.flush(&OK)[0]), [("a", "page", Status::Resolved)]);
    assert_eq!(story.noted(), [("a", 2, NotDue), ("a", 3, Delivered)]);
}

#[test]
fn a_long_group_interval_is_not_being_behind() {
    let mut story = Story::new(|c| c.group_interval = Duration::from_secs(300));
    story.happens("a", 2, FIRING);
    story.flush(&OK);
    story.happens("b", 2, FIRING);
    story.happens("b", 3, RESOLVED);
    story.wait();
    assert_eq!(story.now, 300_000);
    assert!(!story.dispatcher.behind(story.now));
    story.flush(&OK);
    story.wait();
    assert!(!story.dispatcher.behind(story.now));
    story.flush(&OK);
    assert_eq!(story.noted(), [("a", 2, Delivered), ("b", 2, Delivered), ("b", 3, Delivered)]);
}

#[test]
fn news_is_never_cut_only_repetitions_are() {
    let mut story = Story::new(|c| c.max_alerts = 2);
    ["a", "b", "c"].iter().for_each(|id| story.happens(id, 2, FIRING));
    let first = story.flush(&OK);
    assert_eq!(alerts(&first[0]), [("a", "page", Status::Firing), ("b", "page", Status::Firing)]);
    let second = story.flush(&OK);
    assert_eq!(alerts(&second[0]), [("a", "page", Status::Firing), ("c", "page", Status::Firing)]);
    assert_eq!((first[0].truncated_alerts, second[0].truncated_alerts), (0, 1), "at once, and one repetition cut");
}

#[test]
fn a_lost_partition_is_forgotten_even_in_the_air() {
    let mut story = Story::new(|_| ());
    story.happens("a", 2, FIRING);
    let in_flight = story.next();
    story.dispatcher.drop_partition(0);
    story.answer(&in_flight[0], &OK);
    assert!(story.outcomes.is_empty());
    assert_eq!((story.dispatcher.pending(), story.dispatcher.firing(), story.dispatcher.wake_at()), (0, 0, None));
    story.happens("a", 2, FIRING);
    assert_eq!(story.flush(&OK).len(), 1, "read again, sent again");
}

#[test]
fn what_was_told_before_a_restart_is_repeated_and_resolved() {
    let mut story = Story::new(|_| ());
    let mut told = transition();
    told.alert_id = "old".to_owned();
    told.group = vec![slipstream_schemas::records::GroupLabel { name: "endpoint".to_owned(), value: "old".to_owned() }];
    told.episode = 100;
    story.dispatcher.restore(0, vec![Told::confirmed(told.clone())], &told, Some(0));
    story.happens("new", 2, FIRING);
    assert_eq!(alerts(&story.flush(&OK)[0]), [("new", "page", Status::Firing), ("old", "page", Status::Firing)]);
    story.happens("old", 3, RESOLVED);
    story.wait();
    assert_eq!(alerts(&story.flush(&OK)[0]), [("old", "page", Status::Resolved), ("new", "page", Status::Firing)]);
}

#[test]
fn where_one_alert_fits_the_others_are_counted_and_still_fire() {
    let mut story = Story::new(|c| c.max_alerts = 1);
    story.happens("a", 2, TransitionKind::Firing);
    story.flush(&OK);
    story.now += 10_000;
    story.happens("b", 2, TransitionKind::Firing);
    let sent = story.flush(&OK);
    assert_eq!((sent[0].alerts.len(), sent[0].truncated_alerts), (1, 1));
    story.now += 10_000;
    story.happens("b", 3, TransitionKind::Resolved);
    let sent = story.flush(&OK);
    assert_eq!((sent[0].status, sent[0].alerts[0].status), (Status::Firing, Status::Resolved), "the other one fires");
}
