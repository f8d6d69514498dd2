//! Bytes to events: which encoding a record has is seen from its first bytes; every rule of the event is checked, and
//! what breaks one is reported by field, value and rule.
//!
//! Tally and sink decode with the same function, so they agree on what is valid; whether attributes are read or skipped
//! makes no difference to that.

mod attributes;
mod avro;
mod brief;
mod error;
mod json;
mod nearest;
mod number;
mod rules;
mod swift;

pub use brief::{Brief, brief};
pub use error::{ErrorClass, EventError};
pub use json::{Defaults, rfc3339};
pub(crate) use nearest::nearest;
pub use rules::{Attributes, ENVIRONMENT_BYTES, EVENT_BYTES, SERVICE_BYTES};
pub(crate) use rules::{TWICE, text, time};

use crate::codec::MARKER;
use crate::event::{EventView, RequestEvent};

/// Where a record comes from: an event without event_id is named by it, and a dead letter says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance<'a> {
    /// Topic, without prefix.
    pub topic: &'a str,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: i64,
}

/// An event from JSON that may lack an identity.
#[derive(Debug, Clone, PartialEq)]
pub struct FromJson {
    /// The event; its event_id is what `new_id` gave where it had none.
    pub event: RequestEvent,
    /// Whether it had none, and was given that of `new_id`.
    pub given: bool,
}

/// Decodes the value of a record of request-events.
///
/// ```
/// use slipstream_schemas::decode::{Attributes, Provenance, decode};
///
/// let from = Provenance { topic: "request-events", partition: 0, offset: 41 };
/// let value = br#"{"event_id":"e-1","time":"2026-01-31T09:30:00Z","service":"payment",
///     "endpoint":"/pay","method":"POST","status_code":503,"attributes":{"region":"eu"}}"#;
/// let event = decode(value, &from, Attributes::Read)?;
/// assert_eq!((event.status_code, event.weight, event.latency_ms), (503, 1, None));
/// assert_eq!(event.attribute("region"), Some("eu"));
///
/// // Errors are reported by field, value and rule.
/// let value = br#"{"time":1769851800000000,"service":"payment","endpoint":"/pay","method":"POST","status_code":700}"#;
/// let error = decode(value, &from, Attributes::Read).unwrap_err();
/// assert_eq!(error.to_string(), "status_code `700`: must be 100 to 599");
/// # Ok::<(), slipstream_schemas::decode::EventError>(())
/// ```
///
/// # Errors
/// When it is not an event, or an event that breaks a rule.
pub fn decode<'a>(value: &'a [u8], from: &Provenance<'_>, attributes: Attributes) -> Result<EventView<'a>, EventError> {
    match value {
        [first, second, ..] if [*first, *second] == MARKER => {
            rules::size(value.len())?;
            avro::decode(value, attributes)
        }
        [b'{', ..] => {
            let (mut event, _) = json::decode(value, &Defaults::default(), || {
                format!("{}/{}/{}", from.topic, from.partition, from.offset)
            })?;
            if attributes == Attributes::Skip {
                event.attributes = Vec::new();
            }
            Ok(event)
        }
        [0, ..] if value.len() > 5 => {
            let rule = "framed for a Confluent schema registry, of which this version has no client: send Avro \
                        single-object encoding or JSON";
            Err(EventError::whole(ErrorClass::ConfluentFraming, rule))
        }
        _ => {
            let rule = "neither Avro single-object encoding (C3 01 first) nor a JSON object ({ first)";
            Err(EventError::field(ErrorClass::NotAnEvent, "value", String::from_utf8_lossy(head(value)), rule))
        }
    }
}

fn head(value: &[u8]) -> &[u8] {
    &value[..value.len().min(64)]
}

/// Decodes an event from JSON; white space before it is allowed. One without event_id gets that of `new_id`.
///
/// ```
/// use slipstream_schemas::decode::from_json;
///
/// let text = r#"{"time":"2026-01-31T09:30:00Z","service":"payment",
///     "endpoint":"/pay","method":"POST","status_code":200}"#;
/// let read = from_json(text.as_bytes(), || "an id of ours".to_owned())?;
/// assert!(read.given);
/// assert_eq!(read.event.event_id, "an id of ours");
/// # Ok::<(), slipstream_schemas::decode::EventError>(())
/// ```
///
/// # Errors
/// When it is not a JSON object, or an event that breaks a rule.
pub fn from_json(value: &[u8], new_id: impl FnOnce() -> String) -> Result<FromJson, EventError> {
    from_json_with(value, &Defaults::default(), new_id)
}

/// Like [`from_json`], for events that do not name everything themselves.
///
/// # Errors
/// When it is not a JSON object, or an event that breaks a rule.
pub fn from_json_with(
    value: &[u8],
    defaults: &Defaults<'_>,
    new_id: impl FnOnce() -> String,
) -> Result<FromJson, EventError> {
    let (event, given) = json::decode(value, defaults, new_id)?;
    Ok(FromJson { event: event.to_owned_event(), given })
}

/// Checks an event against every rule.
///
/// # Errors
/// The first rule that it breaks.
pub fn validate(event: &RequestEvent) -> Result<(), EventError> {
    rules::check_owned(event.clone(), Attributes::Skip).map(drop)
}
