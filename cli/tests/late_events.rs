//! Events that are accepted and count nowhere: a producer that sends another unit than microseconds hears of it, and so does
//! whoever operates.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::{Value, json as object};
use slipstream_testkit::process::Slipstream;
use support::BINARY;

/// A quiet series is published once a minute.
const SOON: Duration = Duration::from_secs(90);

const SLO: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout}
spec:
  service: shop
  indicator:
    metadata: {name: checkout-answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: status_code < 500}}}
        total: {metricSource: {type: slipstream, spec: {filter: service == "shop"}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: answered, target: 0.99}]
"#;

async fn get(url: &str) -> String {
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

/// Waits until a question is answered as it should be.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_in_milliseconds_are_seen_everywhere() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slo.yaml");
    std::fs::write(&file, SLO).unwrap();
    let mut process = Slipstream::new(BINARY).unwrap().with(["--slos".as_ref(), file.as_os_str()]);
    process.start().await.unwrap();

    let milliseconds = UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let event =
        object!({"time": milliseconds, "service": "shop", "endpoint": "/", "method": "GET", "status_code": 503});
    let events = object!({"events": vec![event; 30]});
    let url = format!("{}/v1/events", process.gateway());
    let answer: Value = reqwest::Client::new().post(&url).json(&events).send().await.unwrap().json().await.unwrap();
    assert_eq!((&answer["inserted"], &answer["warnings"][0]["events"]), (&object!(30), &object!(30)), "{answer}");

    let metrics = format!("{}/metrics", process.ops());
    until("burn counts them", async || {
        get(&metrics).await.contains("slipstream_burn_too_late_events_total{partition=\"0\"} 30")
    })
    .await;
    let status = process.command(["slo", "status"]).await.unwrap();
    let said = String::from_utf8_lossy(&status.stderr).into_owned();
    assert!(said.contains("checkout answered: 30 events were too old for any window and were not counted"), "{said}");
    let status = process.json(["slo", "status", "--json"]).await.unwrap();
    assert_eq!((&status["slos"][0]["total"], &status["slos"][0]["too_late"]), (&object!(0), &object!(30)), "{status}");
    until("doctor says so", async || {
        let doctor = process.command(["doctor"]).await.unwrap();
        String::from_utf8_lossy(&doctor.stdout)
            .contains("events too old for any window, not counted in any SLI: 30 of checkout answered")
    })
    .await;
    assert!(process.stderr().contains("arrived too late for any window of their SLO"), "{}", process.stderr());
    assert!(process.stop().await.unwrap().success());
}
