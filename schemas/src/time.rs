//! The two clocks of the system, as types that cannot be confused.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// When a producer says a request ended: microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(pub i64);

/// When the log took a record: milliseconds since the Unix epoch, UTC. Given by the log (Kafka LogAppendTime, SQLite's
/// writer), never by a producer, and as a running maximum: it never runs backwards within a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogTime(pub i64);

impl EventTime {
    /// 1970-01-01T00:00:00Z, the earliest time an event may carry.
    pub const MIN: EventTime = EventTime(0);
    /// 2100-01-01T00:00:00Z, the latest time an event may carry.
    pub const MAX: EventTime = EventTime(4_102_444_800_000_000);

    /// Whole milliseconds, rounded down.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// RFC 3339 in UTC with all six digits of a microsecond: `2026-11-20T20:30:00.000000Z`.
    pub fn rfc3339(self) -> String {
        match Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => format!("{timestamp:.6}"),
            Err(_) => format!("{} microseconds since 1970", self.0),
        }
    }
}

impl LogTime {
    /// The tick of a record: its log time in whole seconds.
    pub fn tick(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

/// SLI time is min(event time, log time); its slot is that in whole seconds. A fast clock does no harm.
pub fn slot(event: EventTime, log: LogTime) -> i64 {
    event.millis().min(log.0).div_euclid(1_000)
}
