//! What a replay tells of its alerts.

use std::sync::Arc;

use async_trait::async_trait;
use slipstream_log::memory::MemoryLog;
use slipstream_log::{Fetch, LogError, TopicPartition};
use slipstream_replay::engine::{Now, Phase, Progress};
use slipstream_replay::outcome::{Change, Clock, Impact, Outcome, WhatIf};
use slipstream_replay::{Asked, Sources, Told, replay};

use slipstream_schemas::Topic;
use slipstream_testkit::hooked::{Hooked, Hooks};

use crate::world::{APART, FAST, HOUR, MINUTE, SECONDS, alert, lenient, log, second, slos, told, world};

async fn replayed(sources: &Sources, asked: Asked) -> Outcome {
    replay(sources, &asked, &Arc::default()).await.unwrap().told.outcome().clone()
}

async fn what_if(sources: &Sources, asked: Asked) -> WhatIf {
    match replay(sources, &asked, &Arc::default()).await.unwrap().told {
        Told::Both(what_if) => *what_if,
        Told::One(_) => panic!("there are two sets of definitions"),
    }
}

/// Seconds from the beginning of the world.
fn after(text: &str) -> i64 {
    let at: jiff::Timestamp = text.parse().unwrap();
    at.as_second() - second(0).tick()
}

fn fired(outcome: &Outcome, service: &str) -> i64 {
    after(alert(outcome, service).episode.fired_at.as_ref().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_began_when_its_budget_began_to_burn_too_fast() {
    let outcome = replayed(&world().await, Asked::default()).await;
    // The last is that of the firing, each as long after the beginning as its long window takes to be bad enough.
    let rows = [
        ("slow", 24 * HOUR, 2 * HOUR + 40 * MINUTE),
        ("long", 20 * HOUR, 12 * MINUTE),
        ("ahead", 10 * HOUR, 6 * MINUTE),
        // Not the failure of five hours before, nor the five minutes before the alert.
        ("creeping", 30 * HOUR, 46 * MINUTE),
    ];
    for (service, began, takes) in rows {
        let found = alert(&outcome, service);
        let detected = fired(&outcome, service) - began;
        assert_eq!(found.began_at, Some(told(began)), "{service}");
        assert!((takes - 2 * MINUTE..takes + 2 * MINUTE).contains(&detected), "{service}: {detected}");
        assert_eq!(after(&found.first_bad[0].sli_time), began, "{service}");
        assert!(!found.began_earlier, "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impact_says_of_which_part_it_is() {
    let sources = world().await;
    let outcome = replayed(&sources, Asked::default()).await;
    let impact = |outcome: &Outcome, service: &str| alert(outcome, service).impact.clone();
    // Six hours from its firing on, of eight.
    let end = fired(&outcome, "long") + 6 * HOUR;
    let bad = (end - 20 * HOUR + APART - 1) / APART;
    let expected = Impact {
        from: told(20 * HOUR),
        to: told(end),
        whole: false,
        bad,
        total: bad,
        users: Some(100),
        users_at_least: false,
        missing: false,
    };
    assert_eq!(impact(&outcome, "long"), Some(expected));
    let ahead = impact(&outcome, "ahead").unwrap();
    assert_eq!((ahead.whole, ahead.bad), (true, HOUR / APART));
    assert_eq!(impact(&outcome, "brief"), None, "it never fired");
    assert_eq!(serde_json::to_value(alert(&outcome, "brief")).unwrap()["impact"], serde_json::Value::Null);

    // Of one that fired long before the range, what is in the range.
    let later = replayed(&sources, Asked { from: Some(second(27 * HOUR)), ..Asked::default() }).await;
    let found = alert(&later, "long");
    let part = found.impact.clone().unwrap();
    assert_eq!((found.began_at.clone(), found.open_before), (None, true));
    assert_eq!((part.from, part.whole, part.bad), (told(27 * HOUR), false, HOUR / APART));
    assert_eq!(after(&found.first_bad[0].sli_time), 27 * HOUR);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_in_the_order_of_sli_time_and_show_their_own() {
    let sources = world().await;
    for clock in [Clock::Log, Clock::Event] {
        let outcome = replayed(&sources, Asked { clock, ..Asked::default() }).await;
        let found = &alert(&outcome, "ahead").first_bad;
        let times: Vec<(i64, i64)> = found.iter().map(|bad| (after(&bad.sli_time), after(&bad.time))).collect();
        let by_log = |at: i64| (at, if at / APART % 2 == 0 { at + FAST } else { at });
        let expected: Vec<_> = match clock {
            Clock::Log => (0..20).map(|n| by_log(10 * HOUR + n * APART)).collect(),
            // By event time a clock that is fast is right.
            Clock::Event => times.iter().map(|(_, time)| (*time, *time)).collect(),
        };
        assert_eq!(times, expected, "{clock:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_that_made_the_difference_are_those_before_the_firing() {
    let sources = world().await;
    let found = what_if(&sources, Asked { slos: Some(lenient().slos), ..Asked::default() }).await;
    assert!(found.after.alerts.is_empty());
    for (service, began, back) in [("slow", 24 * HOUR, 6 * HOUR), ("creeping", 30 * HOUR, HOUR)] {
        let change = found.alerts.iter().find(|change| change.slo == service).unwrap();
        let fired = fired(&found.before, service);
        assert_eq!(change.change, Change::Lost);
        let looked = [&change.looked_from, &change.looked_to].map(|at| after(at.as_ref().unwrap()));
        let from = if service == "slow" {
            fired + 1 - back
        } else {
            after(&alert(&found.before, service).episode.pending_at) - back
        };
        assert_eq!(looked, [from, fired + 1], "{service}");
        assert_eq!(after(&change.requests[0].request.sli_time), began, "{service}");
        let bad = if service == "slow" { (fired - began) / APART + 1 } else { change.changed_requests.unwrap() as i64 };
        assert_eq!(change.changed_requests, Some(bad as u64), "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_are_the_same_change_nothing_from_wherever_it_is_asked() {
    let sources = world().await;
    for from in [None, Some(25 * HOUR), Some(27 * HOUR), Some(SECONDS - HOUR)] {
        let asked = Asked { from: from.map(second), slos: Some(slos().slos), ..Asked::default() };
        let found = what_if(&sources, asked).await;
        assert!(!found.alerts.is_empty(), "from {from:?} nothing is compared");
        for change in &found.alerts {
            assert_eq!(change.change, Change::Same, "from {from:?}: {change:#?}");
            assert_eq!((change.changed_requests, &change.looked_from), (None, &None), "nothing is to be looked into");
        }
        assert_eq!(found.slos, []);
    }
}

/// Removes what is older than ten and a half hours in a phase: when everything was counted, or while alerts are looked into.
struct Trimming {
    log: Arc<MemoryLog>,
    progress: Arc<Progress>,
    phase: Phase,
}

impl Trimming {
    fn trim(&self) {
        let is_then = |now: Now| now.phase == self.phase && (now.phase == Phase::Looking || now.done > Some(0.9));
        if self.progress.now().is_some_and(is_then) {
            // Five requests each time, in one partition of two by turns.
            let first = (10 * HOUR + HOUR / 2) / APART / 2 * 5;
            (0..2)
                .for_each(|partition| self.log.trim(TopicPartition { topic: Topic::RequestEvents, partition }, first));
        }
    }
}

#[async_trait]
impl Hooks for Trimming {
    async fn reading(&self, _partition: TopicPartition, _fetch: Fetch) {
        self.trim();
    }

    fn failing(&self, _partition: TopicPartition) -> Result<(), LogError> {
        self.trim();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_before_it_is_looked_into_is_told() {
    let whole = replayed(&world().await, Asked::default()).await;
    for phase in [Phase::Counting, Phase::Looking] {
        let (log, progress) = (log().await, Arc::<Progress>::default());
        let hooks = Arc::new(Trimming { log: log.clone(), progress: Arc::clone(&progress), phase });
        let sources = Sources::of_log(Hooked::over(log, &hooks));
        let cut = replay(&sources, &Asked::default(), &progress).await.unwrap().told.outcome().clone();
        assert_eq!((whole.missing.len(), cut.missing.len()), (0, 2), "{phase:?}: {:#?}", cut.missing);
        assert!(cut.missing.iter().all(|gone| gone.reason.contains("it was counted")), "{phase:?}: {:#?}", cut.missing);
        // The range was read before; the alert's first half hour is gone.
        assert_eq!((cut.events, cut.alerts.len()), (whole.events, whole.alerts.len()), "{phase:?}");
        let hit = |outcome: &Outcome, service: &str| alert(outcome, service).impact.clone().unwrap();
        let (before, after) = (hit(&whole, "ahead"), hit(&cut, "ahead"));
        assert_eq!((before.whole, before.missing, after.whole, after.missing), (true, false, false, true), "{phase:?}");
        assert!(after.bad < before.bad, "{phase:?}: {after:?}");
        // What was later is there.
        assert_eq!(hit(&cut, "slow"), hit(&whole, "slow"), "{phase:?}");
    }
}
