//! What a tally has warmed up for costs no memory of its own: decoding borrows, dimensions and series are known, sums and
//! the redelivery memory have their room.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use slipstream_definitions::openslo;
use slipstream_schemas::decode::{Attributes, Provenance, decode};
use slipstream_schemas::event::RequestEvent;
use slipstream_schemas::records::Settings;
use slipstream_schemas::time::EventTime;
use slipstream_schemas::{LogTime, codec};
use slipstream_slo::redelivery::{Memory, id_hash};
use slipstream_slo::revision::Revisions;
use slipstream_slo::tally::{Pushed, Tally};

const WINDOW_MS: i64 = 120_000;
const STEP: usize = 10_000;

fn revisions() -> Revisions {
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms: WINDOW_MS, cut_delay_ms: 0 }).unwrap();
    for (offset, name) in (1..).zip(["all", "fast", "checkout"]) {
        let good = if name == "fast" { "latency_ms <= 300.0" } else { "status_code < 500" };
        let total = if name == "checkout" { "service == 'shop-3'" } else { "environment == 'production'" };
        let text = format!(
            "apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  service: shop
  budgetingMethod: Occurrences
  timeWindow: [{{duration: 30d, isRolling: true}}]
  indicator:
    metadata: {{name: {name}}}
    spec:
      ratioMetric:
        good: {{metricSource: {{type: slipstream, spec: {{filter: \"{good}\"}}}}}}
        total: {{metricSource: {{type: slipstream, spec: {{filter: \"{total}\", groupBy: [endpoint]}}}}}}
  objectives: [{{target: 0.99}}]
"
        );
        let slo = openslo::parse_document(&text).unwrap();
        revisions.apply_slo(offset, LogTime(0), &slo.name.clone(), Some(slo)).unwrap();
    }
    revisions
}

/// Encoded events with ids of their own, of a few services and endpoints, within a second.
fn encoded(from: usize) -> Vec<Vec<u8>> {
    let event = |n: usize| RequestEvent {
        event_id: format!("01900000-0000-7000-8000-{n:012}"),
        time: EventTime(LogTime(1_000_000).0 * 1_000),
        service: format!("shop-{}", n % 5),
        environment: "production".to_owned(),
        endpoint: format!("/endpoint/{}", n % 7),
        method: "GET".to_owned(),
        status_code: if n.is_multiple_of(50) { 500 } else { 200 },
        latency_ms: Some((n % 400) as f64),
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: BTreeMap::from([("region".to_owned(), "eu".to_owned())]),
    };
    (from..from + STEP).map(|n| codec::encode(&event(n))).collect()
}

/// A step of tally over encoded events, as its loop does it.
fn step(tally: &mut Tally, revisions: &Revisions, from: usize, records: &[Vec<u8>]) -> u64 {
    let mut step = tally.begin::<()>(revisions, LogTime(i64::MAX));
    for (offset, record) in (from as i64..).zip(records) {
        let place = Provenance { topic: "request-events", partition: 0, offset };
        let event = decode(record, &place, Attributes::Skip).unwrap();
        let pushed = step.push_hashed(offset, LogTime(1_000_000), Ok((&event, id_hash(&event.event_id)))).unwrap();
        assert_eq!(pushed, Pushed::Accepted);
    }
    step.finish(None).unwrap().accepted
}

/// Allocations of a step over so many events.
fn allocations(tally: &mut Tally, revisions: &Revisions, from: usize, events: usize) -> u64 {
    let records = &encoded(from)[..events];
    let mut accepted = 0;
    let cost = allocation_counter::measure(|| accepted = step(tally, revisions, from, records));
    assert_eq!(accepted, events as u64);
    cost.count_total
}

#[test]
fn an_event_in_steady_state_allocates_nothing() {
    let revisions = revisions();
    let mut tally = Tally::new(0, 1, 2, 0, LogTime(0), Memory::new(WINDOW_MS));
    for from in (0..4 * STEP).step_by(STEP) {
        step(&mut tally, &revisions, from, &encoded(from));
    }
    let few = allocations(&mut tally, &revisions, 4 * STEP, STEP / 10);
    let many = allocations(&mut tally, &revisions, 5 * STEP, STEP);
    // What a step allocates, its batches and an exemplar for each series, does not grow with its events. Now and then the
    // redelivery memory does, or a bad event with a lower hash is the better exemplar.
    assert!(many < few + 100, "{few} allocations in {} events, {many} in {STEP}", STEP / 10);
}
