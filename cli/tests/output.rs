//! What people see on a terminal: figures that tell, values that do nothing, and a reader who has seen enough.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "it writes the files that the program reads")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json as object};
use support::{arg, json, run, slipstream};

/// Characters that act on a terminal, line ends aside.
fn acts(c: char) -> bool {
    c != '\n' && slipstream_schemas::visible::acts(c)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn slo(target: &str, group_by: &str) -> String {
    format!(
        r#"apiVersion: openslo/v1
kind: SLO
metadata: {{name: till}}
spec:
  service: till
  indicator:
    metadata: {{name: till-answers}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: slipstream, spec: {{filter: status_code < 500}}}}}}
        total: {{metricSource: {{type: slipstream, spec: {{filter: service == "till"{group_by}}}}}}}
  timeWindow: [{{duration: 30d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{displayName: answered, target: {target}}}]
"#
    )
}

/// A directory with an SLO and events of now, imported into `data` below it.
fn imported(definition: &str, events: &[Value]) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    std::fs::write(at("slo.yaml"), definition).unwrap();
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    std::fs::write(at("events.ndjson"), lines.join("\n") + "\n").unwrap();
    let (data, slos, events) = (at("data"), at("slo.yaml"), at("events.ndjson"));
    let output = run(&[
        "import",
        "--format",
        "json",
        "--slos",
        arg(&slos),
        "--data",
        arg(&data),
        "--shift-to-now",
        arg(&events),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (home, data)
}

fn event(status: u16, weight: u64, endpoint: &str, attributes: &Value) -> Value {
    object!({"time": "2026-02-01T10:00:00Z", "service": "till", "endpoint": endpoint, "method": "POST",
        "status_code": status, "weight": weight, "attributes": attributes})
}

#[test]
fn what_is_not_100_percent_does_not_look_like_it() {
    let none = object!({});
    let events = [event(200, 999_999, "/", &none), event(200, 1_000_000, "/", &none), event(500, 4, "/", &none)];
    let (home, data) = imported(&slo("0.99999995", ""), &events);
    let listed = text(&run(&["slo", "list", arg(&home.path().join("slo.yaml"))]).stdout);
    assert!(listed.contains("99.999995 %"), "{listed}");
    let status = text(&run(&["query", "slos", "--data", arg(&data)]).stdout);
    assert!(status.contains("99.999995 %") && status.contains("99.9998") && !status.contains("100.0"), "{status}");
    let kpis = text(&run(&["query", "kpis", "--by", "service", "--data", arg(&data)]).stdout);
    assert!(!kpis.contains(" 0.000 %"), "an error rate that is not 0: {kpis}");
    let status = json(&["query", "slos", "--json", "--data", arg(&data)]);
    assert!(status["slos"][0]["sli"].as_f64().unwrap() < 1.0, "{status}");
}

#[test]
fn values_of_clients_do_nothing_to_a_terminal() {
    let hostile = ["\u{1b}[2J\u{1b}]0;owned\u{7}", "one\ntwo", "over\rwritten", "tab\there", "\u{9b}31m", "a\u{202e}b"];
    let events: Vec<Value> = hostile.iter().map(|v| event(503, 100, "/pay", &object!({"till": v}))).collect();
    let (_home, data) = imported(&slo("0.99", ", groupBy: [attributes.till]"), &events);
    let data = arg(&data);
    for command in [&["query", "slos"][..], &["slo", "status"], &["query", "alerts"], &["query", "events"]] {
        let output = run(&[command, &["--data", data]].concat());
        let table = text(&output.stdout);
        assert!(output.status.success() && !table.contains(acts), "{command:?}: {table:?}");
        assert_eq!(table.lines().count(), 1 + hostile.len(), "a line for each: {table}");
        let machine = text(&run(&[command, &["--json", "--data", data]].concat()).stdout);
        assert!(!machine.contains(acts), "{command:?}: {machine:?}");
    }
    let slos = json(&["query", "slos", "--json", "--data", data]);
    let mut groups: Vec<&str> =
        slos["slos"].as_array().unwrap().iter().map(|slo| slo["group"]["till"].as_str().unwrap()).collect();
    groups.sort_unstable();
    let mut sent = hostile.to_vec();
    sent.sort_unstable();
    assert_eq!(groups, sent, "a program gets what the client sent");
}

#[test]
fn files_and_arguments_do_nothing_to_a_terminal_either() {
    let home = tempfile::tempdir().unwrap();
    let bad = home.path().join("evil\u{1b}[31m.yaml");
    std::fs::write(&bad, "kind: SLO\nmetadata: {name: \"\u{1b}[2Jx\u{202e}\"}\n").unwrap();
    for args in [
        &["slo", "validate", arg(&bad)][..],
        &["slo", "list", arg(&bad)],
        &["run", "--slos", arg(&bad), "--listen", "\u{1b}[2J"],
        &["import", "--format", "json", "--data", arg(home.path()), "\u{1b}[2J"],
        &["query", "events", "--after", "\u{1b}[2J", "--data", arg(home.path())],
    ] {
        let output = run(args);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.is_empty() && !said.contains(acts), "{args:?}: {said:?}");
    }
}

/// Runs to the end with standard output into a pipe that nobody reads.
fn unread(args: &[&str]) -> (Option<i32>, String) {
    let mut child: Child =
        slipstream(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), text(&output.stderr))
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let events: Vec<Value> = (0..500).map(|i| event(200, 1, &format!("/{i}"), &object!({}))).collect();
    let (home, data) = imported(&slo("0.99", ""), &events);
    let (slos, data) = (home.path().join("slo.yaml"), arg(&data).to_owned());
    let mut commands: Vec<Vec<&str>> =
        ["bash", "zsh", "fish", "elvish", "powershell"].map(|s| vec!["completions", s]).into();
    for query in ["kpis", "events", "slos", "alerts"] {
        commands.push(vec!["query", query, "--data", &data]);
        commands.push(vec!["query", query, "--json", "--data", &data]);
    }
    commands.extend([
        vec!["--help"],
        vec!["run", "--help"],
        vec!["--version"],
        vec!["slo", "list", arg(&slos)],
        vec!["slo", "validate", arg(&slos)],
        vec!["slo", "validate", "--json", arg(&slos)],
        vec!["slo", "status", "--data", &data],
        vec!["doctor", "--data", &data],
        vec!["doctor", "--json", "--data", &data],
    ]);
    for command in commands {
        let (code, said) = unread(&command);
        assert!(code == Some(0) && !said.contains("panicked"), "{command:?}: {code:?} {said}");
    }
}

#[test]
fn log_lines_that_nobody_reads_end_no_role() {
    let home = tempfile::tempdir().unwrap();
    let args = ["run", "--data", arg(home.path()), "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let mut child = slipstream(&args)
        .args(["--log-level", "debug"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let log = home.path().join("log.db");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !Path::new(&log).exists() {
        assert!(Instant::now() < deadline, "it does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    // A second of log lines into the closed pipe; then an orderly end.
    std::thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
