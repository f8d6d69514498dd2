//! Why a query of the log failed. Queries of the store fail with the store's errors.

use slipstream_log::{LogError, TopicPartition};
use slipstream_role::burn_state::BurnStateError;
use slipstream_role::definitions::PARTITION;
use slipstream_role::revisions::RevisionsError;
use slipstream_slo::revision::RevisionError;

/// Why it is not known which definitions are in force.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionsError {
    /// The log failed, or a record was written by a newer version.
    #[error("reading the definitions")]
    Reading(#[source] LogError),
    /// A definition that cannot be parsed.
    #[error(transparent)]
    Meaning(#[from] RevisionError),
}

impl From<RevisionsError> for DefinitionsError {
    fn from(error: RevisionsError) -> Self {
        match error {
            RevisionsError::Log(error) => DefinitionsError::Reading(error),
            RevisionsError::Unreadable { offset, cause } => DefinitionsError::Reading(LogError::Fatal {
                doing: format!("reading {PARTITION} at offset {offset}"),
                cause,
            }),
            RevisionsError::Definition(error) => DefinitionsError::Meaning(error),
        }
    }
}

/// Why the status of the SLOs is not known.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The definitions are not known.
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    /// The tallies cannot be read, or do not join.
    #[error(transparent)]
    State(#[from] BurnStateError),
    /// The state of a partition was no longer valid, and it could not be restored.
    #[error("{0} could not be restored: start following the log again")]
    NotRestored(TopicPartition),
}

impl FollowError {
    /// The error of the log that it is, if it is one.
    pub fn of_log(&self) -> Option<&LogError> {
        match self {
            FollowError::Definitions(DefinitionsError::Reading(error))
            | FollowError::State(BurnStateError::Log(error)) => Some(error),
            _ => None,
        }
    }
}
