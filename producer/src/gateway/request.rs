//! What the header of a request asks for.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};

use super::form::{Declared, declared};
use super::refusal::Refusal;

/// The header that names a request in the sender's logs and in ours.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How a request wants its body to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub form: Declared,
    pub coding: Coding,
    /// All or nothing.
    pub strict: bool,
    /// Bytes announced.
    pub length: Option<u64>,
    /// The sender waits for 100-continue before it sends its body.
    pub expects: bool,
}

/// How the bytes are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Gzip,
}

/// The content encoding of a request; `None` if it is not supported.
fn coding(header: Option<&str>) -> Option<Coding> {
    match header.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Some(Coding::Plain),
        "gzip" | "x-gzip" => Some(Coding::Gzip),
        _ => None,
    }
}

impl Wanted {
    pub(super) fn of(head: &Parts) -> Result<Self, Refusal> {
        let headers = &head.headers;
        let content_type = text(headers, &header::CONTENT_TYPE)?;
        let encoding = text(headers, &header::CONTENT_ENCODING)?;
        Ok(Wanted {
            strict: strict(head.uri.query().unwrap_or_default())?,
            form: declared(content_type)
                .ok_or_else(|| Refusal::ContentType(content_type.unwrap_or_default().to_owned()))?,
            coding: coding(encoding)
                .ok_or_else(|| Refusal::ContentEncoding(encoding.unwrap_or_default().to_owned()))?,
            length: text(headers, &header::CONTENT_LENGTH)?.and_then(|length| length.parse().ok()),
            expects: expects(head),
        })
    }
}

/// Whether the sender waits for 100-continue.
pub(super) fn expects(head: &Parts) -> bool {
    head.headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let value = headers.get(name).map(|value| value.to_str());
    value.transpose().map_err(|_| Refusal::Parameter(format!("the header {name} is not ASCII")))
}

/// The one parameter there is; another one is a mistake, because a misspelt `strict` would not be strict.
fn strict(query: &str) -> Result<bool, Refusal> {
    let mut strict = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        strict = match pair.split_once('=').unwrap_or((pair, "true")) {
            ("strict", "true" | "1") => true,
            ("strict", "false" | "0") => false,
            ("strict", other) => {
                return Err(Refusal::Parameter(format!("strict={other:?}; expected `true` or `false`")));
            }
            (other, _) => {
                return Err(Refusal::Parameter(format!("unknown parameter {other:?}; the only one is `strict`")));
            }
        };
    }
    Ok(strict)
}

/// The sender's own id if it is short and can be logged, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let fits = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    sent.filter(fits).map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_is_read_and_a_misspelt_one_is_refused() {
        for (query, expected) in [
            ("", Some(false)),
            ("strict", Some(true)),
            ("strict=true", Some(true)),
            ("strict=1&", Some(true)),
            ("strict=false", Some(false)),
            ("strict=yes", None),
            ("stict=true", None),
        ] {
            assert_eq!(strict(query).ok(), expected, "{query}");
        }
    }

    #[test]
    fn an_id_that_could_spoil_a_log_is_replaced() {
        let id = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, value.parse().unwrap());
            request_id(&headers)
        };
        assert_eq!(id("abc-1"), "abc-1");
        assert_ne!(id("a b"), "a b");
        assert_ne!(id(&"x".repeat(129)), "x".repeat(129));
    }
}
