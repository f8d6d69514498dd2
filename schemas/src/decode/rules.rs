//! The rules of an event's fields, for every encoding the same.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::error::{ErrorClass, EventError};
use crate::event::{EventView, RequestEvent};
use crate::time::EventTime;

/// Whether attributes are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attributes {
    /// They are read.
    Read,
    /// They are checked and passed over: [`EventView::attributes`] is empty.
    Skip,
}

/// Bytes of an encoded event.
pub const EVENT_BYTES: usize = 64 << 10;
/// Attributes that an event may have.
pub(super) const ATTRIBUTES: usize = 32;
/// Bytes that the identity of an event may have.
pub(super) const EVENT_ID_BYTES: RangeInclusive<usize> = 1..=128;
const ATTRIBUTE_KEY_BYTES: usize = 64;
/// Bytes that the name of a service may have.
pub const SERVICE_BYTES: usize = 256;
/// Bytes that the name of an environment may have.
pub const ENVIRONMENT_BYTES: usize = 256;
const ATTRIBUTE_VALUE_BYTES: usize = 256;
pub(crate) const TWICE: &str = "must not appear twice";
const LONGEST_MS: f64 = 86_400_000.0;
const STATUS_CODES: RangeInclusive<i64> = 100..=599;
const WEIGHTS: RangeInclusive<i64> = 1..=1_000_000;

/// Attributes in the order of the record.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// An event as it was read, with numbers as wide as an encoding may have them.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub event_id: Cow<'a, str>,
    pub time: i64,
    pub service: Cow<'a, str>,
    pub environment: Cow<'a, str>,
    pub endpoint: Cow<'a, str>,
    pub method: Cow<'a, str>,
    pub status_code: i64,
    pub latency_ms: Option<f64>,
    pub weight: i64,
    pub trace_id: Option<Cow<'a, str>>,
    pub user_ref: Option<Cow<'a, str>>,
    /// Checked already, one by one.
    pub attributes: Pairs<'a>,
}

impl<'a> Draft<'a> {
    /// The event, if it keeps every rule.
    pub(super) fn check(self) -> Result<EventView<'a>, EventError> {
        event_id(&self.event_id)?;
        text("service", &self.service, 1, SERVICE_BYTES)?;
        text("environment", &self.environment, 0, ENVIRONMENT_BYTES)?;
        text("endpoint", &self.endpoint, 1, 1_024)?;
        text("method", &self.method, 1, 256)?;
        time("time", self.time)?;
        let status_code = number("status_code", self.status_code, STATUS_CODES)?;
        let weight = weight(self.weight)?;
        latency(self.latency_ms)?;
        trace_id(self.trace_id.as_deref())?;
        user_ref(self.user_ref.as_deref())?;
        Ok(EventView {
            event_id: self.event_id,
            time: EventTime(self.time),
            service: self.service,
            environment: self.environment,
            endpoint: self.endpoint,
            method: self.method,
            status_code: status_code as u16,
            latency_ms: self.latency_ms,
            weight,
            trace_id: self.trace_id,
            user_ref: self.user_ref,
            attributes: self.attributes,
        })
    }
}

/// Checks the length of a text, in bytes, and that nothing in it acts.
pub(crate) fn text(field: &str, value: &str, least: usize, most: usize) -> Result<(), EventError> {
    if value.len() < least || value.len() > most {
        let rule = format!("must be {least} to {most} bytes, is {}", value.len());
        return Err(EventError::rule(field, value, rule));
    }
    // Bytes below 0x20 and 0x7F are control characters by themselves; C1 controls are two bytes in UTF-8.
    // Looked at all at once: stopping at the first would cost more than going on.
    let suspicious = value.bytes().fold(false, |found, b| found | (b < 0x20) | (b == 0x7F) | (b == 0xC2));
    if suspicious && value.chars().any(char::is_control) {
        return Err(EventError::rule(field, value, "must not have control characters"));
    }
    Ok(())
}

/// Checks a moment, in microseconds.
pub(crate) fn time(field: &str, micros: i64) -> Result<(), EventError> {
    if (EventTime::MIN.0..=EventTime::MAX.0).contains(&micros) {
        return Ok(());
    }
    let rule = "must be between 1970 and 2100; a number means microseconds since 1970";
    Err(EventError::rule(field, micros.to_string(), rule))
}

/// Checks the identity of an event.
pub(super) fn event_id(value: &str) -> Result<(), EventError> {
    text("event_id", value, *EVENT_ID_BYTES.start(), *EVENT_ID_BYTES.end())
}

/// Checks how many requests an event stands for.
pub(super) fn weight(value: i64) -> Result<u32, EventError> {
    number("weight", value, WEIGHTS).map(|weight| weight as u32)
}

fn number(field: &str, value: i64, allowed: RangeInclusive<i64>) -> Result<i64, EventError> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    let rule = format!("must be {} to {}", allowed.start(), allowed.end());
    Err(EventError::rule(field, value.to_string(), rule))
}

/// Fields that may be numbers.
pub(super) const NUMBERS: [&str; 4] = ["time", "status_code", "latency_ms", "weight"];

/// Checks a value that is beyond every number, in one of [`NUMBERS`]: the error says what is allowed.
pub(super) fn beyond(field: &str) -> Result<(), EventError> {
    match field {
        "time" => time(field, i64::MAX),
        "status_code" => number(field, i64::MAX, STATUS_CODES).map(drop),
        "weight" => number(field, i64::MAX, WEIGHTS).map(drop),
        _ => latency(Some(f64::INFINITY)),
    }
}

pub(super) fn latency(value: Option<f64>) -> Result<(), EventError> {
    match value {
        Some(ms) if !(ms.is_finite() && (0.0..=LONGEST_MS).contains(&ms)) => {
            let rule = "must be finite and 0 to 86400000 (milliseconds, a day), or absent when not measured";
            Err(EventError::rule("latency_ms", ms.to_string(), rule))
        }
        _ => Ok(()),
    }
}

pub(super) fn trace_id(value: Option<&str>) -> Result<(), EventError> {
    match value {
        Some(id) if id.len() != 32 || !id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
            Err(EventError::rule("trace_id", id, "must be 32 lower-case hex digits, or absent"))
        }
        _ => Ok(()),
    }
}

pub(super) fn user_ref(value: Option<&str>) -> Result<(), EventError> {
    match value {
        Some(user) if user.len() > 256 => {
            Err(EventError::rule("user_ref", user, format!("must be at most 256 bytes, is {}", user.len())))
        }
        Some(user) if has_nul(user) => Err(EventError::rule("user_ref", user, NO_NUL)),
        _ => Ok(()),
    }
}

/// PostgreSQL has no text with one: such an event would be counted and never stored.
const NO_NUL: &str = "must not have a NUL character (U+0000)";

fn has_nul(text: &str) -> bool {
    text.as_bytes().contains(&0)
}

/// Whether the sizes of an attribute are right; `before` is how many there were.
pub(super) fn attribute_sizes(before: usize, key: usize, value: usize) -> bool {
    before < ATTRIBUTES && key <= ATTRIBUTE_KEY_BYTES && value <= ATTRIBUTE_VALUE_BYTES
}

/// Checks one attribute; `before` is how many there were.
pub(super) fn attribute(before: usize, key: &str, value: &str) -> Result<(), EventError> {
    if before >= ATTRIBUTES {
        return Err(EventError::rule("attributes", key, format!("there are more than {ATTRIBUTES}")));
    }
    if key.len() > ATTRIBUTE_KEY_BYTES {
        let rule = format!("a key must be at most {ATTRIBUTE_KEY_BYTES} bytes, is {}", key.len());
        return Err(EventError::rule("attributes", key, rule));
    }
    if value.len() > ATTRIBUTE_VALUE_BYTES {
        let rule = format!("a value must be at most {ATTRIBUTE_VALUE_BYTES} bytes, is {}", value.len());
        return Err(EventError::rule(&format!("attributes.{key}"), value, rule));
    }
    if has_nul(key) {
        return Err(EventError::rule("attributes", key, format!("a key {NO_NUL}")));
    }
    if has_nul(value) {
        return Err(EventError::rule(&format!("attributes.{key}"), value, format!("a value {NO_NUL}")));
    }
    Ok(())
}

/// The keys of an event's attributes, whether these are read or passed over: none may come twice.
#[derive(Default)]
pub(super) struct Keys<'a> {
    keys: [&'a str; ATTRIBUTES],
    count: usize,
}

impl<'a> Keys<'a> {
    /// Checks one attribute beside those that came before it.
    pub(super) fn check(&mut self, key: &'a str, value: &str, class: ErrorClass) -> Result<(), EventError> {
        attribute(self.count, key, value)?;
        if self.keys[..self.count].contains(&key) {
            return Err(EventError::field(class, format!("attributes.{key}"), value, TWICE));
        }
        self.keys[self.count] = key;
        self.count += 1;
        Ok(())
    }
}

/// Checks the size of an encoded event.
pub(super) fn size(bytes: usize) -> Result<(), EventError> {
    if bytes <= EVENT_BYTES {
        return Ok(());
    }
    let rule = format!("an event must be at most {EVENT_BYTES} bytes, is {bytes}");
    Err(EventError::whole(ErrorClass::TooLarge, rule))
}

/// A valid event as a view that owns its parts.
pub(super) fn check_owned<'a>(event: RequestEvent, attributes: Attributes) -> Result<EventView<'a>, EventError> {
    for (i, (key, value)) in event.attributes.iter().enumerate() {
        attribute(i, key, value)?;
    }
    let draft = Draft {
        event_id: Cow::Owned(event.event_id),
        time: event.time.0,
        service: Cow::Owned(event.service),
        environment: Cow::Owned(event.environment),
        endpoint: Cow::Owned(event.endpoint),
        method: Cow::Owned(event.method),
        status_code: i64::from(event.status_code),
        latency_ms: event.latency_ms,
        weight: i64::from(event.weight),
        trace_id: event.trace_id.map(Cow::Owned),
        user_ref: event.user_ref.map(Cow::Owned),
        attributes: event.attributes.into_iter().map(|(k, v)| (Cow::Owned(k), Cow::Owned(v))).collect(),
    };
    let mut view = draft.check()?;
    if attributes == Attributes::Skip {
        view.attributes = Vec::new();
    }
    Ok(view)
}
