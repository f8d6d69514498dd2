//! Stories about what is not told for now: silences, inhibition, mute times, routes; and reminders.

use slipstream_definitions::matchers::Matchers;
use slipstream_runtime::config::{Inhibition, ReceiverFormat};
use slipstream_schemas::records::Outcome::HeldBack;
use slipstream_schemas::records::{self, Acknowledgement, GroupLabel};
use slipstream_slo::alerts::Silence;

use super::*;

/// A step of an alert at the present second.
pub(super) struct Step<'s> {
    id: &'s str,
    slo: &'s str,
    severity: &'s str,
    episode: i64,
    seq: i32,
    kind: TransitionKind,
}

impl Story {
    pub(super) fn with(root: Route, inhibitions: Vec<Inhibition>) -> Story {
        let mut story = Story::new(|config| {
            config.routing = Arc::new(Routing { root: Some(root), inhibitions, ..Routing::default() });
            config.group_interval = Duration::from_secs(1);
        });
        story.now = 1_000_000;
        story
    }

    pub(super) fn step(&mut self, step: &Step<'_>) {
        let transition = AlertTransition {
            alert_id: step.id.to_owned(),
            slo: step.slo.to_owned(),
            group: vec![GroupLabel { name: "endpoint".to_owned(), value: step.id.to_owned() }],
            episode: step.episode,
            seq: step.seq,
            kind: step.kind,
            severity: step.severity.to_owned(),
            tick: self.now / 1_000,
            fired_at: Some(step.episode),
            ..transition()
        };
        let ticket = Ticket { partition: 0, offset: self.offset };
        self.offset += 1;
        let settled =
            self.dispatcher.push(Pending { ticket, transition, since: self.now, attempts: 0, route: None }, self.now);
        self.note(settled.into_iter().collect());
    }

    pub(super) fn alert(&mut self, id: &str, severity: &str, seq: i32, kind: TransitionKind) {
        self.step(&Step { id, slo: "checkout", severity, episode: 100, seq, kind });
    }

    pub(super) fn silence(&mut self, silences: &[(&str, &str, i64, Option<i64>)]) {
        let silences: Vec<Silence> =
            silences.iter().map(|(id, matchers, from, to)| silence(id, matchers, *from, *to)).collect();
        self.dispatcher.said(silences.into_iter(), std::iter::empty());
    }

    /// Lets time pass and sends what comes due, until a moment.
    pub(super) fn until(&mut self, end: i64) -> Vec<Message> {
        let mut sent = self.flush(&OK);
        while let Some(at) = self.dispatcher.wake_at().filter(|at| *at < end) {
            self.now = self.now.max(at) + i64::from(at <= self.now);
            sent.extend(self.flush(&OK));
        }
        self.now = end;
        sent
    }

    fn outcomes_of(&self, id: &str) -> Vec<(i32, Outcome)> {
        self.outcomes.iter().filter(|o| o.0 == id).map(|o| (o.2, o.3)).collect()
    }
}

fn silence(id: &str, matchers: &str, from: i64, to: Option<i64>) -> Silence {
    let matchers = Matchers::parse(matchers).unwrap().written();
    let (author, reason) = (String::new(), String::new());
    let written =
        records::Silence { id: id.to_owned(), matchers, from, to, recurrence: None, author, reason, created_at: 0 };
    Silence::new(written).unwrap()
}

pub(super) fn quiet() -> Route {
    Route { repeat_interval: Some(Duration::ZERO), ..Route::default() }
}

pub(super) fn firing(messages: &[Message]) -> Vec<Vec<String>> {
    let of = |m: &Message| {
        let alerts = m.alerts.iter().filter(|a| a.status == Status::Firing);
        alerts.map(|a| format!("{} {}", a.annotations["alert_id"], a.labels["severity"])).collect()
    };
    messages.iter().map(of).collect()
}

use TransitionKind::{Firing, Resolved, Severity};

#[test]
fn what_a_silence_held_back_is_told_when_it_ends_and_still_fires() {
    let mut story = Story::with(quiet(), Vec::new());
    story.silence(&[("s", "endpoint=~a|b", 0, Some(1_060_000))]);
    story.alert("a", "page", 2, Firing);
    story.alert("b", "page", 2, Firing);
    story.alert("c", "page", 2, Firing);
    assert_eq!(firing(&story.until(1_030_000)), [["c page"]]);
    story.alert("b", "page", 3, Resolved);
    assert_eq!(story.until(1_059_000).len(), 0, "nobody heard of it");
    assert_eq!(firing(&story.until(1_090_000)), [["a page", "c page"]]);
    assert_eq!(story.outcomes_of("a"), [(2, HeldBack), (2, Delivered)]);
    assert_eq!(story.outcomes_of("b"), [(2, HeldBack), (3, NotDue)]);
    story.alert("a", "page", 3, Resolved);
    story.until(1_100_000);
    assert_eq!(story.outcomes_of("a").last(), Some(&(3, Delivered)));
}

#[test]
fn a_silence_ends_at_once_where_the_machine_slept_or_its_clock_was_set() {
    let mut story = Story::with(quiet(), Vec::new());
    story.silence(&[("s", "slo=checkout", 0, Some(1_400_000))]);
    story.alert("a", "page", 2, Firing);
    assert!(story.until(1_030_000).is_empty());
    story.dispatcher.set_clock(900);
    assert_eq!(story.dispatcher.wake_at(), Some(1_400_000), "clocks drift");
    story.dispatcher.set_clock(300_000);
    assert!(story.until(1_050_000).is_empty(), "not yet");
    assert_eq!(story.dispatcher.wake_at(), Some(1_100_000), "that is 1,400,000 by the time of day");
    story.dispatcher.set_clock(360_000);
    assert_eq!(firing(&story.until(1_051_000)), [["a page"]], "it ended while the machine slept");
}

#[test]
fn a_silence_that_is_expired_early_lets_go_at_once_and_one_that_is_prolonged_does_not() {
    let mut story = Story::with(quiet(), Vec::new());
    story.silence(&[("s", "slo=checkout", 0, Some(2_000_000))]);
    story.alert("a", "page", 2, Firing);
    assert!(story.until(1_100_000).is_empty());
    assert_eq!(story.dispatcher.held(), 1);
    story.silence(&[("s", "slo=checkout", 0, Some(2_500_000))]);
    assert!(story.until(2_100_000).is_empty());
    story.silence(&[("s", "slo=checkout", 0, Some(2_100_000))]);
    assert_eq!(firing(&story.flush(&OK)), [["a page"]]);
    assert_eq!(story.dispatcher.held(), 0);
}

#[test]
fn an_end_is_told_in_a_silence_and_a_severity_is_not() {
    let mut story = Story::with(quiet(), Vec::new());
    story.alert("a", "ticket", 2, Firing);
    assert_eq!(story.until(1_010_000).len(), 1);
    story.silence(&[("s", "slo=checkout", 1_010_000, None)]);
    story.alert("a", "page", 3, Severity);
    assert!(story.until(1_020_000).is_empty(), "the receiver has the ticket");
    story.alert("a", "page", 4, Resolved);
    let sent = story.until(1_030_000);
    assert_eq!((sent.len(), sent[0].status), (1, Status::Resolved));
    assert_eq!(sent[0].alerts[0].labels["severity"], "ticket", "what it was told");
    assert_eq!(story.outcomes_of("a"), [(2, Delivered), (3, HeldBack), (4, Delivered)]);
}

#[test]
fn what_was_refused_is_not_sent_again_in_a_silence() {
    let mut story = Story::with(quiet(), Vec::new());
    story.alert("a", "page", 2, Firing);
    story.flush(&refused());
    story.silence(&[("s", "slo=checkout", 0, Some(1_500_000))]);
    assert!(story.until(1_400_000).is_empty());
    assert_eq!(firing(&story.until(1_600_000)), [["a page"]]);
    assert_eq!(story.outcomes_of("a"), [(2, Refused), (2, HeldBack), (2, Delivered)]);
}

#[test]
fn a_ticket_waits_while_the_page_of_its_slo_fires() {
    let inhibition = Inhibition {
        source: Matchers::parse("severity=page").unwrap(),
        target: Matchers::parse("severity=ticket").unwrap(),
        equal: vec!["slo".to_owned()],
        dependants: false,
    };
    let mut story = Story::with(quiet(), vec![inhibition]);
    story.alert("t", "ticket", 2, Firing);
    story.alert("p", "page", 2, Firing);
    assert_eq!(firing(&story.until(1_100_000)), [["p page"]], "also where both came at once");
    story.alert("p", "page", 3, Resolved);
    assert_eq!(firing(&story.until(1_200_000)), [vec!["t ticket".to_owned()]]);
    assert_eq!(story.outcomes_of("t"), [(2, HeldBack), (2, Delivered)]);
}

#[test]
fn a_severity_that_goes_to_somebody_else_is_an_end_here() {
    let pager =
        Route { receiver: Some("pager".to_owned()), matchers: Matchers::parse("severity=page").unwrap(), ..quiet() };
    let root = Route { receiver: Some("ops".to_owned()), routes: vec![pager], ..quiet() };
    let mut story = Story::with(root, Vec::new());
    story.alert("a", "page", 2, Firing);
    assert_eq!(story.outcomes_of("a"), [(2, NotDue)], "at once: it is not ours");
    story.alert("a", "ticket", 3, Severity);
    assert_eq!(firing(&story.until(1_010_000)), [["a ticket"]]);
    story.alert("a", "page", 4, Severity);
    let sent = story.until(1_020_000);
    assert_eq!((sent.len(), sent[0].status), (1, Status::Resolved));
    assert!(sent[0].alerts[0].annotations["summary"].contains("is now page instead of ticket"), "{sent:?}");
    story.alert("a", "page", 5, Resolved);
    assert!(story.until(1_030_000).is_empty());
    assert_eq!(story.outcomes_of("a"), [(2, NotDue), (3, Delivered), (4, Delivered), (5, NotDue)]);
}

#[test]
fn a_receiver_is_reminded_until_somebody_looks_after_it() {
    let mut story =
        Story::with(Route { repeat_interval: Some(Duration::from_secs(60)), ..Route::default() }, Vec::new());
    story.alert("a", "page", 2, Firing);
    story.alert("b", "page", 2, Firing);
    assert_eq!(story.until(1_130_000).len(), 3, "once, and two reminders");
    assert_eq!(story.outcomes_of("a"), [(2, Delivered), (2, Delivered), (2, Delivered)]);
    let (alert_id, owner, reason) = ("a".to_owned(), "ada".to_owned(), String::new());
    let ack = Acknowledgement { alert_id, episode: 100, owner, reason, at: 0 };
    story.dispatcher.said(std::iter::empty(), [ack].into_iter());
    assert_eq!(firing(&story.until(1_190_000)), [["b page"]]);
    story.silence(&[("s", "slo=checkout", 0, Some(1_400_000))]);
    assert!(story.until(1_390_000).is_empty(), "all is quiet");
    assert_eq!(
        firing(&story.until(1_460_000)),
        [["a page", "b page"]],
        "also what was acknowledged: that is withdrawn"
    );
}

#[test]
fn a_reminder_that_fails_is_composed_anew() {
    let mut story =
        Story::with(Route { repeat_interval: Some(Duration::from_secs(60)), ..Route::default() }, Vec::new());
    story.alert("a", "page", 2, Firing);
    story.alert("b", "page", 2, Firing);
    story.until(1_059_000);
    story.now = 1_061_000;
    assert_eq!(firing(&story.flush(&failed(true))), [["a page", "b page"]]);
    story.alert("a", "page", 3, Resolved);
    let sent = story.until(1_070_000);
    assert_eq!(firing(&sent), [["b page"]]);
    assert_eq!(sent[0].alerts.len(), 2, "the end is in it");
}

#[test]
fn what_takes_silence_for_the_end_is_sent_everything_all_the_time() {
    let mut story = Story::new(|config| config.format = ReceiverFormat::AlertmanagerApi);
    story.now = 1_000_000;
    story.alert("a", "page", 2, Firing);
    story.until(1_030_000);
    story.silence(&[("s", "slo=checkout", 0, None)]);
    assert_eq!(firing(&story.until(1_130_000)), [["a page"], ["a page"]], "else it would be over there");
    assert_eq!(story.outcomes_of("a"), [(2, Delivered)], "and nothing is noted of it");
}

#[test]
fn the_first_notification_of_a_group_waits() {
    let mut story = Story::with(Route { group_wait: Some(Duration::from_secs(10)), ..quiet() }, Vec::new());
    story.alert("a", "page", 2, Firing);
    assert!(story.until(1_009_000).is_empty());
    story.alert("b", "page", 2, Firing);
    assert_eq!(firing(&story.until(1_011_000)), [["a page", "b page"]]);
    story.alert("c", "page", 2, Firing);
    assert_eq!(story.until(1_012_000).len(), 1, "later ones have the interval alone");
}

#[test]
fn a_mute_time_holds_back_and_what_still_fires_is_told_after_it() {
    let mut nights = slipstream_definitions::time_interval::TimeInterval::default();
    nights.time("00:00", "00:30").unwrap();
    let root = Route { mute: vec!["nights".to_owned()], ..quiet() };
    let mut story = Story::new(|config| {
        let intervals = [("nights".to_owned(), vec![nights])].into();
        config.routing = Arc::new(Routing { root: Some(root), intervals, ..Routing::default() });
    });
    story.now = 20 * 60_000;
    story.alert("a", "page", 2, Firing);
    assert!(story.until(29 * 60_000).is_empty());
    assert_eq!(firing(&story.until(31 * 60_000)), [["a page"]]);
}

mod any_history {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Act {
        /// The next step of an alert.
        Happens(usize),
        /// Time passes, milliseconds.
        Pass(i64),
        /// What is due is sent, with this status.
        Send(u16),
        /// A silence of an alert from now on, for so long.
        Silence(usize, i64),
        /// All silences are expired.
        Expire,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => (0..4usize).prop_map(Act::Happens),
            3 => (0..40_000i64).prop_map(Act::Pass),
            4 => prop_oneof![4 => Just(200u16), 1 => Just(500), 1 => Just(504), 1 => Just(400)].prop_map(Act::Send),
            1 => ((0..4usize), (1..60_000i64)).prop_map(|(id, ms)| Act::Silence(id, ms)),
            1 => Just(Act::Expire),
        ]
    }

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    fn answer(code: u16) -> Answer {
        match code {
            200 => OK,
            400 => refused(),
            504 => failed(true),
            _ => failed(false),
        }
    }

    proptest! {
        /// Silence and inhibition never lose an alert: once nothing holds it back and it still fires, the receiver has it, and no other;
        /// each transition has an outcome, and none was sent while something held it back from its tick on.
        #[test]
        fn a3_what_still_fires_is_told_once_nothing_holds_it_back(acts in proptest::collection::vec(act(), 1..100)) {
            let inhibition = Inhibition {
                source: Matchers::parse("severity=page").unwrap(),
                target: Matchers::parse("severity=ticket").unwrap(),
                equal: vec!["slo".to_owned()],
                dependants: false,
            };
            let mut story = Story::with(quiet(), vec![inhibition]);
            let mut seqs: BTreeMap<usize, (i64, i32)> = BTreeMap::new();
            let mut silences: Vec<(String, usize, i64, i64)> = Vec::new();
            let mut pushed = 0;
            for act in acts {
                match act {
                    Act::Happens(id) => {
                        happens(&mut story, &mut seqs, id);
                        pushed += 1;
                    }
                    Act::Pass(ms) => story.now += ms,
                    Act::Send(code) => send(&mut story, &silences, &answer(code)),
                    Act::Silence(id, ms) => {
                        silences.push((format!("s{}", silences.len()), id, story.now, story.now + ms));
                        say(&mut story, &silences);
                    }
                    Act::Expire => {
                        let now = story.now;
                        silences.iter_mut().for_each(|s| s.3 = s.3.min(now).max(s.2));
                        say(&mut story, &silences);
                    }
                }
            }
            story.now += 120_000;
            for _ in 0..200 {
                send(&mut story, &silences, &OK);
                let Some(at) = story.dispatcher.wake_at() else { break };
                story.now = story.now.max(at) + 1;
            }
            let fires = |id: &usize| matches!(seqs.get(id), Some((_, seq)) if *seq != 4);
            let page_fires = (0..2).any(|id| fires(&id));
            // Alerts 2 and 3 are tickets of the same SLO as the pages 0 and 1.
            let want: Vec<&str> = (0..4).filter(fires).filter(|id| *id < 2 || !page_fires).map(|id| NAMES[id]).collect();
            let mut has: Vec<&str> = story.dispatcher.alerts.iter().filter(|(_, a)| !a.told.is_empty()).map(|(id, _)| id.as_str()).collect();
            // A ticket that was told before the page fired stays told.
            has.retain(|id| want.contains(id) || !(page_fires && fires(&NAMES.iter().position(|n| n == id).unwrap())));
            prop_assert_eq!(has, want);
            let settled: std::collections::BTreeSet<(String, i64, i32)> =
                story.outcomes.iter().map(|o| (o.0.clone(), o.1, o.2)).collect();
            prop_assert_eq!(settled.len(), pushed, "each transition has an outcome");
            prop_assert_eq!(story.dispatcher.pending(), 0);
        }
    }

    fn happens(story: &mut Story, seqs: &mut BTreeMap<usize, (i64, i32)>, id: usize) {
        let (mut episode, mut seq) = seqs.get(&id).copied().unwrap_or((0, 4));
        if seq == 4 {
            (episode, seq) = (story.now / 1_000 * 4 + i64::from(seq) + episode + 1, 1);
        }
        seq = match seq {
            1 => 2,
            2 => 3,
            _ => 4,
        };
        let kind = match seq {
            2 => Firing,
            3 => Severity,
            _ => Resolved,
        };
        let severity = if id < 2 { "page" } else { "ticket" };
        story.step(&Step { id: NAMES[id], slo: "checkout", severity, episode, seq, kind });
        seqs.insert(id, (episode, seq));
    }

    fn say(story: &mut Story, silences: &[(String, usize, i64, i64)]) {
        let all: Vec<Silence> = silences
            .iter()
            .map(|(name, id, from, to)| silence(name, &format!("endpoint={}", NAMES[*id]), *from, Some(*to)))
            .collect();
        story.dispatcher.said(all.into_iter(), std::iter::empty());
    }

    /// Nothing holds back what is sent: the first time by its tick and the time, after an attempt by the time alone.
    fn send(story: &mut Story, silences: &[(String, usize, i64, i64)], answer: &Answer) {
        for delivery in story.next() {
            for part in delivery.parts.iter().filter(|part| part.transition.kind != Resolved) {
                let id = NAMES.iter().position(|name| *name == part.alert_id);
                let applies =
                    |at: i64| silences.iter().any(|(_, of, from, to)| Some(*of) == id && (*from..*to).contains(&at));
                let known_at = part.transition.tick * 1_000 + 999;
                let known = story.attempted.contains(&part.ticket) || applies(known_at);
                assert!(!(known && applies(story.now)), "{part:?} at {}", story.now);
                story.attempted.insert(part.ticket);
            }
            story.answer(&delivery, answer);
        }
    }
}
