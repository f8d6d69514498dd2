//! Redelivery: a producer that got no answer sends again, and the later copy must not count.
//!
//! The rule is a function of the input alone. A record is a duplicate if the hash of its event_id occurs at a lower
//! offset of the same partition in its own log-time generation or the one before; generation = floor(log time / W).
//! Dropped copies count as occurrences, so that a producer that repeats itself for hours is never let through.

use slipstream_schemas::LogTime;
use twox_hash::XxHash3_64;

mod ids;

use ids::Ids;

/// The 64-bit identity of an event_id: XXH3 with seed 0, as specified at <https://xxhash.com>. It names events in
/// memories that are rebuilt from the log by other processes and versions, so it never changes.
pub fn id_hash(event_id: &str) -> u64 {
    id_hash_of_bytes(event_id.as_bytes())
}

/// As [`id_hash`], of a text's bytes.
pub fn id_hash_of_bytes(event_id: &[u8]) -> u64 {
    XxHash3_64::oneshot(event_id)
}

/// The event_ids of one partition's last two generations, about 11 to 16 bytes each.
#[derive(Debug, Clone)]
pub struct Memory {
    window_ms: i64,
    generation: i64,
    /// Log time at which it ends.
    ends: i64,
    current: Ids,
    previous: Ids,
}

/// Ids that are asked for together, about: see [`Memory::foresee`].
pub const TOGETHER: usize = 64;

impl Memory {
    /// An empty memory. `window_ms` is W, fixed for an installation; at least 1.
    pub fn new(window_ms: i64) -> Memory {
        let (generation, ends) = (i64::MIN, i64::MIN);
        Memory { window_ms: window_ms.max(1), generation, ends, current: Ids::default(), previous: Ids::default() }
    }

    /// Whether a valid event at log time `at` is the first of its kind, so that it counts. It is remembered either way.
    /// Records are given in the order of their offsets.
    pub fn first(&mut self, event_id: &str, at: LogTime) -> bool {
        self.first_of_hash(id_hash(event_id), at)
    }

    /// As [`Memory::first`], for a caller that has the [`id_hash`] already.
    pub fn first_of_hash(&mut self, hash: u64, at: LogTime) -> bool {
        if at.0 >= self.ends {
            self.turn(at.0.div_euclid(self.window_ms));
        }
        let known_before = self.previous.contains(hash);
        self.current.insert(hash) && !known_before
    }

    /// Looks up places of hashes that are asked for soon. A memory of millions is in no cache: one after the other each
    /// look waits for main memory, together they wait once.
    pub fn foresee(&self, hashes: &[u64]) {
        self.current.touch(hashes);
        self.previous.touch(hashes);
    }

    /// From which log time on records have to be read again for the memory of a partition whose position is at `at`:
    /// the start of the generation before the one of `at`.
    pub fn rebuild_from(&self, at: LogTime) -> LogTime {
        LogTime((at.0.div_euclid(self.window_ms) - 1) * self.window_ms)
    }

    /// How many event_ids are remembered.
    pub fn len(&self) -> usize {
        self.current.len() + self.previous.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Log time never runs backwards in a partition, so generations only grow.
    fn turn(&mut self, generation: i64) {
        if generation <= self.generation {
            return;
        }
        std::mem::swap(&mut self.current, &mut self.previous);
        if generation - 1 != self.generation {
            self.previous.clear_for(0);
        }
        self.current.clear_for(self.previous.len());
        self.generation = generation;
        self.ends = generation.saturating_add(1).saturating_mul(self.window_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: i64 = 1_000;

    #[test]
    fn the_hash_is_the_published_one() {
        // Vectors of the specification: XXH3_64bits of nothing and of "a", seed 0.
        assert_eq!(id_hash(""), 0x2d06_8005_38d3_94c2);
        assert_eq!(id_hash("a"), 0xe6c6_32b6_1e96_4e1f);
    }

    #[test]
    fn a_copy_is_dropped_in_its_generation_and_the_next() {
        // (first copy, second copy, whether the second counts)
        let table = [
            (0, 0, false),
            (0, 999, false),
            (0, 1_999, false),
            (999, 1_000, false),
            (0, 2_000, true),
            (500, 9_000, true),
        ];
        for (a, b, counts) in table {
            let mut memory = Memory::new(W);
            assert!(memory.first("e", LogTime(a)));
            assert_eq!(memory.first("e", LogTime(b)), counts, "copies at {a} and {b}");
        }
    }

    #[test]
    fn dropped_copies_count_as_occurrences() {
        let mut memory = Memory::new(W);
        assert!(memory.first("e", LogTime(0)));
        for at in [1_500, 2_500, 3_500, 4_500] {
            assert!(!memory.first("e", LogTime(at)), "copy at {at}");
        }
        assert!(memory.first("e", LogTime(6_000)));
    }

    #[test]
    fn a_rebuilt_memory_decides_as_the_old_one_would() {
        let ids = |n: u64| format!("e{}", n * 7_919 % 23);
        let records: Vec<(String, LogTime)> = (0..400).map(|n| (ids(n), LogTime(n as i64 * 37))).collect();
        let mut old = Memory::new(W);
        let verdicts: Vec<bool> = records.iter().map(|(id, at)| old.first(id, *at)).collect();
        for moved_at in 1..records.len() {
            let mut new = Memory::new(W);
            let from = new.rebuild_from(records[moved_at - 1].1);
            records[..moved_at].iter().filter(|(_, at)| *at >= from).for_each(|(id, at)| {
                new.first(id, *at);
            });
            let after: Vec<bool> = records[moved_at..].iter().map(|(id, at)| new.first(id, *at)).collect();
            assert_eq!(after, verdicts[moved_at..], "moved at {moved_at}");
        }
    }
}
