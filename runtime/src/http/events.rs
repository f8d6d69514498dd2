//! Log lines and metrics of a server's connections.

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
        "Connections that got 503 because the limit was reached.",
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
pub(super) struct Full<'a> {
    pub server: &'static str,
    pub limit: usize,
    /// The server's.
    pub seldom: &'a Seldom,
}

impl Event for Full<'_> {
    fn emit(self) {
        let Full { server, limit, seldom } = self;
        REFUSED.with_label_values(&[server]).inc();
        if let Some(refused) = seldom.count(1) {
            tracing::warn!(server, limit, refused, "too many connections: refusing further ones with 503");
        }
    }
}

/// A connection ended badly: its client was too slow, left, or did not speak HTTP.
pub(super) struct CutOff {
    pub server: &'static str,
    /// Whether it was the stream that ended it, after a time-out.
    pub timed_out: bool,
    /// What hyper makes of it: nothing, where nothing was sent.
    pub error: Option<hyper::Error>,
}

impl Event for CutOff {
    fn emit(self) {
        let CutOff { server, timed_out, error } = self;
        let reason = if timed_out { "timeout" } else { "error" };
        CUT_OFF.with_label_values(&[server, reason]).inc();
        let why = error.map_or_else(|| "nothing was sent".to_owned(), |error| slipstream_schemas::cause::chain(&error));
        tracing::debug!(server, %why, "a connection was cut off");
    }
}

/// The listener failed, mostly for want of file descriptors.
pub(super) struct AcceptFailed<'a> {
    pub server: &'static str,
    pub error: io::Error,
    /// The server's.
    pub seldom: &'a Seldom,
}

impl Event for AcceptFailed<'_> {
    fn emit(self) {
        let AcceptFailed { server, error, seldom } = self;
        if let Some(times) = seldom.count(1) {
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
            "closing connections that are still open: request incomplete or response unread"
        );
    }
}
