//! Markers as JSON: names as in the schema, times as RFC 3339 or, where they are read, integer microseconds. A name that the
//! schema does not have is refused, and so is one that comes twice.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::validate;
use crate::decode::{EVENT_BYTES, ErrorClass, EventError, TWICE, nearest, rfc3339};
use crate::records::{Marker, MarkerKind};
use crate::time::EventTime;

const FIELDS: [&str; 10] =
    ["id", "kind", "service", "environment", "time", "until", "version", "text", "link", "author"];

const TIME: &str = "must be RFC 3339, such as 2026-01-31T09:30:00.25Z, or integer microseconds";

/// A marker as every interface writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarkerJson<'a> {
    /// See [`Marker::id`].
    pub id: &'a str,
    /// See [`Marker::kind`].
    pub kind: MarkerKind,
    /// See [`Marker::service`].
    pub service: &'a str,
    /// See [`Marker::environment`].
    pub environment: &'a str,
    /// RFC 3339 in UTC, with microseconds.
    pub time: String,
    /// RFC 3339 in UTC, with microseconds.
    pub until: Option<String>,
    /// See [`Marker::version`].
    pub version: Option<&'a str>,
    /// See [`Marker::text`].
    pub text: &'a str,
    /// See [`Marker::link`].
    pub link: Option<&'a str>,
    /// See [`Marker::author`].
    pub author: &'a str,
}

impl<'a> From<&'a Marker> for MarkerJson<'a> {
    fn from(marker: &'a Marker) -> Self {
        MarkerJson {
            id: &marker.id,
            kind: marker.kind,
            service: &marker.service,
            environment: &marker.environment,
            time: marker.time.rfc3339(),
            until: marker.until.map(EventTime::rfc3339),
            version: marker.version.as_deref(),
            text: &marker.text,
            link: marker.link.as_deref(),
            author: &marker.author,
        }
    }
}

/// Reads a marker. One without a time happens `now`, one without an id gets that of `new_id`; all else but `kind` may be
/// absent, or null.
///
/// # Errors
/// When it is not a JSON object, or a marker that breaks a rule.
pub fn from_json(value: &[u8], now: EventTime, new_id: impl FnOnce() -> String) -> Result<Marker, EventError> {
    if value.len() > EVENT_BYTES {
        let rule = format!("a marker must be at most {EVENT_BYTES} bytes, is {}", value.len());
        return Err(EventError::whole(ErrorClass::TooLarge, rule));
    }
    if value.trim_ascii_start().first() != Some(&b'{') {
        return Err(EventError::whole(ErrorClass::NotAnEvent, "must be a JSON object"));
    }
    let fields: Fields<'_> = serde_json::from_slice(value)
        .map_err(|e| EventError::whole(ErrorClass::MalformedJson, format!("not a JSON object: {e}")))?;
    let marker = fields.marker(now, new_id)?;
    validate(&marker)?;
    Ok(marker)
}

/// The values of the fields as they were sent, and the first mistake among the names.
#[derive(Default)]
struct Fields<'a> {
    values: [Option<&'a RawValue>; FIELDS.len()],
    error: Option<EventError>,
}

impl<'a> Fields<'a> {
    fn marker(self, now: EventTime, new_id: impl FnOnce() -> String) -> Result<Marker, EventError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let or_empty = |field| self.text(field).map(Option::unwrap_or_default);
        Ok(Marker {
            id: self.text("id")?.unwrap_or_else(new_id),
            kind: self.kind()?,
            service: or_empty("service")?,
            environment: or_empty("environment")?,
            time: self.time("time")?.unwrap_or(now),
            until: self.time("until")?,
            version: self.text("version")?,
            text: or_empty("text")?,
            link: self.text("link")?,
            author: or_empty("author")?,
        })
    }

    /// The value of a field, if it is not absent or null.
    fn value(&self, field: &str) -> Option<&'a str> {
        let at = FIELDS.iter().position(|name| *name == field)?;
        self.values[at].map(RawValue::get).filter(|value| *value != "null")
    }

    fn text(&self, field: &str) -> Result<Option<String>, EventError> {
        let read = |value| serde_json::from_str(value).map_err(|_| wrong(field, value, "must be text"));
        self.value(field).map(read).transpose()
    }

    fn time(&self, field: &str) -> Result<Option<EventTime>, EventError> {
        let Some(value) = self.value(field) else { return Ok(None) };
        let of_text = || rfc3339(&serde_json::from_str::<String>(value).ok()?);
        let micros = serde_json::from_str::<i64>(value).ok().or_else(of_text);
        micros.map(|micros| Some(EventTime(micros))).ok_or_else(|| wrong(field, value, TIME))
    }

    fn kind(&self) -> Result<MarkerKind, EventError> {
        let known = || MarkerKind::ALL.map(MarkerKind::name).join(", ");
        let Some(name) = self.text("kind")? else {
            return Err(EventError::field(ErrorClass::MissingField, "kind", "", format!("must be one of {}", known())));
        };
        MarkerKind::from_name(&name)
            .ok_or_else(|| EventError::rule("kind", &name, format!("must be one of {}", known())))
    }
}

fn wrong(field: &str, value: &str, rule: &str) -> EventError {
    EventError::field(ErrorClass::WrongType, field, value, rule)
}

fn unknown(name: &str) -> EventError {
    let rule = match nearest(name, &FIELDS) {
        Some(field) => format!("no such field; did you mean {field}?"),
        None => "no such field of a marker".to_owned(),
    };
    EventError::field(ErrorClass::UnknownField, name, "", rule)
}

/// A name, borrowed if it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Fields::default();
                while let Some(Name(name)) = map.next_key()? {
                    match FIELDS.iter().position(|field| *field == name) {
                        None => {
                            map.next_value::<IgnoredAny>()?;
                            fields.error.get_or_insert_with(|| unknown(&name));
                        }
                        Some(at) if fields.values[at].replace(map.next_value()?).is_some() => {
                            let twice = || EventError::field(ErrorClass::MalformedJson, &*name, "", TWICE);
                            fields.error.get_or_insert_with(twice);
                        }
                        Some(_) => {}
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}
