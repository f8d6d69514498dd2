//! Raw events.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_query::history::EventRow;
use utoipa::ToSchema;

use super::{Example, Rows, at};

/// A page of events.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Events {
    /// In the order that was asked for.
    pub events: Vec<Event>,
    /// `after` of the next page; null at the end.
    pub next: Option<String>,
    /// Log time up to which the store has everything; null if it has nothing yet.
    pub as_of: Option<String>,
}

/// A request that was served, by the names of the schema.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// When it ended.
    pub time: String,
    /// When the log took it.
    pub log_time: String,
    /// Its id.
    pub event_id: String,
    /// The service that answered.
    pub service: String,
    /// Its environment; may be empty.
    pub environment: String,
    /// The endpoint.
    pub endpoint: String,
    /// The method.
    pub method: String,
    /// The status, 100 to 599.
    pub status_code: i32,
    /// How long it took; null if that was not measured.
    pub latency_ms: Option<f64>,
    /// How many requests it stands for.
    pub weight: i32,
    /// Its trace.
    pub trace_id: Option<String>,
    /// Whose it was; null if nobody said, overwritten if it was erased.
    pub user_ref: Option<String>,
    /// What else was sent.
    pub attributes: BTreeMap<String, String>,
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        Event {
            time: row.time,
            log_time: row.log_time,
            event_id: row.event_id,
            service: row.service,
            environment: row.environment,
            endpoint: row.endpoint,
            method: row.method,
            status_code: row.status_code,
            latency_ms: row.latency_ms,
            weight: row.weight,
            trace_id: row.trace_id,
            user_ref: row.user_ref,
            attributes: row.attributes,
        }
    }
}

impl Rows for Events {
    const COLUMNS: &'static [&'static str] = &[
        "time",
        "log_time",
        "event_id",
        "service",
        "environment",
        "endpoint",
        "method",
        "status_code",
        "latency_ms",
        "weight",
        "trace_id",
        "user_ref",
        "attributes",
    ];
    type Row = Event;

    fn rows(&self) -> &[Event] {
        &self.events
    }

    fn as_of(&self) -> Option<&str> {
        self.as_of.as_deref()
    }
}

impl Example for Event {
    fn example() -> Self {
        Event {
            time: at("09:30:00.250000"),
            log_time: at("09:30:00.300000"),
            event_id: "0193b6b2-6f0c-7a31-9d1e-1c2b3a4d5e6f".to_owned(),
            service: "payment".to_owned(),
            environment: "prod".to_owned(),
            endpoint: "/pay".to_owned(),
            method: "POST".to_owned(),
            status_code: 503,
            latency_ms: Some(812.5),
            weight: 1,
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
            user_ref: Some("u-17".to_owned()),
            attributes: BTreeMap::from([("region".to_owned(), "eu-central-1".to_owned())]),
        }
    }
}

impl Example for Events {
    fn example() -> Self {
        Events {
            events: vec![Event::example()],
            next: Some("1796031000250000-0-41".to_owned()),
            as_of: Some(at("09:30:02")),
        }
    }
}
