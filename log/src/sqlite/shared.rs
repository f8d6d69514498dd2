//! What the writer and everybody else know of the log at this moment.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use slipstream_schemas::LogTime;

use super::schema::Partition;
use crate::clock::Timeline;
use crate::port::{Horizon, LogError, Offset, TopicPartition};
use crate::signal::Signal;

/// Visible ends and the timeline change together, so that a horizon is exact (L7).
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) signal: Signal,
}

#[derive(Debug)]
struct State {
    partitions: BTreeMap<TopicPartition, Partition>,
    timeline: Timeline,
}

impl Shared {
    pub(super) fn new(partitions: BTreeMap<TopicPartition, Partition>, timeline: Timeline, signal: Signal) -> Self {
        Shared { state: Mutex::new(State { partitions, timeline }), signal }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn partition(&self, place: TopicPartition) -> Result<Partition, LogError> {
        self.lock().partitions.get(&place).copied().ok_or_else(|| LogError::Fatal {
            doing: format!("using {place}"),
            cause: "there is no such partition".into(),
        })
    }

    pub(super) fn partitions(&self) -> Vec<(TopicPartition, Partition)> {
        self.lock().partitions.iter().map(|(place, p)| (*place, *p)).collect()
    }

    /// L7: taken together with the visible end. A transaction under way bounds it from above.
    pub(super) fn horizon(&self, place: TopicPartition) -> Horizon {
        let mut state = self.lock();
        let time = state.timeline.horizon();
        let end = state.partitions.get(&place).map_or(0, |p| p.end);
        Horizon { end, time }
    }

    /// A write transaction begins: its log time. It is under way until `publish` or `give_up`.
    pub(super) fn begin(&self) -> LogTime {
        self.lock().timeline.begin()
    }

    /// The transaction is committed: what it wrote becomes visible, all at once (L2).
    pub(super) fn publish(&self, ends: impl IntoIterator<Item = (TopicPartition, Offset)>) {
        let mut state = self.lock();
        for (place, end) in ends {
            if let Some(partition) = state.partitions.get_mut(&place) {
                partition.end = end;
            }
        }
        state.timeline.end();
        drop(state);
        self.signal.ring();
    }

    /// The transaction failed.
    pub(super) fn give_up(&self) {
        self.lock().timeline.end();
    }

    /// Retention removed everything below `first`.
    pub(super) fn retained_from(&self, place: TopicPartition, first: Offset) {
        if let Some(partition) = self.lock().partitions.get_mut(&place) {
            partition.first = first;
        }
    }

    pub(super) fn now(&self) -> LogTime {
        self.lock().timeline.now()
    }

    pub(super) fn ahead_of_clock(&self) -> bool {
        self.lock().timeline.ahead_of_clock()
    }
}
