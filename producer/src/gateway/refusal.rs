//! Why a request is refused as a whole, and with which status.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use slipstream_log::LogError;
use slipstream_runtime::access::Denied;
use slipstream_schemas::decode::EventError;

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
    #[error("the body did not arrive within {0:?}")]
    TooSlow(Duration),
    #[error("the body arrived at less than {} KiB/s; send it faster, or less at a time", .per_second / 1024)]
    TooSlowly { per_second: usize },
    #[error("the body is over the limit of {max} bytes; send fewer events at a time")]
    TooLarge { max: usize },
    #[error("Content-Type {0:?} is not supported; send application/json or application/x-ndjson")]
    ContentType(String),
    #[error("Content-Encoding {0:?} is not supported; send gzip or plain bytes")]
    ContentEncoding(String),
    #[error("the gateway is busy; retry this request later")]
    Busy,
    #[error(
        "the gateway worked on other large requests for {0:?}; retry this request later, or send fewer events at a time"
    )]
    NoThread(Duration),
    #[error("{0}; retry this request later")]
    Later(&'static str),
    #[error("the log did not answer within {0:?}; send the same again with the same ids")]
    LogSlow(Duration),
    #[error("{0}; retry after a while, with the same ids")]
    LogBusy(LogError),
    #[error("{0}")]
    LogTooLarge(LogError),
    #[error("{0}")]
    LogBroken(LogError),
    #[error("this is a bug in the gateway, please report it: {0}")]
    Mistake(String),
    #[error("{0}")]
    Step(String),
    #[error("importing: {0}")]
    NotImportable(String),
    #[error("{0}; send one marker or a list of them")]
    Markers(String),
    #[error("more than {0} markers; send fewer at a time")]
    TooManyMarkers(usize),
    #[error("{what}: {cause}")]
    NotRecorded { what: &'static str, code: &'static str, cause: LogError },
    #[error("{0}")]
    Denied(Denied),
    #[error("{0}")]
    Token(String),
    #[error("{0}")]
    TokenRule(EventError),
    #[error("{0}")]
    Saying(String),
    #[error("{0}")]
    SayingRule(String),
    #[error("there is no silence with this id")]
    NoSuchSilence,
    #[error("nobody looks after this alert, or this episode of it")]
    NotAcknowledged,
    #[error("there is no token with this id; one that was just made is known everywhere within two seconds")]
    NoSuchToken,
    #[error(
        "it is not known whether the log has the token: list the tokens, and revoke one of this name that nobody has; if every \
         request needs a token now and there is no other, stop the process and run `slipstream token create` on its directory"
    )]
    TokenInDoubt,
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
            Refusal::Parameter(_)
            | Refusal::Form(_)
            | Refusal::Broken(_)
            | Refusal::Gzip(_)
            | Refusal::Step(_)
            | Refusal::Markers(_) => StatusCode::BAD_REQUEST,
            Refusal::TooSlow(_) | Refusal::TooSlowly { .. } => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooLarge { .. } | Refusal::LogTooLarge(_) | Refusal::TooManyMarkers(_) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Refusal::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Denied(denied) => denied.status(),
            Refusal::Token(_) | Refusal::Saying(_) => StatusCode::BAD_REQUEST,
            Refusal::TokenRule(_) | Refusal::SayingRule(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::NoSuchToken | Refusal::NoSuchSilence | Refusal::NotAcknowledged => StatusCode::NOT_FOUND,
            // Sent again, it would make another one.
            Refusal::TokenInDoubt => StatusCode::GATEWAY_TIMEOUT,
            Refusal::ContentType(_) | Refusal::ContentEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Busy | Refusal::NoThread(_) | Refusal::Later(_) | Refusal::LogSlow(_) | Refusal::LogBusy(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Refusal::LogBroken(_) | Refusal::NotImportable(_) | Refusal::NotRecorded { .. } | Refusal::Mistake(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// A code for machines; also the metric's label.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Refusal::Parameter(_) => "bad-parameter",
            Refusal::Form(FormError::TooMany(_)) => "too-many-events",
            Refusal::Form(_) | Refusal::Markers(_) => "malformed-body",
            Refusal::TooManyMarkers(_) => "too-many-markers",
            Refusal::NotRecorded { code, .. } => code,
            Refusal::Denied(denied) => denied.code(),
            Refusal::Token(_) | Refusal::Saying(_) => "malformed-body",
            Refusal::SayingRule(_) => "rejected",
            Refusal::NoSuchSilence => "no-such-silence",
            Refusal::NotAcknowledged => "not-acknowledged",
            Refusal::TokenRule(error) => error.class.name(),
            Refusal::NoSuchToken => "no-such-token",
            Refusal::TokenInDoubt => "token-in-doubt",
            Refusal::Broken(_) => "broken-body",
            Refusal::Gzip(GzipError::TooLarge(_)) => "body-too-large",
            Refusal::Gzip(GzipError::TooManyMembers(_)) => "too-many-gzip-members",
            Refusal::Gzip(GzipError::Hollow) => "hollow-gzip",
            Refusal::Gzip(_) => "not-gzip",
            Refusal::TooSlow(_) | Refusal::TooSlowly { .. } => "body-too-slow",
            Refusal::TooLarge { .. } => "body-too-large",
            Refusal::ContentType(_) => "unsupported-content-type",
            Refusal::ContentEncoding(_) => "unsupported-content-encoding",
            Refusal::Busy => "busy",
            Refusal::NoThread(_) => "busy-with-large",
            Refusal::Later(_) => "import-later",
            Refusal::Step(_) => "malformed-step",
            Refusal::NotImportable(_) => "import-failed",
            Refusal::LogSlow(_) => "log-slow",
            Refusal::LogBusy(_) => "log-busy",
            Refusal::LogTooLarge(_) => "event-too-large",
            Refusal::LogBroken(_) => "log-broken",
            Refusal::Mistake(_) => "mistake",
            Refusal::Method(_) => "method-not-allowed",
        }
    }

    /// Whole seconds after which to retry, if that may help.
    pub(super) fn retry_after(&self) -> Option<u32> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1)
    }

    pub(super) fn answer(&self) -> Answer {
        let (error, message) = (self.code().to_owned(), cut(self.to_string()));
        Answer { error: Some(error), message: Some(message), ..Answer::default() }
    }
}

/// Bytes of a message. It may quote the sender's input, which may be long; and a response that is not in the budget
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
