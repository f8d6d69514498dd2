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
        "Connections that were closed because the client took too long (timeout), spoke TLS where it is not expected (tls) or \
         did not where it is (no-tls), or that ended in an error.",
        &["server", "reason"],
    )
});

/// Clients of one kind of mistake are many, or none.
const MISTAKEN_SELDOM: Duration = Duration::from_secs(60);

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

/// Why a connection was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The client was too slow.
    Timeout,
    /// It left, or did not speak HTTP, or not TLS as it should.
    Error,
}

/// A connection ended badly.
pub(super) struct CutOff<'a> {
    pub server: &'static str,
    pub reason: Reason,
    pub why: &'a str,
}

impl Event for CutOff<'_> {
    fn emit(self) {
        let CutOff { server, reason, why } = self;
        let reason = match reason {
            Reason::Timeout => "timeout",
            Reason::Error => "error",
        };
        CUT_OFF.with_label_values(&[server, reason]).inc();
        tracing::debug!(server, why, "a connection was cut off");
    }
}

/// A client speaks TLS where it is not expected, or does not where it is.
pub(super) struct Mistaken {
    pub server: &'static str,
    pub expected_tls: bool,
}

impl Event for Mistaken {
    fn emit(self) {
        static WITHOUT: Seldom = Seldom::every(MISTAKEN_SELDOM);
        static WITH: Seldom = Seldom::every(MISTAKEN_SELDOM);
        let Mistaken { server, expected_tls } = self;
        let (seldom, reason) = if expected_tls { (&WITHOUT, "no-tls") } else { (&WITH, "tls") };
        CUT_OFF.with_label_values(&[server, reason]).inc();
        let Some(connections) = seldom.count(1) else { return };
        match expected_tls {
            true => tracing::warn!(
                server,
                connections,
                "clients speak plain HTTP to a port with TLS: they should use https://"
            ),
            false => {
                tracing::warn!(
                    server,
                    connections,
                    "clients speak TLS to a port without: set tls.certificate and tls.key, or use http://"
                );
            }
        }
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
