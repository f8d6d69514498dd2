//! Topics that are deleted and recreated: told, and nothing skipped.

use serde_json::Value;
use slipstream_log::{Log, Outgoing};
use slipstream_schemas::Topic;
use slipstream_testkit::process::PATIENCE;
use slipstream_testkit::services;
use tokio::time::timeout;

use crate::place::{Place, started};
use crate::stream::log_of;

/// An installation with one partition of request-events, and its store in a directory.
async fn place() -> Place {
    let place = Place::of(services::kafka().await.bootstrap(), String::new());
    let store = place.file("unused", "").parent().unwrap().join("store");
    place.configure(&format!("store: sqlite:{}\n", store.display()));
    ensure(&place).await;
    place
}

async fn ensure(place: &Place) {
    place.json(&["topics", "ensure", "--partitions", "request-events=1,sli-tallies=1"], 0).await;
}

async fn recreate(place: &Place, topic: Topic) {
    place.delete(topic).await;
    ensure(place).await;
}

async fn publish(place: &Place, endpoint: &str, count: usize) {
    let log = log_of(place);
    let time = jiff::Timestamp::now();
    let record = |i: usize| Outgoing {
        topic: Topic::RequestEvents,
        partition: Some(0),
        key: Some(format!("{endpoint}{i}").into()),
        value: Some(
            serde_json::json!({"event_id": format!("{endpoint}{i}"), "time": time.to_string(), "service": "s",
                               "endpoint": endpoint, "method": "GET", "status_code": 200})
            .to_string()
            .into(),
        ),
        headers: Vec::new(),
    };
    log.publish((0..count).map(record).collect()).await.unwrap();
    log.close().await;
}

/// Hits of an endpoint.
fn hits(answer: &Value, endpoint: &str) -> u64 {
    let rows = answer["rows"].as_array().cloned().unwrap_or_default();
    rows.iter().filter(|row| row["endpoint"] == endpoint).filter_map(|row| row["hits"].as_u64()).sum()
}

#[tokio::test]
async fn the_sink_stores_the_new_one_from_its_first_record_and_doctor_tells() {
    let place = place().await;
    publish(&place, "/old", 200).await;
    let mut sink = started(place.process("sink")).await;
    place.until(&["query", "kpis", "--by", "endpoint"], |answer| hits(answer, "/old") == 200).await;
    sink.stop().await.unwrap();

    recreate(&place, Topic::RequestEvents).await;
    publish(&place, "/new", 500).await;
    let report = place.json(&["doctor"], 1).await;
    let told = |f: &&Value| f["message"].as_str().unwrap_or_default().contains("was recreated (id ");
    let finding = report["findings"].as_array().unwrap().iter().find(told).unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!((&finding["check"], &finding["severity"]), (&"role sink".into(), &"error".into()), "{finding}");
    assert!(finding["todo"].as_str().unwrap().contains("docs/operations-kafka.md"), "{finding}");

    let mut sink = started(place.process("sink")).await;
    place.until(&["query", "kpis", "--by", "endpoint"], |answer| hits(answer, "/new") == 500).await;
    sink.stop().await.unwrap();
    assert!(sink.stderr().contains("was deleted and recreated"), "{}", sink.stderr());
    let all = place.json(&["query", "kpis", "--by", "endpoint"], 0).await;
    assert_eq!((hits(&all, "/old"), hits(&all, "/new")), (200, 500));
}

#[tokio::test]
async fn a_role_that_reads_it_meanwhile_ends_and_says_so() {
    let place = place().await;
    publish(&place, "/old", 50).await;
    let mut sink = started(place.process("sink")).await;
    place.until(&["query", "kpis", "--by", "endpoint"], |answer| hits(answer, "/old") == 50).await;
    recreate(&place, Topic::RequestEvents).await;
    let ended = timeout(PATIENCE, sink.ended()).await.expect("the sink ends").unwrap();
    let said = sink.stderr();
    assert_eq!(ended.code(), Some(1), "{said}");
    // Neither that the topic is missing, which it is for a moment only, nor that it is stored from its first record.
    assert!(said.contains("deleted and recreated while this process read it"), "{said}");
    assert!(!said.contains("topics ensure` makes them"), "{said}");
    publish(&place, "/new", 80).await;
    let mut sink = started(place.process("sink")).await;
    place.until(&["query", "kpis", "--by", "endpoint"], |answer| hits(answer, "/new") == 80).await;
    sink.stop().await.unwrap();
}

#[tokio::test]
async fn tally_does_not_count_a_second_beginning() {
    let place = place().await;
    publish(&place, "/old", 30).await;
    let log = log_of(&place);
    let mut tally = started(place.process("tally")).await;
    place.tallied(log.as_ref()).await;
    tally.stop().await.unwrap();
    recreate(&place, Topic::RequestEvents).await;
    publish(&place, "/new", 60).await;
    let mut tally = place.process("tally");
    // It may be ready for a moment, before it has its partition.
    let _ready = tally.start().await;
    let ended = timeout(PATIENCE, tally.ended()).await.expect("tally ends").unwrap();
    let said = tally.stderr();
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("sums up to offset 30") || said.contains("belongs to the deleted topic"), "{said}");
    assert!(said.contains("A topic that was recreated"), "{said}");
}
