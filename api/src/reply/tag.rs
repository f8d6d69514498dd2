//! ETags. Two answers with one strong tag have the same bytes; with one weak tag, the same but for up to when they are known.

use std::hash::Hasher;

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use twox_hash::XxHash3_64;

/// The hash of an answer's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    hash: u64,
    /// Whether it is of all of them.
    strong: bool,
}

impl Tag {
    /// Of an answer in pieces.
    pub fn of(pieces: &[Bytes]) -> Tag {
        let mut hasher = XxHash3_64::with_seed(0);
        pieces.iter().for_each(|piece| hasher.write(piece));
        Tag { hash: hasher.finish(), strong: true }
    }

    /// Of an answer that says up to when it is known, which moves on while all the rest stays: of the rest.
    pub fn but_for(body: &[u8], as_of: &str) -> Tag {
        let found = body.windows(as_of.len().max(1)).rposition(|part| part == as_of.as_bytes());
        let (before, after) = body.split_at(found.unwrap_or(body.len()));
        let mut hasher = XxHash3_64::with_seed(0);
        [before, after.get(as_of.len()..).unwrap_or_default()].into_iter().for_each(|piece| hasher.write(piece));
        Tag { hash: hasher.finish(), strong: false }
    }

    /// Of an answer of which one piece has a tag already: its bytes are not looked at again.
    pub fn around(self, pieces: &[&[u8]]) -> Tag {
        let mut hasher = XxHash3_64::with_seed(self.hash);
        pieces.iter().for_each(|piece| {
            hasher.write(piece);
            hasher.write_u8(0xff);
        });
        Tag { hash: hasher.finish(), strong: true }
    }

    fn text(self) -> String {
        format!("\"{:016x}\"", self.hash)
    }

    /// The value of `ETag`.
    pub fn header(self) -> HeaderValue {
        let weak = if self.strong { "" } else { "W/" };
        HeaderValue::from_str(&format!("{weak}{}", self.text())).unwrap_or(HeaderValue::from_static("\"\""))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_when_it_is_known_is_no_part_of_a_weak_tag() {
        let tag = |hits: u32, as_of: &str| {
            Tag::but_for(format!(r#"{{"hits":{hits},"as_of":"{as_of}"}}"#).as_bytes(), as_of).header()
        };
        assert_eq!(tag(1, "10:00:02"), tag(1, "10:00:03"));
        assert_ne!(tag(1, "10:00:02"), tag(2, "10:00:02"));
        assert!(tag(1, "10:00:02").to_str().is_ok_and(|tag| tag.starts_with("W/\"")));
    }
}
