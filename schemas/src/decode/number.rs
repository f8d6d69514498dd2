//! Numbers in errors, digit for digit as they were sent: as a float, `99999999999999999999` would be another number.
//! The fast path does not keep their text, so that of a wrong event is read again.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{ErrorClass, EventError};
use super::json::Text;
use super::rules;

/// The error with the number as it stands in the event.
pub(super) fn as_written(error: EventError, event: &[u8]) -> EventError {
    if !matches!(error.class, ErrorClass::WrongType | ErrorClass::RuleBroken) {
        return error;
    }
    match error.field.as_deref().and_then(|field| literal(event, field)) {
        Some(number) => EventError::field(error.class, error.field.as_deref().unwrap_or_default(), number, &error.rule),
        None => error,
    }
}

/// The error of an event that the parser refuses because of a number such as `1e999`.
pub(super) fn beyond_double(event: &[u8]) -> Option<EventError> {
    let is_beyond = |number: &str| number.parse::<f64>().is_ok_and(f64::is_infinite);
    let field = rules::NUMBERS.into_iter().find(|field| literal(event, field).is_some_and(is_beyond))?;
    rules::beyond(field).err().map(|error| as_written(error, event))
}

/// The text of a field of the event, if it is a number.
fn literal<'a>(event: &'a [u8], field: &str) -> Option<&'a str> {
    let mut deserializer = serde_json::Deserializer::from_slice(event);
    let text = Literal(field).deserialize(&mut deserializer).ok()??.get();
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(text)
}

/// Passes over an event up to the value of this field.
struct Literal<'f>(&'f str);

impl<'de> DeserializeSeed<'de> for Literal<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Literal<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event as a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = None;
        while let Some(Text(name)) = map.next_key()? {
            if found.is_none() && name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
