//! A log that notes how much its consumers ask for, and commit, at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use slipstream_log::memory::MemoryLog;
use slipstream_log::{
    Appended, Batch, CommitError, Consumer, Fetch, Horizon, Log, LogError, Offset, Outgoing, Polled, Position, Step,
    TopicPartition,
};
use slipstream_schemas::{LogTime, Topic};

/// The most that was seen.
#[derive(Debug, Default)]
pub struct Most {
    /// Records of a fetch.
    pub records: AtomicUsize,
    /// Bytes of a fetch.
    pub bytes: AtomicUsize,
    /// Outputs of a step.
    pub outputs: AtomicUsize,
}

/// See the module.
pub struct Watched {
    log: Arc<MemoryLog>,
    /// What was seen so far.
    pub most: Arc<Most>,
}

struct WatchedConsumer {
    consumer: Box<dyn Consumer>,
    most: Arc<Most>,
}

impl Most {
    fn fetch(&self, fetch: Fetch) {
        self.records.fetch_max(fetch.records, Ordering::Relaxed);
        self.bytes.fetch_max(fetch.bytes, Ordering::Relaxed);
    }
}

impl Watched {
    /// Nothing seen yet.
    pub fn over(log: Arc<MemoryLog>) -> Arc<Watched> {
        Arc::new(Watched { log, most: Arc::default() })
    }
}

#[async_trait]
impl Log for Watched {
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
        self.most.fetch(fetch);
        self.log.read(partition, from, to, fetch).await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.log.offset_at(partition, time).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.log.committed(group, partition).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        let consumer = self.log.subscribe(group, topics).await?;
        Ok(Box::new(WatchedConsumer { consumer, most: Arc::clone(&self.most) }))
    }
}

#[async_trait]
impl Consumer for WatchedConsumer {
    async fn poll(&mut self, fetch: Fetch, wait: Duration) -> Result<Polled, LogError> {
        self.most.fetch(fetch);
        self.consumer.poll(fetch, wait).await
    }

    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        self.consumer.seek(partition, offset).await
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        self.consumer.pause(partitions);
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        self.consumer.resume(partitions);
    }

    async fn commit(&mut self, step: &Step) -> Result<(), CommitError> {
        self.most.outputs.fetch_max(step.outputs.len(), Ordering::Relaxed);
        self.consumer.commit(step).await
    }

    async fn committed(&mut self, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.consumer.committed(partition).await
    }

    async fn horizon(&mut self, partition: TopicPartition) -> Result<Option<Horizon>, LogError> {
        self.consumer.horizon(partition).await
    }
}
