//! The database dies while it is asked: answers are right, or an error with Retry-After, and all is well once it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use slipstream_testkit::services::Postgres;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::shop::{self, client, until};

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
