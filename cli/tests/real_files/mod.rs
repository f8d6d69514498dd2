//! Real files with known totals: the folder is in SLIPSTREAM_DATA; beside each file lies a `.facts.json` with what must
//! come out, wherever the events went.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{arg, json};

/// A file, what is known of it, and how it is imported.
pub struct Case {
    pub file: &'static str,
    facts: &'static str,
    import: &'static [&'static str],
}

pub const CASES: [Case; 4] = [
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

/// The folder with the real files.
pub fn data() -> PathBuf {
    let data = std::env::var("SLIPSTREAM_DATA").expect("SLIPSTREAM_DATA names the folder with the real files");
    let data = PathBuf::from(data);
    assert!(data.is_dir(), "no such folder: {}", data.display());
    data
}

/// An installation, as flags say where it is.
#[derive(Clone, Copy)]
pub struct Place<'a>(pub &'a [&'a str]);

impl Case {
    pub fn facts(&self) -> Value {
        let text = std::fs::read_to_string(data().join(self.facts)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Arguments that import it.
    pub fn arguments(&self, place: Place<'_>, more: &[&str]) -> Vec<String> {
        let file = data().join(self.file);
        let words = [&["import", "--json"], self.import, place.0, more, &[arg(&file)]].concat();
        words.into_iter().map(str::to_owned).collect()
    }

    /// Imports it; what the import says of itself.
    pub fn import(&self, place: Place<'_>, more: &[&str]) -> Value {
        json(&self.arguments(place, more).iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// `query kpis` of an installation.
pub fn kpis(place: Place<'_>, more: &[&str]) -> Value {
    json(&[&["query", "kpis", "--json"], place.0, more].concat())
}

/// The distinct events of a file.
pub fn events(facts: &Value) -> u64 {
    facts["distinct_event_ids"].as_u64().or(facts["requests"].as_u64()).unwrap()
}

/// Checks everything the facts know against what queries answer.
pub fn check(place: Place<'_>, facts: &Value) {
    let total = kpis(place, &[]);
    assert_eq!(total["hits"].as_u64(), Some(events(facts)));
    assert_eq!(total["errors"].as_u64(), Some(events(facts) - facts["non_5xx"].as_u64().unwrap()));
    for (key, fact) in [("from", "first"), ("to", "last")] {
        let fact = facts[fact].as_str().or(facts[&format!("{fact}_time")].as_str()).unwrap();
        let (told, known) = (micros(total[key].as_str().unwrap()), micros(fact));
        assert_eq!(told, known, "{key}: {} instead of {fact}", total[key]);
    }
    for (by, fact) in [("status_code", "status"), ("method", "method")] {
        let rows = kpis(place, &["--by", by]);
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
        let rows = kpis(place, &["--by", "service"]);
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

/// An SLO that counts all events, by service.
pub fn slos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_files/slos.yaml")
}

/// Good and all events of that SLO by service, as they were tallied.
pub fn tallied(place: Place<'_>) -> BTreeMap<String, (u64, u64)> {
    let slos = json(&[&["query", "slos", "--json"], place.0].concat());
    let series = slos["slos"].as_array().unwrap().iter().filter(|series| series["group"]["service"].is_string());
    let counts = |series: &Value| (series["good"].as_u64().unwrap(), series["total"].as_u64().unwrap());
    series.map(|series| (series["group"]["service"].as_str().unwrap().to_owned(), counts(series))).collect()
}

/// Checks what the facts know of each service against what was tallied.
pub fn check_tallied(place: Place<'_>, facts: &Value) {
    let count = |service: &Value, key: &str| service[key].as_u64().unwrap();
    let services = facts["per_service"].as_object().unwrap().iter();
    let known: BTreeMap<String, (u64, u64)> = services
        .map(|(name, fact)| (name.clone(), (count(fact, "total") - count(fact, "5xx"), count(fact, "total"))))
        .collect();
    assert_eq!(tallied(place), known);
}

fn micros(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn near(told: f64, known: f64, what: &str) {
    assert!((told - known).abs() <= 0.02 * known, "{what}: {told} is not within 2 % of {known}");
}
