//! docs/alerting.md says what is so: its Rules are valid, its tables name what there is, and the tests of its example pass.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output};
use std::time::Duration;

use slipstream_alerter::notifier::evidence;
use slipstream_definitions::template;
use slipstream_query::history::MARKERS_BEFORE;
use slipstream_runtime::config::{Config, Overrides};

const GUIDE: &str = include_str!("../../docs/alerting.md");
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/classic-alerts");

fn slipstream(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slipstream")).args(arguments).env("NO_COLOR", "1").output().unwrap()
}

/// The rows of the table with that head.
fn rows(head: &str) -> Vec<Vec<&'static str>> {
    let table = GUIDE.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let cells = |row: &'static str| row.trim_matches('|').split(" | ").map(str::trim).collect();
    let rows: Vec<Vec<&str>> = table.take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!rows.is_empty(), "no table {head}");
    rows
}

/// The blocks of a language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let fence = format!("```{language}\n");
    let blocks: Vec<&str> = GUIDE.split(fence.as_str()).skip(1).collect();
    blocks.into_iter().map(|rest| rest.split("```").next().unwrap())
}

/// What stands in backticks in a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn rules_in_the_guide_are_valid_without_a_warning() {
    let blocks = blocks("yaml").filter(|text| text.starts_with("apiVersion")).collect::<Vec<_>>();
    assert_eq!(blocks.len(), 3);
    for text in blocks {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        std::fs::write(&file, text).unwrap();
        let output = slipstream(&["slo", "validate", file.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.starts_with("valid: "), "{text}\n{told}");
    }
}

#[test]
fn conditions_in_the_guide_are_valid() {
    let conditions: Vec<(&str, &str)> =
        rows("| | holds when").iter().map(|row| (quoted(row[0]).next().unwrap(), row[2])).collect();
    assert_eq!(conditions.len(), 8);
    let slo = GUIDE.split("```yaml\n").nth(1).unwrap().split("---").next().unwrap();
    let metric = "{metricSource: {type: slipstream, spec: {filter: 'status_code < 500'}}}";
    let own = format!(
        "indicator: {{metadata: {{name: own}}, spec: {{ratioMetric: {{counter: true, good: {metric}, total: {}}}}}}}",
        metric.replace("status_code < 500", "service == \"payment\"")
    );
    for (condition, on) in conditions {
        let subject = if on == "an SLO" { "slo: payment-availability" } else { &own };
        let rule = format!(
            "---\napiVersion: slipstream/v1\nkind: Rule\nmetadata: {{name: Any}}\nspec:\n  {subject}\n  conditions:\n    - severity: page\n      {condition}\n"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        std::fs::write(&file, format!("{slo}{rule}")).unwrap();
        let output = slipstream(&["slo", "validate", file.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.starts_with("valid: "), "{condition}\n{told}");
    }
}

#[test]
fn the_guide_lists_every_name() {
    let mut listed: Vec<&str> = rows("| name | |").iter().flat_map(|row| quoted(row[0])).collect();
    listed.retain(|name| !name.starts_with(template::GROUP));
    listed.sort_unstable();
    assert_eq!(listed, template::NAMES);
}

#[test]
fn the_settings_of_evidence_are_settings() {
    let text = blocks("yaml").find(|text| text.starts_with("evidence:")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slipstream.yaml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(Some(&file), [], Overrides::default()).unwrap();
    assert!(config.evidence);
    assert_eq!(config.trace_url.as_deref(), Some("https://traces.example.com/trace/{trace_id}"));
}

#[test]
fn bounds_of_evidence_are_as_told() {
    let told = GUIDE.split("## Evidence").nth(1).unwrap().split("\n## ").next().unwrap();
    for (figure, is) in [
        ("250 ms at most", evidence::PATIENCE == Duration::from_millis(250)),
        ("the worst eight", evidence::MOST_ALERTS == 8),
        ("half an hour before", MARKERS_BEFORE == 1_800_000_000),
    ] {
        assert!(told.contains(figure) && is, "{figure}");
    }
}

#[test]
fn the_classic_alerts_do_what_their_tests_say() {
    let output = slipstream(&["slo", "test", EXAMPLE]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("8 passed"), "{told}");
}
