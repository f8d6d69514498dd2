//! Which events a question is about.

use std::collections::BTreeMap;

use slipstream_schemas::{EventTime, LogTime, RequestEvent};

use crate::error::StoreError;
use crate::text;

/// Conditions that must all hold; the default lets everything through.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventFilter {
    /// Exactly this service.
    pub service: Option<String>,
    /// Exactly this environment.
    pub environment: Option<String>,
    /// Exactly this endpoint.
    pub endpoint: Option<String>,
    /// Exactly this method.
    pub method: Option<String>,
    /// Exactly this status code.
    pub status_code: Option<u16>,
    /// Status code divided by 100: 1 to 5.
    pub status_class: Option<u8>,
    /// Only status 500 and above.
    pub errors_only: bool,
    /// Latency of at least so many milliseconds; an event without one does not fit.
    pub min_latency_ms: Option<f64>,
    /// Latency of at most so many milliseconds; an event without one does not fit.
    pub max_latency_ms: Option<f64>,
    /// Exactly this id.
    pub event_id: Option<String>,
    /// Exactly this trace.
    pub trace_id: Option<String>,
    /// Exactly this user.
    pub user_ref: Option<String>,
    /// Exactly these values of these attributes.
    pub attributes: BTreeMap<String, String>,
    /// Event time at or after; `None` for the beginning.
    pub from: Option<EventTime>,
    /// Event time before; `None` for the end.
    pub to: Option<EventTime>,
    /// Log time at or before: what was known then.
    pub logged_by: Option<LogTime>,
}

/// Latencies are never NaN in a question ([`EventFilter::check`]).
impl Eq for EventFilter {}

impl EventFilter {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// `Refused`, with what is wrong.
    pub fn check(&self) -> Result<(), StoreError> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            let (from, to) = (text::micros(from), text::micros(to));
            return Err(StoreError::Refused(format!("the range begins at {from}, after its end {to}: swap them")));
        }
        let odd =
            [self.min_latency_ms, self.max_latency_ms].into_iter().flatten().find(|ms| !ms.is_finite() || *ms < 0.0);
        if let Some(odd) = odd {
            return Err(StoreError::Refused(format!("a latency of {odd} ms: expected a number from 0 on")));
        }
        if let (Some(min), Some(max)) = (self.min_latency_ms, self.max_latency_ms)
            && min > max
        {
            return Err(StoreError::Refused(format!("latencies from {min} ms to {max} ms: swap them")));
        }
        Ok(())
    }

    /// What only raw events know of that which it asks for (times apart); `None` if rollups know all of it.
    pub fn raw_only(&self) -> Option<&'static str> {
        let raw = [
            (self.status_code.is_some(), "the status code"),
            (self.min_latency_ms.is_some() || self.max_latency_ms.is_some(), "single latencies"),
            (self.event_id.is_some(), "event ids"),
            (self.trace_id.is_some(), "trace ids"),
            (self.user_ref.is_some(), "users"),
            (!self.attributes.is_empty(), "attributes"),
            (self.logged_by.is_some(), "when events were logged"),
        ];
        raw.iter().find(|(asked, _)| *asked).map(|(_, what)| *what)
    }

    /// Whether an event is meant, its log time apart. The definition by which adapters' queries are tested.
    pub fn admits(&self, event: &RequestEvent) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|w| w == value);
        let optional = |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
        is(&self.service, &event.service)
            && is(&self.environment, &event.environment)
            && is(&self.endpoint, &event.endpoint)
            && is(&self.method, &event.method)
            && is(&self.event_id, &event.event_id)
            && self.status_code.is_none_or(|code| i32::from(code) == event.status_code)
            && self.status_class.is_none_or(|class| i32::from(class) == event.status_code / 100)
            && (!self.errors_only || event.status_code >= 500)
            && self.min_latency_ms.is_none_or(|min| event.latency_ms.is_some_and(|ms| ms >= min))
            && self.max_latency_ms.is_none_or(|max| event.latency_ms.is_some_and(|ms| ms <= max))
            && optional(&self.trace_id, &event.trace_id)
            && optional(&self.user_ref, &event.user_ref)
            && self.attributes.iter().all(|(name, value)| event.attributes.get(name) == Some(value))
            && self.from.is_none_or(|from| event.time >= from)
            && self.to.is_none_or(|to| event.time < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_with_what_is_wrong() {
        let table = [
            (EventFilter { from: Some(EventTime(2)), to: Some(EventTime(1)), ..EventFilter::default() }, "swap them"),
            (EventFilter { min_latency_ms: Some(f64::NAN), ..EventFilter::default() }, "a latency of NaN ms"),
            (EventFilter { max_latency_ms: Some(-1.0), ..EventFilter::default() }, "a latency of -1 ms"),
            (
                EventFilter { min_latency_ms: Some(2.0), max_latency_ms: Some(1.0), ..EventFilter::default() },
                "latencies from 2 ms to 1 ms: swap them",
            ),
        ];
        for (filter, expected) in table {
            let said = filter.check().unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        }
        assert!(EventFilter::default().check().is_ok());
    }
}
