//! By event time: as if an imported log had been live.

use serde_json::Value;
use slipstream_replay::Asked;
use slipstream_replay::outcome::{Clock, Outcome};
use slipstream_schemas::records::AlertTransition;
use slipstream_schemas::{EventTime, RequestEvent};

use crate::world::{APART, BEGIN, EVENTS, World, accepted, event, log_time, records, shown, story, told};

/// A day later everything is imported within some seconds, the newest first but for copies, which stay behind.
async fn imported() -> World {
    let world = World::new(2).await;
    let mut all = story();
    all.reverse();
    let (copies, first): (Vec<_>, Vec<_>) = all.into_iter().partition(|(at, ..)| (at - BEGIN) / 500 % 40 == 20);
    for (n, (_, partition, event)) in (0..).zip(first.iter().chain(&copies)) {
        world.publish(BEGIN + 86_400_000 + n / 2, *partition, event).await;
    }
    world
}

/// By then SLOs were in force for a second, by event time they are from the start.
fn without_beginnings(outcome: &Outcome) -> Value {
    let mut told = told(outcome);
    told["clock"].take();
    told
}

fn without_generations(outcome: &Outcome) -> Vec<AlertTransition> {
    records(outcome).into_iter().map(|record| AlertTransition { generation: 0, ..record }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_log_by_event_time_is_the_live_one() {
    let live = World::live().await;
    let world = imported().await;
    let store = world.store();
    world.sink(&store).await;
    let to = log_time(BEGIN + EVENTS * 500);
    for from in [None, log_time(BEGIN), log_time(BEGIN + 9 * 60_000)] {
        let asked = Asked { from, to, ..Asked::default() };
        let was = live.replay(None, &asked).await.unwrap();
        let by_event_time = Asked { clock: Clock::Event, ..asked };
        let found = world.replay(None, &by_event_time).await.unwrap();
        assert!(from.is_some() || found.events == accepted(), "{}", found.events);
        assert!(!records(&found).is_empty());
        // In the middle too: no alerter looked at the live one, so alerts that are open then are those of the warm-up.
        assert_eq!(without_generations(&found), without_generations(&was));
        assert_eq!(without_beginnings(&found), without_beginnings(&was));
        assert_eq!(found.duplicates, was.duplicates);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_event_time_the_store_has_what_the_log_has_removed() {
    let world = imported().await;
    let store = world.store();
    world.sink(&store).await;
    let asked = Asked { clock: Clock::Event, ..Asked::default() };
    let whole = world.replay(None, &asked).await.unwrap();
    for first in [[700, 0], [1_200, 1_200]] {
        [0, 1].into_iter().for_each(|partition| world.trim(partition, first[partition as usize]));
        let found = world.replay(Some(store.clone()), &asked).await.unwrap();
        assert_eq!((told(&found), records(&found)), (told(&whole), records(&whole)), "{first:?}");
        assert_eq!(found.missing, []);
    }
    let gone = world.replay(None, &asked).await.unwrap_err();
    assert_eq!(gone.to_string(), "the log holds no requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_at_event_times_though_all_was_logged_at_once() {
    let world = imported().await;
    let found = world.replay(None, &Asked { clock: Clock::Event, ..Asked::default() }).await.unwrap();
    let ticks: Vec<i64> = records(&found).iter().map(|record| record.tick - BEGIN / 1_000).collect();
    assert!(ticks.iter().all(|second| (0..20 * 60).contains(second)), "{ticks:?}");
    assert!(ticks.iter().any(|second| (8 * 60..9 * 60).contains(second)), "when everything failed: {ticks:?}");
    let by_log = world.replay(None, &Asked::default()).await.unwrap();
    assert!(by_log.from > found.to, "{} {}", by_log.from, found.to);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_without_events_is_told_beside_what_there_is() {
    let world = imported().await;
    let whole = world.replay(None, &Asked { clock: Clock::Event, ..Asked::default() }).await.unwrap();
    let holds = format!("the log holds those from {} to {}", whole.from, whole.to);
    let an_hour = |at: i64| (log_time(at), log_time(at + 3_600_000));
    for (from, to) in [an_hour(BEGIN - 7_200_000), an_hour(BEGIN + 7_200_000), (log_time(BEGIN + 7_200_000), None)] {
        let error = world.replay(None, &Asked { clock: Clock::Event, from, to, ..Asked::default() }).await.unwrap_err();
        assert!(error.to_string().ends_with(&holds), "{error}\n{holds}");
    }
}

/// Nothing happened in it, though there was something before and after; what lies outside does not move its ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_range_is_as_long_as_it_was_asked_for() {
    let world = World::new(1).await;
    for n in (0..100).chain(1_000..1_100) {
        world.publish(BEGIN + 86_400_000 + n, 0, &event(n)).await;
    }
    let (from, to) = (log_time(BEGIN + 120_000), log_time(BEGIN + 180_000));
    let asked = Asked { clock: Clock::Event, from, to, ..Asked::default() };
    let found = world.replay(None, &asked).await.unwrap();
    let times = [BEGIN + 120_000, BEGIN + 180_000].map(shown);
    assert_eq!(([found.from.clone(), found.to.clone()], found.events), (times, 0));
    assert!(
        found.slos.iter().all(|slo| slo.range.total == 0 && slo.status.total > 0),
        "the budget has what was before"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_another_time_moves_no_end() {
    let world = World::new(1).await;
    let copy = |n: i64, by: i64| {
        let event = event(n);
        RequestEvent { time: EventTime(event.time.0 + by * 1_000_000), ..event }
    };
    for n in 0..100 {
        world.publish(BEGIN + 86_400_000 + n, 0, &event(n)).await;
    }
    for (n, by) in [(50, 3_600), (51, -3_600)] {
        world.publish(BEGIN + 86_400_000 + 100 + n, 0, &copy(n, by)).await;
    }
    let found = world.replay(None, &Asked { clock: Clock::Event, ..Asked::default() }).await.unwrap();
    let times = [BEGIN, BEGIN + 99 * APART + 1].map(shown);
    assert_eq!(([found.from.clone(), found.to.clone()], found.events, found.duplicates), (times, 100, 2));
}
