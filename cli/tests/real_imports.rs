//! Real logs with known totals: `make test-real DATA=DIR`. DIR is in SLIPSTREAM_DATA; beside each file lies a
//! `.facts.json` with what must come out.

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{arg, json, run, slipstream};

struct Case {
    file: &'static str,
    facts: &'static str,
    import: &'static [&'static str],
}

const CASES: [Case; 4] = [
    Case {
        file: "requests/trainticket-2023-01-29.events.ndjson.gz",
        facts: "requests/trainticket-2023-01-29.facts.json",
        import: &["--format", "json"],
    },
    Case {
        file: "requests/onlineboutique-frontend-2022-08-22.events.ndjson.gz",
        facts: "requests/onlineboutique-frontend-2022-08-22.facts.json",
        import: &["--format", "json"],
    },
    Case {
        file: "access-logs/nasa-ksc-1995-08-01.common.log.gz",
        facts: "access-logs/nasa-ksc-1995-08-01.facts.json",
        import: &["--format", "common", "--service", "www"],
    },
    Case {
        file: "access-logs/zanbil-shop.nginx-combined.log.gz",
        facts: "access-logs/zanbil-shop.nginx-combined.facts.json",
        import: &["--format", "combined", "--service", "shop"],
    },
];

fn data() -> PathBuf {
    let data = std::env::var("SLIPSTREAM_DATA").expect("SLIPSTREAM_DATA names the folder with the real files");
    let data = PathBuf::from(data);
    assert!(data.is_dir(), "no such folder: {}", data.display());
    data
}

impl Case {
    fn facts(&self) -> Value {
        let text = std::fs::read_to_string(data().join(self.facts)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn arguments(&self, dir: &Path) -> Vec<String> {
        let file = data().join(self.file);
        let mut args = vec!["import".to_owned()];
        args.extend(self.import.iter().map(|a| (*a).to_owned()));
        args.extend(["--json", "--data", arg(dir), arg(&file)].map(str::to_owned));
        args
    }

    fn import(&self, dir: &Path) -> Value {
        json(&self.arguments(dir).iter().map(String::as_str).collect::<Vec<_>>())
    }
}

fn kpis(dir: &Path, more: &[&str]) -> Value {
    json(&[&["query", "kpis", "--json", "--data", arg(dir)], more].concat())
}

/// The distinct events of a file.
fn events(facts: &Value) -> u64 {
    facts["distinct_event_ids"].as_u64().or(facts["requests"].as_u64()).unwrap()
}

/// Checks everything the facts know against what queries answer.
fn check(dir: &Path, facts: &Value) {
    let total = kpis(dir, &[]);
    assert_eq!(total["hits"].as_u64(), Some(events(facts)));
    assert_eq!(total["errors"].as_u64(), Some(events(facts) - facts["non_5xx"].as_u64().unwrap()));
    for (key, fact) in [("from", "first"), ("to", "last")] {
        let fact = facts[fact].as_str().or(facts[&format!("{fact}_time")].as_str()).unwrap();
        let (told, known) = (micros(total[key].as_str().unwrap()), micros(fact));
        assert_eq!(told, known, "{key}: {} instead of {fact}", total[key]);
    }
    for (by, fact) in [("status_code", "status"), ("method", "method")] {
        let rows = kpis(dir, &["--by", by]);
        let rows = rows["rows"].as_array().unwrap();
        assert_eq!(rows.len(), facts[fact].as_object().unwrap().len(), "rows by {by}");
        for row in rows {
            let key = row[by].as_str().map_or_else(|| row[by].to_string(), str::to_owned);
            assert_eq!(row["hits"], facts[fact][&key], "{by} {key}");
        }
    }
    if let Some(latency) = facts["latency_ms_nearest_rank"].as_object() {
        for (key, fact) in [("p50_latency_ms", "p50"), ("p95_latency_ms", "p95"), ("p99_latency_ms", "p99")] {
            near(total[key].as_f64().unwrap(), latency[fact].as_f64().unwrap(), key);
        }
        assert_eq!(total["max_latency_ms"].as_f64(), latency["max"].as_f64());
    }
    if let Some(services) = facts["per_service"].as_object() {
        let rows = kpis(dir, &["--by", "service"]);
        let rows = rows["rows"].as_array().unwrap();
        assert_eq!(rows.len(), services.len());
        for row in rows {
            let service = row["service"].as_str().unwrap();
            let fact = &services[service];
            assert_eq!(row["hits"], fact["total"], "{service}");
            assert_eq!(row["errors"], fact["5xx"], "{service}");
            near(row["p50_latency_ms"].as_f64().unwrap(), fact["p50"].as_f64().unwrap(), service);
            near(row["p99_latency_ms"].as_f64().unwrap(), fact["p99"].as_f64().unwrap(), service);
        }
    }
}

fn micros(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn near(told: f64, known: f64, what: &str) {
    assert!((told - known).abs() <= 0.02 * known, "{what}: {told} is not within 2 % of {known}");
}

#[test]
fn each_file_gives_its_known_totals_and_a_second_import_adds_nothing() {
    for case in &CASES {
        let (dir, facts) = (tempfile::tempdir().unwrap(), case.facts());
        let first = case.import(dir.path());
        assert_eq!(first["rejected"], 0, "{}", case.file);
        check(dir.path(), &facts);
        let second = case.import(dir.path());
        assert_eq!(second["events"], 0, "{}: a second import adds nothing", case.file);
        assert_eq!(second["files"][0]["already_imported"], facts["lines"], "{}", case.file);
        check(dir.path(), &facts);
        println!("{}: {} events, as known", case.file, events(&facts));
    }
}

#[test]
fn an_import_that_is_killed_again_and_again_continues() {
    let case = &CASES[0];
    let (dir, facts) = (tempfile::tempdir().unwrap(), case.facts());
    let args = case.arguments(dir.path());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut kills = 0;
    for after in (1..).map(|n| Duration::from_millis(60 + 35 * n)) {
        let mut child = slipstream(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + after;
        let ended = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() >= deadline => break None,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        match ended {
            Some(status) => {
                assert!(status.success());
                break;
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
        }
    }
    assert!(kills >= 3, "only {kills} kills hit a running import");
    check(dir.path(), &facts);
    println!("{kills} kills, {} events, as known", events(&facts));
}

#[test]
fn lines_that_are_no_requests_are_told_by_number_and_stop_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mixed.log");
    let good = std::fs::read(data().join(CASES[2].file)).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(good.as_slice()), &mut text).unwrap();
    let mut lines: Vec<&str> = text.lines().take(100).collect();
    lines.insert(7, "this is no request");
    lines.insert(50, "host - - [not a time] \"GET / HTTP/1.0\" 200 1");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let store = dir.path().join("data");
    let args = ["import", "--format", "common", "--service", "www", "--json", "--data", arg(&store), arg(&file)];
    let output = run(&args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["events"].as_u64(), report["rejected"].as_u64()), (Some(100), Some(2)));
    for line in ["mixed.log:8:", "mixed.log:51:"] {
        assert!(said.contains(line), "no {line} in: {said}");
    }
    assert_eq!(kpis(&store, &[])["hits"], 100);
}
