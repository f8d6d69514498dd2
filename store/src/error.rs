//! Why an operation of a store failed, and whether that may be temporary.

use slipstream_schemas::{Cause, Topic};

/// Why an operation of a store failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written: another writer moved the position, or this very batch is there already. Read positions
    /// again.
    #[error("{topic}/{partition}: the store is at {stored:?}, the batch begins at {expected:?}")]
    Moved {
        /// Topic of the position.
        topic: Topic,
        /// Its partition.
        partition: u32,
        /// What the batch expected.
        expected: Option<i64>,
        /// What the store has.
        stored: Option<i64>,
    },
    /// May be temporary: retry. The positions then say whether a batch was written ([`crate::settled`]).
    /// The caller that retries logs it; the message does not say so.
    #[error("{doing}: {cause}")]
    Unavailable {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        cause: Cause,
    },
    /// The query is invalid.
    #[error("{0}")]
    Refused(String),
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
