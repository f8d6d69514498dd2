//! A log that waits out what passes: a broker that restarts, a network that is away. Roles run on it, so that only what
//! lasts ends them. Publishing is not repeated here (whoever publishes has somebody to answer to), nor are commits
//! ([`crate::settle()`] brings them to their end).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_schemas::{LogTime, Topic};

use crate::batch::Batch;
use crate::port::{
    Appended, CommitError, Consumer, Fetch, Horizon, Log, LogError, Offset, Outgoing, Polled, Position, SharedLog,
    Step, TopicPartition,
};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// See the module.
pub struct Patient(SharedLog);

impl Patient {
    /// A log whose questions are asked until they are answered, or refused for good.
    pub fn over(log: SharedLog) -> SharedLog {
        Arc::new(Patient(log))
    }
}

struct PatientConsumer(Box<dyn Consumer>);

/// Tries until something else than a passing error comes.
macro_rules! until_answered {
    ($what:literal, $ask:expr) => {{
        let mut pause = FIRST_PAUSE;
        loop {
            match $ask.await {
                Err(error @ (LogError::Busy | LogError::Transient { .. })) => {
                    tracing::warn!(%error, "{} failed; trying again", $what);
                }
                answer => break answer,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }};
}

#[async_trait]
impl Log for Patient {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn total_order(&self) -> bool {
        self.0.total_order()
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        until_answered!("asking for partitions", self.0.partitions(topic))
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        self.0.publish(records).await
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        self.0.publish_atomically(writer, records).await
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        until_answered!("asking for bounds", self.0.bounds(partition))
    }

    async fn settled_bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        until_answered!("asking for bounds", self.0.settled_bounds(partition))
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        until_answered!("reading", self.0.read(partition, from, to, fetch))
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        until_answered!("looking up a log time", self.0.offset_at(partition, time))
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        until_answered!("asking for a committed position", self.0.committed(group, partition))
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        let consumer = until_answered!("joining a group", self.0.subscribe(group, topics))?;
        Ok(Box::new(PatientConsumer(consumer)))
    }
}

#[async_trait]
impl Consumer for PatientConsumer {
    /// What passes comes back as nothing: whoever polls has other things to do.
    async fn poll(&mut self, fetch: Fetch, wait: Duration) -> Result<Polled, LogError> {
        match self.0.poll(fetch, wait).await {
            Err(error @ (LogError::Busy | LogError::Transient { .. })) => {
                tracing::warn!(%error, "polling failed; trying again");
                tokio::time::sleep(FIRST_PAUSE).await;
                Ok(Polled::Nothing)
            }
            answer => answer,
        }
    }

    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        until_answered!("seeking", self.0.seek(partition, offset))
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        self.0.pause(partitions);
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        self.0.resume(partitions);
    }

    async fn commit(&mut self, step: &Step) -> Result<(), CommitError> {
        self.0.commit(step).await
    }

    async fn committed(&mut self, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        until_answered!("asking for a committed position", self.0.committed(partition))
    }

    /// A horizon that cannot be known at present is none.
    async fn horizon(&mut self, partition: TopicPartition) -> Result<Option<Horizon>, LogError> {
        match self.0.horizon(partition).await {
            Err(error @ (LogError::Busy | LogError::Transient { .. })) => {
                tracing::warn!(%error, %partition, "the horizon is not known at present");
                tokio::time::sleep(FIRST_PAUSE).await;
                Ok(None)
            }
            answer => answer,
        }
    }
}
