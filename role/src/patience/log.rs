//! A log whose reads are retried until they succeed or fail permanently, or for as long as somebody waits for them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_log::{
    Appended, Batch, CommitError, Consumer, Fetch, Horizon, Log, LogError, Offset, Outgoing, Polled, Position, Share,
    SharedLog, Step, TopicId, TopicPartition,
};
use slipstream_runtime::event::Event;
use slipstream_schemas::{LogTime, Topic};
use tokio::time::Instant;

use super::{Patience, passes};
use crate::telemetry::LogRetry;

/// The log as `role` works on it.
pub fn patient(log: SharedLog, role: &str) -> SharedLog {
    Arc::new(Patient { log, asking: Asking { role: role.into(), bound: None } })
}

/// The log for work that somebody waits for: a read that has failed for `within` is over, and its error says so. One that was
/// given up ends with its next error.
pub fn patient_for(
    log: SharedLog,
    role: &str,
    within: Duration,
    given_up: impl Fn() -> bool + Send + Sync + 'static,
) -> SharedLog {
    let bound = Some(Bound { within, given_up: Arc::new(given_up) });
    Arc::new(Patient { log, asking: Asking { role: role.into(), bound } })
}

struct Patient {
    log: SharedLog,
    asking: Asking,
}

struct PatientConsumer {
    consumer: Box<dyn Consumer>,
    asking: Asking,
    /// Polls that failed in a row.
    failed: u32,
}

/// On whose behalf.
#[derive(Clone)]
struct Asking {
    role: Arc<str>,
    bound: Option<Bound>,
}

/// How long it is asked.
#[derive(Clone)]
struct Bound {
    within: Duration,
    given_up: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Asking {
    fn retry<'a>(&'a self, doing: &'a str, cause: &'a LogError) -> LogRetry<'a> {
        LogRetry { role: &self.role, doing, cause }
    }

    /// The error with which it ends, if what is asked since `began` has failed long enough.
    fn over(&self, began: Instant, error: &LogError) -> Option<LogError> {
        let Bound { within, given_up } = self.bound.as_ref()?;
        if given_up() {
            return Some(error.clone());
        }
        (began.elapsed() >= *within).then(|| after(*within, error.clone()))
    }
}

/// The last error of many.
fn after(within: Duration, error: LogError) -> LogError {
    match error {
        LogError::Transient { doing, cause } => {
            let cause = cause.and(&format!("; it was tried again for {} s", within.as_secs()));
            LogError::Transient { doing, cause }
        }
        other => other,
    }
}

/// Retries until there is something other than a temporary error.
macro_rules! until_answered {
    ($asking:expr, $doing:literal, $ask:expr) => {{
        let (mut patience, began) = (Patience::with_log(), Instant::now());
        loop {
            match $ask.await {
                Err(error) if passes(&error) => {
                    if let Some(error) = $asking.over(began, &error) {
                        break Err(error);
                    }
                    patience.wait(|_, _| $asking.retry($doing, &error).emit()).await;
                }
                answer => break answer,
            }
        }
    }};
}

#[async_trait]
impl Log for Patient {
    fn describe(&self) -> String {
        self.log.describe()
    }

    fn total_order(&self) -> bool {
        self.log.total_order()
    }

    async fn topic_id(&self, topic: Topic) -> Result<Option<TopicId>, LogError> {
        until_answered!(self.asking, "looking up a topic's id", self.log.topic_id(topic))
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        until_answered!(self.asking, "looking up a topic's partitions", self.log.partitions(topic))
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        self.log.publish(records).await
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        self.log.publish_atomically(writer, records).await
    }

    async fn take_writer(&self, writer: &str) -> Result<(), CommitError> {
        self.log.take_writer(writer).await
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        until_answered!(self.asking, "looking up a partition's bounds", self.log.bounds(partition))
    }

    async fn all_bounds(&self, partitions: &[TopicPartition]) -> Result<Vec<(Offset, Offset)>, LogError> {
        until_answered!(self.asking, "looking up the bounds of partitions", self.log.all_bounds(partitions))
    }

    async fn settled_bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        until_answered!(self.asking, "looking up a partition's bounds", self.log.settled_bounds(partition))
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        until_answered!(self.asking, "reading", self.log.read(partition, from, to, fetch))
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        until_answered!(self.asking, "looking up a log time", self.log.offset_at(partition, time))
    }

    async fn all_offsets_at(&self, asked: &[(TopicPartition, LogTime)]) -> Result<Vec<Offset>, LogError> {
        until_answered!(self.asking, "looking up a log time", self.log.all_offsets_at(asked))
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        until_answered!(self.asking, "looking up a committed position", self.log.committed(group, partition))
    }

    async fn subscribe(&self, group: &str, topics: &[Topic], share: Share) -> Result<Box<dyn Consumer>, LogError> {
        let consumer =
            until_answered!(self.asking, "joining a consumer group", self.log.subscribe(group, topics, share))?;
        Ok(Box::new(PatientConsumer { consumer, asking: self.asking.clone(), failed: 0 }))
    }
}

#[async_trait]
impl Consumer for PatientConsumer {
    /// A temporary error of a poll returns nothing, soon: the caller has other things to do. It is logged for the
    /// first, the second, the fourth, ... in a row.
    async fn poll(&mut self, fetch: Fetch, wait: Duration) -> Result<Polled, LogError> {
        match self.consumer.poll(fetch, wait).await {
            Err(error) if passes(&error) => {
                self.failed = self.failed.saturating_add(1);
                if self.failed.is_power_of_two() {
                    self.asking.retry("polling", &error).emit();
                }
                Patience::with_log().wait(|_, _| ()).await;
                Ok(Polled::Nothing)
            }
            answer => {
                self.failed = 0;
                answer
            }
        }
    }

    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        until_answered!(self.asking, "seeking", self.consumer.seek(partition, offset))
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        self.consumer.pause(partitions);
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        self.consumer.resume(partitions);
    }

    async fn commit(&mut self, step: &Step) -> Result<(), CommitError> {
        self.consumer.commit(step).await
    }

    async fn committed(&mut self, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        until_answered!(self.asking, "looking up a committed position", self.consumer.committed(partition))
    }

    /// A horizon that cannot be read at the moment is `None`.
    async fn horizon(&mut self, partition: TopicPartition) -> Result<Option<Horizon>, LogError> {
        match self.consumer.horizon(partition).await {
            Err(error) if passes(&error) => {
                let asking = &self.asking;
                let say = |_, _| asking.retry("looking up a horizon", &error).emit();
                Patience::with_log().wait(say).await;
                Ok(None)
            }
            answer => answer,
        }
    }
}
