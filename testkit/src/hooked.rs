//! A wrapper of a log in which a test sees the calls, and may hold them up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_log::{
    Appended, Batch, CommitError, Consumer, Fetch, Horizon, Log, LogError, Offset, Outgoing, Polled, Position, Share,
    SharedLog, Step, TopicId, TopicPartition,
};
use slipstream_schemas::{LogTime, Topic};

/// What a test does on calls of the log; nothing by default.
#[async_trait]
pub trait Hooks: Send + Sync + 'static {
    /// Before any call that may be retried, by its name; an error is returned to the caller.
    fn asking(&self, _question: &'static str) -> Result<(), LogError> {
        Ok(())
    }

    /// The id of a topic, instead of the log's own.
    fn named(&self, _topic: Topic) -> Option<TopicId> {
        None
    }

    /// Before records are published, outside of steps.
    async fn publishing(&self) {}

    /// After records were published, outside of steps, and before whoever published them is told.
    async fn published(&self) {}

    /// Before a range is read.
    async fn reading(&self, _partition: TopicPartition, _fetch: Fetch) {}

    /// Before a partition's bounds or a range of it are read: the result to return instead.
    fn failing(&self, _partition: TopicPartition) -> Result<(), LogError> {
        Ok(())
    }

    /// Before a group is joined.
    fn subscribing(&self, _group: &str) {}

    /// Before a consumer is polled.
    fn polling(&self, _fetch: Fetch) {}

    /// After a consumer was polled.
    fn polled(&self, _polled: &Polled) {}

    /// Before partitions are paused.
    fn pausing(&self, _partitions: &[TopicPartition]) {}

    /// Before partitions are resumed.
    fn resuming(&self, _partitions: &[TopicPartition]) {}

    /// Before a step is committed.
    fn committing(&self, _step: &Step) {}
}

/// See the module.
pub struct Hooked<H> {
    log: SharedLog,
    hooks: Arc<H>,
}

struct HookedConsumer<H> {
    consumer: Box<dyn Consumer>,
    hooks: Arc<H>,
}

impl<H: Hooks> Hooked<H> {
    /// The log as a role takes it; the test keeps the hooks.
    pub fn over(log: SharedLog, hooks: &Arc<H>) -> SharedLog {
        Arc::new(Hooked { log, hooks: Arc::clone(hooks) })
    }
}

#[async_trait]
impl<H: Hooks> Log for Hooked<H> {
    fn describe(&self) -> String {
        self.log.describe()
    }

    fn total_order(&self) -> bool {
        self.log.total_order()
    }

    async fn topic_id(&self, topic: Topic) -> Result<Option<TopicId>, LogError> {
        self.hooks.asking("topic_id")?;
        match self.hooks.named(topic) {
            Some(id) => Ok(Some(id)),
            None => self.log.topic_id(topic).await,
        }
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.hooks.asking("partitions")?;
        self.log.partitions(topic).await
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        self.hooks.publishing().await;
        let published = self.log.publish(records).await;
        self.hooks.published().await;
        published
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        self.hooks.publishing().await;
        self.log.publish_atomically(writer, records).await
    }

    async fn take_writer(&self, writer: &str) -> Result<(), CommitError> {
        self.log.take_writer(writer).await
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.hooks.asking("bounds")?;
        self.hooks.failing(partition)?;
        self.log.bounds(partition).await
    }

    async fn all_bounds(&self, partitions: &[TopicPartition]) -> Result<Vec<(Offset, Offset)>, LogError> {
        self.hooks.asking("all_bounds")?;
        partitions.iter().try_for_each(|partition| self.hooks.failing(*partition))?;
        self.log.all_bounds(partitions).await
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        self.hooks.asking("read")?;
        self.hooks.reading(partition, fetch).await;
        self.hooks.failing(partition)?;
        self.log.read(partition, from, to, fetch).await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.hooks.asking("offset_at")?;
        self.log.offset_at(partition, time).await
    }

    async fn all_offsets_at(&self, asked: &[(TopicPartition, LogTime)]) -> Result<Vec<Offset>, LogError> {
        self.hooks.asking("all_offsets_at")?;
        self.log.all_offsets_at(asked).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.hooks.asking("committed")?;
        self.log.committed(group, partition).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic], share: Share) -> Result<Box<dyn Consumer>, LogError> {
        self.hooks.asking("subscribe")?;
        self.hooks.subscribing(group);
        let consumer = self.log.subscribe(group, topics, share).await?;
        Ok(Box::new(HookedConsumer { consumer, hooks: Arc::clone(&self.hooks) }))
    }
}

#[async_trait]
impl<H: Hooks> Consumer for HookedConsumer<H> {
    async fn poll(&mut self, fetch: Fetch, wait: Duration) -> Result<Polled, LogError> {
        self.hooks.asking("poll")?;
        self.hooks.polling(fetch);
        let polled = self.consumer.poll(fetch, wait).await?;
        self.hooks.polled(&polled);
        Ok(polled)
    }

    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        self.hooks.asking("seek")?;
        self.consumer.seek(partition, offset).await
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        self.hooks.pausing(partitions);
        self.consumer.pause(partitions);
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        self.hooks.resuming(partitions);
        self.consumer.resume(partitions);
    }

    async fn commit(&mut self, step: &Step) -> Result<(), CommitError> {
        self.hooks.committing(step);
        self.consumer.commit(step).await
    }

    async fn committed(&mut self, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.hooks.asking("committed")?;
        self.consumer.committed(partition).await
    }

    async fn horizon(&mut self, partition: TopicPartition) -> Result<Option<Horizon>, LogError> {
        self.hooks.asking("horizon")?;
        self.consumer.horizon(partition).await
    }
}
