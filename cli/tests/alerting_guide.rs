//! docs/alerting.md says what is so: its Rules are valid, its tables name what there is, and the tests of its example pass.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use slipstream_alerter::notifier::evidence;
use slipstream_definitions::template;
use slipstream_query::history::MARKERS_BEFORE;
use slipstream_runtime::config::{Config, Overrides};
use slipstream_schemas::records::{Notification, NotificationReason, Outcome};
use slipstream_schemas::{LogTime, Retention, Topic};
use slipstream_store::{PositionMove, SqliteStore, Store, WriteBatch};

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
    assert_eq!(blocks.len(), 4);
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

/// The night of the guide: a page is silenced, then told; a chat that was mute is not told of the end of what it was not told.
fn night() -> Vec<Notification> {
    // 2026-11-29T10:00:00Z
    const TEN: i64 = 1_795_946_400_000;
    let of = |seconds: i64, kind: &str, seq: i32, receiver: &str| Notification {
        alert_id: "5a2f9c01d3b7e846".to_owned(),
        episode: TEN / 1_000,
        seq,
        receiver: receiver.to_owned(),
        at: TEN + seconds * 1_000 + 530,
        kind: kind.to_owned(),
        slo: "payment-availability".to_owned(),
        severity: "page".to_owned(),
        ..Notification::default()
    };
    let why = |outcome, reason, by: &str, n| Notification { outcome, reason, by: by.to_owned(), ..n };
    let sent = |outcome, status, latency_ms, attempts, n| Notification {
        outcome,
        status: Some(status),
        latency_ms: Some(latency_ms),
        attempts,
        ..n
    };
    let missing = sent(Outcome::Refused, 404, 12, 1, of(4, "firing", 2, "tickets"));
    let reminder = sent(Outcome::Delivered, 200, 38, 1, of(600, "firing", 2, "on-call"));
    vec![
        why(Outcome::HeldBack, NotificationReason::Silenced, "s-deploy", of(3, "firing", 2, "on-call")),
        why(Outcome::HeldBack, NotificationReason::Muted, "nights", of(3, "firing", 2, "chat")),
        Notification { detail: "no such hook".to_owned(), ..missing },
        sent(Outcome::Delivered, 200, 41, 3, of(300, "firing", 2, "on-call")),
        Notification { repeated: true, ..reminder },
        sent(Outcome::Delivered, 200, 35, 1, of(760, "resolved", 3, "on-call")),
        why(Outcome::NotDue, NotificationReason::Untold, "", of(760, "resolved", 3, "chat")),
    ]
}

fn stored(folder: &Path) {
    let store = SqliteStore::open(folder, Retention::default()).unwrap();
    let notifications = night();
    let to = notifications.len() as i64;
    let moved = PositionMove { topic: Topic::Notifications, partition: 0, from: None, to, log_time: LogTime(1) };
    let batch = WriteBatch { notifications, positions: vec![moved], ..WriteBatch::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        store.write(Arc::new(batch)).await.unwrap();
        store.close().await.unwrap();
    });
}

#[test]
fn the_history_in_the_guide_is_what_the_command_prints() {
    let folder = tempfile::tempdir().unwrap();
    stored(folder.path());
    let block = GUIDE.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let (command, expected) = block.split_once('\n').unwrap();
    let mut arguments: Vec<&str> = command.strip_prefix("$ slipstream ").unwrap().split(' ').collect();
    arguments.extend(["--data", folder.path().to_str().unwrap()]);
    let output = slipstream(&arguments);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told, expected, "\n{told}");
    for (filter, lines) in [
        (&["--reason", "silenced"][..], 1),
        (&["--outcome", "held_back", "--receiver", "chat"], 1),
        (&["--kind", "resolved", "--slo", "payment-availability"], 2),
        (&["--severity", "ticket"], 0),
    ] {
        let output = slipstream(&[&arguments, filter].concat());
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), lines + 1, "{filter:?}");
    }
}

#[test]
fn the_guide_lists_every_outcome_and_every_reason() {
    let listed = |head: &str| rows(head).iter().flat_map(|row| quoted(row[0])).collect::<BTreeSet<_>>();
    let reasons = NotificationReason::ALL.iter().filter(|reason| **reason != NotificationReason::None);
    assert_eq!(listed("| reason | |"), reasons.map(|reason| reason.name()).collect());
    let outcomes = [Outcome::Delivered, Outcome::Refused, Outcome::NotDue, Outcome::HeldBack, Outcome::Failed];
    assert_eq!(listed("| outcome | |"), outcomes.map(Outcome::name).into());
}
