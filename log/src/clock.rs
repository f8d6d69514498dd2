//! Log time of the embedded logs: given by the log, strictly increasing per write transaction, never below a horizon
//! that was told (L7).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use slipstream_schemas::LogTime;

/// Where an embedded log takes its time from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's wall clock.
    #[default]
    System,
    /// A clock that does not move until it is set: for tests.
    Manual(ManualClock),
}

/// A clock in the hands of a test, in milliseconds since the epoch. Clones are the same clock.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `ms`.
    pub fn at(ms: i64) -> Self {
        ManualClock(Arc::new(AtomicI64::new(ms)))
    }

    /// Sets it, forward or back.
    pub fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::SeqCst);
    }

    /// Moves it on.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// What it shows.
    pub fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clock {
    /// Milliseconds since the epoch.
    pub fn now(&self) -> i64 {
        match self {
            Clock::System => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64),
            Clock::Manual(clock) => clock.now(),
        }
    }
}

/// The log times given out so far. One write transaction is under way at most.
#[derive(Debug)]
pub(crate) struct Timeline {
    clock: Clock,
    /// Greatest log time of a transaction, or horizon told: later transactions lie above the one, not below the other.
    last: LogTime,
    floor: LogTime,
    under_way: Option<LogTime>,
}

impl Timeline {
    /// A timeline that continues after `last`, the greatest log time of any record or committed position.
    pub(crate) fn resume(clock: Clock, last: LogTime) -> Self {
        Timeline { clock, last, floor: last, under_way: None }
    }

    /// Log time of the write transaction that begins now.
    pub(crate) fn begin(&mut self) -> LogTime {
        let time = LogTime(self.clock.now().max(self.last.0 + 1)).max(self.floor);
        self.last = time;
        self.under_way = Some(time);
        time
    }

    /// The transaction ended: what it wrote is visible, or will never be.
    pub(crate) fn end(&mut self) {
        self.under_way = None;
    }

    /// L7: no record that becomes visible later has a smaller log time. What it returns is the floor of what comes.
    pub(crate) fn horizon(&mut self) -> LogTime {
        if let Some(time) = self.under_way {
            return time;
        }
        self.floor = LogTime(self.clock.now()).max(self.last).max(self.floor);
        self.floor
    }

    /// The log's present, for retention.
    pub(crate) fn now(&self) -> LogTime {
        LogTime(self.clock.now()).max(self.last)
    }

    /// Whether a transaction that begins now would have to run ahead of the machine's clock by the millisecond it has
    /// not reached yet. A clock that was set back is not waited for.
    pub(crate) fn ahead_of_clock(&self) -> bool {
        matches!(self.clock, Clock::System) && self.clock.now() == self.last.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l7_log_times_rise_strictly_and_stay_above_every_horizon_told() {
        let clock = ManualClock::at(1_000);
        let mut line = Timeline::resume(Clock::Manual(clock.clone()), LogTime(0));
        assert_eq!(line.begin(), LogTime(1_000));
        assert_eq!(line.horizon(), LogTime(1_000), "under way: it may still become visible");
        line.end();
        assert_eq!(line.begin(), LogTime(1_001), "strictly, though the clock stands");
        line.end();
        clock.set(2_000);
        assert_eq!(line.horizon(), LogTime(2_000));
        clock.set(500);
        assert_eq!(line.horizon(), LogTime(2_000), "a horizon never goes back");
        assert_eq!(line.begin(), LogTime(2_000), "nor undercuts the clock set back what was told");
    }

    #[test]
    fn l7_a_resumed_timeline_goes_on_behind_what_was_kept() {
        let mut line = Timeline::resume(Clock::Manual(ManualClock::at(10)), LogTime(7_000));
        assert_eq!(line.horizon(), LogTime(7_000));
        assert_eq!(line.begin(), LogTime(7_001));
    }
}
