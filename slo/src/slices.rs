//! Slices of time: whether each was good, or which share of it was bad, for as much of the past as windows reach.
//!
//! The events of the newest slices are counted (24 h), so a late event recomputes its slice and may flip it, either way.
//! A slice without bad events takes no memory beyond that.

mod marks;

use slipstream_schemas::records::SlicesSnapshot;

use self::marks::Marks;
use crate::counts::Counts;
use crate::ring::Ring;
use crate::scale::{RingSize, Scale};
use slipstream_definitions::definition::{Budgeting, Ratio};

/// A whole slice, in the parts in which shares of slices are counted. Whole numbers, because sums of floats depend on their
/// order: two owners of a series would differ. A billion keeps a share to nine digits and fits into 32 bits.
pub const WHOLE: i64 = 1_000_000_000;

/// bad / total in parts of [`WHOLE`], rounded half up; 0 without traffic.
pub fn share_of_bad(counts: Counts) -> i64 {
    if counts.total <= 0 {
        return 0;
    }
    // In 128 bits, because bad x 2 x 10^9 may exceed 64.
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

/// The slices of a series.
#[derive(Debug, Clone)]
pub struct Slices {
    seconds: i64,
    /// Least share of good events in a good slice; `None` if a slice is as bad as its share.
    target: Option<Ratio>,
    /// How many slices are kept, the present one among them.
    kept: i64,
    /// How many slices before that of its tick an event may change.
    flips: i64,
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
    /// Empty slices, `kept` of them; how late events may be is in `scale`. `None` if there are no
    /// slices.
    pub fn new(budgeting: Budgeting, kept: i64, scale: &Scale) -> Option<Slices> {
        let (seconds, target, marks) = match budgeting {
            Budgeting::Occurrences => return None,
            Budgeting::Timeslices { seconds, target } => (seconds, Some(target), Marks::bits()),
            Budgeting::RatioTimeslices { seconds } => (seconds, None, Marks::shares()),
        };
        let counts = Ring::new(counted_size(seconds, scale));
        Some(Slices { seconds, target, kept, flips: slices_in(seconds, scale.slices_counted), counts, marks })
    }

    /// How many slices of `seconds` a window needs.
    pub fn needed(seconds: i64, window: i64) -> i64 {
        // One for the slice in progress, and one because a window seldom begins where a slice does.
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
        self.marks.forget_before(self.oldest(tick));
        self.kept = kept;
    }

    /// Whether an event of `second` that was known at its `own` tick changes its slice at `tick`: it was in time, and its
    /// source was not too far behind.
    pub fn reaches(&self, tick: i64, own: i64, second: i64) -> bool {
        let size = self.counts.size();
        let slice = size.slot_of(second);
        slice >= size.slot_of(own) - self.flips && slice >= size.oldest_slot(tick)
    }

    /// Adds to the slice that holds `second`, at `tick`, what was known at its `own` tick. `None` if it stays as good
    /// as it was, or is too old.
    pub fn add(&mut self, tick: i64, own: i64, second: i64, counts: Counts) -> Option<Flip> {
        if !self.reaches(tick, own, second) {
            return None;
        }
        let slice = second.div_euclid(self.seconds);
        // A bit cannot be corrected by adding: the slice is judged before and after, and the difference is passed on.
        let before = self.badness(self.counts.at(slice));
        self.counts.add(tick, second, counts);
        let after = self.badness(self.counts.at(slice));
        if before == after {
            return None;
        }
        // A slice before the oldest kept is in no window, but may still be in the period of a calendar: the flip counts.
        if slice >= self.oldest(tick) {
            // Here, not at every tick, so that a series without flips costs nothing.
            self.marks.drop_blocks_before(self.oldest(tick));
            self.marks.set(slice, after);
        }
        Some(Flip { begin: slice * self.seconds, bad: after - before })
    }

    /// The slices of the window of `seconds` that ends with `tick`, in units of [`Slices::unit`]: from that which holds
    /// its first second to the one in progress.
    pub fn window(&self, tick: i64, seconds: i64) -> Counts {
        // Widened to whole slices: a slice is judged as a whole, and the kept bit does not say which of its seconds
        // were bad.
        let first = (tick + 1 - seconds).div_euclid(self.seconds);
        let last = tick.div_euclid(self.seconds);
        self.counts_of(last - first + 1, self.marks.bad(first, last))
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

    /// Events in the window of `seconds` that ends with `tick`, of at most a day.
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
        for (slice, bad) in self.marks.all().filter(|(slice, _)| *slice >= self.oldest(tick)) {
            // Differences are small numbers, which Avro writes in few bytes.
            snapshot.slots.push(slice - before);
            snapshot.bad.extend(self.target.is_none().then_some(bad));
            before = slice;
        }
        Some(snapshot)
    }

    /// The slices of a snapshot. Of Timeslices the target comes with the definition: see [`Slices::judge_by`].
    pub fn restored(snapshot: &SlicesSnapshot, scale: &Scale) -> Slices {
        let shares = snapshot.shares;
        let marks = if shares { Marks::shares() } else { Marks::bits() };
        // Stands in until the definition comes: nothing is judged before that.
        let target = (!shares).then_some(Ratio { num: 1, den: 1 });
        let seconds = snapshot.seconds;
        let counts = Ring::new(counted_size(seconds, scale));
        let flips = slices_in(seconds, scale.slices_counted);
        let mut slices = Slices { seconds, target, kept: snapshot.kept, flips, counts, marks };
        slices.counts.restore(&snapshot.counts);
        let mut slice = 0;
        for (i, step) in snapshot.slots.iter().enumerate() {
            slice += step;
            slices.marks.set(slice, snapshot.bad.get(i).copied().unwrap_or(1));
        }
        slices
    }

    /// Sets by which share a slice is good; a restored state does not have it.
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
}

fn counted_size(seconds: i64, scale: &Scale) -> RingSize {
    let slots = slices_in(seconds, scale.slices_counted + scale.slices_lag) + 1;
    RingSize { slot_seconds: seconds, slots: slots as usize }
}

/// How many slices fit into this many seconds, rounded up.
fn slices_in(slice: i64, seconds: i64) -> i64 {
    (seconds + slice - 1).div_euclid(slice)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const SLICES: Budgeting = Budgeting::Timeslices { seconds: 60, target: Ratio { num: 9, den: 10 } };
    const SHARED: Budgeting = Budgeting::RatioTimeslices { seconds: 60 };

    fn counts(bad: i64, total: i64) -> Counts {
        Counts { good: total - bad, total }
    }

    #[test]
    fn shares_and_goodness_by_hand() {
        let nine_tenths = Ratio { num: 9, den: 10 };
        // (bad, total), share in parts of a billion, whether 90 % is reached
        let table = [
            ((0, 0), 0, true),
            ((0, 5), 0, true),
            ((1, 10), 100_000_000, true),
            ((1, 9), 111_111_111, false),
            ((2, 3), 666_666_667, false),
            ((5, 5), WHOLE, false),
            ((1, 2_000_000_000), 1, true),
            ((1, 2_000_000_001), 0, true),
        ];
        for ((bad, total), share, good) in table {
            assert_eq!(share_of_bad(counts(bad, total)), share, "{bad} of {total}");
            assert_eq!(is_good(counts(bad, total), nine_tenths), good, "{bad} of {total}");
        }
    }

    #[test]
    fn a_late_event_flips_its_slice_either_way() {
        let mut slices =
            Slices::new(SLICES, 100, &Scale { slices_counted: 3_600, slices_lag: 600, ..Scale::REAL }).unwrap();
        assert_eq!(slices.add(70, 70, 65, counts(1, 1)), Some(Flip { begin: 60, bad: 1 }));
        assert_eq!(slices.window(130, 120), counts(1, 3));
        assert_eq!(slices.add(3_000, 3_000, 61, counts(0, 9)), Some(Flip { begin: 60, bad: -1 }));
        assert_eq!(slices.add(3_600, 3_600, 61, counts(1, 1)), Some(Flip { begin: 60, bad: 1 }));
        assert_eq!(slices.add(3_720, 3_720, 61, counts(0, 99)), None, "too late");
        assert_eq!(
            slices.add(4_200, 3_600, 61, counts(0, 9)),
            Some(Flip { begin: 60, bad: -1 }),
            "its source was behind"
        );
        assert_eq!(slices.add(4_200, 3_600, 61, counts(9, 9)), Some(Flip { begin: 60, bad: 1 }));
        assert_eq!(slices.add(4_320, 3_600, 61, counts(0, 99)), None, "its source was too far behind");
        assert_eq!((slices.window(3_720, 3_720).bad(), slices.events(3_660, 3_600)), (1, 29));
    }

    #[test]
    fn what_was_not_kept_is_forgotten_once_more_is_kept() {
        for budgeting in [SLICES, SHARED] {
            let mut slices = Slices::new(budgeting, 12, &Scale::REAL).unwrap();
            for second in (0..20).map(|minute| 60 * minute) {
                slices.add(second, second, second, counts(1, 1));
            }
            slices.keep(5, 60 * 19);
            slices.keep(100, 60 * 19);
            assert_eq!(slices.window(60 * 19, 60 * 30).bad(), 5 * slices.unit());
            let restored = Slices::restored(&slices.snapshot(60 * 19).unwrap(), &Scale::REAL);
            assert_eq!(restored.window(60 * 19, 60 * 30).bad(), 5 * slices.unit());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn slices_are_a_map_that_forgets(
            shared: bool, kept in 3i64..5_000,
            steps in prop::collection::vec((0i64..200_000, 0i64..90_000, 0i64..4, 0i64..9), 1..60),
        ) {
            let budgeting = if shared { SHARED } else { SLICES };
            let mut slices = Slices::new(budgeting, kept, &Scale::REAL).unwrap();
            let mut all: BTreeMap<i64, Counts> = BTreeMap::new();
            let mut tick = 1_000_000;
            for (ahead, late, bad, good) in steps {
                tick += ahead;
                let slice = (tick - late).div_euclid(60);
                slices.add(tick, tick, tick - late, counts(bad, bad + good));
                if slice >= tick.div_euclid(60) - 1_440 {
                    let cell = all.entry(slice).or_default();
                    *cell = counts(cell.bad() + bad, cell.total + bad + good);
                }
                let badness = |c: &Counts| if shared { share_of_bad(*c) } else { i64::from(!is_good(*c, Ratio { num: 9, den: 10 })) };
                let windows = [60, 3_600, 60 * (kept - 2), 20 * (kept - 2) + 7];
                for window in windows.into_iter().filter(|window| Slices::needed(60, *window) <= kept) {
                    let first = (tick + 1 - window).div_euclid(60);
                    let expected: i64 = all.range(first..).map(|(_, c)| badness(c)).sum();
                    prop_assert_eq!(slices.window(tick, window).bad(), expected);
                }
                let snapshot = slices.snapshot(tick).unwrap();
                let mut again = Slices::restored(&snapshot, &Scale::REAL);
                again.judge_by(budgeting);
                prop_assert_eq!(again.snapshot(tick), Some(snapshot));
                let longest = 60 * (kept - 2);
                prop_assert_eq!(again.window(tick, longest), slices.window(tick, longest));
            }
        }
    }
}
