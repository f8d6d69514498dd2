//! Why a question has no answer.

use slipstream_log::LogError;
use slipstream_query::QueryError;
use slipstream_role::patience::passes;
use slipstream_role::reading::ReadError;
use slipstream_schemas::Cause;
use slipstream_store::StoreError;

/// Why a question has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// It is about something that does not exist.
    #[error("there is no {what} `{name}`")]
    NoSuch {
        /// An event, an SLO, an alert.
        what: &'static str,
        /// As asked.
        name: String,
    },
    /// Nothing knows the answer, and nothing will.
    #[error("{0}")]
    Unanswerable(String),
    /// It will be answered in a while: what was asked for is not stored yet.
    #[error("{0}")]
    NotYet(String),
    /// Store or log do not answer at the moment.
    #[error("{who} does not answer at the moment; ask again")]
    Unavailable {
        /// The store, or the log.
        who: &'static str,
        /// What was being done, and why it failed: for the log, since it may name hosts.
        #[source]
        cause: Cause,
    },
    /// Store or log are broken, or hold what this version cannot read.
    #[error("{who} cannot answer this; the log of this process says why")]
    Broken {
        /// The store, or the log.
        who: &'static str,
        /// What was being done, and why it failed: for the log.
        #[source]
        cause: Cause,
    },
}

const STORE: &str = "the store";
const LOG: &str = "the log";

impl AskError {
    /// `passes`: whether to ask again may help.
    fn of(who: &'static str, passes: bool, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        let cause = Cause::of(error);
        if passes { AskError::Unavailable { who, cause } } else { AskError::Broken { who, cause } }
    }
}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(why) => AskError::Unanswerable(why),
            StoreError::Unavailable { .. } => AskError::of(STORE, true, error),
            StoreError::Fatal { .. } | StoreError::Moved { .. } => AskError::of(STORE, false, error),
        }
    }
}

impl From<LogError> for AskError {
    fn from(error: LogError) -> Self {
        AskError::of(LOG, passes(&error), error)
    }
}

impl From<ReadError> for AskError {
    fn from(error: ReadError) -> Self {
        let passes = matches!(&error, ReadError::Log { cause, .. } if passes(cause));
        AskError::of(LOG, passes, error)
    }
}

impl From<QueryError> for AskError {
    fn from(error: QueryError) -> Self {
        let passes = error.may_pass();
        match error {
            QueryError::Store(error) => error.into(),
            QueryError::Log(error) => error.into(),
            QueryError::Said(error) => error.into(),
            QueryError::Unknown { what, name } => AskError::NoSuch { what, name },
            QueryError::NotYet { .. } => AskError::NotYet(error.to_string()),
            QueryError::Refused(_) | QueryError::Gone { .. } => AskError::Unanswerable(error.to_string()),
            QueryError::Definitions(_) | QueryError::NoLog | QueryError::LogNotOpen(_) => {
                AskError::of(LOG, passes, error)
            }
        }
    }
}
