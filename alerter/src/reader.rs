//! Bounded reads that a role makes before it works on a partition: to the end, with patience.

use std::time::Duration;

use slipstream_log::{Fetch, Log, LogError, Offset, RecordRef, TopicPartition};
use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_runtime::event::Event;
use slipstream_schemas::Topic;

use crate::error::AlerterError;
use crate::events::LogRetry;

/// For errors of the log that may pass.
pub(crate) const PATIENCE: Backoff = Backoff { first: Duration::from_millis(20), max: Duration::from_secs(2) };

/// Waits after an error that may pass; answers one that will not.
pub(crate) async fn patience(
    retry: &mut Retry,
    role: &str,
    doing: &'static str,
    error: LogError,
) -> Result<(), AlerterError> {
    if !matches!(error, LogError::Busy | LogError::Transient { .. }) {
        return Err(AlerterError::Log { doing, cause: error });
    }
    LogRetry { role, doing, cause: error.to_string() }.emit();
    tokio::time::sleep(retry.failed()).await;
    Ok(())
}

/// Reads on topics on behalf of a role.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// The log.
    pub log: &'a dyn Log,
    /// Who reads.
    pub role: &'a str,
}

impl Reader<'_> {
    /// Every partition of a topic.
    pub async fn partitions(&self, topic: Topic) -> Result<Vec<TopicPartition>, AlerterError> {
        let mut retry = Retry::new(PATIENCE, 0);
        loop {
            match self.log.partitions(topic).await {
                Ok(n) => return Ok((0..n).map(|partition| TopicPartition { topic, partition }).collect()),
                Err(error) => patience(&mut retry, self.role, "asking for a topic's partitions", error).await?,
            }
        }
    }

    /// First retained offset and end, once all that a former owner has written is decided.
    pub async fn settled_bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), AlerterError> {
        let mut retry = Retry::new(PATIENCE, 0);
        loop {
            match self.log.settled_bounds(partition).await {
                Ok(bounds) => return Ok(bounds),
                Err(error) => patience(&mut retry, self.role, "asking for a partition's bounds", error).await?,
            }
        }
    }

    /// First retained offset and end.
    pub async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), AlerterError> {
        let mut retry = Retry::new(PATIENCE, 0);
        loop {
            match self.log.bounds(partition).await {
                Ok(bounds) => return Ok(bounds),
                Err(error) => patience(&mut retry, self.role, "asking for a partition's bounds", error).await?,
            }
        }
    }

    /// Whether no record lies at `from` or behind it. The end offset alone does not tell: a log may have offsets that hold
    /// no record.
    pub async fn nothing_from(&self, partition: TopicPartition, from: Offset) -> Result<bool, AlerterError> {
        let mut retry = Retry::new(PATIENCE, 0);
        loop {
            let (first, end) = self.bounds(partition).await?;
            if from.max(first) >= end {
                return Ok(true);
            }
            match self.log.read(partition, from.max(first), end, Fetch { records: 1, ..Fetch::default() }).await {
                Ok(batch) => return Ok(batch.is_empty()),
                // Retention was quicker than we.
                Err(LogError::OutOfRange { .. }) => tokio::time::sleep(retry.failed()).await,
                Err(error) => patience(&mut retry, self.role, "reading", error).await?,
            }
        }
    }

    /// Gives every retained record in `[from, to)` to `take`, in order; waits where `to` is not visible yet. Answers the
    /// offset at which to go on.
    pub async fn each(
        &self,
        partition: TopicPartition,
        from: Offset,
        to: Offset,
        mut take: impl FnMut(RecordRef<'_>) -> Result<(), AlerterError>,
    ) -> Result<Offset, AlerterError> {
        let mut next = from;
        let mut retry = Retry::new(PATIENCE, 0);
        while next < to {
            match self.log.read(partition, next, to, Fetch::default()).await {
                Ok(batch) => {
                    batch.iter().try_for_each(&mut take)?;
                    if !batch.is_empty() {
                        next = batch.next;
                        retry.reset();
                    } else if self.bounds(partition).await?.1 >= to {
                        // What is left of the range holds no record.
                        return Ok(to);
                    } else {
                        tokio::time::sleep(retry.failed()).await;
                    }
                }
                // Retention took what was to be read.
                Err(LogError::OutOfRange { first, .. }) if first > next => next = first,
                // A read may ask for what another reader sees already and we do not.
                Err(LogError::OutOfRange { .. }) => tokio::time::sleep(retry.failed()).await,
                Err(error) => patience(&mut retry, self.role, "reading", error).await?,
            }
        }
        Ok(next)
    }
}

/// The value of a record, or an error that says where.
pub(crate) fn decoded<T, E: std::fmt::Display>(
    partition: TopicPartition,
    record: RecordRef<'_>,
    decode: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<T, AlerterError> {
    let refuse = |cause: String| AlerterError::Record { partition, offset: record.offset(), cause };
    let value = record.value().ok_or_else(|| refuse("it has no value".to_owned()))?;
    decode(value).map_err(|e| refuse(e.to_string()))
}
