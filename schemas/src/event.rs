//! The request event: owned for those who make one, borrowed for the hot path.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// One request that a service answered, as its producer saw it. The fields and rules are those of
/// `avsc/request_event.avsc`; `decode::validate` checks them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestEvent {
    /// The identity by which a redelivery is recognised; 1 to 128 bytes.
    pub event_id: String,
    /// When the request ended.
    pub time: EventTime,
    /// The service that answered; 1 to 256 bytes.
    pub service: String,
    /// Deployment environment; may be empty, at most 256 bytes.
    #[serde(default)]
    pub environment: String,
    /// Route template; 1 to 1,024 bytes.
    pub endpoint: String,
    /// HTTP method or kind of RPC; 1 to 256 bytes.
    pub method: String,
    /// HTTP status code, 100 to 599.
    pub status_code: i32,
    /// Server-side duration in milliseconds, 0 to 86,400,000; absent: not measured.
    #[serde(default)]
    pub latency_ms: Option<f64>,
    /// How many requests this event stands for; 1 to 1,000,000.
    #[serde(default = "one")]
    pub weight: i32,
    /// W3C trace id, 32 lower-case hex digits.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// An opaque reference to the caller; at most 256 bytes.
    #[serde(default)]
    pub user_ref: Option<String>,
    /// Further dimensions; at most 32, key 64 bytes, value 256 bytes.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

fn one() -> i32 {
    1
}

/// A decoded, valid event that borrows from the record it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct EventView<'a> {
    /// See [`RequestEvent::event_id`].
    pub event_id: Cow<'a, str>,
    /// See [`RequestEvent::time`].
    pub time: EventTime,
    /// See [`RequestEvent::service`].
    pub service: Cow<'a, str>,
    /// See [`RequestEvent::environment`].
    pub environment: Cow<'a, str>,
    /// See [`RequestEvent::endpoint`].
    pub endpoint: Cow<'a, str>,
    /// See [`RequestEvent::method`].
    pub method: Cow<'a, str>,
    /// See [`RequestEvent::status_code`].
    pub status_code: u16,
    /// See [`RequestEvent::latency_ms`].
    pub latency_ms: Option<f64>,
    /// See [`RequestEvent::weight`].
    pub weight: u32,
    /// See [`RequestEvent::trace_id`].
    pub trace_id: Option<Cow<'a, str>>,
    /// See [`RequestEvent::user_ref`].
    pub user_ref: Option<Cow<'a, str>>,
    /// See [`RequestEvent::attributes`]; always checked, but empty if the decoder skips them.
    pub attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl EventView<'_> {
    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_ref())
    }

    /// An owned copy.
    pub fn to_owned_event(&self) -> RequestEvent {
        RequestEvent {
            event_id: self.event_id.to_string(),
            time: self.time,
            service: self.service.to_string(),
            environment: self.environment.to_string(),
            endpoint: self.endpoint.to_string(),
            method: self.method.to_string(),
            status_code: i32::from(self.status_code),
            latency_ms: self.latency_ms,
            weight: self.weight as i32,
            trace_id: self.trace_id.as_deref().map(str::to_owned),
            user_ref: self.user_ref.as_deref().map(str::to_owned),
            attributes: self.attributes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        }
    }
}
