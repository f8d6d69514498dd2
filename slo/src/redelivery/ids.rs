//! A set of hashes for millions of them: one array, open addressing, and places in the order of the hashes, so that growing
//! reads and writes memory from one end to the other.

mod slots;

use slots::Slots;

/// Places in a line of the cache.
const LINE: usize = 64 / size_of::<u64>();

/// The least room a set has once it has any.
const LEAST: usize = 1_024;

/// A set of 64-bit hashes.
#[derive(Debug, Clone, Default)]
pub(super) struct Ids {
    /// 0: free.
    slots: Slots,
    /// Without the hash 0.
    taken: usize,
    /// Whether the hash 0 is in it.
    zero: bool,
    /// Room that it gets as soon as it grows.
    wanted: usize,
}

impl Ids {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.taken + usize::from(self.zero)
    }

    /// Whether a hash is in it.
    pub(super) fn contains(&self, hash: u64) -> bool {
        if hash == 0 {
            return self.zero;
        }
        !self.slots.is_empty() && self.slots[self.find(hash)] == hash
    }

    /// Puts a hash in. Whether it was not there.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        if hash == 0 {
            return !std::mem::replace(&mut self.zero, true);
        }
        if self.is_full() {
            self.grow();
        }
        let place = self.find(hash);
        let new = self.slots[place] == 0;
        self.slots[place] = hash;
        self.taken += usize::from(new);
        new
    }

    /// Brings the places of hashes into the cache: loads that do not depend on each other are under way together.
    pub(super) fn touch(&self, hashes: &[u64]) {
        if self.slots.is_empty() {
            return;
        }
        let slots: &[u64] = &self.slots;
        let seen = hashes.iter().fold(0, |seen, hash| seen ^ slots[home(*hash, slots.len())]);
        std::hint::black_box(seen);
    }

    /// Empties it. It keeps room for about as many as are expected, or gets it with the first: to grow step by step is to write
    /// all of it three times.
    pub(super) fn clear_for(&mut self, expected: usize) {
        if self.slots.len() > 4 * expected.max(LEAST) {
            *self = Ids::default();
        }
        self.wanted = expected + expected / 2;
        if self.slots.is_empty() {
            return;
        }
        self.slots.fill(0);
        (self.taken, self.zero) = (0, false);
    }

    /// Three quarters: beyond, runs of taken places get long.
    fn is_full(&self) -> bool {
        self.taken >= self.slots.len() / 4 * 3
    }

    fn grow(&mut self) {
        let room = (self.slots.len() + self.slots.len() / 2).max(LEAST).max(self.wanted).next_multiple_of(LINE);
        let old = std::mem::replace(&mut self.slots, Slots::free(room));
        for hash in old.iter().filter(|hash| **hash != 0) {
            let place = self.find(*hash);
            self.slots[place] = *hash;
        }
    }

    /// Where a hash is, or would be. There is always a free place.
    fn find(&self, hash: u64) -> usize {
        let slots: &[u64] = &self.slots;
        let mut place = home(hash, slots.len());
        while slots[place] != hash && slots[place] != 0 {
            place += 1;
            if place == slots.len() {
                place = 0;
            }
        }
        place
    }
}

/// The hash as a share of all hashes, of the places: the first one of a line of the cache, so that a look is nearly always at
/// one line, however far it has to go on from there.
fn home(hash: u64, places: usize) -> usize {
    ((u128::from(hash) * (places / LINE) as u128) >> 64) as usize * LINE
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use twox_hash::XxHash3_64;

    use super::*;

    fn hash(n: u64) -> u64 {
        XxHash3_64::oneshot(&n.to_le_bytes())
    }

    #[test]
    fn it_is_the_set_of_what_was_put_in() {
        let (mut ids, mut want) = (Ids::default(), BTreeSet::new());
        for n in 0..200_000_u64 {
            let hash = hash(n % 70_000);
            assert_eq!(ids.contains(hash), want.contains(&hash), "{n}");
            assert_eq!(ids.insert(hash), want.insert(hash), "{n}");
        }
        assert_eq!(ids.len(), want.len());
        assert!(want.iter().all(|hash| ids.contains(*hash)));
        assert!((200_000..300_000).all(|n| !ids.contains(hash(n))));
    }

    #[test]
    fn a_large_one_holds_what_it_did_when_it_was_small_and_its_copy_is_its_own() {
        let mut ids = Ids::default();
        assert!((0..600_000).all(|n| ids.insert(hash(n))));
        let mut copy = ids.clone();
        assert!((0..600_000).all(|n| copy.contains(hash(n))));
        assert!(copy.insert(hash(600_000)) && !ids.contains(hash(600_000)));
        ids.clear_for(600_000);
        assert!((0..600_000).all(|n| !ids.contains(hash(n)) && copy.contains(hash(n))));
    }

    #[test]
    fn the_ends_of_the_range_and_neighbours_have_places() {
        let mut ids = Ids::default();
        let all: Vec<u64> = (0..800).flat_map(|n| [n, u64::MAX - n]).collect();
        assert!(all.iter().all(|hash| ids.insert(*hash)));
        assert!(all.iter().all(|hash| ids.contains(*hash) && !ids.insert(*hash)));
        assert_eq!(ids.len(), all.len());
        assert!(!ids.contains(801) && !ids.contains(u64::MAX / 2));
    }

    #[test]
    fn emptied_it_has_nothing_and_no_more_room_than_is_expected() {
        let mut ids = Ids::default();
        (0..100_000).for_each(|n| _ = ids.insert(hash(n)));
        let room = ids.slots.len();
        ids.clear_for(100_000);
        assert_eq!((ids.len(), ids.slots.len()), (0, room));
        assert!((0..100_000).all(|n| !ids.contains(hash(n))));
        ids.clear_for(1_000);
        assert_eq!(ids.slots.len(), 0);
        (0..1_000).for_each(|n| _ = ids.insert(hash(n)));
        assert_eq!(ids.slots.len(), 1_504);
        assert!((0..1_000).all(|n| !ids.insert(hash(n))));
    }

    #[test]
    fn looking_ahead_changes_nothing() {
        let mut ids = Ids::default();
        ids.touch(&[0, 1, u64::MAX]);
        ids.insert(7);
        ids.touch(&[0, 1, u64::MAX]);
        assert_eq!((ids.len(), ids.contains(1)), (1, false));
    }
}
