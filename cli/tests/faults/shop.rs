//! The services that are watched: their SLOs, what these count in the words of the test, and who fails when.

use rand::{Rng, RngExt};
use serde_json::{Value, json};
use slipstream_definitions::policy::BURN_RULE_SET;
use slipstream_schemas::RequestEvent;
use slipstream_slo::alerts::alert_id;
use slipstream_slo::hash::target_partition;
use slipstream_testkit::faults::cells::Meaning;

/// Services that fail and recover again and again, so that there is always an alert to come.
pub const FLAPPING: usize = 6;
/// A service fails for the first seconds of each of its periods, milliseconds.
const PERIOD_MS: i64 = 7_000;
const FAILS_MS: i64 = 3_000;
/// The flapping services do not fail all at once.
const APART_MS: i64 = 1_300;
const METHODS: [&str; 3] = ["GET", "POST", "PUT"];
const OBJECTIVE: &str = "answered";

fn flapping(n: usize) -> String {
    format!("flap-{n}")
}

/// The definitions.
pub fn slos() -> String {
    let mut documents: Vec<String> = (0..FLAPPING).map(|n| slo_of(&flapping(n))).collect();
    documents.extend([QUICK.to_owned(), ON_CALL.to_owned()]);
    documents.join("---\n")
}

/// Alerts of the flapping services: some in every partition of tallies.
pub fn flapping_alerts(partitions: u32) -> Vec<String> {
    let names: Vec<String> = (0..FLAPPING).map(flapping).collect();
    for partition in 0..partitions {
        assert!(names.iter().any(|name| target_partition(name, partitions) == partition), "nobody in {partition}");
    }
    names.iter().map(|name| alert_id(name, OBJECTIVE, &[], BURN_RULE_SET)).collect()
}

/// What the definitions count.
pub fn meanings() -> Vec<Meaning> {
    let flap = |name: String| Meaning {
        slo: name.clone(),
        group: Box::new(move |e: &RequestEvent| (e.service == name).then(Vec::new)),
        good: Box::new(|e| e.status_code < 500),
    };
    let mut meanings: Vec<Meaning> = (0..FLAPPING).map(|n| flap(flapping(n))).collect();
    meanings.push(Meaning {
        slo: "quick".to_owned(),
        group: Box::new(|e| e.latency_ms.is_some().then(|| vec![e.method.clone()])),
        good: Box::new(|e| e.latency_ms.is_some_and(|ms| ms <= 100.0)),
    });
    meanings
}

/// A request that ended at `at`, microseconds.
pub fn event(rng: &mut impl Rng, id: &str, at: i64) -> Value {
    let n = rng.random_range(0..FLAPPING);
    let failing = (at / 1_000 + n as i64 * APART_MS).rem_euclid(PERIOD_MS) < FAILS_MS;
    let failed = failing && rng.random_bool(0.7);
    json!({
        "event_id": id,
        "time": at,
        "service": flapping(n),
        "endpoint": "/x",
        "method": METHODS[rng.random_range(0..METHODS.len())],
        "status_code": if failed { 503 } else { 200 },
        "latency_ms": rng.random_range(1..300),
        "weight": rng.random_range(1..4),
    })
}

/// Fires when errors burn the budget at all in the last two seconds and the last minute.
fn slo_of(name: &str) -> String {
    format!(
        "\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  service: {name}
  indicator:
    metadata: {{name: {name}-answers}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: slipstream, spec: {{filter: status_code < 500}}}}}}
        total: {{metricSource: {{type: slipstream, spec: {{filter: service == \"{name}\"}}}}}}
  timeWindow: [{{duration: 30d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{displayName: {OBJECTIVE}, target: 0.9}}]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {{name: {name}-burns}}
      spec:
        alertWhenBreaching: true
        alertWhenResolved: true
        conditions:
          - kind: AlertCondition
            metadata: {{name: {name}-burns, annotations: {{slipstream.dev/short-window: 2s}}}}
            spec:
              severity: page
              condition: {{kind: burnrate, op: gt, threshold: 1, lookbackWindow: 1m, alertAfter: 0m}}
        notificationTargets: [{{targetRef: on-call}}]
"
    )
}

/// Grouped, by latency, with the policies that everybody gets.
const QUICK: &str = "\
apiVersion: openslo/v1
kind: SLO
metadata: {name: quick}
spec:
  service: all
  indicator:
    metadata: {name: quick-answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: latency_ms <= 100}}}
        total: {metricSource: {type: slipstream, spec: {filter: latency_ms >= 0, groupBy: [method]}}}
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: within-100ms, target: 0.9}]
";

/// OpenSLO wants one named; who is told is configured.
const ON_CALL: &str = "\
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: on-call}
spec: {target: webhook}
";
