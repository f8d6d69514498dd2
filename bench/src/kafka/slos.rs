//! The definitions: two for each service that sends events, and as many as wanted for services that do not.

use super::traffic::{SERVICES, service};

/// Good events of an SLO: a response without error, a fast response.
const GOOD: [(&str, &str); 2] = [("availability", "status_code < 500"), ("latency", "latency_ms <= 300")];

/// Definitions that match: every event counts for two of them.
pub const MATCHING: usize = SERVICES * GOOD.len();

/// The 40 that match, and `others` that match nothing.
pub fn documents(others: usize) -> String {
    let matching = (0..SERVICES).flat_map(|n| GOOD.map(|good| document(&service(n), good, "")));
    let others = (0..others).map(|n| document(&format!("absent-{n}"), GOOD[n % GOOD.len()], ""));
    matching.chain(others).collect::<Vec<_>>().join("---\n")
}

/// So many for each service that sends events, all of which match.
pub fn many(each: usize) -> String {
    let of = |n: usize| {
        let (kind, good) = GOOD[n % GOOD.len()];
        (0..SERVICES).map(move |number| document(&service(number), (&format!("{kind}-{n}"), good), ""))
    };
    (0..each).flat_map(of).collect::<Vec<_>>().join("---\n")
}

/// The 40 that match, each with another filter and another target: no alert fires by them, as none does by those.
pub fn edited() -> String {
    replaced([
        ("status_code < 500", "status_code < 500 || status_code == 501"),
        ("latency_ms <= 300", "latency_ms <= 290"),
        ("target: 0.99}", "target: 0.98}"),
    ])
}

/// Likewise, so strict that alerts fire all the time.
pub fn strict() -> String {
    replaced([
        ("status_code < 500", "status_code < 400"),
        ("latency_ms <= 300", "latency_ms <= 200"),
        ("target: 0.99}", "target: 0.995}"),
    ])
}

fn replaced(edits: [(&str, &str); 3]) -> String {
    edits.iter().fold(documents(0), |text, (from, to)| text.replace(from, to))
}

/// Those that match, in groups: up to 48 of each (endpoint, method and status).
pub fn grouped() -> String {
    let by = "groupBy: [endpoint, method, status_code]";
    let total = |text: String| text.replace("\"'}}", &format!("\"', {by}}}}}"));
    total(documents(0))
}

/// An SLO of a service. `policy`: its alert policies, as YAML, or nothing for the default ones.
pub fn document(service: &str, (kind, good): (&str, &str), policy: &str) -> String {
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata: {{name: {service}-{kind}}}
spec:
  service: {service}
  budgetingMethod: Occurrences
  timeWindow: [{{duration: 30d, isRolling: true}}]
  indicator:
    metadata: {{name: {service}-{kind}-ratio}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: slipstream, spec: {{filter: '{good}'}}}}}}
        total: {{metricSource: {{type: slipstream, spec: {{filter: 'service == \"{service}\"'}}}}}}
  objectives: [{{displayName: most, target: 0.99}}]
{policy}"
    )
}
