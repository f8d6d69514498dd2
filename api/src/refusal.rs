//! Why a request got no answer: which status, and what a client does about it.

use axum::http::StatusCode;
use serde::Serialize;
use slipstream_runtime::access::Denied;
use slipstream_runtime::event::Event;
use utoipa::ToSchema;

use crate::ask::AskError;
use crate::telemetry::Unanswered;

/// What is wrong with a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Mistake {
    /// The parameter, or the field of the body.
    pub parameter: String,
    /// What was expected and what was found, for people.
    pub message: String,
}

impl Mistake {
    /// The name may come from the request: it is shortened.
    pub fn new(parameter: &str, message: String) -> Self {
        const NAME: usize = 80;
        Mistake { parameter: parameter[..parameter.floor_char_boundary(NAME)].to_owned(), message }
    }
}

/// A request without an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// Parameters, or fields of the body.
    #[error("{}", told(.0))]
    Mistakes(Vec<Mistake>),
    /// The body as a whole.
    #[error("{0}")]
    Body(String),
    /// Nothing has this name.
    #[error("there is no {what} `{name}`")]
    NoSuch {
        /// An event, an SLO, an alert.
        what: &'static str,
        /// As asked.
        name: String,
    },
    /// Nothing is here.
    #[error("nothing is here; GET /api/v1/openapi.json lists what there is")]
    NoRoute,
    /// Something is here, but not by this method.
    #[error("only {allowed} is allowed here")]
    Method {
        /// The value of `Allow`.
        allowed: &'static str,
    },
    /// Accept, or `format`, asks for something else.
    #[error("this is answered as {}; ask for one of these in Accept, or for any (*/*)", .offered.join(" or "))]
    NotAcceptable {
        /// What there is.
        offered: Vec<&'static str>,
    },
    /// More than a body may have.
    #[error("the body is over the limit of {max} bytes")]
    TooLarge {
        /// Bytes.
        max: usize,
    },
    /// The body is not JSON by its own account.
    #[error("Content-Type is not application/json")]
    ContentType,
    /// The question is right, but nothing knows the answer.
    #[error("{0}")]
    Unanswerable(String),
    /// Too many questions are being answered.
    #[error("too many questions are waiting; ask again later")]
    Busy,
    /// It may be answered later.
    #[error("{0}")]
    Later(String),
    /// Who asks is not let in.
    #[error("{why}")]
    Denied {
        /// Its status.
        status: StatusCode,
        /// Its code.
        code: &'static str,
        /// And why, for people.
        why: String,
    },
    /// A mistake in the program, or something that is broken for good.
    #[error("{0}")]
    Broken(String),
}

/// Why a question has no answer, for its asker. What it does not say, because it may name hosts, is in the log.
pub fn refused(error: AskError) -> Refusal {
    if let AskError::Unavailable { cause, .. } | AskError::Broken { cause, .. } = &error {
        let passes = matches!(error, AskError::Unavailable { .. });
        Unanswered { why: &format!("{error} ({cause})"), passes }.emit();
    }
    error.into()
}

/// All of them in a sentence.
fn told(mistakes: &[Mistake]) -> String {
    let one = |mistake: &Mistake| format!("{}: {}", mistake.parameter, mistake.message);
    mistakes.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl Refusal {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.kind().0
    }

    /// A code for machines.
    pub fn code(&self) -> &'static str {
        self.kind().1
    }

    /// What it is, for people, the same in every case.
    pub fn title(&self) -> &'static str {
        self.kind().2
    }

    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Refusal::Mistakes(_) => (StatusCode::BAD_REQUEST, "wrong-parameters", "The request has mistakes"),
            Refusal::Body(_) => (StatusCode::BAD_REQUEST, "wrong-body", "The body cannot be read"),
            Refusal::NoSuch { .. } => (StatusCode::NOT_FOUND, "not-found", "Nothing has this name"),
            Refusal::NoRoute => (StatusCode::NOT_FOUND, "no-such-path", "Nothing is at this path"),
            Refusal::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Not by this method"),
            Refusal::NotAcceptable { .. } => {
                (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "Not in a format that was asked for")
            }
            Refusal::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Refusal::ContentType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-content-type", "Not a body of JSON")
            }
            Refusal::Unanswerable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unanswerable", "Nothing knows the answer"),
            Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many questions at a time"),
            Refusal::Denied { status, code, .. } => (*status, code, "Not for you"),
            Refusal::Later(_) => (StatusCode::SERVICE_UNAVAILABLE, "later", "Not to be answered yet"),
            Refusal::Broken(_) => (StatusCode::INTERNAL_SERVER_ERROR, "broken", "Something is broken"),
        }
    }

    /// Whole seconds after which to ask again, if that may help.
    pub fn retry_after(&self) -> Option<u32> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1)
    }
}

impl From<&Denied> for Refusal {
    fn from(denied: &Denied) -> Self {
        Refusal::Denied { status: denied.status(), code: denied.code(), why: denied.to_string() }
    }
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NoSuch { what, name } => Refusal::NoSuch { what, name },
            AskError::Unanswerable(why) => Refusal::Unanswerable(why),
            AskError::NotYet(_) | AskError::Unavailable { .. } => Refusal::Later(error.to_string()),
            AskError::Broken { .. } => Refusal::Broken(error.to_string()),
        }
    }
}
