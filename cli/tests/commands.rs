//! The command line as users and scripts meet it: help, exit codes, machine output, who owns a directory.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::path::Path;

use serde_json::{Value, json as object};
use slipstream_testkit::process::Slipstream;
use support::{BINARY, arg, json, run};

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop/slos.yaml");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let commands: [&[&str]; 13] = [
        &[],
        &["demo"],
        &["run"],
        &["import"],
        &["simulate"],
        &["slo", "validate"],
        &["slo", "list"],
        &["slo", "status"],
        &["query", "kpis"],
        &["query", "events"],
        &["query", "slos"],
        &["query", "alerts"],
        &["completions"],
    ];
    for command in commands {
        let output = run(&[command, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        let help = text(&output.stdout);
        assert!(help.contains("Example") && help.contains("  slipstream "), "{command:?} has no example: {help}");
    }
}

#[test]
fn wrong_use_is_2_and_failure_is_1() {
    let empty = tempfile::tempdir().unwrap();
    let nothing = empty.path().join("nothing");
    let table: [(&[&str], i32); 5] = [
        (&["frobnicate"], 2),
        (&["import", "x.log"], 2),
        (&["demo", "--for", "soon"], 2),
        (&["query", "kpis", "--data", arg(&nothing)], 1),
        (&["slo", "validate", arg(&nothing)], 1),
    ];
    for (args, code) in table {
        let output = run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty(), "{args:?} says nothing");
    }
}

#[test]
fn completions_are_made_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success() && text(&output.stdout).contains("slipstream"), "{shell}");
    }
}

#[test]
fn validate_answers_with_places_and_codes() {
    let valid = json(&["slo", "validate", "--json", SHOP]);
    assert_eq!(valid["valid"], true);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("wrong.yaml");
    let wrong = std::fs::read_to_string(SHOP).unwrap().replacen("target: 0.995", "target: 1.5", 1);
    std::fs::write(&file, wrong.replacen("status_code < 500", "status_cod < 500", 1)).unwrap();
    let output = run(&["slo", "validate", "--json", arg(&file)]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["valid"], false);
    let diagnostics = answer["diagnostics"].as_array().unwrap();
    assert_eq!(diagnostics.iter().filter(|d| d["severity"] == "error").count(), 2, "both at once: {answer:#}");
    for diagnostic in diagnostics {
        for key in ["file", "line", "column", "severity", "code", "message"] {
            assert!(diagnostic.get(key).is_some(), "no {key} in {diagnostic}");
        }
    }
    let human = run(&["slo", "validate", arg(&file)]);
    assert!(text(&human.stdout).contains("status_cod"), "{}", text(&human.stdout));
}

fn simulated(data: &Path) {
    let args = ["simulate", "--rate", "50", "--for", "10m", "--seed", "3", "--fast", "--slos", SHOP, "--json"];
    let report = json(&[&args[..], &["--data", arg(data)]].concat());
    assert!(report["events"].as_u64().unwrap() > 10_000);
}

#[test]
fn machine_output_is_the_contract() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path();
    simulated(data);
    let query = |args: &[&str]| json(&[&["query"], args, &["--json", "--data", arg(data)]].concat());

    let total = query(&["kpis"]);
    let kpis = [
        "from",
        "to",
        "hits",
        "errors",
        "error_rate",
        "avg_latency_ms",
        "p50_latency_ms",
        "p95_latency_ms",
        "p99_latency_ms",
        "max_latency_ms",
        "source",
    ];
    kpis.iter().for_each(|key| assert!(total.get(key).is_some(), "no {key} in {total}"));
    for by in ["service", "endpoint", "method", "status_code"] {
        let rows = query(&["kpis", "--by", by]);
        let rows = rows["rows"].as_array().unwrap();
        let hits: u64 = rows.iter().map(|row| row["hits"].as_u64().unwrap()).sum();
        assert_eq!(Some(hits), total["hits"].as_u64(), "by {by}");
        assert!(rows.iter().all(|row| row.get(by).is_some()), "by {by}");
    }
    let steps = query(&["kpis", "--step", "1m"]);
    assert!(steps["rows"].as_array().unwrap().iter().all(|row| row["start"].is_string()));

    let mut seen = 0;
    let mut after: Option<String> = None;
    loop {
        let mut args = vec!["events", "--limit", "10000"];
        if let Some(after) = &after {
            args.extend(["--after", after]);
        }
        let page = query(&args);
        seen += page["events"].as_array().unwrap().len() as u64;
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(Some(seen), total["hits"].as_u64(), "paging shows every event once");
    let first = &query(&["events", "--limit", "1"])["events"][0];
    let mut fields = keys(first);
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "attributes",
            "endpoint",
            "environment",
            "event_id",
            "latency_ms",
            "method",
            "service",
            "status_code",
            "time",
            "trace_id",
            "user_ref",
            "weight"
        ]
    );

    let slos = query(&["slos"]);
    let slos = slos["slos"].as_array().unwrap();
    let payment = slos.iter().find(|slo| slo["name"] == "payment-availability").unwrap();
    for key in [
        "name",
        "service",
        "objective",
        "target",
        "window",
        "sli",
        "budget_remaining",
        "burn_rates",
        "exhaustion_at",
        "good",
        "total",
        "as_of",
        "complete",
    ] {
        assert!(payment.get(key).is_some(), "no {key} in {payment}");
    }
    let hits = query(&["kpis", "--service", "payment"]);
    assert_eq!(payment["total"], hits["hits"], "the SLO counts what the store holds");
    assert_eq!(payment["good"].as_u64().unwrap(), hits["hits"].as_u64().unwrap() - hits["errors"].as_u64().unwrap());
    assert_eq!(query(&["alerts"]), object!({"alerts": []}), "normal traffic alerts nobody");
    let listed = json(&["slo", "list", "--json", "--data", arg(data)]);
    assert_eq!(listed["slos"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_one_owner_and_others_may_look() {
    let mut process = Slipstream::new(BINARY).unwrap();
    process.start().await.unwrap();
    let client = reqwest_client();
    let event =
        object!({"time": "2026-01-31T09:30:00Z", "service": "s", "endpoint": "/", "method": "GET", "status_code": 200});
    let body = object!({"events": [event, {"service": "s"}]});
    let url = format!("{}/v1/events", process.gateway());
    let mixed: Value = client.post(&url).json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!((&mixed["inserted"], &mixed["rejected"]), (&object!(1), &object!(1)), "{mixed}");
    assert_eq!(mixed["errors"][0]["index"], 1);
    let strict = client.post(format!("{url}?strict=true")).json(&body).send().await.unwrap();
    assert!(strict.status().is_client_error());
    let strict: Value = strict.json().await.unwrap();
    assert_eq!(strict["inserted"], 0, "{strict}");

    let data = process.data();
    let second = run(&["simulate", "--rate", "1", "--for", "1s", "--data", arg(&data)]);
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.contains(&process.id().unwrap().to_string()), "the owner's process id is told: {said}");

    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while json(&["query", "kpis", "--json", "--data", arg(&data)])["hits"] != 1 {
        assert!(std::time::Instant::now() < deadline, "the event is not stored: {}", process.stderr());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(process.stop().await.unwrap().success());
    assert_eq!(json(&["query", "kpis", "--json", "--data", arg(&data)])["hits"], 1, "after a stop too");
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
