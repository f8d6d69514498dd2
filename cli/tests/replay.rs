//! `slipstream replay` on a log that was imported: what people get, from the file to the report.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json as object};
use support::{arg, run, slipstream, told};

const SLOS: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: answers}
spec:
  service: web
  indicator:
    metadata: {name: answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: 'true'}}}
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: answered, target: 0.99}]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: page}
      spec:
        alertWhenBreaching: true
        conditions:
          - kind: AlertCondition
            metadata: {name: page, annotations: {slipstream.dev/short-window: 1m}}
            spec: {severity: page, condition: {kind: burnrate, op: gt, threshold: 10, lookbackWindow: 5m, alertAfter: 0m}}
        notificationTargets: [{kind: AlertNotificationTarget, metadata: {name: all}, spec: {target: webhook}}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: in-time}
spec:
  service: web
  indicator:
    metadata: {name: in-time}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: latency_ms < 300.0}}}
        total: {metricSource: {type: slipstream, spec: {filter: 'true'}}}
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: fast, target: 0.9}]
"#;

const JOURNEY: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: journey}
spec:
  service: web
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - displayName: answered
      target: 0.99
      compositeWeight: 1
      indicator:
        metadata: {name: answered}
        spec:
          ratioMetric:
            counter: true
            good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
            total: {metricSource: {type: slipstream, spec: {filter: 'true'}}}
    - displayName: understood
      target: 0.9
      compositeWeight: 1
      indicator:
        metadata: {name: understood}
        spec:
          ratioMetric:
            counter: true
            good: {metricSource: {type: slipstream, spec: {filter: 'status_code < 400 || status_code >= 500'}}}
            total: {metricSource: {type: slipstream, spec: {filter: 'true'}}}
"#;

/// Two outages of ten minutes each, of half of the requests, an hour apart: at 10:40 and at 11:40.
const OUTAGES: [(u32, u32); 2] = [(40, 50), (100, 110)];

/// An access log of two and a half hours from 10:00 on, a request each second, whose newer part is first; and where it was imported.
fn imported(home: &Path) {
    let line = |second: u32| {
        let (hour, minute) = (10 + second / 3_600, second / 60 % 60);
        let is_bad = second.is_multiple_of(2) && OUTAGES.iter().any(|(from, to)| (*from..*to).contains(&(second / 60)));
        let status = if is_bad { 503 } else { 200 };
        format!(
            "192.0.2.7 - - [05/Jan/2026:{hour:02}:{minute:02}:{:02} +0000] \"GET /pay HTTP/1.1\" {status} 12",
            second % 60
        )
    };
    let mut text = String::new();
    (4_500..9_000).chain(0..4_500).for_each(|second| writeln!(text, "{}", line(second)).unwrap());
    std::fs::write(home.join("access.log"), text).unwrap();
    std::fs::write(home.join("slos.yaml"), SLOS).unwrap();
    let [file, data] = [home.join("access.log"), home.join("data")];
    let said = run(&["import", "--format", "common", "--service", "web", arg(&file), "--data", arg(&data)]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

fn second(time: &Value) -> i64 {
    time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
}

/// Standard output and standard error of a command in a directory, by what it ended with.
fn said(home: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    told(&slipstream(args).current_dir(home).output().unwrap())
}

#[test]
fn an_imported_file_is_looked_into_as_if_it_had_been_live() {
    let home = tempfile::tempdir().unwrap();
    imported(home.path());
    let by_event = ["replay", "--clock", "event", "--slos", "slos.yaml", "--data", "data"];

    let (code, told, next) = said(home.path(), &by_event);
    assert_eq!(code, Some(0), "{next}");
    assert!(told.starts_with("2026-01-05T10:00:00Z to 2026-01-05T12:29:59.001Z: 9,000 events\n"), "{told}");
    // Nothing says how long a request took.
    let rows: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    let counted = "SLO OBJECTIVE GROUP TARGET GOOD TOTAL UNKNOWN SLI BUDGET LEFT COVERED";
    assert!(rows.contains(&counted.split(' ').collect()), "{told}");
    let starts = |row: &Vec<&str>, begin: &str| row.join(" ").starts_with(begin);
    for begin in ["answers answered 99.000 % 8,400 9,000 0 93.333 %", "in-time fast 90.000 % 0 0 9,000 unknown"] {
        assert!(rows.iter().any(|row| starts(row, begin)), "{begin}\n{told}");
    }

    // What it says next works as it is, and is about one alert alone.
    let next = next.lines().find_map(|line| line.strip_prefix("next: slipstream ")).unwrap_or_else(|| panic!("{next}"));
    let mut args: Vec<&str> = next.split(' ').collect();
    assert_eq!(args[..by_event.len()], by_event);
    args.extend(["--around", "10m", "--json"]);
    let (code, told, stderr) = said(home.path(), &args);
    assert_eq!(code, Some(0), "{stderr}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let alert = &told["alerts"][0];
    assert_eq!(told["alerts"].as_array().unwrap().len(), 1, "{}", told["alerts"]);
    // More than thirty bad of the 300 in five minutes are ten times what is allowed.
    assert_eq!(alert["began_at"], "2026-01-05T10:40:00Z");
    assert_eq!((&alert["impact"]["bad"], &alert["impact"]["whole"]), (&object!(300), &object!(true)));
    let episode = alert["episode"].as_i64().unwrap();
    assert_eq!(second(&told["from"]), episode - 600);
    assert_eq!(second(&told["to"]), second(&alert["resolved_at"]) + 601);
    let page = std::fs::read_to_string(home.path().join("incident.html")).unwrap();
    assert!(
        page.contains("Incident: answers") && page.contains("answers burned its 7-day error budget"),
        "{}",
        page.len()
    );
}

#[test]
fn alerts_of_the_two_clocks_are_told_apart() {
    let home = tempfile::tempdir().unwrap();
    imported(home.path());
    let by_event = ["replay", "--clock", "event", "--slos", "slos.yaml", "--data", "data"];
    let with = |more: &[&'static str]| said(home.path(), &[&by_event[..], more].concat());
    let whole: Value = serde_json::from_str(&with(&["--json"]).1).unwrap();
    let (id, episodes) = (whole["alerts"][0]["id"].as_str().unwrap(), &whole["alerts"]);
    let number = |at: usize| episodes[at]["episode"].as_i64().unwrap();
    assert_eq!(episodes.as_array().unwrap().len(), 2);

    // Without an episode it is the last one.
    let json_of = |named: &str| {
        let args = [&by_event[..], &["--json", "--alert", named]].concat();
        serde_json::from_str::<Value>(&said(home.path(), &args).1).unwrap()
    };
    assert_eq!(json_of(id)["alerts"].as_array().unwrap().last().unwrap()["episode"], number(1));

    let refused = |args: &[&str], want: &str| {
        let (code, _, stderr) = said(home.path(), args);
        assert!(code == Some(1) && stderr.contains(want), "{args:?}: {code:?} {stderr}");
    };
    let other = format!("{id}/7");
    refused(
        &[&by_event[..], &["--alert", &other]].concat(),
        &format!("alert {id} has no episode 7; its episodes: {}, {}", number(0), number(1)),
    );
    let near = format!("{}0", &id[..15]);
    let want = format!("there is no alert {near}; the nearest: {id}; `slipstream replay --clock event` lists them");
    if near != id {
        refused(&[&by_event[..], &["--alert", &near]].concat(), &want);
    }
    // Nothing was live then.
    let want = format!("there is no alert {id}; `slipstream query alerts` lists them");
    refused(&["replay", "--alert", id, "--data", "data"], &want);
}

/// In a step that is what happened in it; the budget is as it stood then.
#[test]
fn a_timeline_tells_what_was_good_in_each_step() {
    let home = tempfile::tempdir().unwrap();
    imported(home.path());
    let rows = |slos: &str| {
        let range = ["--from", "2026-01-05T10:30:00Z", "--to", "2026-01-05T11:00:00Z", "--step", "10m"];
        let place = ["replay", "--clock", "event", "--slos", slos, "--data", "data"];
        let (code, told, stderr) = said(home.path(), &[&place[..], &range].concat());
        assert_eq!(code, Some(0), "{stderr}");
        told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<String>>()
    };
    let has = |rows: &[String], begin: &str| {
        assert!(rows.iter().any(|row| row.starts_with(begin)), "{begin}\n{rows:#?}");
    };
    let told = rows("slos.yaml");
    has(&told, "AT GOOD TOTAL SLI BUDGET LEFT");
    has(&told, "AT GOOD TOTAL UNKNOWN SLI BUDGET LEFT");
    has(&told, "2026-01-05T10:30:00Z 600 600 100.000 %");
    has(&told, "2026-01-05T10:40:00Z 300 600 50.000 %");
    has(&told, "2026-01-05T10:50:00Z 600 600 100.000 %");
    has(&told, "2026-01-05T10:50:00Z 0 0 600 unknown");

    // No request is of a composite alone: 300 of 3,000 were bad by its end, of one objective of two that weigh the same.
    std::fs::write(home.path().join("journey.yaml"), JOURNEY).unwrap();
    let told = rows("journey.yaml");
    has(&told, "SLO OBJECTIVE GROUP TARGET GOOD TOTAL SLI BUDGET LEFT COVERED");
    has(&told, "journey answered 99.000 % 1,500 1,800 83.333 %");
    has(&told, "journey composite 94.500 % - - 95.");
    has(&told, "2026-01-05T10:40:00Z - - 95.");
}

#[test]
fn what_an_edited_filter_can_no_longer_decide_is_told() {
    let home = tempfile::tempdir().unwrap();
    let [file, data, then] = ["access.log", "data", "then.yaml"].map(|name| home.path().join(name));
    let line = |second| format!("192.0.2.7 - - [05/Jan/2026:10:00:{second:02} +0000] \"GET /pay HTTP/1.1\" 200 12\n");
    std::fs::write(&file, (0..50).map(line).collect::<String>()).unwrap();
    let [answers, in_time] = SLOS.split_once("---").map(|(one, other)| [one, other]).unwrap();
    std::fs::write(&then, answers).unwrap();
    let place = ["--data", arg(&data)];
    let import = ["import", "--format", "common", "--service", "web", "--slos", arg(&then), arg(&file)];
    assert!(run(&[&import[..], &place].concat()).status.success());
    std::fs::write(home.path().join("now.yaml"), in_time.replace("in-time", "answers").replace("fast", "answered"))
        .unwrap();
    let (code, told, stderr) =
        said(home.path(), &["replay", "--clock", "event", "--slos", "now.yaml", "--data", "data"]);
    assert_eq!(code, Some(0), "{stderr}");
    let rows: Vec<String> = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(rows.iter().any(|row| row.ends_with("UNKNOWN THEN UNKNOWN NOW")), "{told}");
    assert!(
        rows.iter().any(|row| row.starts_with("answers answered 100.000 % - ") && row.ends_with(" 0 50")),
        "{told}"
    );
}

#[test]
fn the_alert_that_was_asked_for_is_told_first() {
    let home = tempfile::tempdir().unwrap();
    imported(home.path());
    let by_event = ["replay", "--clock", "event", "--slos", "slos.yaml", "--data", "data"];
    let (_, whole, _) = said(home.path(), &[&by_event[..], &["--json"]].concat());
    let whole: Value = serde_json::from_str(&whole).unwrap();
    let named = |at: usize| {
        let alert = &whole["alerts"][at];
        format!("{}/{}", alert["id"].as_str().unwrap(), alert["episode"])
    };
    for at in [0, 1] {
        let (_, told, _) = said(home.path(), &[&by_event[..], &["--alert", &named(at), "--around", "2h"]].concat());
        let details: Vec<&str> = told.lines().filter(|line| line.starts_with("answers answered, ")).collect();
        let expected = [named(at), named(1 - at)].map(|id| format!("answers answered, {id}"));
        assert_eq!(details, expected);
    }
}

#[test]
fn what_keeps_alerts_from_being_told_is_said() {
    let home = tempfile::tempdir().unwrap();
    imported(home.path());
    let (code, told, _) = said(home.path(), &["replay", "--clock", "event", "--data", "data"]);
    assert!(code == Some(0) && told.contains("no SLOs were in force: pass some with --slos"), "{told}");

    // One clock was wrong by years.
    let line = "192.0.2.7 - - [05/Jan/2019:10:00:00 +0000] \"GET /pay HTTP/1.1\" 200 12\n";
    std::fs::write(home.path().join("old.log"), line).unwrap();
    let import = ["import", "--format", "common", "--service", "web", "old.log", "--data", "data"];
    assert_eq!(said(home.path(), &import).0, Some(0));
    let by_event = ["replay", "--clock", "event", "--slos", "slos.yaml", "--data", "data"];
    let (code, _, stderr) = said(home.path(), &by_event);
    let want =
        "requests happened from 2019-01-05T10:00:00Z to 2026-01-05T12:29:59Z, which is years: was a clock wrong?";
    assert!(code == Some(1) && stderr.contains(want), "{stderr}");
    let range = ["--from", "2026-01-05", "--to", "2026-01-06"];
    let (code, told, stderr) = said(home.path(), &[&by_event[..], &range].concat());
    assert!(code == Some(0) && told.contains(": 9,000 events"), "{told}{stderr}");

    let (code, _, stderr) = said(home.path(), &[&by_event[..], &["--report", "no/such/folder.html"]].concat());
    assert!(code == Some(1) && stderr.contains("no/such"), "before anything is read: {stderr}");
    let (_, _, stderr) = said(home.path(), &[&by_event[..], &range, &["--step", "1s", "--csv"]].concat());
    assert!(stderr.contains("steps are of 5s: there would be too many shorter ones"), "{stderr}");
    let range = ["--from", "2026-01-05T10:00:00Z", "--to", "2026-01-06"];
    let (_, _, stderr) = said(home.path(), &[&by_event[..], &range, &["--step", "1s", "--csv"]].concat());
    assert!(!stderr.contains("steps are of"), "less than 10,000 seconds: {stderr}");
}

#[test]
fn around_an_alert_leaves_no_range_to_choose_but_that_in_which_it_is_looked_for() {
    let home = tempfile::tempdir().unwrap();
    imported(home.path());
    let (code, _, stderr) = said(home.path(), &["replay", "--alert", "a", "--from", "2026-01-05", "--data", "data"]);
    assert!(code == Some(2) && stderr.contains("leave out --from and --to"), "{code:?} {stderr}");
    let by_event = ["replay", "--clock", "event", "--slos", "slos.yaml", "--data", "data"];
    let json_of = |more: &[&str]| {
        let (_, stdout, stderr) = said(home.path(), &[&by_event[..], &["--json"], more].concat());
        serde_json::from_str::<Value>(&stdout).map_err(|_| stderr)
    };
    let whole = json_of(&[]).unwrap();
    let (id, first) = (whole["alerts"][0]["id"].as_str().unwrap(), &whole["alerts"][0]["episode"]);
    // The last one up to eleven is the first.
    let found = json_of(&["--alert", id, "--around", "1m", "--to", "2026-01-05T11:00:00Z"]).unwrap();
    assert_eq!(&found["alerts"][0]["episode"], first);
    let refused = json_of(&["--alert", id, "--from", "2026-01-05T12:00:00Z"]).unwrap_err();
    assert!(refused.contains("there is no alert"), "{refused}");
}
