//! The embedded logs as subjects of the suite.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{
    Clock, CommitFault, CrashPoint, Fetch, InMemory, InSqlite, Log, ManualClock, MemoryLog, MemoryOptions, Offset,
    PublishFault, SharedLog, SqliteLog, SqliteOptions, Subject, Time, Topic, TopicPartition, async_trait,
};
use crate::port::LogError;

const NOON: i64 = 1_700_000_000_000;

fn clock(time: Time) -> (Clock, Option<ManualClock>) {
    match time {
        Time::Runs => (Clock::System, None),
        Time::Stands => {
            let clock = ManualClock::at(NOON);
            (Clock::Manual(clock.clone()), Some(clock))
        }
    }
}

#[async_trait]
impl Subject for InMemory {
    async fn open(partitions: u32, time: Time) -> Self {
        let (now, clock) = clock(time);
        let partitions = HashMap::from([(Topic::RequestEvents, partitions)]);
        InMemory { log: MemoryLog::new(MemoryOptions { clock: now, partitions }), clock }
    }

    fn log(&self) -> SharedLog {
        self.log.clone()
    }

    async fn sibling(&self) -> SharedLog {
        self.log.sibling()
    }

    async fn crash(&mut self) {
        self.log = self.log.crash();
    }

    fn crash_at(&self, point: CrashPoint) -> bool {
        self.log.faults().crash_at(point);
        true
    }

    fn fail_commits(&self, group: &str, faults: &[CommitFault]) -> bool {
        self.log.faults().fail_commits(group, faults.iter().copied());
        true
    }

    fn fail_publish(&self, fault: PublishFault) -> bool {
        self.log.faults().fail_publishes([fault]);
        true
    }

    async fn expel(&self, group: &str) -> bool {
        self.log.expel(group);
        true
    }

    async fn expire(&self, partition: TopicPartition, first: Offset) -> bool {
        self.log.trim(partition, first);
        true
    }

    fn clock(&self) -> Option<&ManualClock> {
        self.clock.as_ref()
    }
}

impl InSqlite {
    fn reopened(&self) -> Arc<SqliteLog> {
        SqliteLog::open(&self.dir, self.options.clone()).expect("opening the log")
    }
}

static HOMES: AtomicU64 = AtomicU64::new(0);

#[async_trait]
impl Subject for InSqlite {
    async fn open(partitions: u32, time: Time) -> Self {
        let (now, clock) = clock(time);
        let home = format!("slipstream-conformance-{}-{}", std::process::id(), HOMES.fetch_add(1, Ordering::Relaxed));
        let home = std::env::temp_dir().join(home);
        let partitions = HashMap::from([(Topic::RequestEvents, partitions)]);
        let options = SqliteOptions { clock: now, partitions, ..SqliteOptions::default() };
        let log = SqliteLog::open(&home, options.clone()).expect("opening the log");
        InSqlite { log, options, clock, dir: home.clone(), home }
    }

    fn log(&self) -> SharedLog {
        self.log.clone()
    }

    async fn sibling(&self) -> SharedLog {
        self.log.sibling()
    }

    /// Opens what the dead process left, in its directory, as after a kill -9.
    async fn crash(&mut self) {
        self.dir = self.log.crash().await;
        self.options.faults = Arc::default();
        self.log = self.reopened();
    }

    fn crash_at(&self, point: CrashPoint) -> bool {
        self.options.faults.crash_at(point);
        true
    }

    fn fail_commits(&self, group: &str, faults: &[CommitFault]) -> bool {
        self.options.faults.fail_commits(group, faults.iter().copied());
        true
    }

    fn fail_publish(&self, fault: PublishFault) -> bool {
        self.options.faults.fail_publishes([fault]);
        true
    }

    async fn expel(&self, group: &str) -> bool {
        self.log.expel(group);
        true
    }

    /// The clock goes to where the younger records are just within the time they are kept.
    async fn expire(&self, partition: TopicPartition, first: Offset) -> bool {
        let Some(clock) = &self.clock else { return false };
        let kept = match partition.topic.spec().kept {
            slipstream_schemas::topics::Kept::For(time) => time.as_millis() as i64,
            _ => return false,
        };
        let young = self.log.read(partition, first, first + 1, Fetch::default()).await.expect("reading");
        clock.set(young.get(0).expect("a younger record").log_time().0 + kept);
        let deadline = tokio::time::Instant::now() + super::PATIENCE;
        while self.log.bounds(partition).await.map(|b| b.0).map_err(|e: LogError| e.to_string()) != Ok(first) {
            assert!(tokio::time::Instant::now() < deadline, "retention did not reach {first} in time");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        true
    }

    fn clock(&self) -> Option<&ManualClock> {
        self.clock.as_ref()
    }
}

impl Drop for InSqlite {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}
