//! Definitions and test files made in place.

use slipstream_definitions::diagnostic::Diagnostic;
use slipstream_definitions::document::SourceFile;
use slipstream_slotest::{Outcome, Suite, Wanted};

/// An availability SLO of the service `shop`: 99.9 % over 30 days, with the default policies.
pub const AVAILABILITY: &str = "
apiVersion: openslo/v1
kind: SLO
metadata: {name: availability}
spec:
  service: shop
  indicator:
    metadata: {name: answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: service == \"shop\"}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: answered, target: 0.999}]
";

/// A test file beside one file of definitions.
pub fn read(definitions: &str, test: &str) -> Result<Suite, Vec<Diagnostic>> {
    let source = SourceFile { path: "slos.test.yaml".into(), text: test.into() };
    let mut find = |wanted: Wanted<'_>| match wanted {
        Wanted::Beside | Wanted::Path("slos.yaml" | "availability.yaml") => {
            Ok(vec![SourceFile { path: "slos.yaml".into(), text: definitions.into() }])
        }
        Wanted::Path(other) => Err(format!("{other}: no such file")),
    };
    slipstream_slotest::read(&source, &mut find)
}

/// The outcome of the one test of a file.
pub fn play(definitions: &str, test: &str) -> Outcome {
    let suite = read(definitions, test).unwrap_or_else(|found| panic!("{test}\n{found:#?}"));
    assert_eq!(suite.tests.len(), 1);
    suite.tests[0].run()
}

/// A test's body, as YAML below `tests: [{name: it}]`.
pub fn story(body: &str) -> String {
    let body: String = body.trim_matches('\n').lines().map(|line| format!("    {line}\n")).collect();
    format!("tests:\n  - name: it\n{body}")
}

/// Plays a test that must pass.
pub fn passes(definitions: &str, body: &str) -> Outcome {
    let outcome = play(definitions, &story(body));
    assert!(outcome.failures.is_empty(), "{body}\n{:#?}", lines(&outcome));
    outcome
}

/// What a test's failures say: what, expected, got.
pub fn failures(definitions: &str, body: &str) -> Vec<String> {
    let outcome = play(definitions, &story(body));
    lines(&outcome)
}

/// Failures in a line each.
fn lines(outcome: &Outcome) -> Vec<String> {
    outcome.failures.iter().map(|f| format!("{} at {}: {} | {}", f.what, f.at, f.expected, f.got)).collect()
}
