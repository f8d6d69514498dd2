//! Why a question has no answer.

use slipstream_log::{LogError, TopicPartition};
use slipstream_role::burn_state::BurnStateError;
use slipstream_role::definitions::PARTITION;
use slipstream_role::reading::ReadError;
use slipstream_role::revisions::RevisionsError;
use slipstream_schemas::Cause;
use slipstream_slo::revision::RevisionError;
use slipstream_store::StoreError;

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

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The store cannot be read, or refuses the question.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The definitions are not known.
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    /// What people say about alerts cannot be read.
    #[error(transparent)]
    Said(#[from] ReadError),
    /// The question makes no sense.
    #[error("{0}")]
    Refused(String),
    /// There is nothing of this name.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// What it would be.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Not everything of that time is there yet: ask again.
    #[error("not everything up to {at} is {what} yet: ask again in a moment")]
    NotYet {
        /// How far it has to get.
        what: &'static str,
        /// The time that was asked for.
        at: String,
    },
    /// Retention has removed some of what was known then.
    #[error("some of what was known at {at} was removed by retention ({setting}): the store has all from {kept} on")]
    Gone {
        /// The time that was asked for.
        at: String,
        /// From which on it can be answered.
        kept: String,
        /// For how long it is kept.
        setting: &'static str,
    },
    /// It takes the log to answer, and there is none here.
    #[error("this takes the log, too: say where it is (--log, or --data)")]
    NoLog,
    /// It takes the log to answer, and that cannot be opened.
    #[error("this takes the log, too, which cannot be opened: {0}")]
    LogNotOpen(#[source] Cause),
}

impl QueryError {
    /// There is no log, or it cannot be opened.
    pub(crate) fn no_log(why: Option<Cause>) -> QueryError {
        why.map_or(QueryError::NoLog, QueryError::LogNotOpen)
    }

    /// Whether to ask again may help: log or store are away, or have not got there yet.
    pub fn may_pass(&self) -> bool {
        match self {
            QueryError::Store(error) => matches!(error, StoreError::Unavailable { .. }),
            QueryError::Log(error) | QueryError::Definitions(DefinitionsError::Reading(error)) => {
                matches!(error, LogError::Transient { .. } | LogError::Busy)
            }
            QueryError::Said(ReadError::Log { cause, .. }) => {
                matches!(cause, LogError::Transient { .. } | LogError::Busy)
            }
            QueryError::NotYet { .. } => true,
            _ => false,
        }
    }
}
