//! More tuples than a thread numbers at a time: raw paths as endpoints.

use std::collections::BTreeMap;

use slipstream_replay::Asked;
use slipstream_replay::outcome::Outcome;
use slipstream_schemas::{EventTime, LogTime, RequestEvent};

use crate::world::{What, World, second};

/// More than 2^16, in a few blocks.
const PATHS: i64 = 70_000;
const EVENTS: i64 = 100_000;

/// Every path comes once or twice; every seventh is bad, and one of them again and again.
fn event(number: i64, at: LogTime) -> RequestEvent {
    let bad = number % 7 == 0;
    let endpoint = if bad && number % 5 == 0 { "/worst".to_owned() } else { format!("/raw/{}", number % PATHS) };
    RequestEvent {
        event_id: number.to_string(),
        time: EventTime(at.0 * 1_000),
        service: ["cart", "pay"][(number % 2) as usize].to_owned(),
        environment: String::new(),
        endpoint,
        method: "GET".to_owned(),
        status_code: if bad { 500 } else { 200 },
        latency_ms: None,
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: BTreeMap::new(),
    }
}

/// What a plain recount by endpoint gives: bad ones, and all.
fn by_endpoint(world: &World) -> BTreeMap<&str, (i64, i64)> {
    let mut found: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for sent in &world.sent {
        if let What::Event(event) = &sent.what {
            let (bad, total) = found.entry(&event.endpoint).or_default();
            (*bad, *total) = (*bad + i64::from(event.status_code >= 500), *total + 1);
        }
    }
    found
}

fn ensure_counted(outcome: &Outcome, world: &World) {
    let endpoints = by_endpoint(world);
    assert!(endpoints.len() > 1 << 16, "{} endpoints", endpoints.len());
    let slo = outcome.slos.iter().find(|slo| slo.status.name == "all").unwrap();
    let bad: i64 = endpoints.values().map(|(bad, _)| bad).sum();
    assert_eq!((slo.range.total, slo.range.good), (EVENTS, EVENTS - bad));
    let told = slo.contributors.iter().find(|of| of.dimension == "endpoint").unwrap();
    assert_eq!(told.values[0].value, "/worst");
    for value in &told.values {
        assert_eq!((value.bad, value.total), endpoints[value.value.as_str()], "{}", value.value);
    }
    assert_eq!(told.more + told.values.len(), endpoints.values().filter(|(bad, _)| *bad > 0).count());
    let requests: u64 = outcome.traffic.iter().flat_map(|of| &of.steps).map(|step| step.requests).sum();
    assert_eq!((requests, outcome.events), (EVENTS as u64, EVENTS as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_more_tuples_than_are_numbered_at_a_time_change_nothing() {
    let mut world = World::empty(1).await;
    for at in 0..20 {
        let per_second = EVENTS / 20;
        let records = (at * per_second..(at + 1) * per_second).map(|n| (0, What::Event(event(n, second(at)))));
        world.publish(second(at), records.collect()).await;
    }
    world.publish(second(20), vec![(0, What::Invalid)]).await;
    // One thread meets all of them and begins anew; of eight, each meets a few.
    let mut told: Option<String> = None;
    for threads in [1, 8] {
        let to = Some(second(20));
        let outcome = world.replay(Asked { threads: Some(threads), to, ..Asked::default() }).await;
        ensure_counted(&outcome, &world);
        let json = serde_json::to_string(&outcome).unwrap();
        assert!(told.as_ref().is_none_or(|told| *told == json), "R2: {threads} threads tell something else");
        told = Some(json);
    }
}
