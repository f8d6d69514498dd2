//! Whether what is known moves on. A healthy installation knows a new tick every second, with or without traffic.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Without a new tick for longer than this, an answer says since when. A tick is known about 2 s after its end.
const STILL: Duration = Duration::from_secs(3);
/// Further behind our clock than this, an answer says so, too, although it moves on: it catches up, or clocks differ.
const BEHIND: Duration = Duration::from_secs(10);

/// When the state moved on.
#[derive(Debug, Default)]
pub struct Fresh(Mutex<Option<Instant>>);

impl Fresh {
    /// It moved on just now.
    pub fn moved(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// For how long it has not moved, however short; nothing before it first did.
    pub fn still_for(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|moved| moved.elapsed())
    }

    /// For how long what is known up to `as_of` (Unix seconds) is stale; `None` if it is not.
    pub fn stale_for(&self, as_of: Option<i64>) -> Option<Duration> {
        let still = self.still_for().unwrap_or_default();
        let behind = as_of.map_or(0, |as_of| Timestamp::now().as_second().saturating_sub(as_of));
        stale(still, Duration::from_secs(u64::try_from(behind).unwrap_or(0)))
    }
}

fn stale(still: Duration, behind: Duration) -> Option<Duration> {
    (still > STILL || behind > BEHIND).then(|| still.max(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_is_what_stands_still_or_lies_far_behind() {
        let seconds = Duration::from_secs;
        for (still, behind, expected) in [
            (0, 0, None),
            (1, 2, None),
            (3, 5, None),
            (4, 5, Some(5)),
            (4, 0, Some(4)),
            (0, 10, None),
            (0, 11, Some(11)),
            (1, 3_600, Some(3_600)),
        ] {
            assert_eq!(stale(seconds(still), seconds(behind)), expected.map(seconds), "{still} {behind}");
        }
    }
}
