//! Roles in processes of their own, which meet only in Kafka.

use std::time::Duration;

use serde_json::{Value, json};
use slipstream_testkit::process::{PATIENCE, Slipstream, get_status};
use slipstream_testkit::services::{self, Postgres};
use slipstream_testkit::webhook::Receiver;
use tokio::time::{Instant, sleep};

use crate::place::{self, Place, started, text};

/// With the default policy: where everything fails and nothing was before, it pages at once.
fn checkout() -> String {
    place::slo("checkout", 0.99)
}

/// A client of HTTP, in a process that has no provider of TLS yet.
fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Events that say when they happened: now.
async fn publish(process: &Slipstream, name: &str, count: usize, status: u16) {
    let time = jiff::Timestamp::now().to_string();
    let event = |i: usize| {
        json!({"event_id": format!("{name}-{i}"), "time": time, "service": "checkout", "endpoint": "/pay",
               "method": "POST", "status_code": status, "latency_ms": 12.5})
    };
    let events: Vec<Value> = (0..count).map(event).collect();
    let posted = client().post(format!("{}/v1/events", process.gateway())).json(&events).send().await;
    let answer: Value = posted.unwrap().json().await.unwrap();
    assert_eq!(answer["inserted"], count, "{answer}");
}

#[tokio::test]
async fn two_processes_share_the_roles_from_the_gateway_to_the_webhook() {
    let place = Place::new().await;
    place.json(&["topics", "ensure"], 0).await;
    let receiver = Receiver::start().await.unwrap();
    let slos = place.file("slos.yaml", &checkout());
    // The process that takes events in knows nothing of the database.
    let intake = place.process("gateway,tally").with(["--slos".into(), slos.into_os_string()]);
    let intake = intake.with(["--store", "postgres://127.0.0.1:1/nobody"]);
    let rest = place.process("burn,sink,alerter,notifier").with(["--webhook", receiver.url()]);
    let began = Instant::now();
    let (mut intake, mut rest) = tokio::join!(started(intake), started(rest));
    assert!(began.elapsed() >= Duration::from_secs(5), "ready before the definitions apply");

    publish(&intake, "failed", 500, 503).await;
    let fired = |d: &[slipstream_testkit::webhook::Delivery]| d.iter().any(|d| d.body["status"] == "firing");
    let came = receiver.until(PATIENCE, fired).await.unwrap();
    assert_eq!(came[0].body["alerts"][0]["labels"]["slo"], "checkout", "{:#}", came[0].body);
    place.stored(500).await;

    place.until(&["query", "alerts"], |answer| answer["alerts"][0]["slo"] == "checkout").await;
    let slos = place.until(&["slo", "status"], |answer| answer["slos"][0]["total"] == 500).await;
    assert_eq!(slos["slos"][0]["good"], 0, "{slos}");

    let simulated = place.json(&["simulate", "--rate", "100", "--for", "10s", "--fast", "--seed", "5"], 0).await;
    assert_eq!(simulated["digested"], false, "others digest it: {simulated}");
    place.stored(500 + simulated["events"].as_u64().unwrap()).await;

    for process in [&mut intake, &mut rest] {
        let ended = process.stop().await.unwrap();
        assert!(ended.success(), "{}", process.stderr());
    }
    let said = format!("{}{}", intake.stderr(), rest.stderr());
    assert!(!said.contains(&place.credentials()), "the database's password was told: {said}");
}

#[tokio::test]
async fn whoever_is_given_what_another_has_just_published_waits_for_the_cut_too() {
    let place = Place::new().await;
    place.json(&["topics", "ensure"], 0).await;
    let slos = place.file("slos.yaml", &checkout());
    let process = |roles: &str| place.process(roles).with(["--slos".into(), slos.clone().into_os_string()]);
    let (mut first, second) = (process("tally"), process("gateway"));
    let began = Instant::now();
    first.spawn().unwrap();
    // It answers when it has published.
    while get_status(first.ops().trim_start_matches("http://"), "/readyz").await.is_err() {
        assert!(began.elapsed() < PATIENCE, "{}", first.stderr());
        sleep(Duration::from_millis(10)).await;
    }
    started(second).await;
    assert!(began.elapsed() >= Duration::from_secs(5), "ready before the definitions apply");
}

#[tokio::test]
async fn a_database_that_is_down_at_the_start_is_waited_for() {
    let (kafka, postgres) = (services::kafka().await, Postgres::dedicated().await);
    let place = Place::of(kafka.bootstrap(), postgres.fresh_database().await);
    place.json(&["topics", "ensure"], 0).await;
    postgres.kill().await.unwrap();
    let mut process = started(place.process("gateway,sink")).await;
    let waiting = async {
        loop {
            let asked = client().get(format!("{}/readyz", process.ops())).send().await.unwrap();
            let board: Value = asked.json().await.unwrap();
            if board["roles"]["sink"]["state"] == "waiting" {
                return board;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let board = tokio::time::timeout(PATIENCE, waiting).await.expect("the sink says that it waits");
    assert!(board["roles"]["sink"]["detail"].as_str().unwrap().contains("connecting to postgres://"), "{board}");
    publish(&process, "early", 50, 200).await;
    postgres.start().await.unwrap();
    place.stored(50).await;
    assert_eq!(get_status(process.ops().trim_start_matches("http://"), "/readyz").await.unwrap(), 200);
    assert!(process.stop().await.unwrap().success(), "{}", process.stderr());
}

#[tokio::test]
async fn a_database_that_does_not_let_us_in_ends_the_process_with_what_to_do() {
    let place = Place::new().await;
    place.json(&["topics", "ensure"], 0).await;
    place.configure(&format!("store: {}\n", place.wrong_password("wr0ng")));
    let output = place.command(&["run", "--roles", "sink", "--ops-listen", "127.0.0.1:0"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("password") && said.contains("pg_hba.conf") && !said.contains("wr0ng"), "{said}");
}
