//! What is answered while the store or the log is away: what is known, with a word on how old it is, or 503.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slipstream_log::{Fetch, LogError, TopicPartition};
use slipstream_schemas::Topic;
use slipstream_testkit::hooked::{Hooked, Hooks};
use support::{World, events, mark, publish, until};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A log that is away while the switch is on.
struct Away(Arc<AtomicBool>);

impl Hooks for Away {
    fn failing(&self, _: TopicPartition) -> Result<(), LogError> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(LogError::Transient { doing: "reading".to_owned(), cause: "the broker is gone".into() }),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn what_is_known_is_answered_and_said_to_be_stale() {
    let away = Arc::new(AtomicBool::new(false));
    let switch = away.clone();
    let world = World::with(|log| Hooked::over(log, &Arc::new(Away(switch))), true).await;
    world.take(&events(0..4)).await;
    let fresh = world.api.get("/slos?name=all").await;
    assert_eq!((fresh.ok().get("stale_for_seconds"), fresh.header("slipstream-stale-for")), (None, ""));

    away.store(true, Ordering::SeqCst);
    publish(world.log.as_ref(), &events(4..8)).await;
    until("it is said to be stale", async || world.api.get("/slos").await.ok()["stale_for_seconds"].is_u64()).await;
    let stale = world.api.get("/slos?name=all").await;
    let answer = stale.ok();
    assert_eq!(
        (&answer["complete"], &answer["slos"][0]["name"]),
        (&serde_json::json!(false), &serde_json::json!("all"))
    );
    assert_ne!(stale.header("etag"), fresh.header("etag"));
    assert!(stale.header("slipstream-stale-for").parse::<u64>().unwrap() >= 3, "{answer}");
    let one = world.api.get("/slos/all").await.ok();
    assert!(one["complete"] == false && one["stale_for_seconds"].as_u64().unwrap() >= 3, "{one}");
    let csv = world.api.get("/slos?format=csv").await;
    assert!(!csv.header("slipstream-stale-for").is_empty());
    assert_eq!(world.api.get("/health").await.ok()["status"], "degraded");

    away.store(false, Ordering::SeqCst);
    let total = async || world.api.get("/slos?name=all").await.ok()["slos"][0]["total"] == 8;
    until("it knows everything again", total).await;
    until("it is not stale", async || world.api.get("/slos").await.ok()["complete"] == true).await;
    world.end().await;
}

#[tokio::test]
async fn without_a_store_the_slos_are_answered_and_the_rest_is_asked_to_come_again() {
    let world = World::with(|log| log, false).await;
    publish(world.log.as_ref(), &events(0..4)).await;
    let total = async || {
        let answer = world.api.get("/slos?name=all").await;
        answer.status == 200 && answer.json()["slos"][0]["total"] == 4
    };
    until("the SLOs are known", total).await;
    for path in ["/events", "/events/x", "/kpis", "/hourly", "/alerts", "/alerts/x", "/slos/all/history"] {
        let answer = world.api.get(path).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{path}: {}", answer.text());
        assert!(answer.json()["detail"].as_str().unwrap().contains("store"), "{path}");
    }
    // All but its alerts is known.
    let one = world.api.get("/slos/all").await.ok();
    assert_eq!((&one["objectives"][0]["total"], &one["alerts"]), (&4.into(), &serde_json::Value::Null), "{one}");
    assert_eq!((&one["alerts_as_of"], &one["complete"]), (&serde_json::Value::Null, &true.into()), "{one}");
    let health = world.api.get("/health").await.ok();
    assert_eq!(
        (&health["status"], &health["store"]["answers"]),
        (&serde_json::json!("degraded"), &serde_json::json!(false))
    );
    let _ = world.cell.set(world.store.clone());
    until("the events are answered", async || world.api.get("/events").await.status == 200).await;
    world.end().await;
}

#[tokio::test]
async fn before_the_state_is_restored_the_slos_are_asked_to_come_again() {
    let away = Arc::new(AtomicBool::new(true));
    let switch = away.clone();
    let world = World::with(|log| Hooked::over(log, &Arc::new(Away(switch))), true).await;
    for path in ["/slos", "/slos/all", "/stream"] {
        let answer = world.api.get(path).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{path}: {}", answer.text());
    }
    assert_eq!(world.api.get("/health").await.ok()["follower"], serde_json::Value::Null);
    assert!(!world.health.ready());
    away.store(false, Ordering::SeqCst);
    until("it is ready", async || world.health.ready()).await;
    assert_eq!(world.api.get("/slos").await.status, 200);
    world.end().await;
}

/// A log whose reads of markers wait while the switch is on.
struct Slow(Arc<AtomicBool>);

#[async_trait::async_trait]
impl Hooks for Slow {
    async fn reading(&self, partition: TopicPartition, _: Fetch) {
        while partition.topic == Topic::Markers && self.0.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn too_many_questions_are_sent_away_and_who_goes_away_takes_the_question_along() {
    let slow = Arc::new(AtomicBool::new(true));
    let switch = slow.clone();
    let world = World::with(|log| Hooked::over(log, &Arc::new(Slow(switch))), true).await;
    world.take(&events(0..4)).await;
    mark(world.log.as_ref(), "m-1").await;
    let mut waiting = JoinSet::new();
    for _ in 0..8 {
        let api = world.api.clone();
        waiting.spawn(async move { api.get("/markers").await });
    }
    // Once all of them are asked, a further question waits in vain.
    until("there is no room", async || world.api.get("/kpis").await.status == 503).await;
    let busy = world.api.get("/kpis").await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "1"), "{}", busy.text());
    assert!(busy.json()["type"] == "urn:slipstream:problem:busy", "{}", busy.text());
    // The SLOs are answered meanwhile: they ask nobody.
    assert_eq!(world.api.get("/slos").await.status, 200);
    waiting.shutdown().await;
    until("there is room again", async || world.api.get("/kpis").await.status == 200).await;
    slow.store(false, Ordering::SeqCst);
    let markers = world.api.get("/markers").await.ok();
    assert_eq!(markers["markers"][0]["id"], "m-1");
    world.end().await;
}
