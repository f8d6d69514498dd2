//! Which records were copies: whoever reads them again need not find it out again.

use std::collections::BTreeMap;

use slipstream_log::Offset;

/// Copies that are known one by one, of all threads: 32 MiB. With more of them what was found out is forgotten, and whoever reads
/// again remembers ids.
const MOST: usize = 1 << 22;

/// Offsets of copies that were dropped, by partition.
#[derive(Debug, Clone)]
pub struct Copies {
    /// `None`: there are too many.
    offsets: Option<BTreeMap<u32, Vec<Offset>>>,
    most: usize,
    count: usize,
}

impl Default for Copies {
    fn default() -> Copies {
        Copies::of_most(MOST)
    }
}

impl Copies {
    /// Those that one of so many threads finds.
    pub fn of_one(threads: usize) -> Copies {
        Copies::of_most(MOST / threads.max(1))
    }

    fn of_most(most: usize) -> Copies {
        Copies { offsets: Some(BTreeMap::new()), most, count: 0 }
    }

    /// Adds copies of a partition.
    pub fn add(&mut self, partition: u32, copies: impl ExactSizeIterator<Item = Offset>) {
        self.count += copies.len();
        if self.count > self.most {
            self.offsets = None;
        }
        if let Some(offsets) = self.offsets.as_mut().filter(|_| copies.len() > 0) {
            offsets.entry(partition).or_default().extend(copies);
        }
    }

    /// Adds what another thread found.
    pub fn merge(&mut self, other: Copies) {
        match other.offsets {
            Some(offsets) => {
                offsets.into_iter().for_each(|(partition, offsets)| self.add(partition, offsets.into_iter()));
            }
            None => self.offsets = None,
        }
    }

    /// All of them are there: they are put in order, so that they can be looked up. `None` if there are too many.
    pub fn known(self) -> Option<KnownCopies> {
        let mut offsets = self.offsets?;
        offsets.values_mut().for_each(|offsets| offsets.sort_unstable());
        Some(KnownCopies { offsets })
    }
}

/// All copies of a reading.
#[derive(Debug, Default)]
pub struct KnownCopies {
    offsets: BTreeMap<u32, Vec<Offset>>,
}

impl KnownCopies {
    /// Those of a partition from an offset on, ascending.
    pub fn of(&self, partition: u32, from: Offset) -> &[Offset] {
        let offsets = self.offsets.get(&partition).map_or(&[][..], Vec::as_slice);
        &offsets[offsets.partition_point(|offset| *offset < from)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_all_threads_are_known_unless_they_are_too_many() {
        let of = |copies: &[(u32, &[Offset])], most| {
            let mut found = Copies::of_most(most);
            copies.iter().for_each(|(partition, offsets)| found.add(*partition, offsets.iter().copied()));
            found
        };
        let mut all = of(&[(0, &[7, 3]), (1, &[5])], 4);
        all.merge(of(&[(0, &[5])], 4));
        let known = all.clone().known().expect("there are as many as may be");
        assert_eq!(
            (known.of(0, 0), known.of(0, 4), known.of(1, 6), known.of(2, 0)),
            (&[3, 5, 7][..], &[5, 7][..], &[][..], &[][..])
        );
        all.merge(of(&[(1, &[9])], 4));
        assert!(all.known().is_none());
        let mut some = of(&[], 4);
        some.merge(of(&[(0, &[1, 2, 3, 4, 5])], 4));
        assert!(some.known().is_none());
    }
}
