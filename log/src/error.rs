//! Errors of the log.

use slipstream_schemas::{Cause, Topic};

use crate::place::{Offset, TopicPartition};

/// Why publishing or reading failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The log's queue is full: nothing was written; try again after a while.
    #[error("the log is busy: its write queue is full")]
    Busy,
    /// What was asked for is not there any more, or not yet.
    #[error("{partition}: offset {offset} is out of range [{first}, {end})")]
    OutOfRange {
        /// Partition asked.
        partition: TopicPartition,
        /// Offset asked.
        offset: Offset,
        /// First offset there is.
        first: Offset,
        /// End offset.
        end: Offset,
    },
    /// A record is too large.
    #[error("{topic}: a record of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Topic.
        topic: Topic,
        /// Size.
        bytes: usize,
        /// Limit.
        limit: usize,
    },
    /// May be temporary: retry. The caller that retries logs it; the message does not say so.
    #[error("{doing}: {cause}")]
    Transient {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        cause: Cause,
    },
    /// Permanent.
    #[error("{doing}: {cause}")]
    Fatal {
        /// What was being done.
        doing: String,
        /// Why it failed, and what to do.
        #[source]
        cause: Cause,
    },
}

/// How a commit failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// Nothing of the step is or will be in the log: send the same value again.
    #[error("commit aborted: {0}")]
    Aborted(#[source] Cause),
    /// It may or may not be in the log: read the committed position first.
    #[error("commit in doubt: {0}")]
    InDoubt(#[source] Cause),
    /// A partition of the step is no longer ours: drop step and state (L5).
    #[error("commit refused: {} not owned any more", list(.0))]
    Lost(Vec<TopicPartition>),
    /// Permanent.
    #[error("commit impossible: {0}")]
    Fatal(#[source] Cause),
}

fn list(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
