//! Why a store did not do what it was asked, and whether it may pass.

use slipstream_schemas::{Cause, Topic};

/// Why a store did not do what it was asked.
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
    /// May be temporary: send the same again. The positions then say whether a batch was written ([`crate::settled`]). Whoever
    /// sends again says it; the error does not know.
    #[error("{doing}: {cause}")]
    Unavailable {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        cause: Cause,
    },
    /// What was asked for makes no sense.
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
