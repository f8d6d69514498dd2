//! Why a question about the log has no answer. Those about the store fail as the store does.

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
    /// A definition that cannot be understood.
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

/// Why it is not known how the SLOs stand.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The definitions are not known.
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    /// The tallies cannot be read, or do not join.
    #[error(transparent)]
    State(#[from] BurnStateError),
    /// What was known of a partition no longer held, and it could not be restored.
    #[error("{0} is not restored: follow the log again")]
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
