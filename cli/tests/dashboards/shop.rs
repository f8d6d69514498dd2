//! A shop with a fault: half an hour of requests, sent to a real process that stores them in PostgreSQL.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use slipstream_testkit::process::Slipstream;
use slipstream_testkit::webhook::Receiver;

use super::sources::http;

const SLOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop");
/// What the shop's own SLOs are not: time is sliced, its period is a calendar's, and it is a composite.
const SLICED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dashboards/sliced.yaml");
/// How long the alert may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Minutes that the requests come from, the oldest first.
pub const MINUTES: std::ops::Range<i64> = 0..30;

/// The process, and who is told of its alerts.
pub struct Shop {
    process: Slipstream,
    receiver: Receiver,
    opened: Timestamp,
}

impl Shop {
    /// Starts it on `database`.
    pub async fn open(database: &str) -> Shop {
        let receiver = Receiver::start().await.unwrap();
        let arguments = ["--store", database, "--slos", SLOS, "--slos", SLICED, "--webhook", receiver.url()];
        let mut process = Slipstream::new(env!("CARGO_BIN_EXE_slipstream")).unwrap().with(arguments);
        process.start().await.unwrap();
        Shop { process, receiver, opened: Timestamp::now() }
    }

    /// Where its metrics are.
    pub fn ops(&self) -> String {
        self.process.ops()
    }

    /// Sends it the requests of one of [`MINUTES`]; many fail.
    pub async fn serve(&self, minute: i64) {
        let events: Vec<Value> = (0..60).map(|i| request(self.opened, MINUTES.end - 1 - minute, i)).collect();
        let body = serde_json::to_vec(&events).unwrap();
        let post = http().post(format!("{}/v1/events", self.process.gateway()));
        let answer = post.header("content-type", "application/json").body(body).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap());
    }

    /// Somebody asks its API.
    pub async fn is_asked(&self) {
        let answer = http().get(format!("{}/api/v1/slos", self.process.api())).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Waits until it has told someone of an alert.
    pub async fn has_told(&self) {
        let told = self.receiver.until(PATIENCE, |deliveries| !deliveries.is_empty()).await;
        told.unwrap_or_else(|e| panic!("no alert: {e}\n{}", self.process.stderr()));
    }
}

/// A request of some service; one in five fails, and more are slow.
fn request(now: Timestamp, minutes_ago: i64, i: i64) -> Value {
    let (service, endpoint, method) = match i % 4 {
        0 => ("storefront", "/orders", "POST"),
        1 => ("storefront", "/", "GET"),
        2 => ("payment", "/charge", "POST"),
        _ => ("catalog", "/items/{id}", "GET"),
    };
    let status = [200, 200, 503, 302, 200, 404, 200, 200, 500, 200][(i / 4 % 10) as usize];
    let time = now - SignedDuration::from_mins(minutes_ago) - SignedDuration::from_millis(900 * i);
    json!({
        "event_id": format!("request-{minutes_ago}-{i}"),
        "trace_id": format!("{:032x}", minutes_ago * 1_000 + i),
        "time": time.to_string(),
        "service": service,
        "environment": if i % 3 == 0 { "" } else { "production" },
        "endpoint": endpoint,
        "method": method,
        "status_code": status,
        "latency_ms": 5.0 + (i * 37 % 600) as f64,
        "attributes": {"outcome": if i % 8 == 0 { "declined" } else { "confirmed" }},
    })
}
