//! The broker's clock as far as it is known: the append times of what this process wrote (L7).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::Timestamp;
use slipstream_schemas::LogTime;

/// Greatest append time seen, and when it was seen. The broker's clock is at least there.
#[derive(Debug, Default)]
pub(super) struct BrokerClock(Mutex<Option<(LogTime, Instant)>>);

impl BrokerClock {
    /// Notes a record that was appended; topics with producers' timestamps are ignored.
    pub(super) fn heard(&self, timestamp: Timestamp) {
        let Timestamp::LogAppendTime(time) = timestamp else { return };
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let time = slot.map_or(LogTime(time), |(known, _)| known.max(LogTime(time)));
        *slot = Some((time, Instant::now()));
    }

    /// The clock, if it was seen within `age`.
    pub(super) fn within(&self, age: Duration) -> Option<LogTime> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.filter(|(_, at)| at.elapsed() <= age).map(|(time, _)| time)
    }
}
