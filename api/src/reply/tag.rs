//! Strong ETags: two answers with one tag have the same bytes.

use std::hash::Hasher;

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use twox_hash::XxHash3_64;

/// The hash of an answer's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    /// Of an answer in pieces.
    pub fn of(pieces: &[Bytes]) -> Tag {
        let mut hasher = XxHash3_64::with_seed(0);
        pieces.iter().for_each(|piece| hasher.write(piece));
        Tag(hasher.finish())
    }

    /// Of an answer of which one piece has a tag already: its bytes are not looked at again.
    pub fn around(self, pieces: &[&[u8]]) -> Tag {
        let mut hasher = XxHash3_64::with_seed(self.0);
        pieces.iter().for_each(|piece| {
            hasher.write(piece);
            hasher.write_u8(0xff);
        });
        Tag(hasher.finish())
    }

    fn text(self) -> String {
        format!("\"{:016x}\"", self.0)
    }

    /// The value of `ETag`.
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_str(&self.text()).unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// Whether `If-None-Match` names it, or anything (`*`).
    pub fn is_known(self, asked: &HeaderMap) -> bool {
        let text = self.text();
        let named = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        // Weak ones match, too (RFC 9110, 13.1.2). None of ours has a comma in it.
        let mut tags = named.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|tag| tag == "*" || tag == text)
    }
}
