//! A log of which a test can hold up the reading of single partitions, outside of groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use slipstream_log::memory::MemoryLog;
use slipstream_log::{
    Appended, Batch, CommitError, Consumer, Fetch, Log, LogError, Offset, Outgoing, Position, TopicPartition,
};
use slipstream_schemas::{LogTime, Topic};
use tokio::sync::watch;

/// See the module.
pub struct Gated {
    log: Arc<MemoryLog>,
    shut: watch::Sender<BTreeSet<TopicPartition>>,
    /// How many reads came to a shut gate.
    stopped: watch::Sender<usize>,
}

impl Gated {
    /// A log all of whose gates are open.
    pub fn over(log: Arc<MemoryLog>) -> Arc<Gated> {
        Arc::new(Gated { log, shut: watch::Sender::default(), stopped: watch::Sender::default() })
    }

    /// From now on whoever reads this partition waits.
    pub fn shut(&self, partition: TopicPartition) {
        self.shut.send_modify(|shut| {
            shut.insert(partition);
        });
    }

    /// Lets all of them read on.
    pub fn open(&self) {
        self.shut.send_modify(BTreeSet::clear);
    }

    /// Waits until so many reads in all have come to a shut gate.
    pub async fn stopped(&self, reads: usize) {
        self.stopped.subscribe().wait_for(|stopped| *stopped >= reads).await.unwrap();
    }
}

#[async_trait]
impl Log for Gated {
    fn describe(&self) -> String {
        self.log.describe()
    }

    fn total_order(&self) -> bool {
        self.log.total_order()
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.log.partitions(topic).await
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        self.log.publish(records).await
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        self.log.publish_atomically(writer, records).await
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.log.bounds(partition).await
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        let mut shut = self.shut.subscribe();
        if shut.borrow().contains(&partition) {
            self.stopped.send_modify(|stopped| *stopped += 1);
            shut.wait_for(|shut| !shut.contains(&partition)).await.unwrap();
        }
        self.log.read(partition, from, to, fetch).await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.log.offset_at(partition, time).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.log.committed(group, partition).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        self.log.subscribe(group, topics).await
    }
}
