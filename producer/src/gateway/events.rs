//! What the gateway says of itself.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};
use slipstream_runtime::event::Event;
use slipstream_runtime::metrics::{counter, gauge, histogram};

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_gateway_requests_total", "POSTs of events by how they were answered.", &["answer"])
});
static EVENTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "slipstream_gateway_events_total",
        "Events that the log took (inserted) or that were wrong (rejected).",
        &["outcome"],
    )
});
static BYTES: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter("slipstream_gateway_body_bytes_total", "Bytes of bodies, decompressed.", &[]));
static SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    const BOUNDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
    histogram(
        "slipstream_gateway_request_seconds",
        "Time from the headers of a POST to its answer.",
        &["answer"],
        &BOUNDS,
    )
});
static IN_FLIGHT: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauge("slipstream_gateway_in_flight_bytes", "Bytes of bodies that are being worked on, as reserved.", &[])
});

/// A POST was answered.
pub(super) struct Answered<'a> {
    /// `ok`, or the code of the refusal.
    pub answer: &'static str,
    pub request_id: &'a str,
    pub inserted: u64,
    pub rejected: u64,
    pub took: Duration,
    /// Bytes reserved by all other requests.
    pub in_flight: usize,
}

impl Event for Answered<'_> {
    fn emit(self) {
        let Answered { answer, request_id, inserted, rejected, took, in_flight } = self;
        IN_FLIGHT.with_label_values::<&str>(&[]).set(in_flight as i64);
        REQUESTS.with_label_values(&[answer]).inc();
        SECONDS.with_label_values(&[answer]).observe(took.as_secs_f64());
        EVENTS.with_label_values(&["inserted"]).inc_by(inserted);
        EVENTS.with_label_values(&["rejected"]).inc_by(rejected);
        tracing::debug!(request_id, answer, inserted, rejected, ?took, "answered");
    }
}

/// A body was read whole.
pub(super) struct Unpacked {
    pub bytes: usize,
    /// Bytes reserved by all requests together.
    pub in_flight: usize,
}

impl Event for Unpacked {
    fn emit(self) {
        BYTES.with_label_values::<&str>(&[]).inc_by(self.bytes as u64);
        IN_FLIGHT.with_label_values::<&str>(&[]).set(self.in_flight as i64);
    }
}

/// The log did not take what it was given; the sender was told.
pub(super) struct LogFailed<'a> {
    pub request_id: &'a str,
    pub events: usize,
    pub why: &'a str,
}

impl Event for LogFailed<'_> {
    fn emit(self) {
        tracing::warn!(self.request_id, self.events, why = self.why, "the log did not take a request's events");
    }
}
