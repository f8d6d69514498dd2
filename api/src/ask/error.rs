//! Why a question has no answer.

use slipstream_role::patience::passes;
use slipstream_role::reading::ReadError;
use slipstream_schemas::Cause;
use slipstream_store::StoreError;

/// Why a question has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// It contradicts itself.
    #[error("{parameter}: {message}")]
    Wrong {
        /// What of it.
        parameter: &'static str,
        /// Why, and what to do.
        message: String,
    },
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
    #[error("{doing}: no answer at the moment; ask again")]
    Unavailable {
        /// What was being done.
        doing: String,
        /// Why, for the log: it may name hosts.
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

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { doing, cause } => AskError::Unavailable { doing, cause },
            StoreError::Fatal { doing, cause } => AskError::Broken { doing, cause },
            StoreError::Refused(why) => AskError::Unanswerable(why),
            StoreError::Moved { .. } => {
                AskError::Broken { doing: "asking the store".to_owned(), cause: Cause::of(error) }
            }
        }
    }
}

impl From<ReadError> for AskError {
    fn from(error: ReadError) -> Self {
        let doing = "reading the log".to_owned();
        match &error {
            ReadError::Log { cause, .. } if passes(cause) => AskError::Unavailable { doing, cause: Cause::of(error) },
            ReadError::Log { .. } | ReadError::Record { .. } => AskError::Broken { doing, cause: Cause::of(error) },
        }
    }
}
