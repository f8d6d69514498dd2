//! Why the alerter or a notifier stopped.

use slipstream_log::{LogError, Offset, TopicPartition};
use slipstream_slo::revision::RevisionError;

/// Why the alerter or a notifier stopped.
#[derive(Debug, thiserror::Error)]
pub enum AlerterError {
    /// The log failed for good.
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
        cause: String,
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
