//! What readers find out while they read.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use slipstream_log::Offset;
use slipstream_schemas::LogTime;

/// A part that no source holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Partition of request-events.
    pub partition: u32,
    /// From this log time.
    pub from: LogTime,
    /// Up to this log time.
    pub to: LogTime,
    /// Why.
    pub reason: String,
}

/// Notes of all readers of a replay, which they make from their threads.
#[derive(Debug, Default)]
pub struct Noted {
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    gaps: Vec<Gap>,
    stored: BTreeMap<u32, Offset>,
}

impl Noted {
    /// Something was removed before it was read. Where the last gap of the partition ends here, it grows.
    pub fn gap(&self, gap: Gap) {
        let mut notes = self.notes();
        let before = notes.gaps.iter_mut().rev().find(|before| before.partition == gap.partition);
        match before.filter(|before| before.to == gap.from) {
            Some(before) => (before.to, before.reason) = (gap.to, gap.reason),
            None => notes.gaps.push(gap),
        }
    }

    /// The store had an event of a partition at this offset.
    pub fn stored(&self, partition: u32, offset: Offset) {
        let mut notes = self.notes();
        let least = notes.stored.entry(partition).or_insert(offset);
        *least = offset.min(*least);
    }

    /// The least offset of a partition that the store had; `None` if it had none.
    pub fn first_stored(&self, partition: u32) -> Option<Offset> {
        self.notes().stored.get(&partition).copied()
    }

    /// All gaps so far.
    pub fn gaps(&self) -> Vec<Gap> {
        self.notes().gaps.clone()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_that_meet_are_one() {
        let noted = Noted::default();
        let gap =
            |partition, from, to| Gap { partition, from: LogTime(from), to: LogTime(to), reason: "gone".to_owned() };
        for (partition, from, to) in [(0, 1, 2), (1, 1, 5), (0, 2, 4), (0, 6, 7)] {
            noted.gap(gap(partition, from, to));
        }
        assert_eq!(noted.gaps(), [gap(0, 1, 4), gap(1, 1, 5), gap(0, 6, 7)]);
    }
}
