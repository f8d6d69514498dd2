//! Which slices are not wholly good, and by how much: in blocks, each with its sum, so that windows add up whole blocks.

use std::collections::BTreeMap;

/// Words of a block of bits.
const WORDS: usize = 32;
/// Slices of a block of bits.
const BITS: i64 = 64 * WORDS as i64;
/// Slices of a block of shares.
const SHARES: i64 = 64;

/// What is kept of slices that are not wholly good.
#[derive(Debug, Clone)]
pub(super) struct Marks(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// One bit a slice, by number of block: set where it is bad.
    Bits(Blocks<u64, WORDS>),
    /// Its share of bad.
    Shares(Blocks<u32, { SHARES as usize }>),
}

type Blocks<T, const N: usize> = BTreeMap<i64, Box<Block<T, N>>>;

/// A stretch of slices, and the sum of what is bad in it: windows add up whole blocks.
#[derive(Debug, Clone)]
struct Block<T, const N: usize> {
    marks: [T; N],
    bad: i64,
}

impl<T: Copy + Default, const N: usize> Default for Block<T, N> {
    fn default() -> Block<T, N> {
        Block { marks: [T::default(); N], bad: 0 }
    }
}

impl Marks {
    /// None; a slice is good or bad.
    pub(super) fn bits() -> Marks {
        Marks(Kind::Bits(BTreeMap::new()))
    }

    /// None; a slice is as bad as its share.
    pub(super) fn shares() -> Marks {
        Marks(Kind::Shares(BTreeMap::new()))
    }

    /// Forgets every slice before `oldest`.
    pub(super) fn forget_before(&mut self, oldest: i64) {
        match &mut self.0 {
            Kind::Bits(blocks) => {
                blocks.retain(|block, _| (block + 1) * BITS > oldest);
                for slice in (oldest.div_euclid(BITS) * BITS)..oldest {
                    set_bit(blocks, slice, false);
                }
            }
            Kind::Shares(blocks) => {
                blocks.retain(|block, _| (block + 1) * SHARES > oldest);
                for slice in (oldest.div_euclid(SHARES) * SHARES)..oldest {
                    set_share(blocks, slice, 0);
                }
            }
        }
    }

    /// Lets go of blocks that are wholly before `oldest`.
    pub(super) fn drop_blocks_before(&mut self, oldest: i64) {
        match &mut self.0 {
            Kind::Bits(blocks) => drop_before(blocks, oldest.div_euclid(BITS)),
            Kind::Shares(blocks) => drop_before(blocks, oldest.div_euclid(SHARES)),
        }
    }

    /// Says how bad a slice is: whole slices, or parts of [`WHOLE`](super::WHOLE), which fit.
    pub(super) fn set(&mut self, slice: i64, bad: i64) {
        match &mut self.0 {
            Kind::Bits(blocks) => set_bit(blocks, slice, bad != 0),
            Kind::Shares(blocks) => set_share(blocks, slice, bad as u32),
        }
    }

    /// Sum over the slices `first..=last`.
    pub(super) fn bad(&self, first: i64, last: i64) -> i64 {
        match &self.0 {
            Kind::Bits(blocks) => sum(blocks, first, last, BITS, bits_within),
            Kind::Shares(blocks) => sum(blocks, first, last, SHARES, shares_within),
        }
    }

    /// The slices that are not wholly good, ascending.
    pub(super) fn all(&self) -> Box<dyn Iterator<Item = (i64, i64)> + '_> {
        match &self.0 {
            Kind::Bits(blocks) => Box::new(blocks.iter().flat_map(|(block, found)| {
                let bit = move |i: i64| (found.marks[(i / 64) as usize] >> (i % 64)) & 1 == 1;
                (0..BITS).filter(move |i| bit(*i)).map(move |i| (block * BITS + i, 1))
            })),
            Kind::Shares(blocks) => Box::new(blocks.iter().flat_map(|(block, found)| {
                let found = found.marks.iter().enumerate().filter(|(_, share)| **share != 0);
                found.map(move |(i, share)| (block * SHARES + i as i64, i64::from(*share)))
            })),
        }
    }
}

fn drop_before<T>(blocks: &mut BTreeMap<i64, T>, oldest: i64) {
    while blocks.first_key_value().is_some_and(|(block, _)| *block < oldest) {
        blocks.pop_first();
    }
}

fn set_bit(blocks: &mut Blocks<u64, WORDS>, slice: i64, bad: bool) {
    let (block, bit) = (slice.div_euclid(BITS), slice.rem_euclid(BITS));
    // Good is what is not marked: a series that never fails keeps no blocks.
    if !bad && !blocks.contains_key(&block) {
        return;
    }
    let found = blocks.entry(block).or_default();
    let (word, mask) = (&mut found.marks[(bit / 64) as usize], 1u64 << (bit % 64));
    let before = i64::from(*word & mask != 0);
    if bad {
        *word |= mask
    } else {
        *word &= !mask
    }
    found.bad += i64::from(bad) - before;
}

fn set_share(blocks: &mut Blocks<u32, { SHARES as usize }>, slice: i64, share: u32) {
    let (block, at) = (slice.div_euclid(SHARES), slice.rem_euclid(SHARES) as usize);
    if share == 0 && !blocks.contains_key(&block) {
        return;
    }
    let found = blocks.entry(block).or_default();
    found.bad += i64::from(share) - i64::from(found.marks[at]);
    found.marks[at] = share;
}

/// Sum over the slices `first..=last`; `within` sums a part of a block.
fn sum<T, const N: usize>(
    blocks: &Blocks<T, N>,
    first: i64,
    last: i64,
    length: i64,
    within: impl Fn(&[T; N], usize, usize) -> i64,
) -> i64 {
    let near = blocks.range(first.div_euclid(length)..=last.div_euclid(length));
    let of_block = |block: i64, found: &Block<T, N>| {
        let (from, to) = ((first - block * length).max(0), (last - block * length).min(length - 1));
        let whole = found.bad == 0 || (from == 0 && to == length - 1);
        if whole { found.bad } else { within(&found.marks, from as usize, to as usize) }
    };
    near.map(|(block, found)| of_block(*block, found)).sum()
}

/// How many of the bits `first..=last` are set.
fn bits_within(words: &[u64; WORDS], first: usize, last: usize) -> i64 {
    let of_word = |(i, word): (usize, &u64)| {
        let (from, to) = (first.saturating_sub(64 * i), (last - 64 * i).min(63));
        i64::from(((word << (63 - to)) >> (63 - to) >> from).count_ones())
    };
    words.iter().enumerate().take(last / 64 + 1).skip(first / 64).map(of_word).sum()
}

/// Sum of the shares `first..=last`.
fn shares_within(shares: &[u32; SHARES as usize], first: usize, last: usize) -> i64 {
    shares[first..=last].iter().map(|share| i64::from(*share)).sum()
}
