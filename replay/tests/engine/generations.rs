//! Definitions that change in the middle of the range.

use slipstream_replay::Asked;
use slipstream_replay::outcome::{Outcome, SloHistory};
use slipstream_schemas::LogTime;
use slipstream_schemas::RequestEvent;
use slipstream_schemas::records::TransitionKind;

use crate::slos::{SLOS, loaded, others};
use crate::world::{BAD, SECONDS, World, second};

/// Within the second time that the cart fails, when its alert fires.
const CHANGED: i64 = 330;

fn slo<'a>(outcome: &'a Outcome, name: &str) -> &'a SloHistory {
    outcome.slos.iter().find(|slo| slo.status.name == name).unwrap_or_else(|| panic!("{name} is not told"))
}

fn weights(world: &World, (from, to): (i64, i64), counts: impl Fn(&RequestEvent) -> bool) -> i64 {
    let events = world.events(second(from), second(to)).filter(|event| counts(event));
    events.map(|event| i64::from(event.weight)).sum()
}

async fn changed(change: impl AsyncFn(&World, LogTime)) -> World {
    let mut world = World::empty(2).await;
    world.go_on(0..CHANGED).await;
    change(&world, second(CHANGED)).await;
    world.go_on(CHANGED..SECONDS).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_slo_counted_before_it_meant_something_else_is_not_told() {
    let world = changed(async |world, at| world.define(at, &others()).await).await;
    let outcome = world.replay(Asked { step: Some(10), ..Asked::default() }).await;
    let quick = slo(&outcome, "quick");
    let in_eu = |event: &RequestEvent| event.attributes.contains_key("region");
    let total = weights(&world, (CHANGED, SECONDS), in_eu);
    let good = weights(&world, (CHANGED, SECONDS), |event| in_eu(event) && event.latency_ms < Some(50.0));
    assert_eq!((quick.range.good, quick.range.total), (good, total));
    for dimension in &quick.contributors {
        assert_eq!(
            dimension.values.iter().map(|value| value.bad).sum::<i64>(),
            total - good,
            "{}",
            dimension.dimension
        );
    }
    assert!(!quick.contributors.is_empty());
    // Late events are of steps before it.
    assert_eq!(quick.timeline.len() as i64, (SECONDS - CHANGED) / 10);
    // Another target is no other meaning.
    let all = slo(&outcome, "all");
    assert_eq!((all.range.total, all.timeline.len()), (weights(&world, (0, SECONDS), |_| true), SECONDS as usize / 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_slo_that_was_deleted_is_told_as_it_stood_right_before() {
    let world = changed(async |world, at| world.delete(at, "each-service").await).await;
    let outcome = world.replay(Asked { step: Some(20), ..Asked::default() }).await;
    let services = world.by_service(second(0), second(CHANGED));
    for service in ["cart", "pay"] {
        let of_service = |slo: &&SloHistory| slo.status.group.as_ref().is_some_and(|group| group["service"] == service);
        let slo = outcome.slos.iter().find(of_service).unwrap();
        assert_eq!((slo.range.good, slo.range.total), services[service]);
        assert_eq!(slo.status.as_of.as_deref(), Some("2026-01-05T00:05:30Z"), "the end of its last second");
        assert_eq!(slo.timeline.len() as i64, (CHANGED + 19) / 20, "its last step is shorter");
        assert_eq!(slo.status.target, Some(0.9));
    }
    let ends = |at: i64| {
        move |t: &&slipstream_schemas::records::AlertTransition| {
            t.slo == "each-service" && t.tick == second(at).tick() && t.kind == TransitionKind::Resolved
        }
    };
    let records: Vec<_> = outcome.alerts.iter().flat_map(|alert| &alert.records).collect();
    assert_eq!(records.iter().copied().filter(ends(CHANGED)).count(), 1, "the alert of the cart");
    // One that was deleted before the range has nothing in it.
    let outcome = world.replay(Asked { from: Some(second(CHANGED)), ..Asked::default() }).await;
    assert!(outcome.slos.iter().all(|slo| slo.status.name != "each-service"));
    // One that came again counts anew.
    let mut world = world;
    world.define(second(SECONDS), &loaded(SLOS)).await;
    world.go_on(SECONDS..SECONDS + 20).await;
    let outcome = world.replay(Asked::default()).await;
    let range: i64 =
        outcome.slos.iter().filter(|slo| slo.status.name == "each-service").map(|slo| slo.range.total).sum();
    assert_eq!(range, weights(&world, (SECONDS, SECONDS + 20), |event| event.service != "ship"));
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_are_long_gone_do_not_make_the_warm_up_longer() {
    // Not the usual policies for any of them: those look back for days.
    let short = format!("{SLOS}  alertPolicies: [fast-burn]\n");
    let long = short.replace("lookbackWindow: 1m", "lookbackWindow: 3d").replace("name: quick}", "name: slow}");
    let mut world = World::with(2, &loaded(&short)).await;
    world.go_on(0..SECONDS).await;
    let begins = async |world: &World| {
        let from = Some(second(BAD[1].end));
        world.replay(Asked { from, ..Asked::default() }).await.warm_up_from
    };
    let without = begins(&world).await;
    let mut gone = World::with(2, &loaded(&long)).await;
    gone.delete(second(-9), "slow").await;
    gone.define(second(-8), &loaded(&short)).await;
    gone.go_on(0..SECONDS).await;
    assert_eq!(begins(&gone).await, without);
    assert_eq!(without, "2026-01-05T00:05:56Z", "a minute, a second, and the three that its alert is kept before that");
}
