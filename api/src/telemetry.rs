//! Log lines and metrics of the role. A path is told as its route and a query string not at all: both may name people.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec};
use slipstream_runtime::event::{Event, Seldom};
use slipstream_runtime::metrics::{counter, gauge, histogram, seconds};

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_api_requests_total", "Requests by route and status of the response.", &["route", "status"])
});
static SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    const BOUNDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
    let help = "Time from the headers of a request to those of its response.";
    histogram("slipstream_api_request_seconds", help, &["route"], &BOUNDS)
});
static IN_FLIGHT: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauge("slipstream_api_requests_in_flight", "Requests that are being answered.", &[]));
static STREAMS: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauge("slipstream_api_streams", "Clients that follow the stream.", &[]));
static CUT_OFF: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_api_streams_cut_off_total", "Streams that ended because their client read too slowly.", &[])
});
static BEHIND: LazyLock<GaugeVec> = LazyLock::new(|| {
    let help = "Seconds since the state of the SLOs moved on, as this process knows it.";
    seconds("slipstream_api_follower_stale_seconds", help, &[])
});
static SNAPSHOT: LazyLock<HistogramVec> = LazyLock::new(|| {
    const BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
    let help = "Time to make what is answered about the SLOs, once a tick.";
    histogram("slipstream_api_snapshot_seconds", help, &[], &BOUNDS)
});

/// The role starts serving: its metrics are there from now on.
pub struct Serving;

impl Event for Serving {
    fn emit(self) {
        IN_FLIGHT.with_label_values::<&str>(&[]).set(0);
        STREAMS.with_label_values::<&str>(&[]).set(0);
        CUT_OFF.with_label_values::<&str>(&[]).inc_by(0);
    }
}

/// A request is being answered, until this is dropped.
pub struct InFlight(());

impl InFlight {
    /// One more.
    pub fn one() -> Self {
        IN_FLIGHT.with_label_values::<&str>(&[]).inc();
        InFlight(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        IN_FLIGHT.with_label_values::<&str>(&[]).dec();
    }
}

/// A request was answered.
pub struct Answered {
    /// Its path as the document has it, `other` if it has none.
    pub route: &'static str,
    /// Of the response.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
}

impl Event for Answered {
    fn emit(self) {
        let Answered { route, status, took } = self;
        REQUESTS.with_label_values(&[route, &status.to_string()]).inc();
        SECONDS.with_label_values(&[route]).observe(took.as_secs_f64());
        tracing::debug!(route, status, ?took, "answered");
    }
}

/// A question had no answer because store or log did not give one.
pub struct Unanswered<'a> {
    /// What the client is told, and why, with what may name hosts.
    pub why: &'a str,
    /// Whether it may be answered later.
    pub passes: bool,
}

impl Event for Unanswered<'_> {
    fn emit(self) {
        static SELDOM: Seldom = Seldom::every(Duration::from_secs(10));
        let Unanswered { why, passes } = self;
        if !passes {
            tracing::error!(why, "a question cannot be answered");
        } else if let Some(questions) = SELDOM.count(1) {
            tracing::warn!(why, questions, "questions cannot be answered at the moment");
        }
    }
}

/// A client follows the stream, until this is dropped.
pub struct Follows(());

impl Follows {
    /// One more.
    pub fn one() -> Self {
        STREAMS.with_label_values::<&str>(&[]).inc();
        Follows(())
    }
}

impl Drop for Follows {
    fn drop(&mut self) {
        STREAMS.with_label_values::<&str>(&[]).dec();
    }
}

/// A client read its stream too slowly, and was cut off.
pub struct TooSlow;

impl Event for TooSlow {
    fn emit(self) {
        CUT_OFF.with_label_values::<&str>(&[]).inc();
        tracing::debug!("a stream was ended because its client reads too slowly");
    }
}

/// What is answered about the SLOs was made.
pub struct Made {
    /// Series.
    pub series: usize,
    /// How long it took.
    pub took: Duration,
}

impl Event for Made {
    fn emit(self) {
        let Made { series, took } = self;
        SNAPSHOT.with_label_values::<&str>(&[]).observe(took.as_secs_f64());
        BEHIND.with_label_values::<&str>(&[]).set(0.0);
        tracing::trace!(series, ?took, "the state of the SLOs moved on");
    }
}

/// The state of the SLOs does not move on.
pub struct Stuck {
    /// For how long.
    pub since: Duration,
}

impl Event for Stuck {
    fn emit(self) {
        static SELDOM: Seldom = Seldom::every(Duration::from_secs(60));
        BEHIND.with_label_values::<&str>(&[]).set(self.since.as_secs_f64());
        if SELDOM.count(1).is_some() {
            let seconds = self.since.as_secs();
            tracing::warn!(seconds, "the state of the SLOs does not move on: does tally run, and does the log answer?");
        }
    }
}
