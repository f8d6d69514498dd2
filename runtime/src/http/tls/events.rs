//! Log lines and metrics of certificates that change.

use std::path::Path;
use std::sync::LazyLock;

use prometheus::{GaugeVec, IntCounterVec};

use super::dates::{Dates, Standing};
use crate::event::Event;
use crate::metrics::{counter, seconds};

static RELOADS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "slipstream_tls_reloads_total",
        "Changes of the certificate's files that were taken over (renewed), or could not be (kept).",
        &["outcome"],
    )
});

static NOT_AFTER: LazyLock<GaugeVec> = LazyLock::new(|| {
    seconds("slipstream_tls_not_after_seconds", "When the certificate in use expires, seconds since 1970.", &[])
});

/// How the certificate in use stands: at first, and whenever that changes.
pub(super) struct InUse<'a> {
    pub certificate: &'a Path,
    pub dates: Dates,
    pub standing: Standing,
}

impl Event for InUse<'_> {
    fn emit(self) {
        let InUse { certificate, dates, standing } = self;
        if let Some(not_after) = dates.not_after_seconds() {
            NOT_AFTER.with_label_values::<&str>(&[]).set(not_after as f64);
        }
        if let Some(why) = standing.complaint(dates) {
            tracing::warn!(certificate = %certificate.display(), "the certificate in use {why}: renew it");
        }
    }
}

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
