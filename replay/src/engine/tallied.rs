//! How many records of the range were what.

use std::collections::BTreeMap;

use slipstream_schemas::LogTime;

/// Records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that count.
    pub events: u64,
    /// Copies that were dropped.
    pub duplicates: u64,
    /// Those that are no valid event.
    pub invalid: u64,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.events += other.events;
        self.duplicates += other.duplicates;
        self.invalid += other.invalid;
    }
}

/// Counts of records by their log time. What lies ahead of the partition that is furthest behind is kept by second: if the replay
/// is stopped, it does not count.
#[derive(Debug, Default)]
pub struct Tallied {
    /// Of the seconds that all partitions were read beyond.
    passed: Counts,
    ahead: BTreeMap<i64, Counts>,
}

impl Tallied {
    /// Adds a record at each of these log times, milliseconds, which ascend; `one` says what it is. All partitions were read up
    /// to `low`.
    pub fn add(&mut self, times: &[i64], low: LogTime, one: impl Fn(u64) -> Counts) {
        let mut from = times.partition_point(|time| LogTime(*time).tick() < low.tick());
        self.passed.add(one(from as u64));
        while let Some(time) = times.get(from) {
            let second = LogTime(*time).tick();
            let many = times[from..].partition_point(|time| LogTime(*time).tick() == second);
            self.ahead.entry(second).or_default().add(one(many as u64));
            from += many;
        }
    }

    /// All partitions were read up to a log time.
    pub fn pass(&mut self, low: LogTime) {
        while let Some(second) = self.ahead.first_entry().filter(|second| *second.key() < low.tick()) {
            self.passed.add(second.remove());
        }
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: Tallied) {
        self.passed.add(other.passed);
        other.ahead.into_iter().for_each(|(second, counts)| self.ahead.entry(second).or_default().add(counts));
    }

    /// All that was counted.
    pub fn all(mut self) -> Counts {
        self.pass(LogTime(i64::MAX));
        self.passed
    }

    /// Of the whole seconds before a log time up to which all partitions were read.
    pub fn before(mut self, reached: LogTime) -> Counts {
        self.pass(reached);
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ahead_counts_once_all_are_there() {
        let event = |events| Counts { events, ..Counts::default() };
        let copy = |duplicates| Counts { duplicates, ..Counts::default() };
        let tallied = || {
            let mut tallied = Tallied::default();
            tallied.add(&[1_000, 1_999, 2_000, 2_500, 2_999, 3_000, 5_000], LogTime(2_500), event);
            tallied.add(&[4_000], LogTime(2_500), copy);
            tallied.pass(LogTime(3_999));
            let mut other = Tallied::default();
            other.add(&[3_999], LogTime(i64::MIN), event);
            tallied.merge(other);
            tallied
        };
        // (reached, events, copies)
        let table = [(3_999, 5, 0), (4_000, 7, 0), (4_999, 7, 0), (5_000, 7, 1), (6_000, 8, 1)];
        for (reached, events, duplicates) in table {
            let expected = Counts { events, duplicates, invalid: 0 };
            assert_eq!(tallied().before(LogTime(reached)), expected, "{reached}");
        }
        assert_eq!(tallied().all(), Counts { events: 8, duplicates: 1, invalid: 0 });
    }
}
