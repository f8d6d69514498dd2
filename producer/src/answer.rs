//! The gateway's response: one shape for all statuses, so that a client needs to parse only one.

use serde::{Deserialize, Serialize};

/// The response to a POST of events.
///
/// | status | meaning |
/// |---|---|
/// | 200 | at least one event is in the log, or none was sent; `rejected` counts the others |
/// | 400 | the body, or a parameter, could not be read as a whole: nothing was written |
/// | 401, 403 | it may not be done without a token, or with this one: nothing was written |
/// | 405 | not a POST |
/// | 408 | the body did not arrive in time: nothing was written |
/// | 413 | too many bytes, as sent or decompressed, too many events or gzip members: nothing was written |
/// | 415 | an unsupported content type or encoding: nothing was written |
/// | 422 | every event is invalid, or one is and `strict=true` was requested: nothing was written |
/// | 429 | more requests than the token may send: nothing was written, see Retry-After |
/// | 500 | the log is broken: what was written is not known |
/// | 503 | too busy, see Retry-After: retry with the same event_ids |
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Events that the log has, durably.
    pub inserted: u64,
    /// Events that are wrong.
    pub rejected: u64,
    /// What is wrong with them, by index: the first [`ERRORS`].
    pub errors: Vec<ItemError>,
    /// How many errors there are, if `errors` does not have them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors_total: Option<u64>,
    /// Ids assigned to events that had none, by index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<GivenId>,
    /// What looks wrong about events that are valid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Why nothing was written at all: a code for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The same for people, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Maximum number of errors in a response: a response must not be much larger than its request.
pub const ERRORS: usize = 100;

/// The response to a POST of markers that were all taken. Otherwise it is an [`Answer`], and nothing was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkersAccepted {
    /// Markers that the log has, durably.
    pub accepted: u64,
    /// Their ids, in the order of the request.
    pub ids: Vec<String>,
}

/// What is wrong with one event, or marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemError {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Its event_id, if one could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The field that breaks a rule; `None` if the whole is not an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The kind of mistake: a code for machines.
    pub error: String,
    /// Field, value and rule, for people.
    pub message: String,
}

/// An identity that the gateway gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenId {
    /// The event's place in the request, from 0.
    pub index: usize,
    /// A UUIDv7.
    pub event_id: String,
}

/// What looks wrong about valid events. They are in the log all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// `too-late`: older than any rolling window; or `in-the-future`.
    pub warning: String,
    /// How many events it concerns.
    pub events: u64,
    /// The place of the first of them in the request, from 0.
    pub first: usize,
    /// What it means for them, for people.
    pub message: String,
}
