//! What a server says of its connections.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use prometheus::{IntCounterVec, IntGaugeVec};

use crate::event::{Event, Seldom};
use crate::metrics::{counter, gauge};

static OPEN: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauge("slipstream_http_connections", "Connections that are open.", &["server"]));
static REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "slipstream_http_connections_refused_total",
        "Connections that were answered 503 because as many as allowed were open.",
        &["server"],
    )
});
static CUT_OFF: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "slipstream_http_connections_cut_off_total",
        "Connections that were closed because the client took too long (timeout), or that ended in an error.",
        &["server", "reason"],
    )
});

/// So many connections are open.
pub(super) struct Connections {
    pub server: &'static str,
    pub open: usize,
}

impl Event for Connections {
    fn emit(self) {
        OPEN.with_label_values(&[self.server]).set(self.open as i64);
    }
}

/// A connection was refused: as many as allowed are open.
pub(super) struct Full {
    pub server: &'static str,
    pub limit: usize,
}

impl Event for Full {
    fn emit(self) {
        static SELDOM: Seldom = Seldom::every(Duration::from_secs(10));
        REFUSED.with_label_values(&[self.server]).inc();
        if let Some(refused) = SELDOM.count(1) {
            let Full { server, limit } = self;
            tracing::warn!(server, limit, refused, "too many connections: refusing further ones with 503");
        }
    }
}

/// A connection ended badly: its client was too slow, left, or did not speak HTTP.
pub(super) struct CutOff {
    pub server: &'static str,
    pub error: hyper::Error,
}

impl Event for CutOff {
    fn emit(self) {
        let CutOff { server, error } = self;
        let timed_out = std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
        let reason = if timed_out { "timeout" } else { "error" };
        CUT_OFF.with_label_values(&[server, reason]).inc();
        let why = slipstream_schemas::cause::chain(&error);
        tracing::debug!(server, %why, "a connection was cut off");
    }
}

/// The listener failed, mostly for want of file descriptors.
pub(super) struct AcceptFailed {
    pub server: &'static str,
    pub error: io::Error,
}

impl Event for AcceptFailed {
    fn emit(self) {
        static SELDOM: Seldom = Seldom::every(Duration::from_secs(10));
        if let Some(times) = SELDOM.count(1) {
            let AcceptFailed { server, error } = self;
            tracing::warn!(server, %error, times, "accepting a connection failed; retrying");
        }
    }
}

/// Connections were still open when the time to end was over.
pub(super) struct Closed {
    pub server: &'static str,
    pub connections: usize,
    pub after: Duration,
}

impl Event for Closed {
    fn emit(self) {
        let Closed { server, connections, after } = self;
        OPEN.with_label_values(&[server]).set(0);
        tracing::warn!(
            server,
            connections,
            ?after,
            "closing connections that are still open: their requests are not complete, or their answers not read"
        );
    }
}
