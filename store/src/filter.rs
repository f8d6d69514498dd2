//! Which events a question is about.

use slipstream_schemas::{EventTime, RequestEvent};

/// Conditions that must all hold; the default lets everything through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Exactly this trace.
    pub trace_id: Option<String>,
    /// Event time at or after; `None` for the beginning.
    pub from: Option<EventTime>,
    /// Event time before; `None` for the end.
    pub to: Option<EventTime>,
}

impl EventFilter {
    /// Whether rollups have everything that the filter needs (except for time).
    pub fn fits_rollups(&self) -> bool {
        self.status_code.is_none() && self.trace_id.is_none()
    }

    /// Whether an event is meant. The definition by which adapters' queries are tested.
    pub fn admits(&self, event: &RequestEvent) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|w| w == value);
        is(&self.service, &event.service)
            && is(&self.environment, &event.environment)
            && is(&self.endpoint, &event.endpoint)
            && is(&self.method, &event.method)
            && self.status_code.is_none_or(|code| i32::from(code) == event.status_code)
            && self.status_class.is_none_or(|class| i32::from(class) == event.status_code / 100)
            && (!self.errors_only || event.status_code >= 500)
            && (self.trace_id.is_none() || self.trace_id == event.trace_id)
            && self.from.is_none_or(|from| event.time >= from)
            && self.to.is_none_or(|to| event.time < to)
    }
}
