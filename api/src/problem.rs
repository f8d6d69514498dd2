//! Errors as RFC 9457 has them: `application/problem+json`.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::refusal::{Mistake, Refusal};

/// The media type.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What a connection is told beyond those that may be open: nothing of it has been read.
pub const TOO_MANY_CONNECTIONS: &str = r#"{"type":"urn:slipstream:problem:too-many-connections","title":"Too many connections at a time","status":503,"detail":"too many connections are open; ask again later"}"#;

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is, for machines: `urn:slipstream:problem:` and a code.
    #[serde(rename = "type")]
    #[schema(example = "urn:slipstream:problem:wrong-parameters")]
    pub kind: String,
    /// The same for people.
    #[schema(example = "The request has mistakes")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// What happened this time, and what to do.
    pub detail: String,
    /// Every parameter that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Mistake>,
}

/// Bytes of a detail: it may quote what was sent.
const DETAIL: usize = 1_024;

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let mut detail = refusal.to_string();
        if detail.len() > DETAIL {
            detail.truncate(detail.floor_char_boundary(DETAIL));
            detail.push('…');
        }
        Problem {
            kind: format!("urn:slipstream:problem:{}", refusal.code()),
            title: refusal.title().to_owned(),
            status: refusal.status().as_u16(),
            detail,
            errors: match refusal {
                Refusal::Mistakes(mistakes) => mistakes.clone(),
                _ => Vec::new(),
            },
        }
    }
}

/// The response for a refusal.
pub fn response(refusal: &Refusal) -> Response<Body> {
    let problem = Problem::from(refusal);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Refusal::Method { allowed } = refusal {
        headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn who_has_no_connection_is_told_as_everybody_is() {
        let told: Value = serde_json::from_str(TOO_MANY_CONNECTIONS).unwrap_or_default();
        let usual = serde_json::to_value(Problem::from(&Refusal::Busy)).unwrap_or_default();
        let names = |problem: &Value| problem.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>());
        assert!(names(&told).is_some() && names(&told) == names(&usual), "{told}");
        assert!(
            told["status"] == 503 && told["type"].as_str().is_some_and(|t| t.starts_with("urn:slipstream:problem:"))
        );
    }
}
