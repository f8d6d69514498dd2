//! `slipstream slo test` as its users meet it: the examples that ship, and how a failure reads.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Output;

use regex::Regex;
use support::{arg, json, run};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A copy of an example's definitions and tests in a directory of its own.
fn copy(example: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["slos.yaml", "slos.test.yaml"] {
        fs::copy(Path::new(EXAMPLES).join(example).join(file), folder.path().join(file)).unwrap();
    }
    folder
}

fn change(folder: &Path, from: &str, to: &str) {
    let path = folder.join("slos.test.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in the example any more");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// What was printed, without what differs from run to run.
fn golden(text: &str, folder: &Path) -> String {
    let text = text.replace(arg(folder), "DIR");
    Regex::new(r" +\d+\.\d+ s\b").unwrap().replace_all(&text, " TIME").into_owned()
}

#[test]
fn the_examples_pass() {
    let output = run(&["slo", "test", EXAMPLES]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let text = stdout(&output);
    for example in [
        "availability",
        "business-success",
        "calendar-month",
        "composite",
        "latency",
        "low-traffic",
        "per-endpoint",
        "shop",
        "train-ticket",
    ] {
        assert!(text.contains(&format!("{example}/slos.test.yaml")), "{example} has no test: {text}");
    }
    assert!(text.contains(" passed, 0 failed in "), "{text}");
}

#[test]
fn a_changed_expectation_fails_readably() {
    let folder = copy("availability");
    change(folder.path(), "bad: 600\n", "bad: 500\n");
    change(folder.path(), "alerts: none\n", "alerts: [{at: 1h ± 1m, is: firing, severity: page}]\n");
    let output = run(&["slo", "test", arg(folder.path())]);
    assert_eq!(output.status.code(), Some(1));
    let expected = "\
DIR/slos.test.yaml
  ok TIME  a full outage pages after 52 seconds and costs two weeks of budget in ten minutes
  ok TIME  half a percent of errors makes a ticket within hours, not a page
  FAILED TIME  client errors and health checks are not counted against the API
  FAILED TIME  a deploy with thirty bad seconds spends budget and wakes nobody

FAILED: client errors and health checks are not counted against the API

  alert of api-availability answered at 1h
  --> DIR/slos.test.yaml:LINE
    expected  firing page at 1h ± 1m
    got       none

TABLE

FAILED: a deploy with thirty bad seconds spends budget and wakes nobody

  bad of api-availability answered at 3d13h
  --> DIR/slos.test.yaml:LINE
    expected  500
    got       600

TABLE

2 passed, 2 failed in TIME
";
    let text = golden(&stdout(&output), folder.path());
    let table = Regex::new(r"(?m)^ {6,}at +good.*\n(.*\n){7}").unwrap();
    let shown = table.find_iter(&text).last().unwrap_or_else(|| panic!("no table in\n{text}")).as_str().to_owned();
    let lines = Regex::new(r"yaml:\d+:\d+").unwrap();
    let text = lines.replace_all(&table.replace_all(&text, "TABLE\n"), "yaml:LINE").into_owned();
    assert_eq!(text, expected, "{text}");
    let around =
        "                at  good  bad  unknown  burn 5m  burn 30m  burn 1h  burn 2h  burn 6h  burn 1d  burn 3d  \
                  budget left  conditions  alert
       3d12h59m30s  1000    0        0     0.00      0.00     1.67     0.83     0.28     0.07     0.02      98.04 %  \
                  \x20           none";
    assert_eq!(shown.lines().take(2).collect::<Vec<_>>(), around.lines().collect::<Vec<_>>(), "{shown}");
    assert!(shown.lines().nth(4).unwrap().trim_start().starts_with("> "), "{shown}");
    let next = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(next.contains("next: slipstream slo test ") && next.contains("--filter 'client errors"), "{next}");
}

#[test]
fn machines_get_the_same_as_json() {
    let folder = copy("business-success");
    let filtered = json(&["slo", "test", arg(folder.path()), "--filter", "retried", "--json"]);
    assert_eq!((&filtered["passed"], &filtered["failed"]), (&1.into(), &0.into()));
    assert_eq!(filtered["tests"][0]["name"], "a retried order is one order");
    assert_eq!(filtered["tests"][0]["events"], 5);
    change(folder.path(), "{at: 2m, total: 1, bad: 1}", "{at: 2m, total: 5, bad: 1}");
    let output = run(&["slo", "test", arg(folder.path()), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["passed"], &told["failed"]), (&2.into(), &1.into()));
    let failure = &told["tests"][2]["failures"][0];
    assert_eq!((&failure["what"], &failure["at"]), (&"total".into(), &"2m".into()));
    assert_eq!((&failure["expected"], &failure["got"]), (&"5".into(), &"1".into()));
    assert_eq!(failure["around"]["head"][1], "good");
}

#[test]
fn mistakes_in_a_test_file_are_shown_with_their_places() {
    let folder = copy("shop");
    change(folder.path(), "slo: payment-availability", "slo: payment-availabilty");
    let output = run(&["slo", "test", arg(folder.path())]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains("error[unknown-name]: no SLO is called `payment-availabilty`"), "{text}");
    assert!(text.contains("help: did you mean `payment-availability`?"), "{text}");
    assert!(text.contains("0 passed, 0 failed, 1 error in test files"), "{text}");
    let told: serde_json::Value =
        serde_json::from_slice(&run(&["slo", "test", arg(folder.path()), "--json"]).stdout).unwrap();
    assert_eq!(told["diagnostics"][0]["code"], "unknown-name");
}

#[test]
fn what_holds_no_test_is_wrong_use() {
    let folder = copy("shop");
    assert_eq!(run(&["slo", "test", arg(folder.path()), "--filter", "no such test"]).status.code(), Some(2));
    fs::remove_file(folder.path().join("slos.test.yaml")).unwrap();
    assert_eq!(run(&["slo", "test", arg(folder.path())]).status.code(), Some(2));
    assert_eq!(run(&["slo", "test"]).status.code(), Some(2));
    assert_eq!(run(&["slo", "test", "no/such/file.test.yaml"]).status.code(), Some(1));
}

#[test]
fn tests_are_not_taken_for_definitions() {
    let folder = copy("shop");
    let verdict = json(&["slo", "validate", arg(folder.path()), "--json"]);
    assert_eq!(verdict["valid"], true, "{verdict}");
    assert_eq!(json(&["slo", "list", arg(folder.path()), "--json"])["slos"].as_array().unwrap().len(), 4);
}
