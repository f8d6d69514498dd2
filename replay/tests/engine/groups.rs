//! More groups than burn tells apart.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_replay::Asked;
use slipstream_replay::outcome::SloHistory;
use slipstream_schemas::{EventTime, LogTime, RequestEvent};
use slipstream_slo::scale::Scale;

use crate::slos::loaded;
use crate::world::{What, World, second};

const SECONDS: i64 = 6;
const A_SECOND: i64 = 600;
const PATHS: i64 = 1_500;

const BY_ENDPOINT: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: by-endpoint}
spec:
  service: shop
  indicator:
    metadata: {name: by-endpoint}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: status_code > 0, groupBy: [endpoint]}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: answered, target: 0.9}]
"#;

fn event(number: i64, at: LogTime) -> RequestEvent {
    RequestEvent {
        event_id: number.to_string(),
        time: EventTime(at.0 * 1_000),
        service: "shop".to_owned(),
        environment: String::new(),
        // They come in no order, and again and again.
        endpoint: format!("/{:04}", number * 7_919 % PATHS),
        method: ["GET", "POST"][(number % 2) as usize].to_owned(),
        status_code: if number % 3 == 0 { 503 } else { 200 },
        latency_ms: None,
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: BTreeMap::new(),
    }
}

/// Good ones and all of each second, by the group that counts them: who comes first is admitted, within a second by name.
fn recounted(world: &World) -> BTreeMap<String, Vec<(i64, i64)>> {
    let mut admitted: BTreeSet<&str> = BTreeSet::new();
    let mut counts: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    for at in 0..SECONDS {
        let events: Vec<_> = world.events(second(at), second(at + 1)).collect();
        let endpoints: BTreeSet<&str> = events.iter().map(|event| event.endpoint.as_str()).collect();
        for endpoint in endpoints {
            if admitted.len() < Scale::REAL.groups {
                admitted.insert(endpoint);
            }
        }
        for event in events {
            let endpoint = event.endpoint.as_str();
            let group = if admitted.contains(endpoint) { endpoint } else { "other" };
            let steps = counts.entry(group.to_owned()).or_insert_with(|| vec![(0, 0); SECONDS as usize]);
            let (good, total) = &mut steps[at as usize];
            (*good, *total) = (*good + i64::from(event.status_code < 500), *total + 1);
        }
    }
    counts
}

/// The same as it is told. A group has steps from its first one on.
fn steps(slo: &SloHistory) -> Vec<(i64, i64)> {
    let told: Vec<_> = slo.timeline.iter().map(|step| (step.counted.good, step.counted.total)).collect();
    [vec![(0, 0); SECONDS as usize - told.len()], told].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_beyond_the_cap_are_counted_together_step_by_step() {
    for partitions in [1, 3] {
        let mut world = World::with(partitions, &loaded(BY_ENDPOINT)).await;
        for at in 0..SECONDS {
            let records = (at * A_SECOND..(at + 1) * A_SECOND).map(|n| (n, What::Event(event(n, second(at)))));
            world.publish(second(at), records.collect()).await;
        }
        let expected = recounted(&world);
        assert_eq!(expected.len(), Scale::REAL.groups + 1);
        let outcome = world.replay(Asked { step: Some(1), ..Asked::default() }).await;
        let group = |slo: &SloHistory| slo.status.group.as_ref().unwrap()["endpoint"].clone();
        let found: BTreeMap<_, _> = outcome.slos.iter().map(|slo| (group(slo), steps(slo))).collect();
        assert_eq!(found, expected);
        for slo in &outcome.slos {
            // All but what the last second, which is not over, has.
            assert!(slo.range.total >= slo.status.total, "{}", group(slo));
            let of = slo.contributors.iter().find(|of| of.dimension == "method");
            assert!(group(slo) != "other" || of.is_none(), "{of:?}");
        }
        let told: i64 = outcome.slos.iter().map(|slo| slo.range.total).sum();
        assert_eq!(told, SECONDS * A_SECOND);
    }
}

/// Which requests are of the groups beyond the cap, burn alone knows.
#[tokio::test(flavor = "multi_thread")]
async fn whom_an_alert_of_the_groups_beyond_the_cap_hit_is_not_told() {
    let rule = r#"
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: page}
      spec:
        alertWhenBreaching: true
        conditions:
          - kind: AlertCondition
            metadata: {name: page, annotations: {slipstream.dev/short-window: 1m}}
            spec: {severity: page, condition: {kind: burnrate, op: gt, threshold: 5, lookbackWindow: 5m, alertAfter: 0m}}
        notificationTargets: [{kind: AlertNotificationTarget, metadata: {name: all}, spec: {target: webhook}}]
"#;
    let admitted = Scale::REAL.groups as i64;
    let mut world = World::with(1, &loaded(&format!("{}{rule}", BY_ENDPOINT.trim_end()))).await;
    for at in 0..SECONDS {
        // The first of those that are admitted fails, and all that come too late.
        let record = |n: i64| {
            let status_code = if n == 0 || n >= admitted { 503 } else { 200 };
            let endpoint = format!("/{n:04}");
            (at * PATHS + n, What::Event(RequestEvent { endpoint, status_code, ..event(at * PATHS + n, second(at)) }))
        };
        let numbers = if at == 0 { 0..admitted } else { 0..PATHS };
        world.publish(second(at), numbers.map(record).collect()).await;
    }
    let outcome = world.replay(Asked::default()).await;
    let hit: BTreeMap<&str, Option<i64>> = outcome
        .alerts
        .iter()
        .filter(|alert| alert.episode.fired_at.is_some())
        .map(|alert| (alert.episode.group["endpoint"].as_str(), alert.impact.as_ref().map(|impact| impact.bad)))
        .collect();
    assert_eq!(hit, [("/0000", Some(SECONDS)), ("other", None)].into());
}
