//! Which minutes of event time and which days of log time a batch's events fall into: counted while they are taken in, so
//! that the writer need not walk over them again.

use std::collections::BTreeMap;

use slipstream_schemas::{EventTime, LogTime};

/// Length of a rollup's minute in microseconds.
pub const MINUTE_US: i64 = 60_000_000;

const DAY_MS: i64 = 86_400_000;

/// What a minute of event time got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// How many events.
    pub events: u64,
    /// Log time of the oldest.
    pub oldest_log: LogTime,
    /// Log time of the newest.
    pub newest_log: LogTime,
}

/// Where events fall.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    minutes: BTreeMap<i64, Minute>,
    days: BTreeMap<(i64, u32), u64>,
}

impl Spread {
    /// Counts an event.
    pub fn count(&mut self, time: EventTime, log_time: LogTime, partition: u32) {
        let new = Minute { events: 0, oldest_log: log_time, newest_log: log_time };
        let minute = self.minutes.entry(time.0.div_euclid(MINUTE_US)).or_insert(new);
        minute.events += 1;
        minute.oldest_log = minute.oldest_log.min(log_time);
        minute.newest_log = minute.newest_log.max(log_time);
        *self.days.entry((log_time.0.div_euclid(DAY_MS), partition)).or_default() += 1;
    }

    /// Minutes since 1970 in order.
    pub fn minutes(&self) -> impl ExactSizeIterator<Item = (i64, Minute)> + '_ {
        self.minutes.iter().map(|(minute, got)| (*minute, *got))
    }

    /// Begin of a day (UTC) of log time, partition of request-events, and how many events; in order.
    pub fn days(&self) -> impl ExactSizeIterator<Item = (LogTime, u32, u64)> + '_ {
        self.days.iter().map(|((day, partition), events)| (LogTime(day * DAY_MS), *partition, *events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_where_they_fall() {
        let mut spread = Spread::default();
        for (time, log_time, partition) in [(59_999_999, 7, 0), (60_000_000, DAY_MS, 0), (0, 5, 1), (-1, -1, 0)] {
            spread.count(EventTime(time), LogTime(log_time), partition);
        }
        let minute =
            |events, oldest, newest| Minute { events, oldest_log: LogTime(oldest), newest_log: LogTime(newest) };
        let minutes = [(-1, minute(1, -1, -1)), (0, minute(2, 5, 7)), (1, minute(1, DAY_MS, DAY_MS))];
        assert_eq!(spread.minutes().collect::<Vec<_>>(), minutes);
        let days = [(-DAY_MS, 0, 1), (0, 0, 1), (0, 1, 1), (DAY_MS, 0, 1)].map(|(day, p, n)| (LogTime(day), p, n));
        assert_eq!(spread.days().collect::<Vec<_>>(), days);
    }
}
