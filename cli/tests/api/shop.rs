//! A process with some traffic and an alert, as a guide's reader would have it after a while.

use std::time::Duration;

use serde_json::{Value, json};
use slipstream_testkit::process::Slipstream;
use tokio::time::{Instant, sleep};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_slipstream");

const SLOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop/slos.yaml");
/// What is waited for comes within this time.
const DEADLINE: Duration = Duration::from_secs(60);

/// A process that runs every role, with the SLOs of the shop.
pub async fn running(arguments: &[&str]) -> Slipstream {
    let mut process = Slipstream::new(BINARY).unwrap().with(["--slos", SLOS]).with(arguments.iter().copied());
    process.start().await.unwrap();
    process
}

/// The same with requests of the last minutes, of which payment failed some: an alert fires.
pub async fn with_traffic(arguments: &[&str]) -> Slipstream {
    let process = running(arguments).await;
    let now = jiff::Timestamp::now();
    let event = |i: i64| {
        json!({
            "event_id": format!("e-{i}"),
            "time": (now - jiff::SignedDuration::from_secs(i / 2)).to_string(),
            "service": (["payment", "cart", "catalog"][(i % 3) as usize]),
            "environment": "prod",
            "endpoint": (["/payments", "/cart", "/products"][(i % 3) as usize]),
            "method": (["POST", "GET"][(i % 2) as usize]),
            "status_code": (if i % 6 == 0 { 503 } else { 200 }),
            "latency_ms": i as f64 / 2.0,
            "trace_id": format!("{i:032x}"),
            "user_ref": format!("u-{}", i % 20),
            // What a terminal would act on is one character of a text.
            "attributes": {"region": (["eu-central-1", "us-east-1"][(i % 2) as usize]), "note": "a\u{202e}b"},
        })
    };
    let events: Vec<Value> = (0..600).map(event).collect();
    let answer = client().post(format!("{}/v1/events", process.gateway())).json(&events).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let marker = json!({"kind": "deploy", "service": "payment", "environment": "prod", "version": "2.14.0", "text": "New card provider"});
    let marked = client().post(format!("{}/v1/markers", process.gateway())).json(&marker).send().await.unwrap();
    assert_eq!(marked.status(), 200, "{}", marked.text().await.unwrap());
    until("the requests are stored", async || get(&process, "/kpis").await["hits"] == 600).await;
    until("an alert is stored", async || !get(&process, "/alerts").await["alerts"].as_array().unwrap().is_empty())
        .await;
    until("burn rates are stored", async || {
        !get(&process, "/slos/payment-availability/history").await["points"].as_array().unwrap().is_empty()
    })
    .await;
    until("the requests are counted where the log is followed", async || {
        let told = get(&process, "/slos/payment-availability").await;
        told["exemplars"].as_array().is_some_and(|exemplars| !exemplars.is_empty())
    })
    .await;
    process
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// An answer of the API.
pub async fn get(process: &Slipstream, path: &str) -> Value {
    let answer = client().get(format!("{}/api/v1{path}", process.api())).send().await.unwrap();
    answer.json().await.unwrap()
}

/// Waits for a condition.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    until_ok(what, async || so().await.then_some(()).ok_or_else(String::new)).await;
}

/// Waits for a condition that says what it still finds.
pub async fn until_ok(what: &str, so: impl AsyncFn() -> Result<(), String>) {
    let deadline = Instant::now() + DEADLINE;
    while let Err(found) = so().await {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}: {found}");
        sleep(Duration::from_millis(50)).await;
    }
}
