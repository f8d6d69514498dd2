//! Events as JSON: names as in the schema, `time` as RFC 3339 or integer microseconds, attribute values also numbers
//! and booleans, which become texts just as they were sent. A name that the schema does not have is refused, with the
//! nearest one: a misspelt field is not lost silently. A name that comes twice is refused, too.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::attributes::AttributesInJson;
use super::error::{ErrorClass, EventError};
use super::nearest::nearest;
use super::number;
use super::rules::{self, Draft, Pairs, TWICE};
use crate::event::EventView;

const FIELDS: [&str; 12] = [
    "event_id",
    "time",
    "service",
    "environment",
    "endpoint",
    "method",
    "status_code",
    "latency_ms",
    "weight",
    "trace_id",
    "user_ref",
    ATTRIBUTES,
];

const ATTRIBUTES: &str = "attributes";
/// Its place among the fields.
const ATTRIBUTES_BIT: u16 = 1 << 11;

/// What an event gets that does not name it itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Defaults<'a> {
    /// Its service; `None` if it must name one.
    pub service: Option<&'a str>,
    /// Its environment.
    pub environment: &'a str,
}

/// Decodes an event; one without event_id gets that of `new_id`. Also returns whether it did.
pub(super) fn decode<'a>(
    value: &'a [u8],
    defaults: &Defaults<'a>,
    new_id: impl FnOnce() -> String,
) -> Result<(EventView<'a>, bool), EventError> {
    rules::size(value.len())?;
    if value.trim_ascii_start().first() != Some(&b'{') {
        return Err(no_object(value));
    }
    let fields: Fields<'a> = serde_json::from_slice(value).map_err(|e| {
        let why = e.to_string();
        let number = why.starts_with("number out of range").then(|| number::beyond_double(value)).flatten();
        number.unwrap_or_else(|| EventError::whole(ErrorClass::MalformedJson, format!("not a JSON object: {why}")))
    })?;
    draft(fields, defaults, new_id).map_err(|error| number::as_written(error, value))
}

fn no_object(value: &[u8]) -> EventError {
    // Enough for what is shown of it, whatever its length.
    let start = value.trim_ascii().get(..64).unwrap_or(value.trim_ascii());
    let found = if start.is_empty() { "nothing".to_owned() } else { format!("`{}`", String::from_utf8_lossy(start)) };
    EventError::whole(ErrorClass::NotAnEvent, format!("must be a JSON object, found {found}"))
}

/// The event that the fields make, if it is one.
fn draft<'a>(
    fields: Fields<'a>,
    defaults: &Defaults<'a>,
    new_id: impl FnOnce() -> String,
) -> Result<(EventView<'a>, bool), EventError> {
    if let Some(error) = fields.error {
        return Err(error);
    }
    let given = fields.event_id.is_none();
    let draft = Draft {
        event_id: fields.event_id.unwrap_or_else(|| Cow::Owned(new_id())),
        time: fields.time.ok_or_else(|| missing("time"))?,
        service: fields.service.or(defaults.service.map(Cow::Borrowed)).ok_or_else(|| missing("service"))?,
        environment: fields.environment.unwrap_or(Cow::Borrowed(defaults.environment)),
        endpoint: fields.endpoint.ok_or_else(|| missing("endpoint"))?,
        method: fields.method.ok_or_else(|| missing("method"))?,
        status_code: fields.status_code.ok_or_else(|| missing("status_code"))?,
        latency_ms: fields.latency_ms,
        weight: fields.weight.unwrap_or(1),
        trace_id: fields.trace_id,
        user_ref: fields.user_ref,
        attributes: fields.attributes,
    };
    Ok((draft.check()?, given))
}

fn missing(field: &str) -> EventError {
    EventError::field(ErrorClass::MissingField, field, "", "is required")
}

#[derive(Default)]
struct Fields<'a> {
    event_id: Option<Cow<'a, str>>,
    time: Option<i64>,
    service: Option<Cow<'a, str>>,
    environment: Option<Cow<'a, str>>,
    endpoint: Option<Cow<'a, str>>,
    method: Option<Cow<'a, str>>,
    status_code: Option<i64>,
    latency_ms: Option<f64>,
    weight: Option<i64>,
    trace_id: Option<Cow<'a, str>>,
    user_ref: Option<Cow<'a, str>>,
    attributes: Pairs<'a>,
    /// Bit i: `FIELDS[i]` has come.
    seen: u16,
    /// The first thing that is wrong; what follows is only passed over.
    error: Option<EventError>,
}

impl<'a> Fields<'a> {
    /// Takes the value of a field from the map it comes in. An error of JSON ends the map, a wrong value does not.
    fn take<M: MapAccess<'a>>(&mut self, name: &str, map: &mut M) -> Result<Result<(), EventError>, M::Error> {
        if name == ATTRIBUTES && !self.comes_again(ATTRIBUTES_BIT) {
            let attributes: AttributesInJson<'a> = map.next_value()?;
            return Ok(attributes.0.map(|pairs| self.attributes = pairs));
        }
        let value: Json<'a> = map.next_value()?;
        Ok(self.put(name, value))
    }

    /// Whether a field was there before; from now on it was.
    fn comes_again(&mut self, bit: u16) -> bool {
        let before = self.seen & bit != 0;
        self.seen |= bit;
        before
    }

    /// null is as good as absent.
    fn put(&mut self, name: &str, value: Json<'a>) -> Result<(), EventError> {
        let Some(index) = FIELDS.iter().position(|field| *field == name) else { return Err(unknown(name)) };
        if self.comes_again(1 << index) {
            return Err(EventError::field(ErrorClass::MalformedJson, name, value.show(), TWICE));
        }
        match name {
            "event_id" => self.event_id = text(name, value)?,
            "time" => self.time = time(value)?,
            "service" => self.service = text(name, value)?,
            "environment" => self.environment = text(name, value)?,
            "endpoint" => self.endpoint = text(name, value)?,
            "method" => self.method = text(name, value)?,
            "status_code" => self.status_code = integer(name, value)?,
            "latency_ms" => self.latency_ms = float(name, value)?,
            "weight" => self.weight = integer(name, value)?,
            "trace_id" => self.trace_id = text(name, value)?,
            _ => self.user_ref = text(name, value)?,
        }
        Ok(())
    }
}

/// A JSON value as far as an event needs to know it.
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond `i64`.
    Large(u64),
    Float(f64),
    Text(Cow<'a, str>),
    Map,
    List,
}

impl Json<'_> {
    pub(super) fn show(&self) -> String {
        match self {
            Json::Null => "null".to_owned(),
            Json::Bool(b) => b.to_string(),
            Json::Int(i) => i.to_string(),
            Json::Large(u) => u.to_string(),
            Json::Float(f) => f.to_string(),
            Json::Text(text) => format!("\"{text}\""),
            Json::Map => "{…}".to_owned(),
            Json::List => "[…]".to_owned(),
        }
    }
}

pub(super) fn wrong(field: &str, value: &Json<'_>, rule: &str) -> EventError {
    EventError::field(ErrorClass::WrongType, field, value.show(), rule)
}

fn text<'a>(field: &str, value: Json<'a>) -> Result<Option<Cow<'a, str>>, EventError> {
    match value {
        Json::Null => Ok(None),
        Json::Text(text) => Ok(Some(text)),
        other => Err(wrong(field, &other, "must be a string")),
    }
}

/// 2^63.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

/// A whole number, of which those beyond 64 bits become the largest there is: that breaks the rule of every field, and
/// the rule says what is allowed.
fn whole(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Int(i) => Some(*i),
        Json::Large(_) => Some(i64::MAX),
        Json::Float(f) if f.fract() == 0.0 => Some(*f as i64),
        _ => None,
    }
}

fn integer(field: &str, value: Json<'_>) -> Result<Option<i64>, EventError> {
    match value {
        Json::Null => Ok(None),
        Json::Int(i) => Ok(Some(i)),
        // Some languages write every number as a float: 200.0.
        Json::Float(f) if f.fract() == 0.0 && f.abs() < 1e15 => Ok(Some(f as i64)),
        other => whole(&other).map(Some).ok_or_else(|| wrong(field, &other, "must be a whole number")),
    }
}

fn float(field: &str, value: Json<'_>) -> Result<Option<f64>, EventError> {
    match value {
        Json::Null => Ok(None),
        Json::Int(i) => Ok(Some(i as f64)),
        Json::Large(u) => Ok(Some(u as f64)),
        Json::Float(f) => Ok(Some(f)),
        other => Err(wrong(field, &other, "must be a number of milliseconds, or null")),
    }
}

fn time(value: Json<'_>) -> Result<Option<i64>, EventError> {
    match &value {
        Json::Null => Ok(None),
        Json::Int(micros) => Ok(Some(*micros)),
        Json::Large(_) => Ok(Some(i64::MAX)),
        // Digits beyond 64 bits, not a fraction of a second.
        Json::Float(f) if f.abs() >= BEYOND => Ok(whole(&value)),
        Json::Text(text) => match rfc3339(text) {
            Some(micros) => Ok(Some(micros)),
            None => {
                Err(wrong("time", &value, "must be RFC 3339, such as 2026-01-31T09:30:00.25Z, or integer microseconds"))
            }
        },
        _ => Err(wrong("time", &value, "must be RFC 3339 text or integer microseconds")),
    }
}

/// Microseconds of an RFC 3339 time with any number of fraction digits; what is finer is cut off.
pub fn rfc3339(text: &str) -> Option<i64> {
    if text.contains('[') {
        // jiff would read a zone's name; RFC 3339 has none.
        return None;
    }
    if !has_offset(text) {
        // jiff takes offsets up to 25:59, and also without a colon.
        return None;
    }
    let cut = |text: &str| text.parse::<jiff::Timestamp>().ok().map(|t| t.as_nanosecond().div_euclid(1_000) as i64);
    let Some(dot) = text.find('.') else { return cut(text) };
    let digits = text[dot + 1..].bytes().take_while(u8::is_ascii_digit).count();
    match digits {
        0 => None,
        1..=9 => cut(text),
        _ => cut(&format!("{}{}", &text[..dot + 10], &text[dot + 1 + digits..])),
    }
}

/// Whether a time ends with `Z`, or an offset as RFC 3339 has it: `+02:00`, of less than a day.
fn has_offset(text: &str) -> bool {
    let number = |tens: u8, ones: u8, below: u8| {
        tens.is_ascii_digit() && ones.is_ascii_digit() && (tens - b'0') * 10 + (ones - b'0') < below
    };
    match *text.as_bytes() {
        [.., b'Z' | b'z'] => true,
        [.., b'+' | b'-', h1, h2, b':', m1, m2] => number(h1, h2, 24) && number(m1, m2, 60),
        _ => false,
    }
}

fn unknown(name: &str) -> EventError {
    let rule = match nearest(name, &FIELDS) {
        Some(field) => format!("no such field; did you mean {field}?"),
        None => "no such field; further dimensions go into attributes".to_owned(),
    };
    EventError::field(ErrorClass::UnknownField, name, "", rule)
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event as a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Fields::default();
                while let Some(Text(name)) = map.next_key()? {
                    if fields.error.is_some() {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    fields.error = fields.take(&name, &mut map)?.err();
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A string that borrows where it has no escapes.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::Text(text) => Ok(Text(text)),
            other => Err(serde::de::Error::custom(format_args!("{} is not a name", other.show()))),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Json<'de>, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, v: bool) -> Result<Json<'de>, E> {
                Ok(Json::Bool(v))
            }

            fn visit_i64<E>(self, v: i64) -> Result<Json<'de>, E> {
                Ok(Json::Int(v))
            }

            fn visit_u64<E>(self, v: u64) -> Result<Json<'de>, E> {
                Ok(i64::try_from(v).map_or(Json::Large(v), Json::Int))
            }

            fn visit_f64<E>(self, v: f64) -> Result<Json<'de>, E> {
                Ok(Json::Float(v))
            }

            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Json<'de>, E> {
                Ok(Json::Text(Cow::Borrowed(v)))
            }

            fn visit_str<E>(self, v: &str) -> Result<Json<'de>, E> {
                Ok(Json::Text(Cow::Owned(v.to_owned())))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Json<'de>, S::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Json::List)
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Json<'de>, M::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Json::Map)
            }
        }

        deserializer.deserialize_any(Any)
    }
}
