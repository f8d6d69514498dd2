//! The gateway's log lines and metrics.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGauge};
use slipstream_runtime::event::{Event, Seldom};
use slipstream_runtime::metrics::{counter, gauge, histogram};

static REQUESTS: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter("slipstream_gateway_requests_total", "POSTs of events by their response.", &["answer"]));
static EVENTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "slipstream_gateway_events_total",
        "Events that the log accepted (inserted) or that were invalid (rejected).",
        &["outcome"],
    )
});
static BYTES: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter("slipstream_gateway_body_bytes_total", "Bytes of bodies, decompressed.", &[]));
static SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    const BOUNDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
    histogram(
        "slipstream_gateway_request_seconds",
        "Time from the headers of a POST to its response.",
        &["answer"],
        &BOUNDS,
    )
});
static IN_FLIGHT: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Memory that requests hold: bodies, events on their way to the log, responses.";
    gauge("slipstream_gateway_in_flight_bytes", help, &[]).with_label_values::<&str>(&[])
});
static IN_FLIGHT_LIMIT: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Limit of the memory that requests may hold (gateway.max_in_flight).";
    gauge("slipstream_gateway_in_flight_limit_bytes", help, &[]).with_label_values::<&str>(&[])
});
static TOO_LATE: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "slipstream_gateway_too_late_events_total",
        "Accepted events that were older than any rolling window of an SLO.",
        &[],
    )
});
static AHEAD: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_gateway_future_events_total", "Accepted events that were more than an hour ahead.", &[])
});

/// The gateway starts serving.
pub(super) struct Serving {
    pub limit: usize,
}

impl Event for Serving {
    fn emit(self) {
        LazyLock::force(&IN_FLIGHT);
        IN_FLIGHT_LIMIT.set(self.limit as i64);
    }
}

/// Requests hold so much more, or less.
pub(super) struct InFlight {
    pub more: i64,
}

impl Event for InFlight {
    fn emit(self) {
        IN_FLIGHT.add(self.more);
    }
}

/// A POST was answered.
pub(super) struct Answered<'a> {
    /// `ok`, or the code of the refusal.
    pub answer: &'static str,
    pub request_id: &'a str,
    pub inserted: u64,
    pub rejected: u64,
    pub took: Duration,
}

impl Event for Answered<'_> {
    fn emit(self) {
        let Answered { answer, request_id, inserted, rejected, took } = self;
        REQUESTS.with_label_values(&[answer]).inc();
        SECONDS.with_label_values(&[answer]).observe(took.as_secs_f64());
        EVENTS.with_label_values(&["inserted"]).inc_by(inserted);
        EVENTS.with_label_values(&["rejected"]).inc_by(rejected);
        tracing::debug!(request_id, answer, inserted, rejected, ?took, "answered");
    }
}

/// A request found no room.
pub(super) struct Busy {
    pub limit: usize,
}

impl Event for Busy {
    fn emit(self) {
        static SELDOM: Seldom = Seldom::every(Duration::from_secs(10));
        if let Some(requests) = SELDOM.count(1) {
            let limit = self.limit;
            tracing::warn!(requests, limit, "out of request memory (gateway.max_in_flight); answering 503");
        }
    }
}

/// A body was read whole.
pub(super) struct Unpacked {
    pub bytes: usize,
}

impl Event for Unpacked {
    fn emit(self) {
        BYTES.with_label_values::<&str>(&[]).inc_by(self.bytes as u64);
    }
}

/// Events whose time looks wrong were accepted; the response has a warning.
pub(super) struct OddlyTimed<'a> {
    pub request_id: &'a str,
    pub too_late: u64,
    pub ahead: u64,
}

impl Event for OddlyTimed<'_> {
    fn emit(self) {
        static SELDOM: Seldom = Seldom::every(Duration::from_secs(10));
        let OddlyTimed { request_id, too_late, ahead } = self;
        TOO_LATE.with_label_values::<&str>(&[]).inc_by(too_late);
        AHEAD.with_label_values::<&str>(&[]).inc_by(ahead);
        if too_late + ahead > 0
            && let Some(events) = SELDOM.count(too_late + ahead)
        {
            tracing::warn!(
                events,
                request_id,
                too_late,
                ahead,
                "accepted events that are too late for any window, or in the future; is their `time` in microseconds?"
            );
        }
    }
}

/// The log did not accept the events; the sender got an error.
pub(super) struct LogFailed<'a> {
    pub request_id: &'a str,
    pub events: usize,
    pub why: &'a str,
}

impl Event for LogFailed<'_> {
    fn emit(self) {
        tracing::warn!(self.request_id, self.events, why = self.why, "publishing a request's events failed");
    }
}
