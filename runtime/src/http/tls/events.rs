//! Log lines and metrics of certificates that change.

use std::path::Path;
use std::sync::LazyLock;

use prometheus::IntCounterVec;

use crate::event::Event;
use crate::metrics::counter;

static RELOADS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "slipstream_tls_reloads_total",
        "Changes of the certificate's files that were taken over (renewed), or could not be (kept).",
        &["outcome"],
    )
});

/// The files have changed, and what they hold is in use from here on.
pub(super) struct Renewed<'a> {
    pub certificate: &'a Path,
}

impl Event for Renewed<'_> {
    fn emit(self) {
        RELOADS.with_label_values(&["renewed"]).inc();
        tracing::info!(certificate = %self.certificate.display(), "the certificate has changed: new connections get the new one");
    }
}

/// The files have changed, and what they hold cannot be used.
pub(super) struct Kept<'a> {
    pub why: &'a str,
}

impl Event for Kept<'_> {
    fn emit(self) {
        RELOADS.with_label_values(&["kept"]).inc();
        tracing::warn!(why = self.why, "the certificate's files cannot be used: keeping the certificate from before");
    }
}
