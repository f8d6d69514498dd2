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
    #[error("store or log give no answer at the moment; ask again")]
    Unavailable {
        /// What was being done, for the log: it may name hosts.
        doing: String,
        /// Why, for the log, too.
        #[source]
        cause: Cause,
    },
    /// Store or log are broken, or hold what this version cannot read.
    #[error("{doing}: this cannot be answered; the log of this process says why")]
    Broken {
        /// What was being done.
        doing: String,
        /// Why, for the log.
        #[source]
        cause: Cause,
    },
}

impl AskError {
    /// `passes`: whether to ask again may help.
    fn of(doing: &str, passes: bool, cause: Cause) -> Self {
        let doing = doing.to_owned();
        if passes { AskError::Unavailable { doing, cause } } else { AskError::Broken { doing, cause } }
    }
}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { doing, cause } => AskError::Unavailable { doing, cause },
            StoreError::Fatal { doing, cause } => AskError::Broken { doing, cause },
            StoreError::Refused(why) => AskError::Unanswerable(why),
            StoreError::Moved { .. } => AskError::of("asking the store", false, Cause::of(error)),
        }
    }
}

impl From<LogError> for AskError {
    fn from(error: LogError) -> Self {
        AskError::of("reading the log", passes(&error), Cause::of(error))
    }
}

impl From<ReadError> for AskError {
    fn from(error: ReadError) -> Self {
        let passes = matches!(&error, ReadError::Log { cause, .. } if passes(cause));
        AskError::of("reading the log", passes, Cause::of(error))
    }
}

impl From<QueryError> for AskError {
    fn from(error: QueryError) -> Self {
        let passes = error.may_pass();
        match error {
            QueryError::Store(error) => error.into(),
            QueryError::Log(error) => error.into(),
            QueryError::Unknown { what, name } => AskError::NoSuch { what, name },
            QueryError::NotYet { .. } => AskError::NotYet(error.to_string()),
            QueryError::Refused(_) | QueryError::Gone { .. } => AskError::Unanswerable(error.to_string()),
            QueryError::Definitions(_) | QueryError::NoLog => {
                AskError::of("reading the definitions", passes, Cause::of(error))
            }
        }
    }
}
