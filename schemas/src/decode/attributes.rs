//! The attributes of an event in JSON. Values are kept as they were written, digit for digit: a number that became a float
//! on the way would be another one, and two different ids the same.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{ErrorClass, EventError};
use super::json::{Json, Text, wrong};
use super::rules::{self, Pairs, TWICE};

/// Attributes, or the first thing that is wrong with them.
pub(super) struct AttributesInJson<'a>(pub(super) Result<Pairs<'a>, EventError>);

impl<'de: 'a, 'a> Deserialize<'de> for AttributesInJson<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Object)
    }
}

struct Object;

fn no_object<'a, E>(value: &Json<'_>) -> Result<AttributesInJson<'a>, E> {
    Ok(AttributesInJson(Err(wrong("attributes", value, "must be an object"))))
}

impl<'de> Visitor<'de> for Object {
    type Value = AttributesInJson<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// null is as good as absent.
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(AttributesInJson(Ok(Vec::new())))
    }

    fn visit_bool<E>(self, v: bool) -> Result<Self::Value, E> {
        no_object(&Json::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Self::Value, E> {
        no_object(&Json::Int(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Self::Value, E> {
        no_object(&Json::Large(v))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Self::Value, E> {
        no_object(&Json::Float(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
        no_object(&Json::Text(Cow::Borrowed(v)))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        no_object(&Json::List)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut entries = Entries::default();
        while let Some(Text(key)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            if entries.error.is_none() {
                entries.error = entries.take(key, value.get()).err();
            }
        }
        Ok(AttributesInJson(entries.error.map_or(Ok(entries.pairs), Err)))
    }
}

#[derive(Default)]
struct Entries<'a> {
    pairs: Pairs<'a>,
    /// Keys of attributes that are null: they are left out, and may not come twice either.
    absent: Vec<Cow<'a, str>>,
    error: Option<EventError>,
}

impl<'a> Entries<'a> {
    fn take(&mut self, key: Cow<'a, str>, literal: &'a str) -> Result<(), EventError> {
        let field = |key: &str| format!("attributes.{key}");
        if self.pairs.iter().any(|(other, _)| *other == key) || self.absent.contains(&key) {
            return Err(EventError::field(ErrorClass::MalformedJson, field(&key), literal, TWICE));
        }
        let value = match text_of(literal)? {
            Value::Null => None,
            Value::Text(text) => Some(text),
            Value::Other(other) => {
                return Err(wrong(&field(&key), &other, "must be a string, a number or a boolean"));
            }
        };
        rules::attribute(self.pairs.len() + self.absent.len(), &key, value.as_deref().unwrap_or_default())?;
        match value {
            Some(value) => self.pairs.push((key, value)),
            None => self.absent.push(key),
        }
        Ok(())
    }
}

enum Value<'a> {
    Null,
    Text(Cow<'a, str>),
    Other(Json<'a>),
}

/// The value of a string literal. JSON has been checked by then, except for the meaning of escapes.
fn text_of(literal: &str) -> Result<Value<'_>, EventError> {
    match literal.as_bytes() {
        [b'"', .., b'"'] if !literal.contains('\\') => Ok(Value::Text(Cow::Borrowed(&literal[1..literal.len() - 1]))),
        [b'"', ..] => match serde_json::from_str(literal) {
            Ok(Text(text)) => Ok(Value::Text(text)),
            Err(e) => Err(EventError::whole(ErrorClass::MalformedJson, format!("not a JSON object: {e}"))),
        },
        [b'n', ..] => Ok(Value::Null),
        [b'{', ..] => Ok(Value::Other(Json::Map)),
        [b'[', ..] => Ok(Value::Other(Json::List)),
        _ => Ok(Value::Text(Cow::Borrowed(literal))),
    }
}
