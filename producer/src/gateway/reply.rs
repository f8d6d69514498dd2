//! A serialised response, with the reservation that its bytes hold until the socket has them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use super::budget::{Budget, Full};
use super::held::Held;
use super::intake::Intake;
use super::refusal::Refusal;
use crate::answer::{GivenId, ItemError, Warning};

/// The response to a request.
pub(super) struct Reply {
    /// `ok`, or a code for what is wrong; the metric's label.
    pub code: &'static str,
    pub inserted: u64,
    pub rejected: u64,
    status: StatusCode,
    retry_after: Option<u32>,
    body: Bytes,
}

/// [`crate::answer::Answer`], serialised from borrowed parts.
#[derive(Serialize)]
struct Outline<'a> {
    inserted: u64,
    rejected: u64,
    errors: &'a [ItemError],
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_total: Option<u64>,
    #[serde(skip_serializing_if = "<[GivenId]>::is_empty")]
    ids: &'a [GivenId],
    #[serde(skip_serializing_if = "<[Warning]>::is_empty")]
    warnings: &'a [Warning],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

impl Reply {
    /// The answer to a request whose events are all right or wrong as `intake` says.
    pub(super) fn to(intake: &Intake, strict: bool, budget: &Budget) -> Result<Self, Full> {
        let (valid, rejected) = (intake.records.len(), intake.rejected);
        let refused = match (rejected > 0, strict, valid) {
            (true, true, _) => Some("nothing was written: some events are invalid, and strict was requested"),
            (true, false, 0) => Some("nothing was written: every event is invalid"),
            _ => None,
        };
        let inserted = if refused.is_some() { 0 } else { valid as u64 };
        let (ids, warnings) = match refused {
            Some(_) => (&[][..], Vec::new()),
            None => (&intake.ids[..], intake.odd_times.warnings()),
        };
        let outline = Outline {
            inserted,
            rejected,
            errors: &intake.errors,
            errors_total: (rejected > intake.errors.len() as u64).then_some(rejected),
            ids,
            warnings: &warnings,
            error: refused.map(|_| "rejected"),
            message: refused,
        };
        let body = written(&outline, budget)?;
        let (status, code) = match refused {
            Some(_) => (StatusCode::UNPROCESSABLE_ENTITY, "rejected"),
            None => (StatusCode::OK, "ok"),
        };
        Ok(Reply { code, inserted, rejected, status, retry_after: None, body })
    }

    /// An answer of another shape. `code` is the metric's label.
    pub(super) fn other(
        status: StatusCode,
        code: &'static str,
        answer: &impl Serialize,
        budget: &Budget,
    ) -> Result<Self, Full> {
        let body = written(answer, budget)?;
        Ok(Reply { code, inserted: 0, rejected: 0, status, retry_after: None, body })
    }

    /// The response to a request that is refused as a whole: short, whatever was sent.
    pub(super) fn refuse(refusal: &Refusal) -> Self {
        let body = serde_json::to_vec(&refusal.answer()).unwrap_or_default();
        Reply {
            code: refusal.code(),
            inserted: 0,
            rejected: 0,
            status: refusal.status(),
            retry_after: refusal.retry_after(),
            body: body.into(),
        }
    }

    pub(super) fn response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity"));
        }
        response
    }
}

fn written(answer: &impl Serialize, budget: &Budget) -> Result<Bytes, Full> {
    let mut body = Held::new(budget, usize::MAX);
    // Nothing else can fail in writing plain data to memory.
    serde_json::to_writer(&mut body, answer).map_err(|_| Full)?;
    Ok(body.into_bytes())
}
