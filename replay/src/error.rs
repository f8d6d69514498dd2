//! Why a replay cannot be made.

use slipstream_log::LogError;
use slipstream_query::DefinitionsError;
use slipstream_role::reading::ReadError;
use slipstream_schemas::Cause;
use slipstream_slo::burn::BurnFault;
use slipstream_slo::revision::RevisionError;
use slipstream_store::StoreError;

use crate::then::NoAlert;

/// Why a replay cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A topic cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The definitions of then cannot be read.
    #[error(transparent)]
    Then(#[from] DefinitionsError),
    /// Definitions do not fit together.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A source was there, and then no more.
    #[error("{who} stopped answering after it was read up to {reached}; run it again when it is back: {cause}")]
    Unanswered {
        /// The source.
        who: &'static str,
        /// Log time.
        reached: String,
        /// Its last error.
        #[source]
        cause: Cause,
    },
    /// A fold refused what it was given.
    #[error(transparent)]
    Burn(#[from] BurnFault),
    /// The range is empty, or lies where nothing is.
    #[error("{0}")]
    Range(String),
    /// There is no such alert.
    #[error(transparent)]
    Alert(#[from] NoAlert),
    /// A file for sorting cannot be used.
    #[error("sorting by event time: {0}")]
    Sorting(String),
    /// It was stopped before there was anything to tell.
    #[error("stopped while events were put in order by event time: nothing is told yet")]
    Stopped,
    /// A thread ended early.
    #[error("{0} ended unexpectedly; this is a fault of slipstream")]
    Thread(&'static str),
}
