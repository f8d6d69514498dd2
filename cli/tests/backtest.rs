//! `slipstream backtest` on a day with known incidents: what people and machines get, and what is said of mistakes.
#![allow(clippy::unwrap_used, reason = "a test")]

mod past;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json as object};
use support::{arg, json, run, told};

/// A page and a ticket, in one rule set, for each of two services.
const SLOS: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: answers}
spec:
  service: shop
  indicator:
    metadata: {name: answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: 'true', groupBy: [service]}}}
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
    - kind: AlertPolicy
      metadata: {name: ticket}
      spec:
        alertWhenBreaching: true
        conditions:
          - kind: AlertCondition
            metadata: {name: ticket, annotations: {slipstream.dev/short-window: 5m}}
            spec: {severity: ticket, condition: {kind: burnrate, op: gt, threshold: 6, lookbackWindow: 30m, alertAfter: 0m}}
        notificationTargets: [{kind: AlertNotificationTarget, metadata: {name: all}, spec: {target: webhook}}]
"#;

/// Four outages of the web, one of the database that no request showed.
const INCIDENTS: &str = "\
from,to,service,what
2026-01-05T01:00:00Z,2026-01-05T01:10:00Z,web,disk full
2026-01-05T02:00:00Z,2026-01-05T02:10:00Z,web,deploy
2026-01-05T03:00:00Z,2026-01-05T03:10:00Z,db,backup
2026-01-05T05:00:00Z,2026-01-05T05:10:00Z,web,disk full
2026-01-05T06:00:00Z,2026-01-05T06:10:00Z,web,certificate
";

/// Minutes of the day in which half of the web's requests fail. At 04:00 nobody noted an incident down.
const BAD: [(i64, i64); 5] = [(60, 70), (120, 130), (240, 241), (300, 310), (360, 370)];

/// Seven hours of two services, without definitions in force.
async fn installation() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    past::live_then(&home.path().join("data"), events()).await;
    std::fs::write(home.path().join("slos.yaml"), SLOS).unwrap();
    std::fs::write(home.path().join("incidents.csv"), INCIDENTS).unwrap();
    home
}

/// Each ten seconds an event of each service that stands for a hundred.
fn events() -> Vec<(jiff::Timestamp, Value)> {
    let begin: jiff::Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
    let mut events = Vec::new();
    for second in (0..7 * 3_600).step_by(10) {
        let time = begin + jiff::SignedDuration::from_secs(second);
        let is_bad = BAD.iter().any(|(from, to)| (from * 60..to * 60).contains(&second));
        for (service, status, weight) in [("web", 200, 100), ("db", 200, 100), ("web", 503, 100)] {
            if status == 200 || is_bad {
                let event = object!({"event_id": format!("{second}-{service}-{status}"), "time": time.to_string(),
                    "service": service, "endpoint": "/", "method": "GET", "status_code": status, "weight": weight});
                events.push((time, event));
            }
        }
    }
    events
}

/// `backtest` with the day's definitions.
fn arguments<'a>(home: &'a Path, paths: &'a [PathBuf; 3], more: &[&'a str]) -> Vec<&'a str> {
    assert!(paths[0].starts_with(home));
    [&["backtest", "--data", arg(&paths[0]), "--slos", arg(&paths[1])], more].concat()
}

fn paths(home: &Path) -> [PathBuf; 3] {
    ["data", "slos.yaml", "incidents.csv"].map(|name| home.join(name))
}

/// found, missed, false, repeats.
fn verdict(figures: &Value) -> [u64; 4] {
    ["found", "missed", "false", "repeats"].map(|name| figures["against_incidents"][name].as_u64().unwrap())
}

#[tokio::test]
async fn incidents_are_found_missed_and_false_alarms_told() {
    let home = installation().await;
    let paths = paths(home.path());
    let incidents = ["--incidents", arg(&paths[2]), "--grace", "1m"];
    let found = json(&arguments(home.path(), &paths, &[&incidents[..], &["--json"]].concat()));
    assert_eq!((&found["from"], &found["events"]), (&object!("2026-01-05T00:00:00Z"), &object!(2 * 2_520 + 246)));
    assert_eq!(found["clock"], "log");

    let incidents_told = found["incidents"].as_array().unwrap();
    let by = |name: &str| incidents_told.iter().map(|told| told[name].clone()).collect::<Vec<_>>();
    // With the fourth bad event of a hundred more than a tenth of five minutes is bad: half a minute after the first.
    assert_eq!(by("time_to_detect_seconds"), [object!(30), object!(30), object!(null), object!(30), object!(30)]);
    assert_eq!(incidents_told[0]["found_by"]["group"], object!({"service": "web"}));
    assert_eq!((&incidents_told[0]["found_by"]["rule"], &incidents_told[0]["alerts"]), (&object!("page"), &object!(1)));
    assert_eq!(incidents_told[2]["found_by"], object!(null));
    assert_eq!(verdict(&found["all"]), [4, 1, 1, 0]);

    // Each rule alone: the ticket, which is slower, is no alert of its own beside the page.
    let rules: Vec<_> =
        found["rules"].as_array().unwrap().iter().map(|rule| (rule["rule"].clone(), verdict(rule))).collect();
    assert_eq!(rules, [(object!("page"), [4, 1, 1, 0]), (object!("ticket"), [4, 1, 0, 0])]);
    assert_eq!(found["severities"].as_array().unwrap().len(), 2);
    // What was gone of the budget at the first alert, and of the quiet time.
    let quiet = 7 * 3_600 - 5 * (600 + 60 + 1);
    assert!((found["quiet_seconds"].as_i64().unwrap() - quiet).abs() <= 10, "{}", found["quiet_seconds"]);
    assert!(found["all"]["budget_gone"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn people_get_tables_and_what_to_do_next() {
    let home = installation().await;
    let paths = paths(home.path());
    let (code, shown, said) = told(&run(&arguments(home.path(), &paths, &["--incidents", arg(&paths[2])])));
    assert_eq!(code, Some(0), "{said}");
    let line =
        |begin: &str| shown.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{begin}: {shown}"));
    let cells = |begin: &str| {
        line(begin).split("  ").filter(|c| !c.is_empty()).map(|c| c.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        cells("2026-01-05T01:00:00Z  "),
        ["2026-01-05T01:00:00Z", "10 min", "web", "disk full", "answers/answered service=web page (page)", "30 s", "1"]
    );
    assert!(line("2026-01-05T03:00:00Z").contains("missed"), "{shown}");
    assert!(line("all").contains("4 of 5"), "{shown}");
    assert!(shown.contains("were without an incident of any service"), "{shown}");
    assert!(shown.contains("Budgets are of the requests since 2026-01-05T00:00:00Z"), "{shown}");
    assert!(said.contains("next: slipstream backtest --slos ") && said.contains(" --suggest --data "), "{said}");

    // Without incidents there is only what fired.
    let (_, shown, said) = told(&run(&arguments(home.path(), &paths, &[])));
    assert!(shown.contains("FIRED") && !shown.contains("FOUND"), "{shown}");
    assert!(said.contains("--incidents FILE --suggest"), "{said}");
}

#[tokio::test]
async fn a_suggestion_is_a_definition_that_does_what_it_says() {
    let home = installation().await;
    let paths = paths(home.path());
    let out = home.path().join("suggested.yaml");
    let ask = ["--incidents", arg(&paths[2]), "--suggest", "--keep-target", "--out", arg(&out), "--json"];
    let found = json(&arguments(home.path(), &paths, &ask));
    assert_eq!(found["slot_seconds"], 10);
    let suggestion = &found["suggestions"][0];
    assert_eq!(verdict(&suggestion["rule"])[..3], [4, 1, 0], "the bad minute is told from the ten");
    assert_eq!(verdict(&suggestion["held_out"])[2], 0);
    assert_eq!(json(&["slo", "validate", arg(&out), "--json"])["valid"], true);

    // What is suggested does the same when it is tested itself.
    let test = ["backtest", "--data", arg(&paths[0]), "--slos", arg(&out), "--incidents", arg(&paths[2]), "--json"];
    let tested = json(&test);
    let page = &tested["rules"][0];
    assert_eq!(verdict(page)[..3], [4, 1, 0], "{page}");

    // A stricter wish, printed instead of written.
    let (code, shown, said) = told(&run(&arguments(home.path(), &paths, &["--suggest"])));
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.contains("Suggested for answers answered") && shown.contains("apiVersion: openslo/v1"), "{shown}");
}

#[tokio::test]
async fn incidents_that_are_set_aside_do_not_count() {
    let home = installation().await;
    let paths = paths(home.path());
    let halves = [home.path().join("a.csv"), home.path().join("b.csv")];
    for (odd, half) in halves.iter().enumerate() {
        let lines: Vec<&str> = INCIDENTS.lines().skip(1).skip(odd).step_by(2).collect();
        std::fs::write(half, format!("from,to,service,what\n{}\n", lines.join("\n"))).unwrap();
    }
    let ask = ["--incidents", arg(&halves[0]), "--set-aside", arg(&halves[1]), "--json"];
    let found = json(&arguments(home.path(), &paths, &ask));
    // 01:00, 03:00 and 06:00 are looked at; the one at 04:00 is nobody's.
    assert_eq!(verdict(&found["all"]), [2, 1, 1, 0]);
}

#[tokio::test]
async fn the_same_range_gives_the_same_bytes_whatever_the_threads() {
    let home = installation().await;
    let paths = paths(home.path());
    let with = |threads: &str| {
        let ask = ["--incidents", arg(&paths[2]), "--suggest", "--json", "--threads", threads];
        run(&arguments(home.path(), &paths, &ask)).stdout
    };
    let one = with("1");
    assert!(!one.is_empty() && one == with("3"));
}

#[tokio::test]
async fn without_definitions_those_that_were_in_force_are_tested() {
    let home = installation().await;
    let paths = paths(home.path());
    let then = home.path().join("then");
    past::live_by(&then, SLOS, events()).await;
    for range in [&[][..], &["--from", "2026-01-05T04:30:00Z", "--to", "2026-01-05T06:30:00Z"]] {
        let ask = [&["--incidents", arg(&paths[2]), "--suggest", "--json"], range].concat();
        let mut given = json(&arguments(home.path(), &paths, &ask));
        let mut found = json(&[&["backtest", "--data", arg(&then)], &ask[..]].concat());
        // All is the same but where it was read.
        for told in [&mut given, &mut found] {
            told.as_object_mut().unwrap().remove("parts");
        }
        assert_eq!(given, found);
        assert_eq!(verdict(&found["all"])[0], if range.is_empty() { 4 } else { 2 });
    }
}

#[tokio::test]
async fn mistakes_are_told_with_their_places() {
    let home = installation().await;
    let paths = paths(home.path());
    let wrong = home.path().join("wrong.csv");
    std::fs::write(&wrong, "from,to,service,what\n2026-01-05T01:00:00,,web,no zone\nsoon,,web,when?\n").unwrap();
    let (code, _, said) = told(&run(&arguments(home.path(), &paths, &["--incidents", arg(&wrong)])));
    assert_eq!(code, Some(1));
    assert_eq!(said.matches("error[invalid-time]").count(), 2, "{said}");
    assert!(said.contains("wrong.csv:2:1") && said.contains("the time zone is missing"), "{said}");
    assert!(said.contains("error: the incidents have errors"), "{said}");

    // (arguments, exit code, what is said)
    let table: [(&[&str], i32, &str); 6] = [
        (&["--incidents", "no/such.csv"], 1, "no/such.csv"),
        (&["--incidents", "incidents.txt"], 2, ".csv, .yaml, .yml or .json"),
        (&["--max-false", "2"], 2, "--suggest"),
        (&["--grace", "soon", "--incidents", "x.csv"], 2, "expected a duration"),
        (&["--from", "2030-01-01"], 1, "no requests after 2030-01-01T00:00:00Z"),
        (&["--slos", "no/such.yaml"], 1, "no/such.yaml"),
    ];
    for (more, code, what) in table {
        let (exit, _, said) = told(&run(&arguments(home.path(), &paths, more)));
        assert_eq!(exit, Some(code), "{more:?}: {said}");
        assert!(said.contains(what), "{more:?}: {said}");
    }
    let (code, _, said) = told(&run(&["backtest", "--data", arg(&paths[0])]));
    assert_eq!(code, Some(1));
    assert!(said.contains("no definitions were in force") && said.contains("--slos"), "{said}");
    // Only where it made a difference.
    let nobody = ["--store", "postgres://127.0.0.1:1/nobody"];
    let (_, _, said) = told(&run(&arguments(home.path(), &paths, &[&nobody[..], &["--from", "2030-01-01"]].concat())));
    assert!(said.contains("without the store, which might have more: "), "{said}");
    let (code, _, said) = told(&run(&arguments(home.path(), &paths, &nobody)));
    assert!(code == Some(0) && !said.contains("without the store"), "{said}");
}

/// Incidents that no alert could find are told of, with what may be the reason.
#[tokio::test]
async fn incidents_that_nothing_could_find_are_told() {
    let home = installation().await;
    let paths = paths(home.path());
    let notes = |text: &str, more: &[&str]| -> Vec<String> {
        let file = home.path().join("wrong.csv");
        std::fs::write(&file, format!("from,to,service,what\n{text}")).unwrap();
        let ask = [&["--incidents", arg(&file), "--json"], more].concat();
        let found = json(&arguments(home.path(), &paths, &ask));
        found["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap().to_owned()).collect()
    };
    let has = |notes: &[String], want: &str| assert!(notes.iter().any(|note| note == want), "{want}\n{notes:#?}");
    let early = "2022-08-22T01:00:00Z,,web,a\n2022-08-23T01:00:00Z,,web,b\n";
    has(
        &notes(early, &[]),
        "2 of 2 incidents begin outside of the range (2022-08-22T01:00:00Z to 2022-08-23T01:00:00Z) and are not judged: the \
         log took its requests at other times than they happened? Pass --clock event.",
    );
    let one = notes(&format!("{early}2026-01-05T01:00:00Z,,web,c\n"), &["--clock", "event"]);
    let when = "2022-08-22T01:00:00Z to 2022-08-23T01:00:00Z";
    has(&one, &format!("2 of 3 incidents begin outside of the range ({when}) and are not judged."));
    let typed = "2026-01-05T01:00:00Z,,wbe,a\n2026-01-05T02:00:00Z,,shops,b\n2026-01-05T03:00:00Z,,queue,c\n";
    let told = notes(typed, &[]);
    has(&told, "No SLO is about shops, which had 1 incident: did you mean shop?");
    has(&told, "No SLO is about queue, which had 1 incident.");
    assert_eq!(told.iter().filter(|note| note.contains("wbe")).count(), 1, "{told:#?}");
    // Where an alert of any service counts, the name of an incident's does not matter.
    assert!(notes(typed, &["--any-service"]).iter().all(|note| !note.contains("No SLO is about")));
}

/// A range is as long as there are requests.
#[tokio::test]
async fn rates_are_of_the_time_that_has_requests() {
    let home = installation().await;
    let paths = paths(home.path());
    let incidents = ["--incidents", arg(&paths[2]), "--json"];
    let mut known = json(&arguments(home.path(), &paths, &incidents));
    let ask = [&incidents[..], &["--from", "2025-12-01"]].concat();
    let mut found = json(&arguments(home.path(), &paths, &ask));
    let note = "No requests before 2026-01-05T00:00:00Z are there: all figures are of the time since then.";
    assert_eq!(found["notes"].as_array_mut().unwrap().remove(0), note);
    assert_eq!((&found["from"], &found["missing"]), (&object!("2026-01-05T00:00:00Z"), &object!([])));
    [&mut known, &mut found].into_iter().for_each(|told| drop(told.as_object_mut().unwrap().remove("parts")));
    assert_eq!(found, known);

    let minute = ["--from", "2026-01-05T01:00:00Z", "--to", "2026-01-05T01:01:00Z"];
    let (_, shown, said) = told(&run(&arguments(home.path(), &paths, &minute)));
    assert!(shown.contains("1 in all") && shown.contains("The range is shorter than an hour"), "{shown}{said}");
}

/// What is suggested for two objectives of an SLO is one document that can be tested as the next command says, though the
/// names of its files have blanks.
#[tokio::test]
async fn the_next_command_runs_as_it_is_printed() {
    let home = installation().await;
    let folder = home.path().join("two objectives");
    std::fs::create_dir(&folder).unwrap();
    let (slos, out) = (folder.join("slos.yaml"), folder.join("what is suggested.yaml"));
    std::fs::rename(home.path().join("data"), folder.join("data")).unwrap();
    std::fs::copy(home.path().join("incidents.csv"), folder.join("my incidents.csv")).unwrap();
    let two = "[{displayName: answered, target: 0.99}, {displayName: strictly, target: 0.995}]";
    std::fs::write(&slos, SLOS.replace("[{displayName: answered, target: 0.99}]", two)).unwrap();
    let in_folder = |command: &str| {
        let command = command.replace("slipstream ", &format!("'{}' ", support::BINARY));
        Command::new("sh").args(["-c", &command]).current_dir(&folder).output().unwrap()
    };
    let ask = "slipstream backtest --data data --slos slos.yaml --incidents 'my incidents.csv' --from 2026-01-05 --clock event \
               --suggest --keep-target --out 'what is suggested.yaml'";
    let (code, shown, said) = told(&in_folder(ask));
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.contains("Suggested for answers strictly"), "{shown}");
    assert_eq!(std::fs::read_to_string(&out).unwrap().matches("kind: SLO").count(), 1);
    assert_eq!(json(&["slo", "validate", arg(&out), "--json"])["diagnostics"], object!([]));
    let next = said.lines().find_map(|line| line.strip_prefix("next: ")).unwrap();
    let range = "--from 2026-01-05T00:00:00Z --clock event --incidents 'my incidents.csv' --grace 5m --data data";
    assert_eq!(next, format!("slipstream backtest --slos 'what is suggested.yaml' {range}"));
    let (code, shown, said) = told(&in_folder(next));
    assert_eq!(code, Some(0), "{said}");
    let is_page = |line: &&str| line.contains("strictly") && line.contains("page-5m-1m");
    let page = shown.lines().filter(is_page).find(|line| line.contains("4 of 5"));
    assert!(page.is_some(), "{shown}");
    // So does the one behind that.
    let (code, _, said) = told(&in_folder(said.lines().find_map(|line| line.strip_prefix("next: ")).unwrap()));
    assert_eq!(code, Some(0), "{said}");
}

/// Where nothing is suggested it is said why, and where nothing was counted, and nothing fired.
#[tokio::test]
async fn what_has_no_suggestion_and_what_counts_nothing_is_told() {
    let home = installation().await;
    let paths = paths(home.path());
    let with = |what: &str, by: &str, more: &[&str]| {
        assert!(SLOS.contains(what));
        std::fs::write(&paths[1], SLOS.replace(what, by)).unwrap();
        let (code, shown, said) = told(&run(&arguments(home.path(), &paths, more)));
        assert_eq!(code, Some(0), "{said}");
        (shown, said)
    };
    let objective = "[{displayName: answered, target: 0.99}]";
    let weighted = "[{displayName: answered, target: 0.99, compositeWeight: 1}]";
    let (shown, said) = with(objective, weighted, &["--suggest"]);
    assert!(shown.contains("Nothing is suggested for answers: rules of composites are not tried."), "{shown}");
    assert!(said.contains("nothing is suggested: no SLO has an objective whose budget counts events"), "{said}");

    let nothing = ("filter: 'true'", r#"filter: service == "nobody""#);
    let (shown, said) = with(nothing.0, nothing.1, &[]);
    assert!(shown.contains("No request was counted by answers: no rule of it could fire."), "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("all ") && line.contains(" 0 ")), "{shown}");
    assert!(said.contains("next: slipstream backtest"), "{said}");
    let (shown, said) = with(nothing.0, nothing.1, &["--suggest", "--incidents", arg(&paths[2])]);
    assert!(shown.contains("too little traffic") && shown.contains("No SLO is about web"), "{shown}");
    assert!(said.contains("nothing is suggested: no rule fits"), "{said}");

    let quiet = ["--from", "2026-01-05T00:00:00Z", "--to", "2026-01-05T00:59:00Z"];
    let (shown, _) = with(objective, objective, &[&quiet[..], &["--suggest"]].concat());
    assert!(
        shown.contains("No stretch spent more than 1 % of a whole period's budget: there was nothing to find."),
        "{shown}"
    );
}
