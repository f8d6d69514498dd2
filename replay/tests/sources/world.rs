//! A log with time in the test's hands, a store that a real sink writes, and a story of twenty minutes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, Offset, Outgoing, SharedLog, TopicPartition};
use slipstream_replay::outcome::Outcome;
use slipstream_replay::{Asked, ReplayError, Sources, replay};
use slipstream_role::definitions::{SLO_KIND, ensure_settings, publish_changed};
use slipstream_runtime::{Health, Shutdown};
use slipstream_schemas::records::{AlertTransition, Definition, Settings};
use slipstream_schemas::{EventTime, LogTime, RequestEvent, Topic, codec};
use slipstream_store::{SharedStore, SqliteStore};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Redeliveries are recognised for this long.
pub const WINDOW_MS: i64 = 2_000;
/// When it begins: a whole second, and the beginning of a generation.
pub const BEGIN: i64 = 1_700_000_000_000;
/// Between two events.
pub const APART: i64 = 500;
/// Events of the story, copies included.
pub const EVENTS: i64 = 2_400;

const SLOS: [(&str, &str); 2] = [("all", "'true'"), ("by-service", "'true', groupBy: [service]")];

pub struct World {
    pub log: Arc<MemoryLog>,
    pub clock: ManualClock,
    pub dir: TempDir,
}

impl World {
    /// With settings and SLOs from a second before the beginning.
    pub async fn new(partitions: u32) -> World {
        let clock = ManualClock::at(BEGIN - 1_000);
        let options = MemoryOptions {
            clock: Clock::Manual(clock.clone()),
            partitions: [(Topic::RequestEvents, partitions)].into(),
        };
        let log = MemoryLog::new(options);
        let settings = Settings { redelivery_window_ms: WINDOW_MS, cut_delay_ms: 0 };
        ensure_settings(log.as_ref() as &dyn Log, &settings).await.unwrap();
        let definitions = SLOS.map(|(name, total)| Definition {
            kind: SLO_KIND.to_owned(),
            name: name.to_owned(),
            document: Some(slo(name, total)),
            author: "test".to_owned(),
        });
        publish_changed(log.as_ref() as &dyn Log, definitions.into()).await.unwrap();
        World { log, clock, dir: TempDir::new().unwrap() }
    }

    /// One whose log has the story as it went.
    pub async fn live() -> World {
        let world = World::new(2).await;
        for (at, partition, event) in story() {
            world.publish(at, partition, &event).await;
        }
        world
    }

    pub async fn publish(&self, at: i64, partition: u32, event: &RequestEvent) {
        self.clock.set(at);
        let value = Some(Bytes::from(codec::encode(event)));
        let topic = Topic::RequestEvents;
        let record = Outgoing { topic, partition: Some(partition), key: None, value, headers: Vec::new() };
        self.log.publish(vec![record]).await.unwrap();
    }

    pub fn shared(&self) -> SharedLog {
        self.log.clone()
    }

    pub fn store(&self) -> SharedStore {
        SqliteStore::open(self.dir.path(), Default::default()).unwrap()
    }

    /// A real sink writes what the log has into a store.
    pub async fn sink(&self, store: &SharedStore) {
        let shutdown = Shutdown::new();
        let mut sink = JoinSet::new();
        sink.spawn(slipstream_sink::run(self.shared(), store.clone(), WINDOW_MS, Health::default(), shutdown.clone()));
        let mut ends = Vec::new();
        for partition in 0..self.log.partitions(Topic::RequestEvents).await.unwrap() {
            ends.push((partition, self.end(partition).await));
        }
        let stored = async {
            loop {
                let positions = store.positions().await.unwrap();
                let at = |partition: u32| {
                    let of = positions.iter().find(|p| p.topic == Topic::RequestEvents && p.partition == partition);
                    of.map_or(0, |position| position.offset)
                };
                if ends.iter().all(|(partition, end)| at(*partition) == *end) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), stored).await.expect("the sink stores everything");
        shutdown.cancel();
        sink.join_next().await.unwrap().unwrap().unwrap();
    }

    pub async fn end(&self, partition: u32) -> Offset {
        self.log.bounds(place(partition)).await.unwrap().1
    }

    /// As if retention had removed what is below an offset.
    pub fn trim(&self, partition: u32, first: Offset) {
        self.log.trim(place(partition), first);
    }

    pub async fn replay(&self, store: Option<SharedStore>, asked: &Asked) -> Result<Outcome, ReplayError> {
        replayed(self.shared(), store, asked).await
    }
}

pub async fn replayed(log: SharedLog, store: Option<SharedStore>, asked: &Asked) -> Result<Outcome, ReplayError> {
    let asked = Asked { threads: Some(2), ..asked.clone() };
    Ok(replay(&Sources { log, store }, &asked, &Arc::default()).await?.told.outcome().clone())
}

pub fn place(partition: u32) -> TopicPartition {
    TopicPartition { topic: Topic::RequestEvents, partition }
}

/// Log time, partition and event of each record. From minute 8 to 12 everything fails; every 40th record is a copy.
pub fn story() -> Vec<(i64, u32, RequestEvent)> {
    let record = |i: i64| {
        let at = BEGIN + i * APART;
        let bad = (8..12).contains(&(i * APART / 60_000)) || i % 100 == 7;
        // The copy of the record before it in its partition comes in its generation, or the next.
        let of = if i % 40 == 20 { i - 2 } else { i };
        (at, (i % 2) as u32, RequestEvent { status_code: if bad { 503 } else { 200 }, ..event(of) })
    };
    (0..EVENTS).map(record).collect()
}

/// How many records of the story are no copies.
pub fn accepted() -> u64 {
    (0..EVENTS).filter(|i| i % 40 != 20).count() as u64
}

/// Event number `i` of the story, good.
pub fn event(i: i64) -> RequestEvent {
    RequestEvent {
        event_id: format!("e-{i}"),
        time: EventTime((BEGIN + i * APART) * 1_000),
        service: ["cart", "pay", "search"][(i % 3) as usize].to_owned(),
        environment: String::new(),
        endpoint: format!("/{}", i % 5),
        method: "GET".to_owned(),
        status_code: 200,
        latency_ms: (i % 7 != 0).then_some(i as f64 / 8.0),
        weight: 1 + (i % 2) as i32,
        trace_id: Some(format!("{:032x}", i + 1)),
        user_ref: None,
        attributes: [("region".to_owned(), format!("r{}", i % 2))].into(),
    }
}

/// What must be the same wherever it was read: copies and records that are no event are not in the store.
pub fn told(outcome: &Outcome) -> Value {
    let mut told = serde_json::to_value(outcome).unwrap();
    let fields = told.as_object_mut().unwrap();
    for field in ["parts", "missing", "duplicates", "invalid"] {
        fields.remove(field).unwrap();
    }
    told
}

pub fn records(outcome: &Outcome) -> Vec<AlertTransition> {
    outcome.alerts.iter().flat_map(|alert| alert.records.clone()).collect()
}

/// A time as it is told.
pub fn shown(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
}

pub fn log_time(ms: i64) -> Option<LogTime> {
    Some(LogTime(ms))
}

fn slo(name: &str, total: &str) -> String {
    format!(
        r#"apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  service: shop
  indicator:
    metadata: {{name: {name}-sli}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: slipstream, spec: {{filter: 'status_code < 500'}}}}}}
        total: {{metricSource: {{type: slipstream, spec: {{filter: {total}}}}}}}
  timeWindow: [{{duration: 28d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives:
    - {{displayName: most, target: 0.99}}
"#
    )
}
