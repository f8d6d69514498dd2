//! A log of the past in a data directory: what an installation would hold that had been live then.
#![allow(dead_code, reason = "each test target uses its part")]

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::{self, CanonicalDocument};
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::sqlite::{SqliteLog, SqliteOptions};
use slipstream_log::{Log, Outgoing};
use slipstream_role::definitions::{ensure_settings, publish_changed};
use slipstream_schemas::Topic;
use slipstream_schemas::records::{Definition, Settings};

/// Writes events, each as JSON and with its time, into a new log, which takes those of a second at that second's end.
pub async fn live_then(data: &Path, events: impl IntoIterator<Item = (jiff::Timestamp, Value)>) {
    live_by(data, "", events).await;
}

/// The same, where these definitions were in force from the beginning.
pub async fn live_by(data: &Path, slos: &str, events: impl IntoIterator<Item = (jiff::Timestamp, Value)>) {
    let mut seconds: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for (time, event) in events {
        seconds.entry(time.as_second()).or_default().push(event);
    }
    let first = *seconds.keys().next().expect("there are events");
    let clock = ManualClock::at((first - 60) * 1_000);
    std::fs::create_dir_all(data).unwrap();
    let options = SqliteOptions { clock: Clock::Manual(clock.clone()), ..SqliteOptions::default() };
    let log = SqliteLog::open(data, options).unwrap();
    let settings = Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 };
    ensure_settings(log.as_ref(), &settings).await.unwrap();
    let loaded = openslo::load(&[SourceFile { path: "slos.yaml".to_owned(), text: slos.to_owned() }]);
    publish_changed(log.as_ref(), loaded.documents.into_iter().map(definition).collect()).await.unwrap();
    for (second, events) in seconds {
        clock.set(second * 1_000 + 999);
        log.publish(events.iter().map(outgoing).collect()).await.unwrap();
    }
}

fn definition(document: CanonicalDocument) -> Definition {
    let CanonicalDocument { name, kind, text } = document;
    Definition { kind, name, document: Some(text), author: "a test".to_owned() }
}

fn outgoing(event: &Value) -> Outgoing {
    let id = event["event_id"].as_str().expect("an event has an id").to_owned();
    Outgoing {
        topic: Topic::RequestEvents,
        partition: None,
        key: Some(Bytes::from(id)),
        value: Some(Bytes::from(event.to_string())),
        headers: Vec::new(),
    }
}
