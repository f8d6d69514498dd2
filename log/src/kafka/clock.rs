//! The broker's clock as far as it was heard: the append times of what this process wrote (L7).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::Timestamp;
use slipstream_schemas::LogTime;

/// Greatest append time that was heard, and when. The broker's clock stands at it or beyond.
#[derive(Debug, Default)]
pub(super) struct BrokerClock(Mutex<Option<(LogTime, Instant)>>);

impl BrokerClock {
    /// Hears of a record that was appended; of a topic that takes producers' times nothing is learned.
    pub(super) fn heard(&self, timestamp: Timestamp) {
        let Timestamp::LogAppendTime(time) = timestamp else { return };
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let time = slot.map_or(LogTime(time), |(known, _)| known.max(LogTime(time)));
        *slot = Some((time, Instant::now()));
    }

    /// The clock, if it was heard within `age`.
    pub(super) fn within(&self, age: Duration) -> Option<LogTime> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.filter(|(_, at)| at.elapsed() <= age).map(|(time, _)| time)
    }
}
