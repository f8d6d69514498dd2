//! What is answered, as data.

use slipstream_schemas::EventTime;
use slipstream_schemas::event::EventView;
use slipstream_schemas::records::{Exemplar, Marker};

/// What is known about the requests behind an alert.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// Bad requests, at most five: first those that the alert itself names, then the newest; older ones only where there is room.
    pub requests: Vec<BadRequest>,
    /// How bad and all requests divide, by one dimension each.
    pub breakdowns: Vec<Breakdown>,
    /// What was judged request by request; `None` if nothing was.
    pub sample: Option<Sample>,
    /// Markers of the services concerned, and of all services, by time.
    pub markers: Vec<Marker>,
}

/// A bad request.
#[derive(Debug, Clone, PartialEq)]
pub struct BadRequest {
    /// Its id.
    pub event_id: String,
    /// Its trace.
    pub trace_id: Option<String>,
    /// When it ended.
    pub time: EventTime,
    /// What it was; `None` if the store does not have it yet.
    pub told: Option<RequestTold>,
}

/// What a request was.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestTold {
    /// Its service.
    pub service: String,
    /// Its method; may be empty.
    pub method: String,
    /// Its endpoint.
    pub endpoint: String,
    /// Its status.
    pub status_code: u16,
    /// How long it took, if that was measured.
    pub latency_ms: Option<f64>,
}

impl BadRequest {
    pub(super) fn unseen(exemplar: &Exemplar) -> BadRequest {
        let Exemplar { event_id, trace_id, time } = exemplar.clone();
        BadRequest { event_id, trace_id, time: EventTime(time), told: None }
    }

    pub(super) fn seen(event: &EventView<'_>) -> BadRequest {
        BadRequest {
            event_id: event.event_id.clone().into_owned(),
            trace_id: event.trace_id.as_deref().map(str::to_owned),
            time: event.time,
            told: Some(RequestTold {
                service: event.service.clone().into_owned(),
                method: event.method.clone().into_owned(),
                endpoint: event.endpoint.clone().into_owned(),
                status_code: event.status_code,
                latency_ms: event.latency_ms,
            }),
        }
    }

    pub(super) fn service(&self) -> Option<&str> {
        self.told.as_ref().map(|told| told.service.as_str())
    }
}

/// Requests by one of their dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Breakdown {
    /// `service`, `endpoint` (with its method: `POST /pay`), `status_class` (`5xx`), `status_code`, `attributes.KEY`.
    pub dimension: String,
    /// Whether only the sample was counted, rather than the whole range.
    pub sampled: bool,
    /// Weight of bad requests.
    pub bad: i64,
    /// Weight of good and bad requests.
    pub total: i64,
    /// Most bad requests first, then most of all; at most [`MOST_VALUES_TOLD`].
    pub values: Vec<ValueCounts>,
    /// How many values there are in all.
    pub of: usize,
}

/// Values of a breakdown at most.
pub const MOST_VALUES_TOLD: usize = 50;

/// The requests of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueCounts {
    /// The value; empty for requests without the attribute.
    pub value: String,
    /// Weight of its bad requests.
    pub bad: i64,
    /// Weight of its good and bad requests.
    pub total: i64,
}

impl Breakdown {
    /// Sorts and cuts.
    pub(super) fn of(dimension: String, sampled: bool, values: impl IntoIterator<Item = ValueCounts>) -> Breakdown {
        let mut values: Vec<ValueCounts> = values.into_iter().collect();
        values.sort_by(|a, b| (b.bad, b.total, &a.value).cmp(&(a.bad, a.total, &b.value)));
        let (bad, total) = values.iter().fold((0, 0), |(bad, total), v| (bad + v.bad, total + v.total));
        let of = values.len();
        values.truncate(MOST_VALUES_TOLD);
        Breakdown { dimension, sampled, bad, total, values, of }
    }
}

/// What was judged request by request: the newest of the range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Stored requests that count for the SLO.
    pub rows: usize,
    /// Weight of the bad ones among them.
    pub bad: i64,
    /// Weight of the bad ones with status 500 and above.
    pub bad_with_errors: i64,
    /// Latencies, where every bad request has one.
    pub latencies: Option<Latencies>,
}

/// Latencies of a sample, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Latencies {
    /// The quickest bad request.
    pub quickest_bad: f64,
    /// The median of the bad ones, each counted once.
    pub median_bad: f64,
    /// The slowest good one; `None` without a good one.
    pub slowest_good: Option<f64>,
}
