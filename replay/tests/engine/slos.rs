//! What the world is measured by. Windows are short: a range in the middle of ten minutes has them full.

use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::{Loaded, load};

/// A group of each service, one objective by status and one by latency; and everything, which has no alerts.
pub const SLOS: &str = r#"
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: fast-burn}
spec:
  alertWhenBreaching: true
  alertWhenResolved: true
  conditions:
    - kind: AlertCondition
      metadata:
        name: fast-burn
        annotations: {slipstream.dev/short-window: 5s, slipstream.dev/keep-firing-for: 3s}
      spec:
        severity: page
        condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1m, alertAfter: 0m}
  notificationTargets:
    - kind: AlertNotificationTarget
      metadata: {name: on-call}
      spec: {target: webhook}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: each-service}
spec:
  service: shop
  indicator:
    metadata: {name: each-service}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: 'service != "ship"', groupBy: [service]}}}
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: answered, target: 0.9}]
  alertPolicies: [fast-burn]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: quick}
spec:
  service: shop
  indicator:
    metadata: {name: quick}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: latency_ms <= 100}}}
        total: {metricSource: {type: slipstream, spec: {filter: 'attributes["region"] == "eu"'}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: within 100 ms, target: 0.8}]
  alertPolicies: [fast-burn]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: all}
spec:
  service: shop
  indicator:
    metadata: {name: all}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: status_code > 0}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: answered, target: 0.9}]
"#;

/// The definitions.
pub fn slos() -> Loaded {
    loaded(SLOS)
}

/// What else could have been: a lower target, and a threshold of another latency.
pub fn others() -> Loaded {
    loaded(&SLOS.replace("target: 0.9", "target: 0.7").replace("latency_ms <= 100", "latency_ms < 50"))
}

/// Definitions from a document.
pub fn loaded(text: &str) -> Loaded {
    let loaded = load(&[SourceFile { path: "slos.yaml".to_owned(), text: text.to_owned() }]);
    assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
    loaded
}
