//! Whole logs and ranges: counts, alerts, and the same whatever the threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use slipstream_replay::outcome::{AlertHistory, Change, Outcome};
use slipstream_replay::{Asked, Told, replay};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{AlertTransition, TransitionKind};

use crate::slos::{others, renamed, slos as same};
use crate::world::{BAD, SECONDS, World, second};

/// Within the second time that the cart fails: its alert is open.
const MIDDLE: i64 = 360;

fn asked(from: Option<i64>, to: Option<i64>) -> Asked {
    Asked { from: from.map(second), to: to.map(second), ..Asked::default() }
}

/// Good ones and all of the range, by service, where the SLO has a group for it.
fn by_group(outcome: &Outcome) -> BTreeMap<String, (i64, i64)> {
    let grouped = outcome.slos.iter().filter(|slo| slo.status.name == "each-service");
    let group = |group: &BTreeMap<String, String>| group["service"].clone();
    grouped.map(|slo| (group(slo.status.group.as_ref().unwrap()), (slo.range.good, slo.range.total))).collect()
}

fn ensure_counted(world: &World, outcome: &Outcome, (from, to): (LogTime, LogTime)) {
    assert_eq!((outcome.events, outcome.duplicates, outcome.invalid), world.counted(from, to), "{from:?} to {to:?}");
    let mut services = world.by_service(from, to);
    let all = services.values().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    let told = outcome.slos.iter().find(|slo| slo.status.name == "all").unwrap();
    assert_eq!((told.range.good, told.range.total), all, "{from:?} to {to:?}");
    let requests: u64 = outcome.traffic.iter().flat_map(|of| &of.steps).map(|step| step.requests).sum();
    let late = outcome.traffic.iter().flat_map(|of| &of.steps).count();
    assert!(late > 0 && requests <= all.1 as u64, "traffic is told by the time of the requests");
    services.remove("ship");
    assert_eq!(by_group(outcome), services, "{from:?} to {to:?}");
    for slo in outcome.slos.iter().filter(|slo| slo.range.total > slo.range.good) {
        for dimension in &slo.contributors {
            let bad: i64 = dimension.values.iter().map(|value| value.bad).sum();
            assert_eq!(bad, slo.range.total - slo.range.good, "{} by {}", slo.status.name, dimension.dimension);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_copies_and_what_is_none_are_counted_in_the_range_alone() {
    for partitions in 1..=3 {
        let world = World::busy(partitions).await;
        // (from, to): a copy's original may be before the range, and an event's copy after it.
        for (from, to) in
            [(None, None), (Some(1), Some(2)), (Some(MIDDLE), None), (Some(95), Some(125)), (None, Some(310))]
        {
            let outcome = world.replay(asked(from, to)).await;
            // Nothing is known beyond the last record.
            let end = to.map_or(LogTime(second(SECONDS - 1).0 + 1), second);
            ensure_counted(&world, &outcome, (second(from.unwrap_or(0)), end));
            assert_eq!(outcome.parts.len(), partitions as usize);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_threads_change_nothing() {
    let world = World::busy(3).await;
    world.tell(&transitions(&world.replay(Asked::default()).await)).await;
    for (from, slos) in [(None, None), (Some(MIDDLE), None), (Some(MIDDLE), Some(others().slos))] {
        let mut told: Option<(String, Option<String>)> = None;
        for threads in [1, 2, 8] {
            let asked = Asked { threads: Some(threads), slos: slos.clone(), ..asked(from, None) };
            let found = replay(&world.shared(), &asked, &Arc::default()).await.unwrap();
            let json = |outcome: &Outcome| serde_json::to_string_pretty(outcome).unwrap();
            let found = match &found.told {
                Told::One(outcome) => (json(outcome), None),
                Told::Both(what_if) => (json(&what_if.before), Some(serde_json::to_string_pretty(what_if).unwrap())),
            };
            assert_eq!(found.1.is_some(), slos.is_some());
            assert!(told.as_ref().is_none_or(|told| *told == found), "R2: {threads} threads tell something else");
            told = Some(found);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_change_no_count_and_no_alert() {
    type Counts = BTreeMap<String, (i64, i64)>;
    let mut told: Option<(Counts, Vec<AlertTransition>)> = None;
    for partitions in 1..=3 {
        let outcome = World::busy(partitions).await.replay(Asked::default()).await;
        let found = (by_group(&outcome), transitions(&outcome));
        assert!(found.1.iter().filter(|t| t.kind == TransitionKind::Firing).count() >= 4, "{found:#?}");
        assert!(told.as_ref().is_none_or(|told| *told == found), "{partitions} partitions tell something else");
        told = Some(found);
    }
}

fn transitions(outcome: &Outcome) -> Vec<AlertTransition> {
    outcome.alerts.iter().flat_map(|alert| alert.records.clone()).collect()
}

/// What an alert did from a second on, as it is told and byte for byte.
fn from_on(alert: &AlertHistory, from: i64) -> (String, i64, Vec<AlertTransition>) {
    let records = alert.records.iter().filter(|t| t.tick >= second(from).tick()).cloned().collect();
    (alert.episode.id.clone(), alert.records[0].episode, records)
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_a_range_in_the_middle_has_the_alerts_of_the_whole() {
    for partitions in 1..=3 {
        let world = World::busy(partitions).await;
        let whole = world.replay(Asked::default()).await;
        world.tell(&transitions(&whole)).await;
        // Before, while and after an alert is open; where it opens and where it ends.
        for from in [BAD[0].end + 100, BAD[1].start + 1, MIDDLE, BAD[1].end, BAD[1].end + 8, SECONDS - 30] {
            let range = world.replay(asked(Some(from), None)).await;
            let open = |alert: &&AlertHistory| {
                alert.records.last().is_some_and(|last| {
                    !matches!(last.kind, TransitionKind::Resolved | TransitionKind::Inactive)
                        || last.tick >= second(from).tick()
                })
            };
            let expected: Vec<_> = whole.alerts.iter().filter(open).map(|alert| from_on(alert, from)).collect();
            let found: Vec<_> = range.alerts.iter().map(|alert| from_on(alert, from)).collect();
            assert_eq!(found, expected, "from {from}");
            for alert in &range.alerts {
                assert_eq!(alert.open_before, alert.records[0].episode < second(from).tick(), "from {from}");
                assert_eq!(alert.transitions.len(), from_on(alert, from).2.len(), "what is shown is of the range");
            }
        }
        let range = world.replay(asked(Some(MIDDLE), None)).await;
        let open: Vec<_> = range.alerts.iter().filter(|alert| alert.open_before).collect();
        assert!(open.len() >= 2, "the cart fails and all are slow: {open:#?}");
        assert!(open.iter().all(|alert| alert.records.last().unwrap().kind == TransitionKind::Resolved));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_are_the_same_begin_with_the_same_alerts() {
    for has_alerter in [true, false] {
        let world = World::busy(2).await;
        if has_alerter {
            world.tell(&transitions(&world.replay(Asked::default()).await)).await;
        }
        for from in [BAD[1].start + 1, MIDDLE, BAD[1].end + 1, SECONDS - 30] {
            let asked = Asked { slos: Some(same().slos), ..asked(Some(from), None) };
            let found = replay(&world.shared(), &asked, &Arc::default()).await.unwrap();
            let Told::Both(what_if) = found.told else { panic!("there are two sets of definitions") };
            let open = what_if.before.alerts.iter().filter(|alert| alert.open_before).count();
            assert!(from != MIDDLE || open >= 2, "the cart fails and all are slow");
            assert!(
                what_if.alerts.iter().all(|change| change.change == Change::Same),
                "from {from}: {:#?}",
                what_if.alerts
            );
            assert_eq!(
                what_if.before.alerts.iter().map(|alert| from_on(alert, from).1).collect::<Vec<_>>(),
                what_if.after.alerts.iter().map(|alert| from_on(alert, from).1).collect::<Vec<_>>(),
                "from {from}"
            );
        }
        // What only the given definitions have is as the warm-up makes it.
        let asked = Asked { slos: Some(renamed().slos), ..asked(Some(MIDDLE), None) };
        let found = replay(&world.shared(), &asked, &Arc::default()).await.unwrap();
        let Told::Both(what_if) = found.told else { panic!("there are two sets of definitions") };
        let renamed = what_if.after.alerts.iter().find(|alert| alert.episode.slo == "fast").unwrap();
        assert!(renamed.open_before && renamed.records[0].tick < second(MIDDLE).tick(), "{renamed:#?}");
    }
}
