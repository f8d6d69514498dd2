//! Why a request is answered without a word about single events, and with which status.

use std::time::Duration;

use axum::http::StatusCode;
use slipstream_log::LogError;

use super::budget::Full;
use super::form::FormError;
use crate::answer::Answer;

/// A refusal of a whole request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Parameter(String),
    #[error("{0}")]
    Form(#[from] FormError),
    #[error("the body could not be read: {0}")]
    Broken(String),
    #[error("the body is not valid gzip: {0}")]
    NotGzip(String),
    #[error("the body did not come within {0:?}")]
    TooSlow(Duration),
    #[error("the body is over the limit of {max} bytes; send fewer events at a time")]
    TooLarge { max: usize },
    #[error("the body is over the limit of {max} bytes when decompressed; send fewer events at a time")]
    TooLargeUnpacked { max: usize },
    #[error("Content-Type {0:?} is not understood; send application/json or application/x-ndjson")]
    ContentType(String),
    #[error("Content-Encoding {0:?} is not understood; send gzip or plain bytes")]
    ContentEncoding(String),
    #[error("too many requests are being worked on; send the same again after a while")]
    Busy,
    #[error("the log did not answer within {0:?}; send the same again with the same event_ids")]
    LogSlow(Duration),
    #[error("{0}; send the same again after a while, with the same event_ids")]
    LogBusy(LogError),
    #[error("{0}")]
    LogTooLarge(LogError),
    #[error("{0}")]
    LogBroken(LogError),
    #[error("this is a mistake in the gateway: {0}")]
    Mistake(String),
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Refusal::Busy
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Busy | LogError::Transient { .. } => Refusal::LogBusy(error),
            LogError::TooLarge { .. } => Refusal::LogTooLarge(error),
            LogError::Fatal { .. } | LogError::OutOfRange { .. } => Refusal::LogBroken(error),
        }
    }
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Refusal::Form(FormError::TooMany(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Parameter(_) | Refusal::Form(_) | Refusal::Broken(_) | Refusal::NotGzip(_) => {
                StatusCode::BAD_REQUEST
            }
            Refusal::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooLarge { .. } | Refusal::TooLargeUnpacked { .. } | Refusal::LogTooLarge(_) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Refusal::ContentType(_) | Refusal::ContentEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Busy | Refusal::LogSlow(_) | Refusal::LogBusy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::LogBroken(_) | Refusal::Mistake(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A word for machines; also the metric's label.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Refusal::Parameter(_) => "bad-parameter",
            Refusal::Form(FormError::TooMany(_)) => "too-many-events",
            Refusal::Form(_) => "malformed-body",
            Refusal::Broken(_) => "broken-body",
            Refusal::NotGzip(_) => "not-gzip",
            Refusal::TooSlow(_) => "body-too-slow",
            Refusal::TooLarge { .. } | Refusal::TooLargeUnpacked { .. } => "body-too-large",
            Refusal::ContentType(_) => "unsupported-content-type",
            Refusal::ContentEncoding(_) => "unsupported-content-encoding",
            Refusal::Busy => "busy",
            Refusal::LogSlow(_) => "log-slow",
            Refusal::LogBusy(_) => "log-busy",
            Refusal::LogTooLarge(_) => "event-too-large",
            Refusal::LogBroken(_) => "log-broken",
            Refusal::Mistake(_) => "mistake",
        }
    }

    /// Whole seconds after which to come again, where that may help.
    pub(super) fn retry_after(&self) -> Option<u32> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1)
    }

    pub(super) fn answer(&self) -> Answer {
        Answer { error: Some(self.code().to_owned()), message: Some(self.to_string()), ..Answer::default() }
    }
}
