//! Why the alerter or a notifier stopped.

use slipstream_log::{LogError, Offset, TopicPartition};
use slipstream_role::definitions::PARTITION as DEFINITIONS;
use slipstream_role::reading::ReadError;
use slipstream_role::revisions::RevisionsError;
use slipstream_schemas::Cause;
use slipstream_slo::revision::RevisionError;

/// Why the alerter or a notifier stopped.
#[derive(Debug, thiserror::Error)]
pub enum AlerterError {
    /// The log failed permanently.
    #[error("{doing}: {cause}")]
    Log {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        cause: LogError,
    },
    /// A record of an internal topic cannot be read.
    #[error(
        "{partition}: the record at offset {offset} cannot be read: {cause} (was it written by a newer version? upgrade the readers first)"
    )]
    Record {
        /// Where.
        partition: TopicPartition,
        /// Where in it.
        offset: Offset,
        /// What is wrong.
        #[source]
        cause: Cause,
    },
    /// A definition in the log makes no sense to this version.
    #[error(transparent)]
    Definition(#[from] RevisionError),
    /// A receiver is configured wrongly.
    #[error("receiver {receiver}: {problem}")]
    Receiver {
        /// Its name.
        receiver: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
}

impl AlerterError {
    /// Adds what was being done.
    pub(crate) fn log(doing: &'static str) -> impl FnOnce(LogError) -> AlerterError {
        move |cause| AlerterError::Log { doing, cause }
    }
}

impl From<ReadError> for AlerterError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Log { doing, cause } => AlerterError::Log { doing, cause },
            ReadError::Record { partition, offset, cause } => AlerterError::Record { partition, offset, cause },
        }
    }
}

impl From<RevisionsError> for AlerterError {
    fn from(error: RevisionsError) -> Self {
        match error {
            RevisionsError::Log(cause) => AlerterError::Log { doing: "reading", cause },
            RevisionsError::Unreadable { offset, cause } => {
                AlerterError::Record { partition: DEFINITIONS, offset, cause }
            }
            RevisionsError::Definition(error) => AlerterError::Definition(error),
        }
    }
}
