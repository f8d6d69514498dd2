//! Why tally or burn had to stop.

use slipstream_log::LogError;
use slipstream_slo::burn::BurnFault;
use slipstream_slo::revision::RevisionError;
use slipstream_slo::tally::OutOfOrder;

/// Why a role of this crate had to stop. All of these need a person, or a restart.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// The log failed for good.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A definition that cannot be understood.
    #[error(transparent)]
    Definition(#[from] RevisionError),
    /// The log delivered out of order (L3).
    #[error(transparent)]
    Order(#[from] OutOfOrder),
    /// Tallies do not join (P1), or were written by a newer version.
    #[error(transparent)]
    Fault(#[from] BurnFault),
    /// A record of an internal topic cannot be read.
    #[error("reading {place}: {cause}")]
    Unreadable {
        /// Partition and offset.
        place: String,
        /// Why.
        cause: String,
    },
    /// The installation has not been set up.
    #[error(
        "slo-definitions has no Settings record: the installation was not set up; run `slipstream run` on an embedded directory, or ensure the topics first"
    )]
    NoSettings,
}
