//! What these tests share: a memory log of several partitions whose clock follows the runtime's paused one, members of
//! tally and burn that can be started, stopped and killed, and dice.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

pub mod gated;
pub mod watched;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, Outgoing, SharedLog, TopicPartition};
use slipstream_processor::{ProcessorError, burn, tally};
use slipstream_role::definitions::{SLO_KIND, ensure_settings, publish_changed};
use slipstream_runtime::Shutdown;
use slipstream_runtime::health::Health;
use slipstream_schemas::records::{Definition, Settings};
use slipstream_schemas::{EventTime, LogTime, RequestEvent, Topic, codec};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Partitions of request-events.
pub const SOURCES: u32 = 3;
/// Partitions of sli-tallies.
pub const TARGETS: u32 = 2;
/// Redelivery window: short, so that a memory that was not rebuilt is found out.
pub const WINDOW_MS: i64 = 2_000;
/// What is waited for comes within this time of the paused clock.
const DEADLINE: Duration = Duration::from_secs(120);

/// A role's members.
#[derive(Default)]
pub struct Members {
    tasks: JoinSet<Result<(), ProcessorError>>,
    shutdown: Shutdown,
}

impl Members {
    /// Stops all members in order.
    pub async fn stop(&mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
        self.shutdown = Shutdown::new();
    }

    /// The members are gone, wherever they are.
    pub async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }

    /// A member that ended by itself ends the test.
    fn check(&mut self) {
        if let Some(ended) = self.tasks.try_join_next() {
            panic!("a member ended by itself: {ended:?}");
        }
    }
}

/// An installation.
pub struct World {
    pub log: Arc<MemoryLog>,
    pub clock: ManualClock,
    pub tally: Members,
    pub burn: Members,
    _ticker: JoinSet<()>,
}

impl World {
    /// A log with settings and these SLOs, nobody running.
    pub async fn new(slos: &[(&str, &str)]) -> World {
        let clock = ManualClock::at(1_700_000_000_000);
        let partitions =
            [(Topic::RequestEvents, SOURCES), (Topic::SliTallies, TARGETS), (Topic::DeadLetters, 2)].into();
        let log = MemoryLog::new(MemoryOptions { clock: Clock::Manual(clock.clone()), partitions });
        let mut ticker = JoinSet::new();
        let hand = clock.clone();
        ticker.spawn(async move {
            loop {
                sleep(Duration::from_millis(10)).await;
                hand.advance(10);
            }
        });
        let settings = Settings { redelivery_window_ms: WINDOW_MS, cut_delay_ms: 0 };
        ensure_settings(log.as_ref(), &settings).await.unwrap();
        let world = World { log, clock, tally: Members::default(), burn: Members::default(), _ticker: ticker };
        for (name, spec) in slos {
            world.define(name, spec).await;
        }
        world
    }

    /// Publishes a definition; answers its cut.
    pub async fn define(&self, name: &str, total: &str) -> LogTime {
        let definition = Definition {
            kind: SLO_KIND.to_owned(),
            name: name.to_owned(),
            document: Some(document(name, total)),
            author: "test".to_owned(),
        };
        publish_changed(self.log.as_ref(), vec![definition]).await.unwrap().unwrap()
    }

    fn shared(&self) -> SharedLog {
        self.log.clone()
    }

    pub fn start_tally(&mut self) {
        let role = tally::run(self.shared(), tally::Thread::alone(), Health::default(), self.tally.shutdown.clone());
        self.tally.tasks.spawn(role);
    }

    pub fn start_burn(&mut self) {
        self.start_burn_on(self.shared());
    }

    /// A member of burn that sees the log through another.
    pub fn start_burn_on(&mut self, log: SharedLog) {
        let role = burn::run(log, Health::default(), self.burn.shutdown.clone());
        self.burn.tasks.spawn(role);
    }

    /// The process dies with all its members, and another opens the log.
    pub async fn crash(&mut self) {
        let reopened = self.log.crash();
        self.tally.kill().await;
        self.burn.kill().await;
        self.log = reopened;
    }

    /// Publishes values to a partition of request-events.
    pub async fn publish(&self, partition: u32, values: Vec<Vec<u8>>) {
        let outgoing = |value: Vec<u8>| Outgoing {
            topic: Topic::RequestEvents,
            partition: Some(partition),
            key: Some(Bytes::from("key")),
            value: Some(Bytes::from(value)),
            headers: vec![("own".to_owned(), Some(Bytes::from("header")))],
        };
        self.log.publish(values.into_iter().map(outgoing).collect()).await.unwrap();
    }

    /// An event that happened `ago_ms` before now.
    pub fn event(&self, id: u64, service: &str, status_code: i32, ago_ms: i64) -> RequestEvent {
        RequestEvent {
            event_id: format!("e-{id}"),
            time: EventTime((self.clock.now() - ago_ms) * 1_000),
            service: service.to_owned(),
            environment: String::new(),
            endpoint: "/".to_owned(),
            method: "GET".to_owned(),
            status_code,
            latency_ms: Some(12.0),
            weight: 1 + (id % 3) as i32,
            trace_id: None,
            user_ref: None,
            attributes: Default::default(),
        }
    }

    /// Waits for a condition.
    pub async fn until(&mut self, what: &str, holds: impl AsyncFn(&MemoryLog) -> bool) {
        let log = Arc::clone(&self.log);
        let members = [&mut self.tally, &mut self.burn];
        let wait = async {
            while !holds(&log).await {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(DEADLINE, wait).await;
        members.into_iter().for_each(Members::check);
        came.unwrap_or_else(|_| panic!("waited in vain: {what}"));
    }

    /// Waits until tally has committed every event there is, all members stop in order, and burn has folded everything.
    pub async fn rest(&mut self) {
        self.until("tally is at the end", async |log| at_end(log, "tally", Topic::RequestEvents).await).await;
        self.tally.stop().await;
        self.until("burn is at the end", async |log| at_end(log, "burn", Topic::SliTallies).await).await;
        self.burn.stop().await;
    }
}

/// Whether a group has committed to the end of a topic.
pub async fn at_end(log: &dyn Log, group: &str, topic: Topic) -> bool {
    for partition in 0..log.partitions(topic).await.unwrap() {
        let place = TopicPartition { topic, partition };
        let committed = log.committed(group, place).await.unwrap().unwrap_or_default();
        if committed.offset < log.bounds(place).await.unwrap().1 {
            return false;
        }
    }
    true
}

pub fn encoded(event: &RequestEvent) -> Vec<u8> {
    codec::encode(event)
}

/// An SLO of which everything below 500 is good; `total` is its filter, and what follows it.
fn document(name: &str, total: &str) -> String {
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

/// Dice that fall the same way for the same seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// One of `0..sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}
