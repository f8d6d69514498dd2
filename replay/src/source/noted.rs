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

impl Gap {
    /// What of it is in none of the others.
    fn beyond<'g>(self, others: impl Iterator<Item = &'g Gap>) -> Vec<Gap> {
        let mut left = vec![self];
        for other in others {
            let parts = left.into_iter().flat_map(|gap| match gap.partition == other.partition {
                true => [(gap.from, gap.to.min(other.from)), (gap.from.max(other.to), gap.to)]
                    .into_iter()
                    .filter(|(from, to)| from < to)
                    .map(|(from, to)| Gap { from, to, reason: gap.reason.clone(), ..gap })
                    .collect(),
                false => vec![gap],
            });
            left = parts.collect();
        }
        left
    }
}

/// What of these gaps is not known, each part once, in order; they are there for one reason.
pub fn unknown(known: &[Gap], found: Vec<Gap>, reason: &str) -> Vec<Gap> {
    let mut parts: Vec<Gap> = found.into_iter().flat_map(|gap| gap.beyond(known.iter())).collect();
    parts.sort_by_key(|gap| (gap.partition, gap.from));
    let mut new: Vec<Gap> = Vec::new();
    for gap in parts {
        match new.last_mut().filter(|last| last.partition == gap.partition && last.to >= gap.from) {
            Some(last) => last.to = last.to.max(gap.to),
            None => new.push(Gap { reason: reason.to_owned(), ..gap }),
        }
    }
    new
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
    fn of_gaps_that_are_known_in_part_the_rest_is_told() {
        let gap =
            |partition, from, to| Gap { partition, from: LogTime(from), to: LogTime(to), reason: "gone".to_owned() };
        let known = [gap(0, 10, 20), gap(0, 40, 50)];
        let rows = [
            (vec![gap(0, 10, 20), gap(0, 42, 45)], vec![]),
            (vec![gap(1, 10, 20)], vec![gap(1, 10, 20)]),
            (vec![gap(0, 5, 60)], vec![gap(0, 5, 10), gap(0, 20, 40), gap(0, 50, 60)]),
            (vec![gap(0, 50, 60), gap(0, 55, 70), gap(0, 18, 25)], vec![gap(0, 20, 25), gap(0, 50, 70)]),
        ];
        for (found, expected) in rows {
            let backwards = found.iter().rev().cloned().collect();
            let told = [found, backwards].map(|found| unknown(&known, found, "gone"));
            assert_eq!(told, [expected.clone(), expected]);
        }
    }

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
