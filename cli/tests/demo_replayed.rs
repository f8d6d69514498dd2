//! R1 on what anybody can run: a demo that is over, replayed from its directory, gives the alerts that it had. And on what it
//! left every command of docs/incident-analysis.md does what the guide says.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use slipstream_log::SharedLog;
use slipstream_log::sqlite::SqliteLog;
use slipstream_replay::{Asked, Sources, replay};
use slipstream_schemas::Topic;
use slipstream_schemas::records::{AlertTransition, TransitionKind};
use slipstream_testkit::replays::r1;
use slipstream_testkit::verdict;
use support::{arg, json};

const GUIDE: &str = include_str!("../../docs/incident-analysis.md");

/// The fault begins after 20 s and pages within seconds.
const LONG_ENOUGH: &str = "45s";

#[tokio::test]
async fn r1_a_demo_is_replayed_to_the_byte() {
    let home = tempfile::tempdir().unwrap();
    let data = arg(home.path());
    let report = json(&["demo", "--headless", "--json", "--for", LONG_ENOUGH, "--data", data]);

    the_alert_tells_what_is_to_blame(&report);
    let log: SharedLog = SqliteLog::open_read_only(home.path()).unwrap();
    let published: Vec<AlertTransition> = verdict::all(log.as_ref(), Topic::Alerts).await.unwrap();
    assert!(published.iter().any(|t| t.kind == TransitionKind::Firing), "the fault pages: {report}");
    let found = replay(&Sources::of_log(Arc::clone(&log)), &Asked::default(), &Arc::default()).await.unwrap();
    let records = found.told.transitions();
    let compared = r1(log.as_ref(), &records).await.unwrap();
    println!("{compared}");
    let episode = |t: &AlertTransition| (t.alert_id.clone(), t.episode);
    let episodes: BTreeSet<(String, i64)> = published.iter().map(episode).collect();
    assert_eq!((compared.same, compared.exempted()), (episodes.len(), 0), "{compared}");

    let printed = json(&["replay", "--json", "--data", data]);
    assert_eq!(printed["events"], report["events_accepted"]);
    let steps = |alert: &serde_json::Value| {
        let kinds = alert["transitions"].as_array().unwrap().iter().map(|t| t["kind"].as_str().unwrap().to_owned());
        (alert["id"].as_str().unwrap().to_owned(), kinds.collect::<Vec<_>>())
    };
    let mut shown: Vec<_> = printed["alerts"].as_array().unwrap().iter().map(steps).collect();
    let mut replayed: Vec<_> = episodes.iter().map(|of| (of.0.clone(), kinds(&records, of))).collect();
    replayed.sort();
    shown.sort();
    assert_eq!(shown, replayed);
    the_guide_is_true(home.path());
}

/// Which endpoints and status, some requests, and the deploy two minutes before. One of several alerts says it all: on a busy machine a
/// notification may not have waited long enough.
fn the_alert_tells_what_is_to_blame(report: &serde_json::Value) {
    let text = |told: &serde_json::Value, name: &str| told["annotations"][name].as_str().unwrap_or_default().to_owned();
    let is_told = |told: &serde_json::Value| {
        let (contributors, requests) = (text(told, "contributors"), text(told, "bad_requests"));
        told["status"] == "firing"
            && text(told, "suspect").starts_with("deploy of payment 2.14.0 at ")
            && text(told, "suspect").ends_with(", 2 min before it began")
            && text(told, "evidence").contains("Suspect: deploy of payment 2.14.0")
            && contributors.contains("POST /payments")
            && contributors.contains("5xx")
            && requests.contains("\"status\":503")
            && text(told, "replay").starts_with("slipstream replay --alert ")
    };
    let told = report["told"].as_array().unwrap();
    assert!(told.iter().any(is_told), "{told:#?}");
}

/// Runs its commands one after the other where the guide has its reader be: beside the examples and what the demo left.
fn the_guide_is_true(data: &Path) {
    let folder = tempfile::tempdir().unwrap();
    symlink(data, folder.path().join("slipstream-demo")).unwrap();
    symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"), folder.path().join("examples")).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_slipstream")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let shell = |command: &str| {
        let output = Command::new("sh").args(["-c", command]).current_dir(folder.path()).env("PATH", &path).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let commands: Vec<&str> = GUIDE.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(commands[0].starts_with("make demo"), "{commands:?}");
    let told: Vec<String> = commands[1..].iter().map(|command| shell(command)).collect();

    let [alerts, replay, report, copied, edited, what_if, backtest] = &told[..] else { panic!("{commands:?}") };
    let id = commands[2].split_once("--alert ").and_then(|(_, rest)| rest.split(' ').next()).unwrap();
    assert!(alerts.contains(id), "{id} is not among\n{alerts}");
    for what in ["payment-availability", "status_code", "503", "TRACE ID"] {
        assert!(replay.contains(what), "{what} is not in\n{replay}");
    }
    let page = std::fs::read_to_string(folder.path().join("incident.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("Post-mortem") && report.contains(id), "{report}");
    assert_eq!((copied.as_str(), edited.as_str()), ("", ""));
    let edited = std::fs::read_to_string(folder.path().join("edited/slos.yaml")).unwrap();
    assert!(edited.contains("target: 0.999") && !edited.contains("attributes.outcome"), "{edited}");
    assert!(["earlier", "lost", "gained"].iter().any(|change| what_if.contains(change)), "{what_if}");
    assert!(what_if.contains("payment-availability") && backtest.contains("RULE"), "{what_if}\n{backtest}");
}

/// What happened in an episode, as it is printed.
fn kinds(transitions: &[AlertTransition], (alert, episode): &(String, i64)) -> Vec<String> {
    let of = transitions.iter().filter(|t| (&t.alert_id, t.episode) == (alert, *episode));
    of.map(|t| format!("{:?}", t.kind).to_lowercase()).collect()
}
