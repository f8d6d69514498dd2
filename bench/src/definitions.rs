//! The definitions that are measured: of services with an availability, a latency, and promises on single endpoints.

use slipstream_definitions::document::SourceFile;

/// Services among which definitions are spread.
pub const SERVICES: usize = 100;

/// What an SLO of a service counts: total, good, groupBy.
const KINDS: [(&str, &str, &str); 5] = [
    ("service == \"SERVICE\"", "status_code < 500", "[]"),
    ("service == \"SERVICE\" && environment == \"prod\"", "latency_ms <= 300", "[endpoint]"),
    ("service == \"SERVICE\" && endpoint.startsWith(\"/v1/pay\")", "status_code < 500 && latency_ms <= 500", "[]"),
    ("service == \"SERVICE\" && method in [\"POST\", \"PUT\"]", "!(status_code in [500, 502, 503, 504])", "[method]"),
    ("service == \"SERVICE\" && !endpoint.matches(\"^/(health|metrics)\")", "status_code < 500", "[status_code]"),
];

/// `count` SLO documents as YAML, one after the other.
pub fn documents(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| {
        let (total, good, group_by) = KINDS[number / SERVICES % KINDS.len()];
        let service = format!("service-{}", number % SERVICES);
        let total = total.replace("SERVICE", &service);
        format!(
            "apiVersion: openslo/v1
kind: SLO
metadata:
  name: slo-{number}
  displayName: Promise {number} of {service}
  labels:
    team: [team-{team}]
spec:
  service: {service}
  description: What the users of {service} can rely on.
  budgetingMethod: Occurrences
  timeWindow:
    - duration: 30d
      isRolling: true
  indicator:
    metadata: {{name: sli-{number}}}
    spec:
      ratioMetric:
        good:
          metricSource:
            type: slipstream
            spec:
              filter: '{good}'
        total:
          metricSource:
            type: slipstream
            spec:
              filter: '{total}'
              groupBy: {group_by}
  objectives:
    - displayName: most
      target: 0.99
    - displayName: nearly all
      target: 0.999
",
            team = number % 17,
        )
    })
}

/// The documents in files of `each`.
pub fn files(count: usize, each: usize) -> Vec<SourceFile> {
    let documents: Vec<String> = documents(count).collect();
    let file = |(number, documents): (usize, &[String])| SourceFile {
        path: format!("slos-{number}.yaml"),
        text: documents.join("---\n"),
    };
    documents.chunks(each).enumerate().map(file).collect()
}
