//! A read-only log: it records reads, refuses writes, and fails when a test says so.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use slipstream_log::{Fetch, LogError, Step, TopicPartition};
use slipstream_schemas::Topic;
use slipstream_testkit::hooked::Hooks;

#[derive(Default)]
pub struct Onlooker {
    reads: Mutex<HashMap<Topic, usize>>,
    /// One of so many questions fails in passing; 0: none.
    pub fails_every: AtomicU32,
    asked: AtomicU32,
}

impl Onlooker {
    /// Reads of a topic since this was asked last.
    pub fn reads_of(&self, topic: Topic) -> usize {
        self.reads.lock().unwrap().remove(&topic).unwrap_or_default()
    }
}

#[async_trait]
impl Hooks for Onlooker {
    async fn publishing(&self) {
        panic!("an onlooker publishes");
    }

    async fn reading(&self, partition: TopicPartition, _: Fetch) {
        *self.reads.lock().unwrap().entry(partition.topic).or_default() += 1;
    }

    fn failing(&self, partition: TopicPartition) -> Result<(), LogError> {
        let (asked, every) = (self.asked.fetch_add(1, Ordering::Relaxed), self.fails_every.load(Ordering::Relaxed));
        if every > 0 && asked % every == 0 {
            return Err(LogError::Transient { doing: format!("asking for {partition}"), cause: "injected".into() });
        }
        Ok(())
    }

    fn subscribing(&self, group: &str) {
        panic!("an onlooker joins {group}");
    }

    fn committing(&self, _: &Step) {
        panic!("an onlooker commits");
    }
}
