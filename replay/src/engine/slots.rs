//! Counts of a series by slots of SLI time: finer than steps, and also of the warm-up.

use std::collections::BTreeMap;

use slipstream_schemas::records::TallyEntry;

/// Slots of one length from a second on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slotting {
    /// The first second of the first slot, Unix seconds.
    pub from: i64,
    /// Length of a slot, seconds; above 0.
    pub seconds: i64,
}

/// What a series counted, slot by slot; those in which nothing was are absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slotted {
    generation: i64,
    counts: BTreeMap<i64, [i64; 2]>,
}

impl Slotted {
    /// Adds what was tallied. Counts of a former generation are of another meaning: they are forgotten.
    pub fn add(&mut self, entry: &TallyEntry, slotting: Slotting) {
        if entry.generation > self.generation {
            *self = Slotted { generation: entry.generation, counts: BTreeMap::new() };
        }
        if entry.slot < slotting.from || entry.generation < self.generation {
            return;
        }
        let counts = self.counts.entry((entry.slot - slotting.from) / slotting.seconds).or_default();
        counts[0] += entry.good;
        counts[1] += entry.total;
    }

    /// The first second of each slot; good, and good or bad.
    pub fn iter(&self, slotting: Slotting) -> impl Iterator<Item = (i64, [i64; 2])> + '_ {
        self.counts.iter().map(move |(slot, counts)| (slotting.from + slot * slotting.seconds, *counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTTING: Slotting = Slotting { from: 100, seconds: 10 };

    fn entry(generation: i64, slot: i64, good: i64, total: i64) -> TallyEntry {
        let (slo, objective) = ("web".to_owned(), "answered".to_owned());
        TallyEntry { slo, generation, objective, group: Vec::new(), tick: slot, slot, good, total, unknown: 0 }
    }

    fn slotted(entries: &[TallyEntry]) -> Vec<(i64, [i64; 2])> {
        let mut slotted = Slotted::default();
        entries.iter().for_each(|entry| slotted.add(entry, SLOTTING));
        slotted.iter(SLOTTING).collect()
    }

    #[test]
    fn what_happened_in_a_slot_is_summed_and_what_was_before_is_not() {
        let entries = [entry(1, 99, 1, 1), entry(1, 125, 2, 3), entry(1, 100, 4, 5), entry(1, 129, 1, 1)];
        assert_eq!(slotted(&entries), [(100, [4, 5]), (120, [3, 4])]);
    }

    #[test]
    fn another_meaning_begins_anew() {
        let entries = [entry(1, 100, 4, 5), entry(2, 110, 1, 2), entry(1, 112, 7, 7)];
        assert_eq!(slotted(&entries), [(110, [1, 2])]);
    }
}
