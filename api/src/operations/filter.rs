//! The filters that several questions have.

use jiff::Timestamp;
use slipstream_schemas::{EventTime, LogTime};
use slipstream_store::EventFilter;

use crate::question::{Asking, EndpointName, Millis, Name, Param, StatusClass, StatusCode, Text, Time, TraceId, Yes};

pub const FROM: Param<Time> =
    Param::new("from", "At or after: RFC 3339, or a date for its midnight in UTC", "2026-11-29T00:00:00Z");
pub const TO: Param<Time> = Param::new("to", "Before: RFC 3339, or a date for its midnight in UTC", "2030-01-01");
pub const AS_OF: Param<Time> = Param::new(
    "as_of",
    "As was known then, by the log's clock. What is not stored yet is 503, what lies ahead 400",
    "2026-11-29T10:00:00Z",
);
pub const SERVICE: Param<Name> = Param::new("service", "Exactly this service", "payment");
const ENVIRONMENT: Param<Text> = Param::new("environment", "Exactly this environment, which may be empty", "prod");
const ENDPOINT: Param<EndpointName> = Param::new("endpoint", "Exactly this endpoint", "/pay");
const METHOD: Param<Name> = Param::new("method", "Exactly this method", "POST");
const STATUS_CODE: Param<StatusCode> = Param::new("status_code", "Exactly this status", "503");
const STATUS_CLASS: Param<StatusClass> = Param::new("status_class", "This class of statuses: 5xx, or 5", "5xx");
const ERRORS: Param<Yes> = Param::new("errors", "Only status 500 and above", "true").or("false");
const MIN_LATENCY: Param<Millis> = Param::new("min_latency_ms", "At least this latency", "100");
const MAX_LATENCY: Param<Millis> = Param::new("max_latency_ms", "At most this latency", "5000");
const TRACE_ID: Param<TraceId> = Param::new("trace_id", "Exactly this trace", "4bf92f3577b34da6a3ce929d0e0e4736");
const USER_REF: Param<Name> = Param::new("user_ref", "Exactly this user", "u-17");
const EVENT_ID: Param<Name> = Param::new("event_id", "Exactly this event", "0193b6b2-6f0c-7a31-9d1e-1c2b3a4d5e6f");
const ATTRIBUTE: Param<Text> =
    Param::new("attribute.NAME", "Exactly this value of the attribute NAME; up to 32 of them", "eu-central-1");

/// Microseconds, as events have them.
pub fn event_time(Time(time): Time) -> EventTime {
    EventTime(time.as_microsecond())
}

/// Whole seconds, as ticks are.
pub fn unix(Time(time): Time) -> i64 {
    time.as_second()
}

/// A time that an answer is to be as of: not one that lies ahead.
pub fn as_of(asking: &mut Asking) -> Option<LogTime> {
    let Time(time) = asking.one(&AS_OF)?;
    if time > Timestamp::now() {
        asking.complain(AS_OF.name, "it lies ahead; what will be known then, nobody knows".to_owned());
    }
    Some(LogTime(time.as_millisecond()))
}

/// `from` and `to`, in this order.
pub fn range(asking: &mut Asking) -> (Option<Time>, Option<Time>) {
    let (from, to) = (asking.one(&FROM), asking.one(&TO));
    if from > to && to.is_some() {
        asking.complain(FROM.name, "it lies after `to`; swap them".to_owned());
    }
    (from, to)
}

/// Conditions on the dimensions that aggregates have.
pub fn dimensions(asking: &mut Asking) -> EventFilter {
    let (from, to) = range(asking);
    EventFilter {
        from: from.map(event_time),
        to: to.map(event_time),
        service: asking.one(&SERVICE).map(|Name(name)| name),
        environment: asking.one(&ENVIRONMENT).map(|Text(text)| text),
        endpoint: asking.one(&ENDPOINT).map(|EndpointName(name)| name),
        method: asking.one(&METHOD).map(|Name(name)| name),
        status_class: asking.one(&STATUS_CLASS).map(|StatusClass(class)| class),
        errors_only: asking.one(&ERRORS).is_some_and(|Yes(yes)| yes),
        ..EventFilter::default()
    }
}

/// Conditions on all that an event has, and on when it was logged.
pub fn everything(asking: &mut Asking) -> EventFilter {
    let filter = dimensions(asking);
    let (least, most) = (asking.one(&MIN_LATENCY), asking.one(&MAX_LATENCY));
    if let (Some(Millis(least)), Some(Millis(most))) = (least, most)
        && least > most
    {
        asking.complain(MIN_LATENCY.name, "it is greater than `max_latency_ms`; swap them".to_owned());
    }
    EventFilter {
        status_code: asking.one(&STATUS_CODE).map(|StatusCode(code)| code),
        min_latency_ms: least.map(|Millis(ms)| ms),
        max_latency_ms: most.map(|Millis(ms)| ms),
        trace_id: asking.one(&TRACE_ID).map(|TraceId(id)| id),
        user_ref: asking.one(&USER_REF).map(|Name(name)| name),
        event_id: asking.one(&EVENT_ID).map(|Name(name)| name),
        attributes: asking.named("attribute.", &ATTRIBUTE),
        logged_by: as_of(asking),
        ..filter
    }
}
