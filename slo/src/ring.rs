//! Rings: a series' good and total weights per slot of time, as much of the past as its windows reach.
//!
//! Cells come in blocks that are allocated when first written. A block counts in 16 bits until a cell grows too large
//! for it, then in 32, then in 64. Sums run over contiguous cells, which compilers turn into vector instructions.

use slipstream_schemas::records::RingSnapshot;

use crate::counts::Counts;
use crate::scale::RingSize;

/// Cells of a block.
const BLOCK: usize = 64;
/// A narrow cell stays below this in magnitude, so that a block of them sums up in 32 bits: 64 x 2^25 = 2^31.
const NARROW: i64 = 1 << 25;

/// Weights per slot for the newest `size.slots` slots.
#[derive(Debug, Clone)]
pub struct Ring {
    size: RingSize,
    /// Newest slot written; cells of slots up to `newest - slots` are gone, those beyond `newest` are empty.
    newest: i64,
    blocks: Box<[Block]>,
}

/// Cells of slots whose index modulo the ring's length lies in one stretch of [`BLOCK`].
#[derive(Debug, Clone, Default)]
struct Block {
    total: Half,
    /// Bad events, for they are few: most blocks of most series have none, or small numbers.
    bad: Half,
}

/// Cells and their sum: a window adds up whole blocks, and cells at its ends only.
#[derive(Debug, Clone, Default)]
struct Half {
    sum: i64,
    cells: Cells,
}

/// Numbers, as wide as they need.
#[derive(Debug, Clone, Default)]
enum Cells {
    #[default]
    Zero,
    Short(Box<[i16; BLOCK]>),
    Narrow(Box<[i32; BLOCK]>),
    Wide(Box<[i64; BLOCK]>),
}

impl Ring {
    /// An empty ring.
    pub fn new(size: RingSize) -> Ring {
        Ring { size, newest: i64::MIN, blocks: Box::default() }
    }

    /// Its size.
    pub fn size(&self) -> RingSize {
        self.size
    }

    /// Adds to the slot that holds `second`, at `tick`: what is too old for the ring is dropped. Weights may be
    /// negative: corrections take back.
    pub fn add(&mut self, tick: i64, second: i64, counts: Counts) {
        let slot = self.size.slot_of(second);
        if slot >= self.size.oldest_slot(tick) {
            self.add_slot(slot, counts);
        }
    }

    /// Sums of the window of `seconds` that ends with `tick`: it covers at least `seconds` and less than one slot more.
    pub fn window(&self, tick: i64, seconds: i64) -> Counts {
        let first = (tick + 1 - seconds).div_euclid(self.size.slot_seconds);
        self.sum(first, self.size.slot_of(tick))
    }

    /// What is held of one slot.
    pub fn at(&self, slot: i64) -> Counts {
        self.sum(slot, slot)
    }

    /// The cells at `tick` that hold something, ascending: (slot, counts).
    pub fn cells(&self, tick: i64) -> impl Iterator<Item = (i64, Counts)> + '_ {
        let first = self.size.oldest_slot(tick).max(self.oldest_kept());
        let last = if self.blocks.is_empty() { i64::MIN } else { self.newest };
        (first..=last).map(|slot| (slot, self.cell(slot))).filter(|(_, counts)| *counts != Counts::default())
    }

    /// A coarser ring with the same past: `size.slot_seconds` is a multiple of this ring's.
    pub fn coarser(&self, size: RingSize, tick: i64) -> Ring {
        let mut ring = Ring::new(size);
        for (slot, counts) in self.cells(tick) {
            ring.add(tick, slot * self.size.slot_seconds, counts);
        }
        ring
    }

    /// What a snapshot keeps at `tick`; `None` if nothing is held, unless it is asked for `always`.
    pub fn snapshot(&self, tick: i64, always: bool) -> Option<RingSnapshot> {
        let mut snapshot = RingSnapshot {
            slot_seconds: self.size.slot_seconds as i32,
            slots: Vec::new(),
            good: Vec::new(),
            total: Vec::new(),
        };
        let mut before = 0;
        for (slot, counts) in self.cells(tick) {
            snapshot.slots.push(slot - before);
            snapshot.good.push(counts.good);
            snapshot.total.push(counts.total);
            before = slot;
        }
        (always || !snapshot.slots.is_empty()).then_some(snapshot)
    }

    /// Takes a snapshot's cells.
    pub fn restore(&mut self, snapshot: &RingSnapshot) {
        let mut slot = 0;
        for ((step, good), total) in snapshot.slots.iter().zip(&snapshot.good).zip(&snapshot.total) {
            slot += step;
            self.add_slot(slot, Counts { good: *good, total: *total });
        }
    }

    fn oldest_kept(&self) -> i64 {
        self.newest.saturating_sub(self.size.slots as i64 - 1)
    }

    fn add_slot(&mut self, slot: i64, counts: Counts) {
        if counts == Counts::default() || (!self.blocks.is_empty() && slot < self.oldest_kept()) {
            return;
        }
        self.advance(slot);
        let (block, cell) = self.place(slot);
        self.blocks[block].total.add(cell, counts.total);
        self.blocks[block].bad.add(cell, counts.bad());
    }

    /// Makes `slot` the newest, if it is newer: the cells between now stand for other slots.
    fn advance(&mut self, slot: i64) {
        if self.blocks.is_empty() {
            self.blocks = (0..self.size.slots.div_ceil(BLOCK)).map(|_| Block::default()).collect();
            self.newest = slot;
        } else if slot - self.newest >= self.size.slots as i64 {
            self.blocks.fill(Block::default());
            self.newest = slot;
        } else {
            for passed in self.newest + 1..=slot {
                let (block, cell) = self.place(passed);
                self.blocks[block].total.clear(cell);
                self.blocks[block].bad.clear(cell);
            }
            self.newest = self.newest.max(slot);
        }
    }

    fn place(&self, slot: i64) -> (usize, usize) {
        let index = slot.rem_euclid(self.size.slots as i64) as usize;
        (index / BLOCK, index % BLOCK)
    }

    fn cell(&self, slot: i64) -> Counts {
        let (block, cell) = self.place(slot);
        self.blocks[block].sum(cell, cell + 1)
    }

    /// Sum over the slots `first..=last`.
    fn sum(&self, first: i64, last: i64) -> Counts {
        if self.blocks.is_empty() {
            return Counts::default();
        }
        let (first, last) = (first.max(self.oldest_kept()), last.min(self.newest));
        if first > last {
            return Counts::default();
        }
        let begin = first.rem_euclid(self.size.slots as i64) as usize;
        let end = begin + (last - first) as usize + 1;
        let mut sum = self.sum_cells(begin, end.min(self.size.slots));
        if end > self.size.slots {
            let wrapped = self.sum_cells(0, end - self.size.slots);
            sum.good += wrapped.good;
            sum.total += wrapped.total;
        }
        sum
    }

    fn sum_cells(&self, begin: usize, end: usize) -> Counts {
        let mut sum = Counts::default();
        for (i, block) in self.blocks.iter().enumerate().take(end.div_ceil(BLOCK)).skip(begin / BLOCK) {
            let from = begin.saturating_sub(i * BLOCK);
            let part = block.sum(from, (end - i * BLOCK).min(BLOCK));
            sum.good += part.good;
            sum.total += part.total;
        }
        sum
    }
}

impl Block {
    fn sum(&self, from: usize, to: usize) -> Counts {
        let total = self.total.sum(from, to);
        Counts { good: total - self.bad.sum(from, to), total }
    }
}

impl Half {
    fn add(&mut self, cell: usize, number: i64) {
        if number != 0 {
            self.sum = self.sum.saturating_add(number);
            self.cells.add(cell, number);
        }
    }

    fn clear(&mut self, cell: usize) {
        self.sum = self.sum.saturating_sub(self.cells.get(cell));
        self.cells.clear(cell);
    }

    fn sum(&self, from: usize, to: usize) -> i64 {
        if to - from == BLOCK { self.sum } else { self.cells.sum(from, to) }
    }
}

impl Cells {
    fn add(&mut self, cell: usize, number: i64) {
        let sum = self.get(cell).saturating_add(number);
        self.widen(sum);
        // Wide enough now: nothing is cut off.
        match self {
            Cells::Zero => {}
            Cells::Short(cells) => cells[cell] = sum as i16,
            Cells::Narrow(cells) => cells[cell] = sum as i32,
            Cells::Wide(cells) => cells[cell] = sum,
        }
    }

    /// Makes room for a number.
    fn widen(&mut self, number: i64) {
        let short = i16::try_from(number).is_ok();
        let narrow = number.abs() < NARROW;
        let wider = match self {
            Cells::Zero if short => Cells::Short(Box::new([0; BLOCK])),
            Cells::Zero if narrow => Cells::Narrow(Box::new([0; BLOCK])),
            Cells::Short(cells) if !short && narrow => Cells::Narrow(Box::new(cells.map(i32::from))),
            Cells::Short(cells) if !narrow => Cells::Wide(Box::new(cells.map(i64::from))),
            Cells::Narrow(cells) if !narrow => Cells::Wide(Box::new(cells.map(i64::from))),
            Cells::Zero => Cells::Wide(Box::new([0; BLOCK])),
            Cells::Short(_) | Cells::Narrow(_) | Cells::Wide(_) => return,
        };
        *self = wider;
    }

    fn get(&self, cell: usize) -> i64 {
        match self {
            Cells::Zero => 0,
            Cells::Short(cells) => cells[cell].into(),
            Cells::Narrow(cells) => cells[cell].into(),
            Cells::Wide(cells) => cells[cell],
        }
    }

    fn clear(&mut self, cell: usize) {
        match self {
            Cells::Zero => {}
            Cells::Short(cells) => cells[cell] = 0,
            Cells::Narrow(cells) => cells[cell] = 0,
            Cells::Wide(cells) => cells[cell] = 0,
        }
    }

    /// Exact in 32 bits but for wide cells: see [`NARROW`].
    fn sum(&self, from: usize, to: usize) -> i64 {
        match self {
            Cells::Zero => 0,
            Cells::Short(cells) => cells[from..to].iter().fold(0i32, |sum, cell| sum + i32::from(*cell)).into(),
            Cells::Narrow(cells) => cells[from..to].iter().fold(0i32, |sum, cell| sum.wrapping_add(*cell)).into(),
            Cells::Wide(cells) => cells[from..to].iter().sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn counts(good: i64, total: i64) -> Counts {
        Counts { good, total }
    }

    fn ring(slot_seconds: i64, slots: usize) -> Ring {
        Ring::new(RingSize { slot_seconds, slots })
    }

    #[test]
    fn a_window_covers_its_length_and_less_than_a_slot_more() {
        let mut ring = ring(10, 7);
        for second in 0..100 {
            ring.add(second, second, counts(1, 2));
        }
        // The window of 30 s that ends with second 94 begins at 65: slots 60..70, 70..80, 80..90, 90..95.
        assert_eq!(ring.window(94, 30), counts(40, 80));
        assert_eq!(ring.window(99, 30), counts(30, 60));
        assert_eq!(ring.window(99, 60), counts(60, 120));
        // Nothing came since: the window moves on and empties.
        assert_eq!(ring.window(119, 30), counts(10, 20));
        assert_eq!(ring.window(1_000_000, 60), counts(0, 0));
    }

    #[test]
    fn counts_beyond_32_bits_and_corrections_are_exact() {
        let mut ring = ring(1, 301);
        for second in 0..300 {
            for _ in 0..3 {
                ring.add(299, second, counts(NARROW - 7, i64::from(i32::MAX)));
            }
        }
        ring.add(299, 0, counts(-5, -9));
        assert_eq!(ring.window(299, 300), counts(900 * (NARROW - 7) - 5, 900 * i64::from(i32::MAX) - 9));
    }

    #[test]
    fn the_first_number_of_a_block_may_be_of_any_size() {
        for number in [1, 1 << 14, 1 << 15, NARROW - 1, NARROW, 1 << 31, 1 << 32, 1 << 40] {
            for number in [number, -number] {
                let mut ring = ring(1, 301);
                ring.add(9, 9, counts(0, number));
                // One cell, and a window of whole blocks.
                assert_eq!((ring.at(9), ring.window(9, 300)), (counts(0, number), counts(0, number)), "{number}");
            }
        }
    }

    #[test]
    fn an_empty_ring_owns_nothing_and_a_used_one_only_what_it_uses() {
        let mut ring = ring(1, 301);
        assert!(ring.blocks.is_empty());
        ring.add(5, 5, counts(1, 1));
        let used = |half: &Half| !matches!(half.cells, Cells::Zero);
        assert_eq!(ring.blocks.iter().filter(|block| used(&block.total)).count(), 1);
        assert!(!ring.blocks.iter().any(|block| used(&block.bad)), "nothing was bad");
    }

    #[test]
    fn a_coarser_ring_is_made_of_a_finer_one() {
        let mut fine = ring(2, 50);
        let mut coarse = ring(6, 20);
        for second in 0..90 {
            fine.add(89, second, counts(second, 2 * second));
            coarse.add(89, second, counts(second, 2 * second));
        }
        let made = fine.coarser(coarse.size(), 89);
        assert_eq!(made.cells(89).collect::<Vec<_>>(), coarse.cells(89).collect::<Vec<_>>());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn a_ring_is_a_map_that_forgets(
            size in prop_oneof![Just((1, 301)), Just((3, 5)), Just((10, 65)), Just((7, 128))],
            steps in prop::collection::vec((0i64..400, 0i64..600, -3i64..50_000_000, 0i64..50_000_000), 1..60),
            windows in prop::collection::vec(1i64..400, 4),
        ) {
            let size = RingSize { slot_seconds: size.0, slots: size.1 };
            let mut ring = Ring::new(size);
            let mut all: BTreeMap<i64, Counts> = BTreeMap::new();
            let mut tick = 10_000;
            for (ahead, late, good, bad) in steps {
                tick += ahead / 20 * size.slot_seconds;
                let second = tick - late;
                ring.add(tick, second, counts(good, good + bad));
                if size.slot_of(second) >= size.oldest_slot(tick) {
                    let cell = all.entry(size.slot_of(second)).or_default();
                    *cell = counts(cell.good + good, cell.total + good + bad);
                }
                for window in &windows {
                    let window = (*window).min(size.reach());
                    let first = (tick + 1 - window).div_euclid(size.slot_seconds);
                    let expected = all.range(first..).fold(counts(0, 0), |a, (_, c)| counts(a.good + c.good, a.total + c.total));
                    prop_assert_eq!(ring.window(tick, window), expected);
                }
                let mut again = Ring::new(size);
                ring.snapshot(tick, false).iter().for_each(|s| again.restore(s));
                prop_assert_eq!(again.snapshot(tick, false), ring.snapshot(tick, false));
                prop_assert_eq!(again.window(tick, size.reach()), ring.window(tick, size.reach()));
            }
        }
    }
}
