//! Why the sink had to stop.

use slipstream_log::{LogError, Offset, TopicPartition};
use slipstream_schemas::codec::CodecError;
use slipstream_store::StoreError;

/// Why the sink had to stop. All of these need a person, or a restart.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The log failed permanently.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store failed permanently.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record of an internal topic cannot be read.
    #[error("reading {partition} at offset {offset}: {cause}")]
    Record {
        /// Where it is.
        partition: TopicPartition,
        /// Its offset.
        offset: Offset,
        /// Why not, and what to do.
        #[source]
        cause: CodecError,
    },
    /// The store holds more than the log has: they do not belong together.
    #[error(
        "{partition}: the store is at offset {stored}, but the log ends at {end}: the store belongs to another log, or the \
         log was restored from an older copy; nothing was changed: give the sink the log that belongs to this store, or this \
         log a store of its own (another database or schema; this one keeps what it has)"
    )]
    StoreAhead {
        /// Where.
        partition: TopicPartition,
        /// Position in the store.
        stored: Offset,
        /// End of the log.
        end: Offset,
    },
    /// The log delivered out of order (L3).
    #[error("{partition}: offset {offset} was delivered after everything below {next} (L3)")]
    OutOfOrder {
        /// Where.
        partition: TopicPartition,
        /// The offset that was delivered.
        offset: Offset,
        /// What was expected at least.
        next: Offset,
    },
    /// The writing task ended without a result.
    #[error("writing to the store stopped unexpectedly: {0}")]
    BrokeOff(String),
}
