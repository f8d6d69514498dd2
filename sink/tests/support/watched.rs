//! A log that lets a test hold reading back and see what is delivered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use slipstream_log::{
    Appended, CommitError, Consumer, Fetch, Horizon, Log, LogError, Offset, Outgoing, Polled, Position, SharedLog,
    Step, TopicPartition,
};
use slipstream_schemas::{LogTime, Topic};
use tokio::sync::watch;

/// What is seen.
#[derive(Default)]
pub struct Seen {
    /// Bytes that were delivered.
    pub bytes: AtomicUsize,
    /// How often partitions that had delivered were paused, and delivered again.
    pub resumed: AtomicUsize,
    /// Nothing more is wanted at present.
    pub held_back: AtomicBool,
    /// Ranges of the held partition that were asked for.
    pub asked: AtomicUsize,
}

/// A log around another.
pub struct Watched {
    inner: SharedLog,
    /// Ranges of this partition wait until they are let go.
    held: TopicPartition,
    go: watch::Sender<bool>,
    pub seen: Arc<Seen>,
}

impl Watched {
    pub fn new(inner: SharedLog, held: TopicPartition) -> Arc<Self> {
        Arc::new(Watched { inner, held, go: watch::Sender::new(false), seen: Arc::default() })
    }

    /// Ranges of the held partition are read from now on.
    pub fn let_go(&self) {
        self.go.send_replace(true);
    }
}

#[async_trait]
impl Log for Watched {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn total_order(&self) -> bool {
        self.inner.total_order()
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.inner.partitions(topic).await
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        self.inner.publish(records).await
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        self.inner.publish_atomically(writer, records).await
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.inner.bounds(partition).await
    }

    async fn read(
        &self,
        partition: TopicPartition,
        from: Offset,
        to: Offset,
        fetch: Fetch,
    ) -> Result<slipstream_log::Batch, LogError> {
        if partition == self.held {
            self.seen.asked.fetch_add(1, Ordering::SeqCst);
            self.go.subscribe().wait_for(|go| *go).await.unwrap();
        }
        self.inner.read(partition, from, to, fetch).await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.inner.offset_at(partition, time).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.inner.committed(group, partition).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        let inner = self.inner.subscribe(group, topics).await?;
        Ok(Box::new(WatchedConsumer { inner, seen: Arc::clone(&self.seen) }))
    }
}

struct WatchedConsumer {
    inner: Box<dyn Consumer>,
    seen: Arc<Seen>,
}

#[async_trait]
impl Consumer for WatchedConsumer {
    async fn poll(&mut self, fetch: Fetch, wait: Duration) -> Result<Polled, LogError> {
        let polled = self.inner.poll(fetch, wait).await?;
        if let Polled::Records(records) = &polled {
            self.seen.bytes.fetch_add(records.bytes(), Ordering::SeqCst);
        }
        Ok(polled)
    }

    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        self.inner.seek(partition, offset).await
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        let delivered = self.seen.bytes.load(Ordering::SeqCst) > 0;
        self.seen.held_back.store(delivered && !partitions.is_empty(), Ordering::SeqCst);
        self.inner.pause(partitions);
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        if self.seen.held_back.swap(false, Ordering::SeqCst) {
            self.seen.resumed.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.resume(partitions);
    }

    async fn commit(&mut self, step: &Step) -> Result<(), CommitError> {
        self.inner.commit(step).await
    }

    async fn committed(&mut self, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.inner.committed(partition).await
    }

    async fn horizon(&mut self, partition: TopicPartition) -> Result<Option<Horizon>, LogError> {
        self.inner.horizon(partition).await
    }
}
