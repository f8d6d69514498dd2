//! One typed event is the log line and the metric: the two cannot drift.
//!
//! A role declares its events in a file `telemetry.rs`: a struct with the facts, and `emit`, which says them by `tracing` and
//! counts them by [`crate::metrics`]. Code elsewhere in the role calls neither directly.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Something that happened and that a person or a dashboard should know.
pub trait Event {
    /// Writes the log line and moves the metrics.
    fn emit(self);
}

/// Keeps a log line that may be due thousands of times a second to one in a while, which has how many it stands for. (A
/// metric counts each.) Made for a `static`.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    state: Mutex<(Option<Instant>, u64)>,
}

impl Seldom {
    /// At most one line in this time.
    pub const fn every(every: Duration) -> Self {
        Seldom { every, state: Mutex::new((None, 0)) }
    }

    /// Whether the next one would be told at once.
    pub fn is_due(&self) -> bool {
        let (said, _) = &*self.state.lock().unwrap_or_else(PoisonError::into_inner);
        said.is_none_or(|said| said.elapsed() >= self.every)
    }

    /// `n` more; if a line is due, how many it stands for.
    ///
    /// ```
    /// use std::time::Duration;
    /// use slipstream_runtime::event::Seldom;
    ///
    /// static SELDOM: Seldom = Seldom::every(Duration::from_secs(3_600));
    /// assert_eq!(SELDOM.count(1), Some(1));
    /// assert_eq!(SELDOM.count(1), None);
    /// ```
    pub fn count(&self, n: u64) -> Option<u64> {
        let (said, waiting) = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting += n;
        if said.is_some_and(|said| said.elapsed() < self.every) {
            return None;
        }
        *said = Some(Instant::now());
        Some(std::mem::take(waiting))
    }
}
