//! Patience with a log or a store that may recover: a broker that restarts, a busy disk. The one place that
//! decides which errors of a log are temporary, waits them out and logs that.
//!
//! A role works on a [`patient`] log, whatever log it is, so that only permanent errors end it. Publishing is not retried
//! there (a publisher has a caller to report to), nor are commits ([`slipstream_log::settle()`] brings them to their
//! end). A read is retried until it succeeds, even on shutdown: the supervisor's bound ends that. A command that somebody
//! waits for works on a log that is patient for some time ([`patient_for`]).

mod log;

use std::time::Duration;

use slipstream_log::LogError;
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::{Backoff, Retry};

pub use log::{patient, patient_for};

/// Between two attempts at a log. A role retries alone, so without jitter.
const LOG: Backoff = Backoff { first: Duration::from_millis(20), max: Duration::from_secs(1) };

/// Whether a retry may succeed.
pub fn passes(error: &LogError) -> bool {
    matches!(error, LogError::Busy | LogError::Transient { .. })
}

/// Waits longer from failure to failure, until shutdown.
#[derive(Debug, Clone)]
pub struct Patience {
    retry: Retry,
    shutdown: Shutdown,
}

impl Patience {
    /// Nothing failed so far. Each of several waiters has its own `seed`.
    pub fn new(backoff: Backoff, seed: u64, shutdown: Shutdown) -> Self {
        Patience { retry: Retry::new(backoff, seed), shutdown }
    }

    /// For reads of a log; it has no shutdown.
    pub fn with_log() -> Self {
        Patience { retry: Retry::steady(LOG), shutdown: Shutdown::new() }
    }

    /// Waits after a failure; first, `say` gets the number of failures and the wait. Returns false on shutdown.
    pub async fn wait(&mut self, say: impl FnOnce(u32, Duration)) -> bool {
        let wait = self.retry.failed();
        say(self.retry.failures(), wait);
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    /// It worked. Returns whether it had failed before.
    pub fn worked(&mut self) -> bool {
        let failed = self.retry.failures() > 0;
        self.retry.reset();
        failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_told_to_stop() {
        let shutdown = Shutdown::new();
        let backoff = Backoff { first: Duration::from_secs(60), max: Duration::from_secs(3_600) };
        let mut patience = Patience::new(backoff, 1, shutdown.clone());
        let mut said = Vec::new();
        assert!(patience.wait(|failures, _| said.push(failures)).await);
        assert!(patience.wait(|failures, _| said.push(failures)).await);
        shutdown.cancel();
        assert!(!patience.wait(|failures, _| said.push(failures)).await);
        assert_eq!(said, [1, 2, 3]);
        assert!(patience.worked() && !patience.worked());
    }
}
