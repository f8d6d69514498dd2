//! `slipstream mark`: what is recorded, listed and shown beside the status; into a directory, and through its owner.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json as object};
use slipstream_testkit::process::Slipstream;
use support::{BINARY, arg, json, run, slipstream};

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop/slos.yaml");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A directory with a log and the shop's definitions, which nobody owns.
fn installation() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let simulated = run(&["simulate", "--rate", "50", "--for", "2s", "--fast", "--slos", SHOP, "--data", arg(&data)]);
    assert!(simulated.status.success(), "{}", text(&simulated.stderr));
    home
}

fn mark(data: &Path, args: &[&str]) -> Output {
    run(&[&["mark"], args, &["--data", arg(data)]].concat())
}

fn listed(data: &Path, args: &[&str]) -> Vec<Value> {
    let found = json(&[&["mark", "list", "--json", "--data", arg(data)], args].concat());
    found["markers"].as_array().unwrap().clone()
}

fn ids(markers: &[Value]) -> Vec<&str> {
    markers.iter().map(|marker| marker["id"].as_str().unwrap()).collect()
}

#[test]
fn what_is_marked_is_listed_and_shown_beside_the_status() {
    let home = installation();
    let data = home.path().join("data");
    let status = |args: &[&str]| run(&[&["slo", "status", "--data", arg(&data)], args].concat());
    assert!(!text(&status(&[]).stdout).contains("MARKED"));
    assert_eq!(json(&["query", "slos", "--json", "--data", arg(&data)])["markers"], object!([]));

    let deploy =
        ["mark", "deploy", "out it goes", "--service", "payment", "--version", "1.4.2", "--environment", "prod"];
    let rest = ["--link", "https://ci.example/7", "--author", "ci", "--id", "d-1", "--json", "--data", arg(&data)];
    let deploy = json(&[&deploy[..], &rest].concat());
    let time = deploy["time"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{deploy}");
    let expected = object!({"id": "d-1", "kind": "deploy", "service": "payment", "environment": "prod", "time": time,
        "until": null, "version": "1.4.2", "text": "out it goes", "link": "https://ci.example/7", "author": "ci"});
    assert_eq!(deploy, expected);

    let (began, ended) = ("2026-01-31T09:30:00Z", "2026-01-31T09:55:00Z");
    let incident = ["incident", "it failed", "--service", "search", "--time", began];
    let first = mark(&data, &[&incident[..], &["--id", "i-1"]].concat());
    let said = text(&first.stdout);
    assert_eq!(said, format!("recorded: incident search at {began}, id i-1\n"), "{}", text(&first.stderr));
    let again = mark(&data, &[&incident[..], &["--until", ended, "--id", "i-1"]].concat());
    assert!(text(&again.stdout).contains(&format!("at {began} to {ended}, id i-1")), "{again:?}");
    let note = mark(&data, &["note", "one\ntwo\u{1f600}"]);
    assert!(note.status.success() && text(&note.stdout).starts_with("recorded: note at 20"), "{note:?}");

    let all = listed(&data, &[]);
    assert_eq!(ids(&all)[..2], ["i-1", "d-1"], "once, by time");
    assert_eq!(all[0]["until"], "2026-01-31T09:55:00.000000Z", "the last record of an id counts");
    assert_eq!((all.len(), &all[2]["text"]), (3, &object!("one\ntwo\u{1f600}")));
    assert_eq!(ids(&listed(&data, &["--from", "2026-01-31", "--to", "2026-02-01"])), ["i-1"]);
    assert_eq!(listed(&data, &["--service", "payment"]).len(), 2, "that of every service, too");
    let table = text(&mark(&data, &["list"]).stdout);
    assert!(table.starts_with("TIME ") && table.contains(r"one\ntwo") && table.lines().count() == 4, "{table}");

    let shown = json(&["query", "slos", "--json", "--data", arg(&data)]);
    assert!(!shown["slos"].as_array().unwrap().is_empty(), "{shown}");
    let shown = shown["markers"].as_array().unwrap();
    assert_eq!(ids(shown), [all[2]["id"].as_str().unwrap(), "d-1"], "of the last day, newest first");
    assert_eq!(shown[1], deploy);
    let below = text(&status(&[]).stdout);
    let (_, below) = below.split_once("\n\nMARKED ").expect("markers below the table");
    let lines: Vec<&str> = below.lines().skip(1).collect();
    assert!(
        lines.len() == 2
            && lines[0].contains("note")
            && lines[1].contains("payment  prod         1.4.2    out it goes"),
        "{below}"
    );
}

#[test]
fn the_status_shows_people_the_five_newest_markers_and_machines_all() {
    let home = installation();
    let data = home.path().join("data");
    for i in 0..7 {
        assert!(mark(&data, &["note", "n", "--id", &i.to_string()]).status.success());
    }
    let shown = json(&["slo", "status", "--json", "--data", arg(&data)]);
    assert_eq!(ids(shown["markers"].as_array().unwrap()), ["6", "5", "4", "3", "2", "1", "0"]);
    let status = run(&["slo", "status", "--data", arg(&data)]);
    assert_eq!(text(&status.stdout).matches("note").count(), 5);
    let said = text(&status.stderr);
    assert!(
        said.contains(&format!("2 more in the last day: slipstream mark list --data {}", data.display())),
        "{said}"
    );
}

#[test]
fn what_is_wrong_with_a_marker_is_told_and_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let nothing = home.path().join("nothing");
    let long = "x".repeat(1_001);
    let ended_before = ["incident", "x", "--time", "2026-01-31T10:00:00Z", "--until", "2026-01-31T09:00:00Z"];
    for (args, code, said) in [
        (&["note"][..], 2, "text: must be 1 to 1000 bytes, is 0"),
        (&["note", &long], 2, "must be 1 to 1000 bytes, is 1001"),
        (&["note", "x", "--link", "javascript:x"], 2, "link `javascript:x`: must begin with http:// or https://"),
        (&ended_before, 2, "until `2026-01-31T09:00:00.000000Z`: must not be before its time"),
        (&["note", "x", "--time", "yesterday"], 2, "expected a time like"),
        (&["note", "x", "--id", ""], 2, "id: must be 1 to 128 bytes, is 0"),
        (&["config", "x", "--until", "2026-01-31"], 2, "unexpected argument '--until'"),
        (&["deploy", "--version"], 2, "a value is required for '--version <VERSION>'"),
        (&["deploy"], 1, "no such data directory"),
        (&["list"], 1, "no such data directory"),
    ] {
        let output = mark(&nothing, args);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(said), "{args:?}: {told}");
        assert!(!nothing.exists(), "{args:?} makes no directory");
    }
    let both = mark(&nothing, &["note", "x", "--to", "http://127.0.0.1:1"]);
    assert_eq!(both.status.code(), Some(2), "either a directory or a gateway");
}

#[test]
fn whoever_records_it_is_its_author() {
    let home = installation();
    let data = home.path().join("data");
    let args = ["mark", "note", "x", "--json", "--data", arg(&data)];
    let author = |user: Option<&str>| {
        let mut command = slipstream(&args);
        command.env_remove("USER").env_remove("LOGNAME");
        let output = command.envs(user.map(|user| ("USER", user))).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["author"].clone()
    };
    assert_eq!((author(Some("ada")), author(None)), (object!("ada"), object!("slipstream")));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_process_owns_the_directory_its_gateway_takes_markers() {
    let mut process = Slipstream::new(BINARY).unwrap();
    process.start().await.unwrap();
    let data = process.data();
    let through = run(&["mark", "deploy", "--version", "2", "--id", "a", "--to", &process.gateway()]);
    assert!(through.status.success(), "{}", text(&through.stderr));
    let found = mark(&data, &["note", "by its owner", "--id", "b"]);
    let said = text(&found.stderr);
    assert!(
        found.status.success() && said.contains("the directory is in use: recording through the gateway"),
        "{said}"
    );
    assert_eq!(ids(&listed(&data, &[])), ["a", "b"], "read beside the owner");
    assert!(process.stop().await.unwrap().success());
    assert_eq!(ids(&listed(&data, &[])), ["a", "b"], "and after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_owner_has_no_gateway_that_is_told_with_what_to_do() {
    let roles = ["--roles", "tally,burn,sink,alerter,notifier"];
    let mut process = Slipstream::new(BINARY).unwrap().with(roles);
    process.start().await.unwrap();
    let output = mark(&process.data(), &["note", "x"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&process.id().unwrap().to_string()) && said.contains("--to http://127.0.0.1:8480"), "{said}");
    assert!(process.stop().await.unwrap().success());
}

#[test]
fn a_gateway_that_takes_no_markers_is_told() {
    let output = run(&["mark", "note", "x", "--id", "n-1", "--to", "http://u:s3cret@127.0.0.1:1"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Connection refused") && said.contains("run it again with --id n-1"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}
