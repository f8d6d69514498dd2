//! What happens between a role and its log, as log lines and metrics.

use std::sync::LazyLock;

use prometheus::IntCounterVec;
use slipstream_log::LogError;
use slipstream_runtime::event::Event;
use slipstream_runtime::metrics::counter;

// Its name is older than the other roles' patience.
static RETRIES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("slipstream_alerter_log_retries_total", "Reads of the log that were tried again.", &["role"])
});

/// A read of the log failed; it is retried.
#[derive(Debug)]
pub struct LogRetry<'a> {
    /// The role that reads.
    pub role: &'a str,
    /// What was being done.
    pub doing: &'a str,
    /// The log's error.
    pub cause: &'a LogError,
}

impl Event for LogRetry<'_> {
    fn emit(self) {
        RETRIES.with_label_values(&[self.role]).inc();
        tracing::warn!(role = self.role, doing = self.doing, cause = %self.cause, "the log does not respond; retrying");
    }
}
