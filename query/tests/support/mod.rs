//! What these tests share: an installation whose tally and burn can be started, stopped and killed, and an onlooker's log.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

pub mod onlooker;

use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{Log, Offset, Outgoing, SharedLog, TopicPartition};
use slipstream_processor::{ProcessorError, burn, tally};
use slipstream_role::definitions::{PARTITION as DEFINITIONS, SLO_KIND, ensure_settings, publish_changed};
use slipstream_runtime::Shutdown;
use slipstream_runtime::health::Health;
use slipstream_schemas::records::{Definition, Settings};
use slipstream_schemas::{EventTime, RequestEvent, Topic, codec};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What is waited for comes within this time.
const DEADLINE: Duration = Duration::from_secs(60);

/// The processes of a role.
#[derive(Default)]
pub struct Members {
    tasks: JoinSet<Result<(), ProcessorError>>,
    shutdown: Shutdown,
}

impl Members {
    pub fn start_tally(&mut self, log: &SharedLog) {
        let role = tally::run(log.clone(), tally::Thread::alone(), Health::default(), self.shutdown.clone());
        self.tasks.spawn(role);
    }

    pub fn start_burn(&mut self, log: &SharedLog) {
        self.tasks.spawn(burn::run(log.clone(), Health::default(), self.shutdown.clone()));
    }

    /// In order.
    pub async fn stop(&mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
        self.shutdown = Shutdown::new();
    }

    /// They are gone, wherever they are.
    pub async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }

    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

pub async fn settle(log: &dyn Log) {
    let settings = Settings { redelivery_window_ms: 2_000, cut_delay_ms: 0 };
    ensure_settings(log, &settings).await.unwrap();
}

/// Publishes a definition; `None` withdraws it.
pub async fn define(log: &dyn Log, name: &str, document: Option<String>) {
    let definition =
        Definition { kind: SLO_KIND.to_owned(), name: name.to_owned(), document, author: "test".to_owned() };
    publish_changed(log, vec![definition]).await.unwrap();
}

/// An SLO of which everything below 500 is good; `total` is its filter, and what follows it.
pub fn slo(name: &str, target: &str, total: &str) -> String {
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
    - {{displayName: most, target: {target}}}
"#
    )
}

/// Publishes an event that happened at a time, milliseconds.
pub async fn publish(log: &dyn Log, id: u64, at_ms: i64) {
    let event = RequestEvent {
        event_id: format!("e-{id}"),
        time: EventTime(at_ms * 1_000),
        service: ["cart", "pay", "search"][(id % 3) as usize].to_owned(),
        environment: String::new(),
        endpoint: "/".to_owned(),
        method: "GET".to_owned(),
        status_code: if id.is_multiple_of(5) { 503 } else { 200 },
        latency_ms: Some(12.0),
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: Default::default(),
    };
    let partition = Some(id as u32 % log.partitions(Topic::RequestEvents).await.unwrap());
    let value = Some(Bytes::from(codec::encode(&event)));
    let record = Outgoing { topic: Topic::RequestEvents, partition, key: None, value, headers: Vec::new() };
    log.publish(vec![record]).await.unwrap();
}

/// Where partitions of these topics end.
pub async fn ends(log: &dyn Log, topics: &[Topic]) -> Vec<(TopicPartition, Offset)> {
    let mut ends = Vec::new();
    for topic in topics {
        for partition in 0..log.partitions(*topic).await.unwrap() {
            let place = TopicPartition { topic: *topic, partition };
            ends.push((place, log.bounds(place).await.unwrap().1));
        }
    }
    ends
}

/// What a look at the SLOs depends on.
pub async fn inputs(log: &dyn Log) -> Vec<(TopicPartition, Offset)> {
    ends(log, &[DEFINITIONS.topic, Topic::SliTallies]).await
}

/// Waits until a group has committed to the end of a topic.
pub async fn at_end(log: &dyn Log, group: &str, topic: Topic) {
    let reached = async || {
        for (place, end) in ends(log, &[topic]).await {
            if log.committed(group, place).await.unwrap().unwrap_or_default().offset < end {
                return false;
            }
        }
        true
    };
    let wait = async {
        while !reached().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{group} does not come to the end of {topic}"));
}
