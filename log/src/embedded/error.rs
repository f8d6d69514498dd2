//! Why a write to an embedded log failed, and what that means for the caller.

use slipstream_schemas::Cause;

use crate::port::{CommitError, LogError, TopicPartition};

/// Why a write failed.
#[derive(Debug, Clone)]
pub enum WriteError {
    /// The queue is full; nothing was written.
    Busy,
    /// Nothing was written.
    Aborted(Cause),
    /// It may have been written.
    InDoubt(Cause),
    /// Not the owner, or not the newest holder of the name, any more.
    Lost(Vec<TopicPartition>),
    /// Will not pass.
    Fatal(Cause),
}

impl WriteError {
    pub(super) fn of_publish(self) -> LogError {
        let doing = "publishing".to_owned();
        match self {
            WriteError::Busy => LogError::Busy,
            WriteError::Aborted(cause) | WriteError::InDoubt(cause) => LogError::Transient { doing, cause },
            WriteError::Fatal(cause) => LogError::Fatal { doing, cause },
            WriteError::Lost(_) => LogError::Fatal { doing, cause: "fenced".into() },
        }
    }

    pub(super) fn of_commit(self) -> CommitError {
        match self {
            WriteError::Busy => CommitError::Aborted("the log's write queue is full".into()),
            WriteError::Aborted(cause) => CommitError::Aborted(cause),
            WriteError::InDoubt(cause) => CommitError::InDoubt(cause),
            WriteError::Lost(partitions) => CommitError::Lost(partitions),
            WriteError::Fatal(cause) => CommitError::Fatal(cause),
        }
    }
}
