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

#[test]
fn what_clients_send_too_late_adds_no_line() {
    let hostile = ["\u{1b}[2J", "one\ntwo", "over\rwritten", "a\u{202e}b"];
    let old = |v: &&str| {
        let mut event = event(503, 100, "/pay", &object!({"till": v}));
        event["time"] = object!("1970-01-01T00:00:00Z");
        event
    };
    let now = hostile.iter().map(|v| event(503, 100, "/pay", &object!({"till": v})));
    let events: Vec<Value> = now.chain(hostile.iter().map(old)).collect();
    let (_home, data) = imported(&slo("0.99", ", groupBy: [attributes.till]"), &events);
    let data = arg(&data);
    let status = run(&["query", "slos", "--data", data]);
    let said = text(&status.stderr);
    let told =
        |line: &str| line.contains("100 events were too old for any window and were not counted. Check their `time`");
    assert!(said.lines().all(told) && said.lines().count() == hostile.len(), "{said:?}");
    assert!(!said.contains(acts) && said.contains(r"till answered one\ntwo: "), "{said:?}");
    let doctor = text(&run(&["doctor", "--data", data]).stdout);
    let late: Vec<&str> =
        doctor.lines().filter(|line| line.contains("too old for any window, not counted in any SLI")).collect();
    assert!(!doctor.contains(acts) && late.len() == 1, "{doctor:?}");
    assert!(hostile.iter().all(|v| late[0].contains(&*slipstream_schemas::visible::visible(v))), "{late:?}");
}

#[test]
fn names_of_files_add_no_line() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let (log, slos) = (at("one\nerror: two.ndjson"), at("slos"));
    std::fs::write(&log, "no event\n").unwrap();
    std::fs::create_dir(&slos).unwrap();
    std::fs::write(slos.join("a\nerror: b.yaml"), "some: thing\n").unwrap();
    std::fs::write(slos.join("slo.yaml"), slo("0.99", "")).unwrap();
    for args in
        [&["import", "--format", "json", "--data", arg(&at("data")), arg(&log)][..], &["slo", "validate", arg(&slos)]]
    {
        let said = text(&run(args).stderr);
        assert!(said.contains(r"\nerror: "), "the name is shown: {said}");
        assert!(!said.lines().any(|line| line.starts_with("error: ")), "{args:?}: {said}");
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
fn a_reader_who_has_seen_enough_makes_no_failure_a_success() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let (bad, missing, data) = (at("bad.yaml"), at("missing.ndjson"), at("data"));
    std::fs::write(&bad, "kind: SLO\n").unwrap();
    let test = "../examples/shop/slos.test.yaml";
    let failing = at("slos.test.yaml");
    std::fs::copy("../examples/shop/slos.yaml", at("slos.yaml")).unwrap();
    std::fs::write(&failing, std::fs::read_to_string(test).unwrap().replacen("firing", "resolved", 1)).unwrap();
    let broken = at("file");
    std::fs::write(&broken, "").unwrap();
    for command in [
        vec!["slo", "validate", arg(&bad)],
        vec!["slo", "validate", "--json", arg(&bad)],
        vec!["slo", "test", arg(&failing)],
        vec!["slo", "test", "--json", arg(&failing)],
        vec!["doctor", "--data", arg(&broken)],
        vec!["doctor", "--json", "--data", arg(&broken)],
        vec!["import", "--format", "json", "--data", arg(&data), arg(&missing)],
        vec!["import", "--format", "json", "--json", "--data", arg(&data), arg(&missing)],
    ] {
        let read = run(&command);
        assert_eq!(read.status.code(), Some(1), "{command:?}: {}", text(&read.stderr));
        let (code, said) = unread(&command);
        assert!(code == Some(1) && !said.contains("panicked"), "{command:?}: {code:?} {said}");
    }
}

#[test]
fn a_demo_that_nobody_watches_ends() {
    let mut child =
        slipstream(&["demo"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    let deadline = Instant::now() + Duration::from_secs(60);
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break Some(ended);
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(ended.expect("it goes on for ever").code(), Some(0));
}

#[test]
fn log_lines_that_nobody_reads_end_no_role() {
    let home = tempfile::tempdir().unwrap();
    let args = [
        "run",
        "--data",
        arg(home.path()),
        "--listen",
        "127.0.0.1:0",
        "--ops-listen",
        "127.0.0.1:0",
        "--api-listen",
        "127.0.0.1:0",
    ];
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
