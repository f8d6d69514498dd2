//! The Train Ticket day, replayed and tested against its faults: `make test-real DATA=DIR`. The log is one that was live then.
#![allow(clippy::unwrap_used, reason = "a test")]

mod past;
mod recount;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use recount::{OBJECTIVES, Request, Series, WINDOWS, requests};
use serde_json::{Value, json as object};
use support::{arg, json, run};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/train-ticket");
/// Length of a step, seconds.
const STEP: i64 = 300;

/// The folder with the real files.
fn data() -> PathBuf {
    PathBuf::from(std::env::var("SLIPSTREAM_DATA").expect("SLIPSTREAM_DATA names the folder with the real files"))
}

fn lines() -> Vec<Value> {
    let file = std::fs::read(data().join("requests/trainticket-2023-01-29.events.ndjson.gz")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(file.as_slice()), &mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A directory whose log took the day's requests while they happened.
async fn installation(lines: &[Value]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let time = |event: &Value| event["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    past::live_then(&home.path().join("data"), lines.iter().map(|event| (time(event), event.clone()))).await;
    home
}

fn second(text: &Value) -> i64 {
    text.as_str().unwrap().parse::<Timestamp>().unwrap().as_second()
}

fn group(told: &Value) -> &str {
    told["group"]["service"].as_str().unwrap()
}

#[tokio::test]
async fn a_replay_agrees_with_a_recount_in_every_figure() {
    let lines = lines();
    let home = installation(&lines).await;
    let replayed =
        json(&["replay", "--json", "--step", "5m", "--slos", EXAMPLE, "--data", arg(&home.path().join("data"))]);
    let requests = requests(lines.iter());
    assert_eq!(replayed["events"], object!(requests.len()));
    assert_eq!(replayed["duplicates"], object!(lines.len() - requests.len()));
    assert_eq!((&replayed["invalid"], &replayed["step_seconds"]), (&object!(0), &object!(STEP)));
    traffic(&replayed, &requests);

    let alerts = replayed["alerts"].as_array().unwrap();
    let (mut series_told, mut fired) = (0, 0);
    for objective in &OBJECTIVES {
        let told = replayed["slos"].as_array().unwrap().iter().filter(|slo| slo["name"] == objective.slo);
        for slo in told {
            let series = Series::of(objective, group(slo), &requests);
            let what = format!("{} of {}", objective.slo, group(slo));
            let [bad, total] = series.sum(i64::MIN, i64::MAX);
            assert_eq!(slo["range"], object!({"good": total - bad, "total": total, "unknown": 0}), "{what}");
            timeline(slo, &series, objective.allowed, &what);
            contributors(slo, &series, &what);
            let mine = alerts.iter().filter(|alert| alert["slo"] == objective.slo && group(alert) == group(slo));
            fired +=
                episodes(mine, &series, objective.allowed, (second(&replayed["from"]), second(&replayed["to"])), &what);
            series_told += 1;
        }
    }
    assert_eq!(series_told, 2 * 27, "27 services have two objectives each");
    assert_eq!(fired, alerts.len());
    println!("{} requests, {series_told} series and {fired} alerts, as recounted", requests.len());
}

/// Requests and errors of each service in each step.
fn traffic(replayed: &Value, requests: &[Request]) {
    let mut known: BTreeMap<(&str, i64), [u64; 2]> = BTreeMap::new();
    let from = second(&replayed["from"]);
    for request in requests {
        let step = from + (request.second - from) / STEP * STEP;
        let sums = known.entry((&request.service, step)).or_default();
        sums[0] += 1;
        sums[1] += u64::from(request.status >= 500);
    }
    let services = replayed["traffic"].as_array().unwrap();
    assert_eq!(services.len(), 27);
    for service in services {
        let name = service["service"].as_str().unwrap();
        for step in service["steps"].as_array().unwrap() {
            let counts = known.remove(&(name, second(&step["at"]))).unwrap_or_default();
            assert_eq!(
                [&step["requests"], &step["errors"]],
                [&object!(counts[0]), &object!(counts[1])],
                "{name} {step}"
            );
        }
    }
    assert!(known.is_empty(), "traffic that was not told: {known:?}");
}

/// Counts, burn rates and budget of each step.
fn timeline(slo: &Value, series: &Series, allowed: i64, what: &str) {
    for step in slo["timeline"].as_array().unwrap() {
        let at = second(&step["at"]);
        // The last one is cut off by the range's end, after which nothing was.
        let [bad, total] = series.sum(at, at + STEP);
        let counts = [&step["good"], &step["total"], &step["unknown"]];
        assert_eq!(counts, [&object!(total - bad), &object!(total), &object!(0)], "{what} at {}", step["at"]);
        if series.seconds.range(at + STEP..).next().is_none() {
            continue;
        }
        let tick = at + STEP - 1;
        for (name, seconds, _) in WINDOWS {
            let burn = step["burn_rates"][name].as_f64().unwrap_or_else(|| panic!("{what}: no {name} in {step}"));
            near(burn, series.burn(tick, seconds, allowed), &format!("{what}, {name} at {}", step["at"]));
        }
        let [bad, total] = series.window(tick, 604_800);
        let budget = total as f64 * allowed as f64 / 1_000.0;
        let left = if total == 0 { 1.0 } else { 1.0 - bad as f64 / budget };
        near(step["budget_remaining"].as_f64().unwrap(), left, &format!("{what}, budget at {}", step["at"]));
    }
}

/// Which endpoints the bad requests were of.
fn contributors(slo: &Value, series: &Series, what: &str) {
    let told = slo["contributors"].as_array().unwrap().iter().find(|told| told["dimension"] == "endpoint");
    let told = told.map_or_else(Vec::new, |told| told["values"].as_array().unwrap().clone());
    // A service with a single endpoint has nothing to say by endpoint.
    let known = series.endpoints.values().filter(|counts| counts[0] > 0 && series.endpoints.len() > 1).count();
    assert_eq!(told.len(), known, "{what}: {told:?}");
    for value in &told {
        let [bad, total] = series.endpoints[value["value"].as_str().unwrap()];
        assert_eq!([&value["bad"], &value["total"]], [&object!(bad), &object!(total)], "{what}");
    }
}

/// Each alert fires at a second at which a rule holds, and is over at the first at which none does. In between rules hold
/// all the time; before and after them, at no second that had a request: then a series is looked at.
fn episodes<'a>(
    alerts: impl Iterator<Item = &'a Value>,
    series: &Series,
    allowed: i64,
    (from, to): (i64, i64),
    what: &str,
) -> usize {
    let mut open = Vec::new();
    for alert in alerts {
        let begin = second(&alert["fired_at"]);
        let end = if alert["resolved_at"].is_null() { to } else { second(&alert["resolved_at"]) };
        open.push(begin..end);
    }
    for tick in from..to {
        let is_open = open.iter().any(|episode| episode.contains(&tick));
        let holds = series.alerts(tick, allowed);
        let is_looked_at = is_open || series.seconds.contains_key(&tick);
        assert!(!is_looked_at || holds == is_open, "{what} at {}", Timestamp::from_second(tick).unwrap());
    }
    open.len()
}

fn near(told: f64, known: f64, what: &str) {
    assert!((told - known).abs() <= 1e-9 * known.abs().max(1.0), "{what}: {told} instead of {known}");
}

/// The faults as CSV, those for which `take` says so; each lasts two minutes, as examples/train-ticket/README.md says.
fn faults(folder: &Path, name: &str, take: fn(usize) -> bool) -> PathBuf {
    let text = std::fs::read_to_string(data().join("requests/trainticket-2023-01-29.fault_list.json")).unwrap();
    let hours: BTreeMap<String, Vec<BTreeMap<String, String>>> = serde_json::from_str(&text).unwrap();
    let mut csv = "from,to,service,what\n".to_owned();
    let chosen = hours.values().flatten().enumerate().filter(|(index, _)| take(*index));
    for (_, fault) in chosen {
        let from: Timestamp = (fault["inject_time"].replace(' ', "T") + "Z").parse().unwrap();
        let to = from + jiff::SignedDuration::from_mins(2);
        let service = fault["inject_pod"].rsplitn(3, '-').last().unwrap();
        csv += &format!("{from},{to},{service},{}\n", fault["inject_type"]);
    }
    let path = folder.join(name);
    std::fs::write(&path, csv).unwrap();
    path
}

/// found, already firing, missed, false, repeats: of all alerts, or of those that page.
fn verdict(found: &Value, pages_only: bool) -> [u64; 5] {
    let page = found["severities"].as_array().unwrap().iter().find(|part| part["severity"] == "page");
    let figures = if pages_only { page.unwrap() } else { &found["all"] };
    ["found", "already_firing", "missed", "false", "repeats"]
        .map(|name| figures["against_incidents"][name].as_u64().unwrap())
}

#[tokio::test]
async fn the_figures_of_the_day_are_those_in_its_documentation() {
    let home = installation(&lines()).await;
    let place = home.path().join("data");
    let all = faults(home.path(), "faults.csv", |_| true);
    let first = faults(home.path(), "first.csv", |index| index % 2 == 0);
    let second = faults(home.path(), "second.csv", |index| index % 2 == 1);
    let suggested = home.path().join("suggested.yaml");
    let test = |slos: &str, more: &[&str]| {
        let ask = ["backtest", "--json", "--data", arg(&place), "--slos", slos, "--any-service", "--grace", "1m"];
        json(&[&ask, more].concat())
    };
    let defaults = test(EXAMPLE, &["--incidents", arg(&all)]);
    assert_eq!(verdict(&defaults, false), [10, 18, 0, 14, 5]);
    assert_eq!(verdict(&defaults, true), [4, 24, 0, 8, 1]);
    assert!((defaults["quiet_share"].as_f64().unwrap() - 0.802).abs() < 0.001, "{}", defaults["quiet_share"]);

    // What is found on one half of the faults, judged on the other.
    let halves = |one: &Path, other: &Path| {
        let found_on = ["--incidents", arg(one), "--set-aside", arg(other)];
        test(EXAMPLE, &[&found_on[..], &["--suggest", "--max-false", "100", "--out", arg(&suggested)]].concat());
        assert!(run(&["slo", "validate", arg(&suggested)]).status.success());
        let judged_on = ["--incidents", arg(other), "--set-aside", arg(one)];
        [EXAMPLE, arg(&suggested)].map(|slos| verdict(&test(slos, &judged_on), true))
    };
    assert_eq!(halves(&first, &second), [[2, 12, 0, 8, 1], [5, 3, 6, 7, 1]]);
    assert_eq!(halves(&second, &first), [[2, 12, 0, 8, 0], [3, 2, 9, 8, 0]]);
}
