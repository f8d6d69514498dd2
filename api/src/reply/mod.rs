//! Answers as HTTP has them: in the format that was asked for, with an ETag that is that of their bytes.

mod accept;
mod csv;
mod tag;

use axum::body::Body;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures::stream;
use serde::Serialize;

use crate::ask::answers::Rows;
use crate::refusal::Refusal;

pub use accept::{Format, best, negotiate};
pub use csv::{csv_head, csv_line};
pub use tag::Tag;

/// An answer, before it is known whether its reader has it already.
#[derive(Debug, Clone)]
pub struct Reply {
    /// In pieces, of which some are shared with other answers.
    pub body: Vec<Bytes>,
    /// Its media type.
    pub media: &'static str,
    /// `None` if it is not to be kept.
    pub tag: Option<Tag>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Up to when an answer is known.
pub const AS_OF: HeaderName = HeaderName::from_static("slipstream-as-of");
/// How many Rules belong to an answer about SLOs.
pub const RULES: HeaderName = HeaderName::from_static("slipstream-rules");
/// For how many seconds what it is made of has not moved on.
pub const STALE_FOR: HeaderName = HeaderName::from_static("slipstream-stale-for");

impl Reply {
    /// Bytes of a media type, which may be kept.
    pub fn of(body: impl Into<Bytes>, media: &'static str) -> Reply {
        let body = vec![body.into()];
        Reply { tag: Some(Tag::of(&body)), body, media, headers: Vec::new() }
    }

    /// JSON.
    ///
    /// # Errors
    /// When it cannot be written as JSON: a mistake in the program.
    pub fn json(answer: &impl Serialize) -> Result<Reply, Refusal> {
        let body = serde_json::to_vec(answer).map_err(|e| Refusal::Broken(format!("writing an answer: {e}")))?;
        Ok(Reply::of(body, Format::Json.media()))
    }

    /// JSON that says up to when it is known.
    ///
    /// # Errors
    /// As of [`Reply::json`].
    pub fn known(answer: &impl Serialize, as_of: Option<&str>) -> Result<Reply, Refusal> {
        let reply = Reply::json(answer)?;
        let Some(as_of) = as_of else { return Ok(reply) };
        let tag = reply.body.first().map(|body| Tag::but_for(body, as_of));
        Ok(Reply { tag, ..reply }.known_at(Some(as_of)))
    }

    /// Rows, as JSON or CSV.
    ///
    /// # Errors
    /// When they cannot be written: a mistake in the program.
    pub fn rows<A: Rows + Serialize>(answer: &A, format: Format) -> Result<Reply, Refusal> {
        match format {
            Format::Json => Reply::known(answer, answer.as_of()),
            Format::Csv => Ok(Reply::of(csv(answer)?, format.media()).known_at(answer.as_of())),
        }
    }

    /// Tells in a header, too, up to when it is known: a table has no other place for it.
    #[must_use]
    pub fn known_at(self, as_of: Option<&str>) -> Reply {
        self.with(AS_OF, as_of.and_then(|as_of| HeaderValue::from_str(as_of).ok()))
    }

    /// Tells for how many seconds what it is made of has not moved on, if it is stale.
    #[must_use]
    pub fn stale_for(self, seconds: Option<u64>) -> Reply {
        self.with(STALE_FOR, seconds.map(HeaderValue::from))
    }

    /// Tells how many Rules belong to it, if there are any: a table of SLOs has no place for them.
    #[must_use]
    pub fn beside_rules(self, count: usize) -> Reply {
        self.with(RULES, (count > 0).then(|| HeaderValue::from(count)))
    }

    fn with(mut self, name: HeaderName, value: Option<HeaderValue>) -> Reply {
        self.headers.extend(value.map(|value| (name, value)));
        self
    }

    /// Tells where the next page is: the same question, behind this place.
    #[must_use]
    pub fn with_next(self, query: &str, next: Option<&str>) -> Reply {
        let Some(next) = next else { return self };
        let same: Vec<&str> = query.split('&').filter(|part| !part.is_empty() && !part.starts_with("after=")).collect();
        let after = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
        let same: String = same.iter().map(|part| format!("{part}&")).collect();
        let link = HeaderValue::from_str(&format!("<?{same}after={after}>; rel=\"next\""));
        self.with(header::LINK, link.ok())
    }

    /// The response: without a body where the reader has this answer already.
    pub fn response(self, asked: &HeaderMap) -> Response<Body> {
        let Reply { body, media, tag, headers } = self;
        let known = tag.as_ref().is_some_and(|tag| tag.is_known(asked));
        let length: usize = body.iter().map(Bytes::len).sum();
        let mut response = Response::new(if known { Body::empty() } else { whole(body) });
        let told = response.headers_mut();
        match &tag {
            Some(tag) => {
                told.insert(header::ETAG, tag.header());
                told.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            }
            None => {
                told.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
        }
        told.insert(header::VARY, HeaderValue::from_static("Accept, Authorization"));
        told.extend(headers);
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

/// Rows as CSV.
///
/// # Errors
/// When they cannot be written: a mistake in the program.
pub fn csv<A: Rows>(answer: &A) -> Result<Vec<u8>, Refusal> {
    csv::table(A::COLUMNS, answer.rows(), answer.last_row())
}

/// A body in pieces that are not copied.
fn whole(mut pieces: Vec<Bytes>) -> Body {
    match pieces.len() {
        0 | 1 => pieces.pop().map_or_else(Body::empty, Body::from),
        _ => Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<Bytes, std::convert::Infallible>))),
    }
}
