//! Events that come out of the store: into the same buffers, and from there as the views that the folds take.

use std::borrow::Cow;
use std::collections::BTreeMap;

use slipstream_schemas::{EventTime, EventView, LogTime};

use super::{EventRef, Events, Row};

/// An event as a row has it, with its place in the log.
pub(crate) struct Stored<'a> {
    pub partition: u32,
    pub offset: i64,
    pub log_time: LogTime,
    pub time: EventTime,
    /// From [`Events::dimensions_of`] the same events.
    pub dimensions: u32,
    pub status_code: u16,
    pub latency_ms: Option<f64>,
    pub weight: u32,
    pub event_id: &'a str,
    pub trace_id: Option<[u8; 16]>,
    pub user_ref: Option<&'a str>,
    /// A JSON object.
    pub attributes: Option<&'a str>,
}

impl Events {
    /// The index of a tuple, for [`Stored::dimensions`].
    pub(crate) fn dimensions_of(&mut self, service: &str, environment: &str, endpoint: &str, method: &str) -> u32 {
        self.intern(service, environment, endpoint, method)
    }

    /// Adds an event that was stored.
    pub(crate) fn push_stored(&mut self, event: &Stored<'_>) {
        let row = Row {
            time: event.time,
            log_time: event.log_time,
            offset: event.offset,
            partition: event.partition,
            dimensions: event.dimensions,
            latency_ms: event.latency_ms,
            weight: event.weight,
            status_code: event.status_code,
            trace_id: event.trace_id,
            event_id: self.keep(Some(event.event_id)),
            user_ref: self.keep(event.user_ref),
            attributes: self.keep(event.attributes),
        };
        self.add(row);
    }
}

impl<'a> EventRef<'a> {
    /// The event as a decoder gives it. Attributes are parsed and the trace id is written out each time: ask for what most
    /// events are dropped by through the other methods.
    pub fn view(&self) -> EventView<'a> {
        let dimensions = self.dimensions();
        EventView {
            event_id: self.event_id().into(),
            time: self.time(),
            service: dimensions.service.as_str().into(),
            environment: dimensions.environment.as_str().into(),
            endpoint: dimensions.endpoint.as_str().into(),
            method: dimensions.method.as_str().into(),
            status_code: self.status_code(),
            latency_ms: self.latency_ms(),
            weight: self.weight(),
            trace_id: self.trace_id().map(|bytes| format!("{:032x}", u128::from_be_bytes(bytes)).into()),
            user_ref: self.user_ref().map(Cow::from),
            attributes: self.attributes_json().map(pairs).unwrap_or_default(),
        }
    }
}

/// Name and value of each attribute.
fn pairs<'a>(json: &str) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let read: BTreeMap<String, String> = serde_json::from_str(json).unwrap_or_default();
    read.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::made::{self, Dice};

    #[test]
    fn a_view_is_the_event_that_was_added() {
        let mut packed = Events::new();
        let made = made::events(&mut Dice(3), 200);
        for (offset, event) in (0..).zip(&made) {
            packed.push(7, offset, LogTime(5), &made::view(event));
        }
        for (event, read) in made.iter().zip(packed.iter()) {
            assert_eq!(read.view(), made::view(event));
        }
    }

    #[test]
    fn what_was_stored_comes_back_the_same() {
        let (mut packed, mut again) = (Events::new(), Events::new());
        for (offset, event) in (0..).zip(&made::events(&mut Dice(4), 200)) {
            packed.push(7, offset, LogTime(offset / 3), &made::view(event));
        }
        for event in packed.iter() {
            let d = event.dimensions();
            let dimensions = again.dimensions_of(&d.service, &d.environment, &d.endpoint, &d.method);
            again.push_stored(&Stored {
                partition: event.partition(),
                offset: event.offset(),
                log_time: event.log_time(),
                time: event.time(),
                dimensions,
                status_code: event.status_code(),
                latency_ms: event.latency_ms(),
                weight: event.weight(),
                event_id: event.event_id(),
                trace_id: event.trace_id(),
                user_ref: event.user_ref(),
                attributes: event.attributes_json(),
            });
        }
        assert!(packed.iter().map(|e| (e.offset(), e.log_time(), e.to_event())).eq(again.iter().map(|e| (
            e.offset(),
            e.log_time(),
            e.to_event()
        ))));
    }
}
