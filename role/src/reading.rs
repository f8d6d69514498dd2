//! Bounded reads of a role before it works on a partition: to the end, waiting for what is not visible yet.

use std::time::Duration;

use slipstream_log::{Fetch, Log, LogError, Offset, RecordRef, TopicPartition};
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::Backoff;
use slipstream_schemas::{Cause, LogTime, Topic};

use crate::patience::Patience;

/// For records that others already see.
const UNSEEN: Backoff = Backoff { first: Duration::from_millis(20), max: Duration::from_secs(2) };

/// Why a range was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log failed permanently, or the role was asked to stop.
    #[error("{doing}: {cause}")]
    Log {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        cause: LogError,
    },
    /// A record cannot be decoded.
    #[error("{partition}: the record at offset {offset} cannot be read: {cause}")]
    Record {
        /// Where.
        partition: TopicPartition,
        /// Where in it.
        offset: Offset,
        /// What is wrong.
        #[source]
        cause: Cause,
    },
}

/// Reads on topics on behalf of a role. Its log is a patient one.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The log.
    pub log: &'a dyn Log,
    /// The reader.
    pub role: &'a str,
}

/// Names what was being done.
fn doing(doing: &'static str) -> impl FnOnce(LogError) -> ReadError {
    move |cause| ReadError::Log { doing, cause }
}

impl Reader<'_> {
    /// Every partition of a topic.
    ///
    /// # Errors
    /// When the log fails permanently.
    pub async fn partitions(&self, topic: Topic) -> Result<Vec<TopicPartition>, ReadError> {
        let n = self.log.partitions(topic).await.map_err(doing("looking up a topic's partitions"))?;
        Ok((0..n).map(|partition| TopicPartition { topic, partition }).collect())
    }

    /// First retained offset and end, once everything that a former owner wrote is committed or aborted.
    ///
    /// # Errors
    /// When the log fails permanently.
    pub async fn settled_bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), ReadError> {
        self.log.settled_bounds(partition).await.map_err(doing("looking up a partition's bounds"))
    }

    /// First retained offset and end.
    ///
    /// # Errors
    /// When the log fails permanently.
    pub async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), ReadError> {
        self.log.bounds(partition).await.map_err(doing("looking up a partition's bounds"))
    }

    /// Whether there is no record at `from` or after it. The end offset alone does not show that: a log may have
    /// offsets that hold no record.
    ///
    /// # Errors
    /// When the log fails permanently.
    pub async fn nothing_from(&self, partition: TopicPartition, from: Offset) -> Result<bool, ReadError> {
        Ok(self.first_from(partition, from).await?.is_none())
    }

    /// The log time of the first record at `from` or after it; `None` if there is none.
    ///
    /// # Errors
    /// When the log fails permanently.
    pub async fn first_from(&self, partition: TopicPartition, from: Offset) -> Result<Option<LogTime>, ReadError> {
        let mut patience = Self::patience();
        loop {
            let (first, end) = self.bounds(partition).await?;
            if from.max(first) >= end {
                return Ok(None);
            }
            match self.log.read(partition, from.max(first), end, Fetch { records: 1, ..Fetch::default() }).await {
                Ok(batch) => return Ok(batch.iter().next().map(|record| record.log_time())),
                // Retention was faster than this read.
                Err(LogError::OutOfRange { .. }) => {
                    patience.wait(|_, _| ()).await;
                }
                Err(error) => return Err(doing("reading")(error)),
            }
        }
    }

    /// Gives every retained record in `[from, to)` to `take`, in order; waits if `to` is not visible yet. Returns the
    /// offset at which to continue.
    ///
    /// # Errors
    /// When the log fails permanently, `take` fails, or on shutdown.
    pub async fn each<E: From<ReadError>>(
        &self,
        partition: TopicPartition,
        from: Offset,
        to: Offset,
        mut take: impl FnMut(RecordRef<'_>) -> Result<(), E>,
    ) -> Result<Offset, E> {
        let mut next = from;
        let mut patience = Self::patience();
        while next < to {
            match self.log.read(partition, next, to, Fetch::default()).await {
                Ok(batch) if !batch.is_empty() => {
                    batch.iter().try_for_each(&mut take)?;
                    next = batch.next;
                    patience.worked();
                    continue;
                }
                Ok(_) => {
                    if self.bounds(partition).await?.1 >= to {
                        // What is left of the range holds no record.
                        return Ok(to);
                    }
                }
                // Retention removed what was to be read.
                Err(LogError::OutOfRange { first, .. }) if first > next => {
                    next = first;
                    continue;
                }
                // A read may be for records that another reader already sees and we do not.
                Err(LogError::OutOfRange { .. }) => {}
                Err(error) => return Err(doing("reading")(error).into()),
            }
            patience.wait(|_, _| ()).await;
        }
        Ok(next)
    }

    fn patience() -> Patience {
        // One seed for all: a simulation must be deterministic.
        Patience::new(UNSEEN, 0, Shutdown::new())
    }
}

/// The value of a record, or an error that says where.
///
/// # Errors
/// When there is none, or `decode` refuses it.
pub fn decoded<T, E: std::error::Error + Send + Sync + 'static>(
    partition: TopicPartition,
    record: RecordRef<'_>,
    decode: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<T, ReadError> {
    let refuse = |cause: Cause| ReadError::Record { partition, offset: record.offset(), cause };
    let value = record.value().ok_or_else(|| refuse("it has no value".into()))?;
    decode(value).map_err(|e| refuse(Cause::of(e)))
}
