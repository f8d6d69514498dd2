//! Publishing from other languages, for real: the programs of `examples/publish` run against a real Kafka, and what they
//! wrote is what docs/publishing.md promises that the pipeline takes.
#![allow(clippy::unwrap_used, reason = "a test")]

mod clients;
mod guide;
mod installation;
mod pipeline;
mod topic;

use std::collections::BTreeSet;

use clients::Client;
use slipstream_log::partitioner::partition_of;
use slipstream_schemas::decode::{Attributes, Provenance, decode};
use slipstream_schemas::{RequestEvent, Topic};
use slipstream_testkit::services::{self, SecuredKafka};
use topic::{Record, TestTopic};

const PARTITIONS: u32 = 8;

/// The event in a record, which has to be a valid one under its own id as key, in the partition of Kafka's murmur2.
fn event(record: &Record) -> RequestEvent {
    let from = Provenance { topic: Topic::RequestEvents.name(), partition: record.partition, offset: record.offset };
    let view = decode(&record.value, &from, Attributes::Read)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&record.value)));
    let key = record.key.as_deref().expect("a key");
    assert_eq!(String::from_utf8_lossy(key), view.event_id);
    assert_eq!(record.partition, partition_of(key, PARTITIONS), "partition of {}", view.event_id);
    view.to_owned_event()
}

/// Runs the client until it ends, and checks all that it wrote: `count` events, each once.
async fn publishes(client: Client, count: usize, arguments: &[&str]) -> Vec<RequestEvent> {
    let kafka = services::kafka().await;
    let topic = TestTopic::fresh(&kafka.bootstrap(), client.name(), PARTITIONS).await;
    let ran = client.run(&kafka.bootstrap(), &topic.name, arguments).await;
    assert!(ran.status.success(), "{}: {}", client.name(), String::from_utf8_lossy(&ran.stderr));
    let events: Vec<RequestEvent> = topic.records().iter().map(event).collect();
    let ids: BTreeSet<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!((events.len(), ids.len()), (count, count), "{}", client.name());
    events
}

/// What each of the examples with arguments is told, and what follows from it.
async fn publishes_what_it_was_told(client: Client) {
    let told = ["--count", "400", "--service", "zahlung-für-händler", "--errors", "0.5"];
    let events = publishes(client, 400, &told).await;
    assert!(events.iter().all(|event| event.service == "zahlung-für-händler" && event.weight == 1));
    let failed = events.iter().filter(|event| event.status_code == 503).count();
    assert!((100..=300).contains(&failed), "half of 400 have failed, but {failed}");
    assert!(events.iter().all(|event| event.latency_ms.is_some_and(|ms| ms > 0.0)));
}

#[tokio::test]
async fn python_publishes_avro() {
    publishes_what_it_was_told(Client::PythonAvro).await;
}

#[tokio::test]
async fn python_publishes_json() {
    publishes_what_it_was_told(Client::PythonJson).await;
}

#[tokio::test]
async fn kcat_publishes_json_lines() {
    publishes_what_it_was_told(Client::Kcat).await;
}

#[tokio::test]
async fn a_client_fails_whose_events_nobody_took() {
    for client in [Client::PythonAvro, Client::PythonJson, Client::Kcat] {
        // Nothing listens at port 1; the property proves that properties reach the client, too.
        let told = ["--count", "3", "-X", "delivery.timeout.ms=500"];
        let ran = client.run("127.0.0.1:1", "slipstream.request-events", &told).await;
        assert_eq!(ran.status.code(), Some(1), "{}: {}", client.name(), String::from_utf8_lossy(&ran.stderr));
    }
}

#[tokio::test]
async fn tls_and_sasl_are_settings_of_a_client() {
    let kafka = SecuredKafka::dedicated().await;
    let user = kafka.user();
    // Not SCRAM with kcat: that of Debian 12 is too old for it (docs/publishing.md).
    let table = [
        (Client::PythonAvro, "SCRAM-SHA-512"),
        (Client::PythonJson, "SCRAM-SHA-256"),
        (Client::PythonJson, "PLAIN"),
        (Client::Kcat, "PLAIN"),
    ];
    for (client, mechanism) in table {
        let topic = TestTopic::fresh(&kafka.plain().bootstrap(), client.name(), PARTITIONS).await;
        let properties = [
            "security.protocol=SASL_SSL".to_owned(),
            format!("sasl.mechanisms={mechanism}"),
            format!("sasl.username={}", user.name),
            format!("sasl.password={}", user.password),
            format!("ssl.ca.location={}", kafka.authority().display()),
        ];
        let told = properties.iter().flat_map(|property| ["-X", property]).chain(["--count", "20"]);
        let ran = client.run(&kafka.bootstrap(), &topic.name, &told.collect::<Vec<_>>()).await;
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{} {mechanism}: {said}", client.name());
        assert_eq!(topic.records().len(), 20, "{} {mechanism}", client.name());
    }
}

/// The clients that `make test` does not ask a machine to have: a JDK with Maven, Go, Node.
#[cfg(feature = "foreign-clients")]
#[tokio::test]
async fn java_go_and_node_publish() {
    for client in [Client::Java, Client::Go, Client::Node] {
        let events = publishes(client, 100, &[]).await;
        assert!(events.iter().all(|event| event.status_code == 201 && event.latency_ms == Some(12.5)));
    }
}
