//! Why tally or burn had to stop.

use slipstream_log::LogError;
use slipstream_role::burn_state::BurnStateError;
use slipstream_role::revisions::RevisionsError;
use slipstream_slo::tally::OutOfOrder;

/// Why a role of this crate had to stop. All of these need a person, or a restart.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// The log failed permanently.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The definitions are not known.
    #[error(transparent)]
    Definitions(#[from] RevisionsError),
    /// The log delivered out of order (L3).
    #[error(transparent)]
    Order(#[from] OutOfOrder),
    /// Burn's state cannot be had, or not be continued.
    #[error(transparent)]
    State(#[from] BurnStateError),
    /// The installation has not been set up.
    #[error(
        "slo-definitions has no Settings record: the installation was not set up; run `slipstream run` on an embedded directory, or ensure the topics first"
    )]
    NoSettings,
}
