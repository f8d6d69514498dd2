//! Slices of time: of each whether it was good, or which share of it was bad, as much of the past as windows reach.
//!
//! The events of the newest slices are counted (24 h), so a late event recomputes its slice and may flip it, either way.
//! A slice of which nothing was ever bad takes no memory beyond that.

use std::collections::BTreeMap;

use slipstream_schemas::records::SlicesSnapshot;

use crate::condition::Counts;
use crate::definition::{Budgeting, Ratio};
use crate::ring::Ring;
use crate::scale::RingSize;

/// A whole slice, in the parts in which shares of slices are counted.
pub const WHOLE: i64 = 1_000_000_000;

/// Words of a block of bits.
const WORDS: i64 = 8;
/// Slices of a block of bits.
const BITS: i64 = 64 * WORDS;
/// Slices of a block of shares.
const SHARES: i64 = 64;

/// bad / total in parts of [`WHOLE`], rounded half up; 0 without traffic.
pub fn share_of_bad(counts: Counts) -> i64 {
    if counts.total <= 0 {
        return 0;
    }
    let (bad, total) = (i128::from(counts.bad()).clamp(0, counts.total.into()), i128::from(counts.total));
    // At most WHOLE, for bad is at most total.
    ((2 * bad * i128::from(WHOLE) + total) / (2 * total)) as i64
}

/// Whether good / total reaches `target`, in whole numbers. A slice without events does.
pub fn is_good(counts: Counts, target: Ratio) -> bool {
    let (good, total) = (i128::from(counts.good), i128::from(counts.total));
    // Counts stay far below 2^63, and both numbers of a ratio below 2^64: their products fit.
    total <= 0 || good * i128::from(target.den) >= i128::from(target.num) * total
}

/// What is kept of slices that are not wholly good.
#[derive(Debug, Clone)]
enum Marks {
    /// One bit a slice, by number of block: set where it is bad.
    Bits(BTreeMap<i64, Box<[u64; WORDS as usize]>>),
    /// Its share of bad.
    Shares(BTreeMap<i64, Box<[u32; SHARES as usize]>>),
}

/// The slices of a series.
#[derive(Debug, Clone)]
pub struct Slices {
    seconds: i64,
    /// Least share of good events in a good slice; none: a slice is as bad as its share.
    target: Option<Ratio>,
    /// How many slices are kept, the present one among them.
    kept: i64,
    counts: Ring,
    marks: Marks,
}

/// How a slice changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flip {
    /// Unix second at which the slice begins.
    pub begin: i64,
    /// By how much more it is bad now: whole slices, or parts of [`WHOLE`].
    pub bad: i64,
}

impl Slices {
    /// Slices of which nothing is known, `kept` of them; of the newest `counted` seconds events are counted. None where
    /// time is not sliced.
    pub fn new(budgeting: Budgeting, kept: i64, counted: i64) -> Option<Slices> {
        let (seconds, target, marks) = match budgeting {
            Budgeting::Occurrences => return None,
            Budgeting::Timeslices { seconds, target } => (seconds, Some(target), Marks::Bits(BTreeMap::new())),
            Budgeting::RatioTimeslices { seconds } => (seconds, None, Marks::Shares(BTreeMap::new())),
        };
        Some(Slices { seconds, target, kept, counts: Ring::new(counted_size(seconds, counted)), marks })
    }

    /// How many slices of `seconds` a window needs.
    pub fn needed(seconds: i64, window: i64) -> i64 {
        window.div_euclid(seconds) + 2
    }

    /// Length of a slice.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// How many slices are kept.
    pub fn kept(&self) -> i64 {
        self.kept
    }

    /// Keeps another number of slices from `tick` on. What was not kept before is forgotten, so it does not matter since
    /// when.
    pub fn keep(&mut self, kept: i64, tick: i64) {
        let oldest = self.oldest(tick);
        match &mut self.marks {
            Marks::Bits(blocks) => {
                blocks.retain(|block, _| (block + 1) * BITS > oldest);
                for slice in (oldest.div_euclid(BITS) * BITS)..oldest {
                    set_bit(blocks, slice, false);
                }
            }
            Marks::Shares(blocks) => {
                blocks.retain(|block, _| (block + 1) * SHARES > oldest);
                for slice in (oldest.div_euclid(SHARES) * SHARES)..oldest {
                    set_share(blocks, slice, 0);
                }
            }
        }
        self.kept = kept;
    }

    /// Whether an event of `second` can still change its slice at `tick`.
    pub fn reaches(&self, tick: i64, second: i64) -> bool {
        let size = self.counts.size();
        size.slot_of(second) >= size.oldest_slot(tick)
    }

    /// Adds to the slice that holds `second`, at `tick`. None: it stays as good as it was, or is too old.
    pub fn add(&mut self, tick: i64, second: i64, counts: Counts) -> Option<Flip> {
        if !self.reaches(tick, second) {
            return None;
        }
        let slice = second.div_euclid(self.seconds);
        let before = self.badness(self.counts.at(slice));
        self.counts.add(tick, second, counts);
        let after = self.badness(self.counts.at(slice));
        if before == after {
            return None;
        }
        if slice >= self.oldest(tick) {
            self.mark(slice, after, tick);
        }
        Some(Flip { begin: slice * self.seconds, bad: after - before })
    }

    /// The slices of the window of `seconds` that ends with `tick`, in units of [`Slices::unit`]: from that which holds
    /// its first second to the one in progress.
    pub fn window(&self, tick: i64, seconds: i64) -> Counts {
        let first = (tick + 1 - seconds).div_euclid(self.seconds);
        let last = tick.div_euclid(self.seconds);
        self.counts_of(last - first + 1, self.bad(first, last))
    }

    /// Counts of `slices` slices of which `bad` is bad.
    pub fn counts_of(&self, slices: i64, bad: i64) -> Counts {
        let total = slices * self.unit();
        Counts { good: total - bad, total }
    }

    /// How many slices begin in the seconds `[from, to)`.
    pub fn beginning_in(&self, from: i64, to: i64) -> i64 {
        let next = |second: i64| -(-second).div_euclid(self.seconds);
        (next(to) - next(from)).max(0)
    }

    /// Events in the window of `seconds` that ends with `tick`; of what is older than 24 h none.
    pub fn events(&self, tick: i64, seconds: i64) -> i64 {
        self.counts.window(tick, seconds).total
    }

    /// What a slice is in counts: 1, or [`WHOLE`] parts.
    pub fn unit(&self) -> i64 {
        if self.target.is_some() { 1 } else { WHOLE }
    }

    /// What a snapshot keeps at `tick`.
    pub fn snapshot(&self, tick: i64) -> Option<SlicesSnapshot> {
        let counts = self.counts.snapshot(tick, true)?;
        let mut snapshot = SlicesSnapshot {
            seconds: self.seconds,
            kept: self.kept,
            shares: self.target.is_none(),
            counts,
            slots: Vec::new(),
            bad: Vec::new(),
        };
        let mut before = 0;
        for (slice, bad) in self.marked().filter(|(slice, _)| *slice >= self.oldest(tick)) {
            snapshot.slots.push(slice - before);
            snapshot.bad.extend(self.target.is_none().then_some(bad));
            before = slice;
        }
        Some(snapshot)
    }

    /// The slices of a snapshot. Of Timeslices the target comes with the definition: see [`Slices::judge_by`].
    pub fn restored(snapshot: &SlicesSnapshot, counted: i64) -> Slices {
        let shares = snapshot.shares;
        let marks = if shares { Marks::Shares(BTreeMap::new()) } else { Marks::Bits(BTreeMap::new()) };
        let target = (!shares).then_some(Ratio { num: 1, den: 1 });
        let counts = Ring::new(counted_size(snapshot.seconds, counted));
        let mut slices = Slices { seconds: snapshot.seconds, target, kept: snapshot.kept, counts, marks };
        slices.counts.restore(&snapshot.counts);
        let mut slice = 0;
        for (i, step) in snapshot.slots.iter().enumerate() {
            slice += step;
            slices.mark_anew(slice, snapshot.bad.get(i).copied().unwrap_or(1));
        }
        slices
    }

    /// Says by which share a slice is good; a restored state does not know.
    pub fn judge_by(&mut self, budgeting: Budgeting) {
        if let (Some(target), Budgeting::Timeslices { target: given, .. }) = (&mut self.target, budgeting) {
            *target = given;
        }
    }

    fn oldest(&self, tick: i64) -> i64 {
        tick.div_euclid(self.seconds) - self.kept + 1
    }

    fn badness(&self, counts: Counts) -> i64 {
        match self.target {
            Some(target) => i64::from(!is_good(counts, target)),
            None => share_of_bad(counts),
        }
    }

    fn mark(&mut self, slice: i64, bad: i64, tick: i64) {
        let oldest = self.oldest(tick);
        match &mut self.marks {
            Marks::Bits(blocks) => drop_before(blocks, oldest.div_euclid(BITS)),
            Marks::Shares(blocks) => drop_before(blocks, oldest.div_euclid(SHARES)),
        }
        self.mark_anew(slice, bad);
    }

    fn mark_anew(&mut self, slice: i64, bad: i64) {
        match &mut self.marks {
            Marks::Bits(blocks) => set_bit(blocks, slice, bad != 0),
            // At most WHOLE, which fits.
            Marks::Shares(blocks) => set_share(blocks, slice, bad as u32),
        }
    }

    /// Sum over the slices `first..=last`.
    fn bad(&self, first: i64, last: i64) -> i64 {
        match &self.marks {
            Marks::Bits(blocks) => {
                let near = blocks.range(first.div_euclid(BITS)..=last.div_euclid(BITS));
                near.map(|(block, words)| bits_within(words, first - block * BITS, last - block * BITS)).sum()
            }
            Marks::Shares(blocks) => {
                let near = blocks.range(first.div_euclid(SHARES)..=last.div_euclid(SHARES));
                near.map(|(block, shares)| {
                    let from = (first - block * SHARES).max(0) as usize;
                    let to = (last - block * SHARES).min(SHARES - 1) as usize;
                    shares[from..=to].iter().map(|share| i64::from(*share)).sum::<i64>()
                })
                .sum()
            }
        }
    }

    /// The slices that are not wholly good, ascending.
    fn marked(&self) -> Box<dyn Iterator<Item = (i64, i64)> + '_> {
        match &self.marks {
            Marks::Bits(blocks) => Box::new(blocks.iter().flat_map(|(block, words)| {
                let bit = move |i: i64| (words[(i / 64) as usize] >> (i % 64)) & 1 == 1;
                (0..BITS).filter(move |i| bit(*i)).map(move |i| (block * BITS + i, 1))
            })),
            Marks::Shares(blocks) => Box::new(blocks.iter().flat_map(|(block, shares)| {
                let found = shares.iter().enumerate().filter(|(_, share)| **share != 0);
                found.map(move |(i, share)| (block * SHARES + i as i64, i64::from(*share)))
            })),
        }
    }
}

fn counted_size(seconds: i64, counted: i64) -> RingSize {
    RingSize { slot_seconds: seconds, slots: ((counted + seconds - 1).div_euclid(seconds) + 1) as usize }
}

fn drop_before<T>(blocks: &mut BTreeMap<i64, T>, oldest: i64) {
    while blocks.first_key_value().is_some_and(|(block, _)| *block < oldest) {
        blocks.pop_first();
    }
}

fn set_bit(blocks: &mut BTreeMap<i64, Box<[u64; WORDS as usize]>>, slice: i64, bad: bool) {
    let (block, bit) = (slice.div_euclid(BITS), slice.rem_euclid(BITS));
    let (word, mask) = ((bit / 64) as usize, 1u64 << (bit % 64));
    if bad {
        blocks.entry(block).or_default()[word] |= mask;
    } else if let Some(words) = blocks.get_mut(&block) {
        words[word] &= !mask;
    }
}

fn set_share(blocks: &mut BTreeMap<i64, Box<[u32; SHARES as usize]>>, slice: i64, share: u32) {
    let (block, at) = (slice.div_euclid(SHARES), slice.rem_euclid(SHARES) as usize);
    if share != 0 {
        blocks.entry(block).or_insert_with(|| Box::new([0; SHARES as usize]))[at] = share;
    } else if let Some(shares) = blocks.get_mut(&block) {
        shares[at] = 0;
    }
}

/// How many of the bits `first..=last` are set; both may lie outside.
fn bits_within(words: &[u64; WORDS as usize], first: i64, last: i64) -> i64 {
    let of_word = |(i, word): (usize, &u64)| {
        let begin = 64 * i as i64;
        let (from, to) = ((first - begin).max(0), (last - begin).min(63));
        if from > to {
            return 0;
        }
        let upper = if to == 63 { u64::MAX } else { (1u64 << (to + 1)) - 1 };
        i64::from(((word & upper) >> from).count_ones())
    };
    words.iter().enumerate().map(of_word).sum()
}
