//! The four forms of a body, distinguished without guessing, and split into items that are not parsed yet.
//!
//! The content type wins: `application/x-ndjson` is lines. Otherwise the body decides:
//! - `[` is a list,
//! - one object with a key `events` is a wrapped list,
//! - one other object is one event,
//! - several objects, each on its own line, are lines.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What the content type says about the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    /// One event a line.
    Lines,
    /// JSON, or nothing: look at the body.
    Look,
}

/// Why a body is none of the forms.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    #[error("the body is empty; send one event, a list, {{\"events\": [...]}} or one event per line")]
    Empty,
    #[error("the body is not JSON: {0}")]
    Syntax(String),
    #[error("the body is gzip; send it with Content-Encoding: gzip")]
    Packed,
    #[error("the body starts with {0:?}; send one event, a list, {{\"events\": [...]}} or one event per line")]
    Neither(char),
    #[error("there is more after the first object; put each event on its own line, or send a list")]
    More,
    #[error("more than {0} events; send fewer at a time")]
    TooMany(usize),
}

/// The form that a content type declares; `None` if it is not one of ours. Absent, or what tools set by default
/// (`curl -d`), means nothing.
pub(super) fn declared(content_type: Option<&str>) -> Option<Declared> {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Some(Declared::Lines)
        }
        "" | "application/json" | "text/json" | "text/plain" | "application/x-www-form-urlencoded" => {
            Some(Declared::Look)
        }
        _ => None,
    }
}

/// Cuts a body into the bytes of its items, at most `max`.
pub(super) fn items(body: &[u8], declared: Declared, max: usize) -> Result<Vec<&[u8]>, FormError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii();
    let Some(first) = body.first() else { return Err(FormError::Empty) };
    match (declared, first) {
        (Declared::Lines, _) => lines(body, max),
        (Declared::Look, b'[') => list(text(body)?, max),
        (Declared::Look, b'{') => objects(body, max),
        (Declared::Look, 0x1F) if body.starts_with(&[0x1F, 0x8B]) => Err(FormError::Packed),
        (Declared::Look, _) => Err(FormError::Neither(first_char(body))),
    }
}

fn first_char(body: &[u8]) -> char {
    body.utf8_chunks().next().and_then(|c| c.valid().chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// A marker or an event a line.
pub(super) fn lines(body: &[u8], max: usize) -> Result<Vec<&[u8]>, FormError> {
    let mut items = Vec::new();
    for line in body.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty()) {
        if items.len() == max {
            return Err(FormError::TooMany(max));
        }
        items.push(line);
    }
    Ok(items)
}

/// One object, a wrapped list, or lines of objects.
fn objects(body: &[u8], max: usize) -> Result<Vec<&[u8]>, FormError> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>();
    let first_line = body.split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii();
    match values.next() {
        Some(Ok(object)) if values.byte_offset() == body.len() => one(object, max),
        Some(Ok(object)) if object.get().contains('\n') || first_line.len() > object.get().len() => {
            Err(FormError::More)
        }
        Some(Ok(_)) => lines(body, max),
        // The first of several lines may be broken: that is this line's mistake, not the others'.
        Some(Err(_)) if first_line.len() < body.len() && first_line.ends_with(b"}") => lines(body, max),
        Some(Err(e)) => Err(FormError::Syntax(e.to_string())),
        None => Err(FormError::Empty),
    }
}

/// What an object is: a wrapped list, or one event that is not parsed yet.
enum Object<'a> {
    Wrapper(&'a RawValue),
    Event,
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            /// An event has no field `events`, and a wrapper has no other: fields beside the list would be lost
            /// silently.
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let (mut events, mut other) = (None, None::<String>);
                while let Some(Name(name)) = map.next_key()? {
                    if name != "events" {
                        map.next_value::<IgnoredAny>()?;
                        other.get_or_insert_with(|| name.chars().take(64).collect());
                    } else if events.replace(map.next_value()?).is_some() {
                        return Err(Error::duplicate_field("events"));
                    }
                    if let (Some(_), Some(other)) = (events, &other) {
                        return Err(Error::custom(format_args!("unknown field {other:?} beside `events`")));
                    }
                }
                Ok(events.map_or(Object::Event, Object::Wrapper))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

/// A name, borrowed if it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn one(object: &RawValue, max: usize) -> Result<Vec<&[u8]>, FormError> {
    match serde_json::from_str(object.get()) {
        Ok(Object::Wrapper(events)) => list(events.get(), max),
        Ok(Object::Event) => Ok(vec![object.get().as_bytes()]),
        Err(e) => Err(FormError::Syntax(e.to_string())),
    }
}

pub(super) fn text(body: &[u8]) -> Result<&str, FormError> {
    std::str::from_utf8(body).map_err(|e| FormError::Syntax(format!("not UTF-8 at byte {}", e.valid_up_to())))
}

/// A list's items, at most `max`.
pub(super) fn list(text: &str, max: usize) -> Result<Vec<&[u8]>, FormError> {
    // serde's own error would quote what it found, whatever its length.
    if !text.starts_with('[') {
        return Err(FormError::Syntax("expected a list of events in `events`".to_owned()));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let items = Bounded { max }.deserialize(&mut deserializer).map_err(|e| FormError::Syntax(e.to_string()))?;
    deserializer.end().map_err(|e| FormError::Syntax(e.to_string()))?;
    items.ok_or(FormError::TooMany(max))
}

/// A list whose items are not kept once it is too long: they cost more memory than its text. `None` if it is.
struct Bounded {
    max: usize,
}

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = Option<Vec<&'de [u8]>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Option<Vec<&'de [u8]>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        let mut too_long = false;
        while let Some(item) = seq.next_element::<&RawValue>()? {
            too_long |= items.len() == self.max;
            if !too_long {
                items.push(item.get().as_bytes());
            }
        }
        Ok((!too_long).then_some(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(body: &str, declared: Declared) -> Result<Vec<String>, FormError> {
        let items = items(body.as_bytes(), declared, 4)?;
        Ok(items.into_iter().map(|i| String::from_utf8_lossy(i).into_owned()).collect())
    }

    #[test]
    fn every_form_is_told_apart() {
        for (body, expected) in [
            (r#"{"a":1}"#, vec![r#"{"a":1}"#]),
            ("\u{feff} {\"a\":\n1}\n", vec!["{\"a\":\n1}"]),
            (r#"[{"a":1}, {"a":2}]"#, vec![r#"{"a":1}"#, r#"{"a":2}"#]),
            ("[]", vec![]),
            (r#"{"events": []}"#, vec![]),
            (r#"{"events":[{"a":1},7,null]}"#, vec![r#"{"a":1}"#, "7", "null"]),
            ("{\"events\": [\n{\"a\":1},\n{\"a\":2}\n]}", vec![r#"{"a":1}"#, r#"{"a":2}"#]),
            ("{\"a\":1}\n{\"a\":2}", vec![r#"{"a":1}"#, r#"{"a":2}"#]),
            ("{\"a\":1}\r\n\r\n{\"a\":2}\r\n", vec![r#"{"a":1}"#, r#"{"a":2}"#]),
            ("{\"a\":1}\n{\"a\":", vec![r#"{"a":1}"#, r#"{"a":"#]),
            ("{\"a\":}\n{\"a\":2}", vec![r#"{"a":}"#, r#"{"a":2}"#]),
            ("{\"events\":[1]}\n{\"a\":2}", vec![r#"{"events":[1]}"#, r#"{"a":2}"#]),
        ] {
            assert_eq!(
                cut(body, Declared::Look).as_deref(),
                Ok(&expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]),
                "{body}"
            );
        }
    }

    #[test]
    fn the_content_type_wins_over_the_look() {
        assert_eq!(cut("[1,2]\n{\"a\":1}", Declared::Lines), Ok(vec!["[1,2]".into(), "{\"a\":1}".into()]));
        assert_eq!(cut("{\"events\":[1]}", Declared::Lines), Ok(vec!["{\"events\":[1]}".into()]));
    }

    #[test]
    fn gzip_that_nothing_announces_is_recognised() {
        let error = items(&[0x1F, 0x8B, 8, 0], Declared::Look, 10).unwrap_err();
        assert!(error.to_string().contains("send it with Content-Encoding: gzip"), "{error}");
    }

    #[test]
    fn what_is_no_form_is_refused_with_a_reason() {
        for (body, expected) in [
            ("", "the body is empty"),
            (" \n ", "the body is empty"),
            ("hello", "starts with 'h'"),
            ("\u{1f}\u{8b}", "starts with '\\u{1f}'"),
            ("é", "starts with 'é'"),
            ("[{\"a\":1},", "not JSON: EOF"),
            ("[1] 2", "trailing characters"),
            ("{\"a\":1", "not JSON: EOF"),
            ("{\"a\":1} {\"a\":2}", "more after the first object"),
            ("{\"a\":\n1}\n{\"a\":\n2}", "more after the first object"),
            ("{\"events\": 7}", "expected a list of events"),
            ("{\"events\": [1], \"events\": [2]}", "duplicate field `events`"),
            ("{\"events\": [1], \"\\u0065vents\": [2]}", "duplicate field `events`"),
            ("{\"events\": [1], \"strict\": true}", "unknown field \"strict\" beside `events`"),
            ("{\"strict\": true, \"events\": [1]}", "unknown field \"strict\" beside `events`"),
            ("[1,2,3,4,5]", "more than 4 events"),
            ("{\"a\":1}\n{\"a\":1}\n{\"a\":1}\n{\"a\":1}\n{\"a\":1}\n", "more than 4 events"),
        ] {
            let error = cut(body, Declared::Look).expect_err(body).to_string();
            assert!(error.contains(expected), "{body}: {error}");
        }
        let latin = items(b"[\"\xE9\"]", Declared::Look, 4).unwrap_err().to_string();
        assert!(latin.contains("not UTF-8 at byte 2"), "{latin}");
    }

    #[test]
    fn content_types() {
        for (content_type, expected) in [
            (None, Some(Declared::Look)),
            (Some("application/json; charset=utf-8"), Some(Declared::Look)),
            (Some("Application/JSON"), Some(Declared::Look)),
            (Some("application/x-www-form-urlencoded"), Some(Declared::Look)),
            (Some("application/x-ndjson"), Some(Declared::Lines)),
            (Some("application/xml"), None),
            (Some("multipart/form-data; boundary=x"), None),
        ] {
            assert_eq!(declared(content_type), expected, "{content_type:?}");
        }
    }
}
