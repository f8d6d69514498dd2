//! The progress of the partitions of a process, over all its threads: none runs ahead of the slowest that has something
//! to read, and every batch has the progress of the slowest (its low).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slipstream_log::TopicPartition;
use slipstream_schemas::LogTime;

/// Of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    /// Log time that it can reach next; `None` if there is nothing to read.
    pub reach: Option<LogTime>,
    /// Log time up to which it was decided.
    pub stamp: LogTime,
}

/// What the tally threads of a process share.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace(Arc<Mutex<BTreeMap<TopicPartition, At>>>);

impl Pace {
    /// Reports the progress of a partition.
    pub(super) fn tell(&self, partition: TopicPartition, at: At) {
        self.lock().insert(partition, at);
    }

    /// A partition is no longer ours.
    pub(super) fn forget(&self, partition: TopicPartition) {
        self.lock().remove(&partition);
    }

    /// The progress of all.
    pub(super) fn all(&self) -> Standings {
        Standings(self.lock().clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, At>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The progress of the partitions of a process when a turn began.
pub(super) struct Standings(BTreeMap<TopicPartition, At>);

impl Standings {
    /// What the others can reach next, of those that have something to read.
    pub(super) fn reach_of_others(&self, than: TopicPartition) -> impl Iterator<Item = LogTime> {
        self.0.iter().filter(move |(p, _)| **p != than).filter_map(|(_, at)| at.reach)
    }

    /// The least stamp of the others that have something to read.
    pub(super) fn low_of_others(&self, than: TopicPartition) -> Option<LogTime> {
        let readable = self.0.iter().filter(|(p, at)| **p != than && at.reach.is_some());
        readable.map(|(_, at)| at.stamp).min()
    }

    /// A partition was decided up to here in this turn.
    pub(super) fn decided(&mut self, partition: TopicPartition, stamp: LogTime) {
        if let Some(at) = self.0.get_mut(&partition) {
            at.stamp = stamp;
        }
    }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::Topic;

    use super::*;

    fn partition(partition: u32) -> TopicPartition {
        TopicPartition { topic: Topic::RequestEvents, partition }
    }

    #[test]
    fn who_has_nothing_to_read_holds_nobody_up() {
        let pace = Pace::default();
        let other_thread = pace.clone();
        for (n, reach, stamp) in [(0, Some(30), 10), (1, None, 5), (2, Some(70), 60)] {
            other_thread.tell(partition(n), At { reach: reach.map(LogTime), stamp: LogTime(stamp) });
        }
        let mut all = pace.all();
        assert_eq!(all.reach_of_others(partition(0)).collect::<Vec<_>>(), [LogTime(70)]);
        assert_eq!(all.low_of_others(partition(2)), Some(LogTime(10)));
        all.decided(partition(0), LogTime(65));
        assert_eq!(all.low_of_others(partition(1)), Some(LogTime(60)));
        pace.forget(partition(2));
        assert_eq!(pace.all().low_of_others(partition(0)), None);
    }
}
