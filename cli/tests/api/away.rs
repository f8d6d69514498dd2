//! Database or broker die while the API is asked: answers are right, or an error with Retry-After, and all is well once they are
//! back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use slipstream_testkit::process::Slipstream;
use slipstream_testkit::services::{Kafka, Postgres};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::shop::{self, client, until, until_ok};

/// What a client saw.
#[derive(Default)]
struct Seen {
    right: AtomicU64,
    later: AtomicU64,
}

/// Asks again and again until the bell; every answer is right, or 503 with Retry-After.
async fn asks(address: String, right: fn(&Value) -> bool, seen: Arc<Seen>, over: Arc<AtomicBool>) {
    let client = client();
    while !over.load(Ordering::SeqCst) {
        // Four of these stay below the limit of what one client may ask.
        sleep(Duration::from_millis(10)).await;
        let answer = timeout(Duration::from_secs(30), client.get(&address).send()).await;
        let answer = answer.unwrap_or_else(|_| panic!("{address}: no answer at all")).unwrap();
        let (status, retry) = (answer.status().as_u16(), answer.headers().get("retry-after").cloned());
        let body: Value = answer.json().await.unwrap();
        match status {
            200 => {
                assert!(right(&body), "{address}: {body}");
                seen.right.fetch_add(1, Ordering::SeqCst);
            }
            503 => {
                assert!(retry.is_some() && body["type"] == "urn:slipstream:problem:later", "{address}: {body}");
                assert!(!body.to_string().contains("127.0.0.1"), "{address}: a host is named: {body}");
                seen.later.fetch_add(1, Ordering::SeqCst);
            }
            _ => panic!("{address}: {status}: {body}"),
        }
    }
}

#[tokio::test]
async fn a_database_that_is_killed_costs_no_wrong_answer() {
    let postgres = Postgres::dedicated().await;
    let url = postgres.fresh_database().await;
    let mut process = shop::with_traffic(&["--store", &url]).await;
    let (of_store, of_slos) = (Arc::new(Seen::default()), Arc::new(Seen::default()));
    let (over, mut clients) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    let address = |path: &str| format!("{}/api/v1{path}", process.api());
    let hits: fn(&Value) -> bool = |body| body["hits"] == 600;
    let rows: fn(&Value) -> bool = |body| body["events"].as_array().unwrap().len() == 5;
    let alerts: fn(&Value) -> bool = |body| !body["alerts"].as_array().unwrap().is_empty();
    let slos: fn(&Value) -> bool = |body| body["slos"].as_array().unwrap().len() >= 4;
    for (path, right, seen) in [
        ("/kpis", hits, &of_store),
        ("/events?limit=5", rows, &of_store),
        ("/alerts", alerts, &of_store),
        ("/slos", slos, &of_slos),
    ] {
        clients.spawn(asks(address(path), right, seen.clone(), over.clone()));
    }
    let counted = |of: &AtomicU64| of.load(Ordering::SeqCst);
    until("answers come", async || counted(&of_store.right) > 20).await;
    postgres.kill().await.unwrap();
    until("questions are told to come again", async || counted(&of_store.later) > 20).await;
    let known = counted(&of_slos.right);
    until("the SLOs are answered meanwhile", async || counted(&of_slos.right) > known + 20).await;
    let health = shop::get(&process, "/health").await;
    assert_eq!(health["store"]["answers"], false, "{health}");
    postgres.start().await.unwrap();
    let before = counted(&of_store.right);
    until("answers come again", async || counted(&of_store.right) > before + 20).await;
    over.store(true, Ordering::SeqCst);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    assert_eq!(counted(&of_slos.later), 0, "the SLOs need no database");
    process.still_runs().unwrap();
    process.stop().await.unwrap();
}

/// A process on a Kafka of its own, with traffic.
async fn on(kafka: &Kafka) -> Slipstream {
    let log = format!("kafka://{}", kafka.bootstrap());
    let made = Command::new(shop::BINARY).args(["topics", "ensure", "--log", &log]).output().await.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    shop::with_traffic(&["--log", &log]).await
}

/// Up to when an answer says that it is known.
async fn as_of(process: &Slipstream, path: &str) -> Option<Timestamp> {
    shop::get(process, path).await["as_of"].as_str().map(|told| told.parse().unwrap())
}

#[tokio::test]
async fn a_broker_that_is_killed_costs_no_wrong_answer_and_nothing_is_stale_without_saying_so() {
    let kafka = Kafka::dedicated().await;
    let mut process = on(&kafka).await;
    let then = Timestamp::now();
    let known = async |path: &str, at: Timestamp| as_of(&process, path).await.is_some_and(|told| told > at);
    until("everything is known", async || known("/kpis", then).await && known("/alerts", then).await).await;
    let past = format!("/kpis?as_of={then}");
    until("the past is known", async || shop::get(&process, &past).await["hits"] == 600).await;
    let before = shop::get(&process, &past).await;

    let (of_store, of_log, of_slos) = (Arc::new(Seen::default()), Arc::new(Seen::default()), Arc::new(Seen::default()));
    let (over, mut clients) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    let address = |path: &str| format!("{}/api/v1{path}", process.api());
    let hits: fn(&Value) -> bool = |body| body["hits"] == 600;
    let alerts: fn(&Value) -> bool = |body| !body["alerts"].as_array().unwrap().is_empty();
    let markers: fn(&Value) -> bool = |body| body["markers"].as_array().unwrap().len() == 1;
    let slos: fn(&Value) -> bool = |body| body["slos"].as_array().unwrap().len() >= 4;
    for (path, right, seen) in [
        ("/kpis", hits, &of_store),
        (past.as_str(), hits, &of_store),
        ("/alerts", alerts, &of_store),
        ("/markers", markers, &of_log),
        ("/slos", slos, &of_slos),
    ] {
        clients.spawn(asks(address(path), right, seen.clone(), over.clone()));
    }
    let counted = |of: &AtomicU64| of.load(Ordering::SeqCst);
    until("answers come", async || counted(&of_store.right) > 20 && counted(&of_log.right) > 2).await;
    kafka.kill().await.unwrap();
    let killed = Timestamp::now();
    until("the SLOs are said to be stale", async || {
        let told = shop::get(&process, "/slos").await;
        told["complete"] == false && told["stale_for_seconds"].is_u64()
    })
    .await;
    until("what takes the log is told to come again", async || counted(&of_log.later) > 0).await;
    // What is stored is right, as of when the log was last read; and the past is what it was.
    for path in ["/kpis", "/alerts"] {
        let told = as_of(&process, path).await;
        assert!(told.is_some_and(|told| told <= killed), "{path}: {told:?}, killed at {killed}");
    }
    assert_eq!(shop::get(&process, &past).await, before);
    let health = shop::get(&process, "/health").await;
    assert_eq!((&health["status"], &health["store"]["answers"]), (&"degraded".into(), &true.into()), "{health}");
    assert_eq!(health["store"]["lag"], Value::Null, "{health}");

    kafka.start().await.unwrap();
    let back = Timestamp::now();
    for path in ["/kpis", "/alerts"] {
        until_ok("what is stored is known again", async || match as_of(&process, path).await {
            Some(told) if told > back => Ok(()),
            told => Err(format!("{path} as of {told:?}, back at {back}: {}", process.stderr())),
        })
        .await;
    }
    until_ok("the SLOs are complete again", async || {
        let told = shop::get(&process, "/slos").await;
        if told["complete"] == true { Ok(()) } else { Err(format!("{told}: {}", process.stderr())) }
    })
    .await;
    over.store(true, Ordering::SeqCst);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    assert_eq!(counted(&of_slos.later), 0, "the SLOs are known here");
    process.still_runs().unwrap();
    process.stop().await.unwrap();
}
