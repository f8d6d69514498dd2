//! What our evaluator makes of an expression, and the events that it is asked on.

use std::collections::BTreeMap;

use serde_json::Value;
use slipstream_definitions::filter::{Filter, FilterError};
use slipstream_schemas::event::EventView;
use slipstream_schemas::fixtures::event;

/// Events by name, as the judge is given them and as filters see them.
pub type Events = BTreeMap<String, (Value, EventView<'static>)>;

/// The events of the table.
pub fn events() -> Events {
    let written: BTreeMap<String, Value> = serde_json::from_str(include_str!("events.json")).unwrap();
    let seen = |(name, written): (String, Value)| {
        let seen = view(&written);
        (name, (written, seen))
    };
    written.into_iter().map(seen).collect()
}

/// An event that is written as JSON, as filters see it.
pub fn view(written: &Value) -> EventView<'static> {
    let text = |value: &Value| value.as_str().unwrap().to_owned().into();
    let attributes = written["attributes"].as_object().unwrap().iter();
    EventView {
        service: text(&written["service"]),
        environment: text(&written["environment"]),
        endpoint: text(&written["endpoint"]),
        method: text(&written["method"]),
        status_code: written["status_code"].as_u64().unwrap().try_into().unwrap(),
        latency_ms: written["latency_ms"].as_f64(),
        attributes: attributes.map(|(key, value)| (key.clone().into(), text(value))).collect(),
        ..event()
    }
}

/// What we make of an expression.
#[derive(Debug)]
pub enum Ours {
    /// Its answer; `None`: unknown.
    Answer(Option<bool>),
    Refused(FilterError),
}

impl Ours {
    pub fn of(expression: &str, event: &EventView<'_>) -> Ours {
        match Filter::compile(expression) {
            Ok(filter) => Ours::Answer(filter.eval(event)),
            Err(errors) => Ours::Refused(errors.into_iter().next().expect("a reason")),
        }
    }

    /// The answer in the words of the judge, to which unknown is an error.
    pub fn answer(&self) -> Option<&'static str> {
        match self {
            Ours::Answer(Some(true)) => Some("true"),
            Ours::Answer(Some(false)) => Some("false"),
            Ours::Answer(None) => Some("error"),
            Ours::Refused(_) => None,
        }
    }
}
