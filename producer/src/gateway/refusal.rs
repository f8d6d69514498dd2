//! Why a request is refused as a whole, and with which status.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use slipstream_log::LogError;

use super::budget::Full;
use super::form::FormError;
use super::gzip::GzipError;
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
    #[error("{0}")]
    Gzip(GzipError),
    #[error("the body did not come within {0:?}")]
    TooSlow(Duration),
    #[error("the body is over the limit of {max} bytes; send fewer events at a time")]
    TooLarge { max: usize },
    #[error("Content-Type {0:?} is not understood; send application/json or application/x-ndjson")]
    ContentType(String),
    #[error("Content-Encoding {0:?} is not understood; send gzip or plain bytes")]
    ContentEncoding(String),
    #[error("too many requests are in progress; send the same again after a while")]
    Busy,
    #[error("the log did not answer within {0:?}; send the same again with the same event_ids")]
    LogSlow(Duration),
    #[error("{0}; send the same again after a while, with the same event_ids")]
    LogBusy(LogError),
    #[error("{0}")]
    LogTooLarge(LogError),
    #[error("{0}")]
    LogBroken(LogError),
    #[error("this is a mistake in the gateway, please report it: {0}")]
    Mistake(String),
    #[error("{0} is not allowed here; POST events to /v1/events")]
    Method(Method),
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Refusal::Busy
    }
}

impl From<GzipError> for Refusal {
    fn from(error: GzipError) -> Self {
        match error {
            GzipError::Full(full) => full.into(),
            error => Refusal::Gzip(error),
        }
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
            Refusal::Gzip(GzipError::TooLarge(_) | GzipError::TooManyMembers(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Parameter(_) | Refusal::Form(_) | Refusal::Broken(_) | Refusal::Gzip(_) => StatusCode::BAD_REQUEST,
            Refusal::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooLarge { .. } | Refusal::LogTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
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
            Refusal::Gzip(GzipError::TooLarge(_)) => "body-too-large",
            Refusal::Gzip(GzipError::TooManyMembers(_)) => "too-many-gzip-members",
            Refusal::Gzip(GzipError::Hollow) => "hollow-gzip",
            Refusal::Gzip(_) => "not-gzip",
            Refusal::TooSlow(_) => "body-too-slow",
            Refusal::TooLarge { .. } => "body-too-large",
            Refusal::ContentType(_) => "unsupported-content-type",
            Refusal::ContentEncoding(_) => "unsupported-content-encoding",
            Refusal::Busy => "busy",
            Refusal::LogSlow(_) => "log-slow",
            Refusal::LogBusy(_) => "log-busy",
            Refusal::LogTooLarge(_) => "event-too-large",
            Refusal::LogBroken(_) => "log-broken",
            Refusal::Mistake(_) => "mistake",
            Refusal::Method(_) => "method-not-allowed",
        }
    }

    /// Whole seconds after which to send again, where that may help.
    pub(super) fn retry_after(&self) -> Option<u32> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1)
    }

    pub(super) fn answer(&self) -> Answer {
        let (error, message) = (self.code().to_owned(), cut(self.to_string()));
        Answer { error: Some(error), message: Some(message), ..Answer::default() }
    }
}

/// Bytes of a message. It may quote what the sender sent, which may be long; and of an answer that is not in the budget
/// the length has to be known.
const MESSAGE_BYTES: usize = 512;

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_quotes_no_more_than_it_may() {
        let long = Refusal::ContentType("ü".repeat(9_000)).answer().message.unwrap_or_default();
        assert!(long.len() <= MESSAGE_BYTES + '…'.len_utf8() && long.ends_with('…'), "{long}");
        let short = Refusal::ContentType("text/xml".to_owned()).answer().message.unwrap_or_default();
        assert!(short.contains("\"text/xml\"") && short.ends_with("ndjson"), "{short}");
    }
}
