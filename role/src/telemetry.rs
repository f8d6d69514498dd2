//! What happens between a role and its log, as log lines and metrics.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use prometheus::{GaugeVec, IntCounterVec};
use slipstream_log::LogError;
use slipstream_runtime::event::{Event, Seldom};
use slipstream_runtime::metrics::{counter, seconds};

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

static TOKENS_READ: LazyLock<GaugeVec> = LazyLock::new(|| {
    let help =
        "When this process last saw that it knows all tokens, seconds since 1970: revocations since are not known.";
    seconds("slipstream_tokens_read_seconds", help, &[])
});

/// All tokens are known.
#[derive(Debug)]
pub struct TokensRead {
    /// How long the log could not be read before, where that was worth a warning.
    pub after: Option<Duration>,
}

impl Event for TokensRead {
    fn emit(self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        TOKENS_READ.with_label_values::<&str>(&[]).set(now.as_secs_f64());
        if let Some(after) = self.after {
            tracing::info!(?after, "the tokens can be read again");
        }
    }
}

/// It is not known whether there are new tokens, or which were revoked.
#[derive(Debug)]
pub struct TokensUnread<'a> {
    /// How long.
    pub since: Duration,
    /// Why the log cannot be read.
    pub cause: &'a str,
}

impl TokensUnread<'_> {
    /// Whether it has lasted long enough to be worth a warning: a broker that is restarted is not.
    pub fn is_due(since: Duration) -> bool {
        since >= Duration::from_secs(5)
    }
}

impl Event for TokensUnread<'_> {
    fn emit(self) {
        static SELDOM: Seldom = Seldom::every(Duration::from_secs(30));
        let TokensUnread { since, cause } = self;
        if TokensUnread::is_due(since) && SELDOM.count(1).is_some() {
            tracing::warn!(
                ?since,
                cause,
                "the tokens cannot be read: those that are known keep working, revoked or not"
            );
        }
    }
}
