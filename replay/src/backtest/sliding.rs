//! Burn-rate rules over a whole history at once: windows are differences of running sums, and one pass finds for every factor
//! where the rule holds.
//!
//! A rule is evaluated at the last second T of each slot, over the slots in [T + 1 - W, T + 1), by the product's own
//! comparison ([`burns_faster`]: strictly greater, in whole numbers). At slots of a second that is what burn does with windows
//! up to 5 minutes; its longer windows move in steps of their rings' slots, and cover up to one more.

use slipstream_definitions::definition::Ratio;
use slipstream_slo::counts::Counts;
use slipstream_slo::rule::burns_faster;

use super::history::Slot;

/// Running sums of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    from: i64,
    slot: i64,
    /// Of all slots before that of the index: one more than there are slots.
    before: Vec<Counts>,
}

/// When a rule held without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The second of the first evaluation at which it held.
    pub fired: i64,
    /// That of the first at which it did not; `None`: it held at the last one.
    pub ended: Option<i64>,
}

/// Where a rule holds: slots by index of their end, and how many of the factors, which ascend, are exceeded there. Only
/// where at least one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels(Vec<(usize, usize)>);

impl Sums {
    /// Sums of the slots from `from` up to `to`, exclusive; what is outside is not counted. A slot that the range cuts off is
    /// not looked at.
    pub fn of(slots: &[Slot], from: i64, to: i64, slot_seconds: i64) -> Sums {
        let slot = slot_seconds.max(1);
        let count = usize::try_from(to.saturating_sub(from).max(0) / slot).unwrap_or(0);
        let mut before = vec![Counts::default(); count + 1];
        for counted in slots {
            let index = usize::try_from(counted.start.saturating_sub(from).div_euclid(slot)).unwrap_or(usize::MAX);
            if let Some(sum) = index.checked_add(1).and_then(|behind| before.get_mut(behind)) {
                *sum = Counts { good: sum.good + counted.good, total: sum.total + counted.total };
            }
        }
        let mut sum = Counts::default();
        for counts in &mut before {
            sum = Counts { good: sum.good + counts.good, total: sum.total + counts.total };
            *counts = sum;
        }
        Sums { from, slot, before }
    }

    /// Length of a slot, seconds.
    pub fn slot_seconds(&self) -> i64 {
        self.slot
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.before.len() - 1
    }

    /// What the `width` slots before `end` counted; fewer where the history begins.
    pub fn window(&self, end: usize, width: usize) -> Counts {
        let (behind, ahead) = (self.before[end], self.before[end.saturating_sub(width)]);
        Counts { good: behind.good - ahead.good, total: behind.total - ahead.total }
    }

    /// How many slots a window has. `None` if it is no multiple of one.
    pub fn width(&self, seconds: i64) -> Option<usize> {
        let width = usize::try_from(seconds / self.slot).ok()?;
        (width > 0 && seconds % self.slot == 0).then_some(width)
    }

    /// The last second of the slot before `end`.
    pub fn second(&self, end: usize) -> i64 {
        self.start(end) - 1
    }

    /// The first second of a slot.
    pub fn start(&self, slot: usize) -> i64 {
        self.from + i64::try_from(slot).unwrap_or(i64::MAX).saturating_mul(self.slot)
    }

    /// Where a rule holds over the windows of so many slots, with at least `least` events in the long one, for each of some
    /// factors, which must ascend.
    pub fn levels(&self, long: usize, short: usize, least: i64, target: Ratio, factors: &[Ratio]) -> Levels {
        let level = |end: usize| {
            let now = self.window(end, short);
            // Most slots: nothing was bad lately, so no factor is exceeded.
            if now.bad() <= 0 {
                return 0;
            }
            let all = self.window(end, long);
            if all.total < least {
                return 0;
            }
            factors.partition_point(|factor| burns_faster(now, *factor, target) && burns_faster(all, *factor, target))
        };
        Levels((1..=self.slots()).map(|end| (end, level(end))).filter(|(_, level)| *level > 0).collect())
    }

    /// When the rule with the factor of that index held.
    pub fn spans(&self, levels: &Levels, factor: usize) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut last = None;
        for (end, _) in levels.0.iter().filter(|(_, level)| *level > factor) {
            if last != Some(end - 1) {
                spans.push(Span { fired: self.second(*end), ended: None });
            }
            last = Some(*end);
            if let Some(span) = spans.last_mut() {
                span.ended = (*end < self.slots()).then(|| self.second(end + 1));
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ratio(text: &str) -> Ratio {
        Ratio::parse(text).unwrap()
    }

    /// Slots of a minute from second 0 on, each with so many bad of 100.
    fn minutes(bad: &[i64]) -> Vec<Slot> {
        let slot = |(index, bad): (usize, &i64)| Slot { start: index as i64 * 60, good: 100 - bad, total: 100 };
        bad.iter().enumerate().map(slot).collect()
    }

    #[test]
    fn a_rule_holds_while_both_windows_burn() {
        let slots = minutes(&[0, 0, 0, 100, 100, 0, 0, 0, 0, 0]);
        let sums = Sums::of(&slots, 0, 600, 60);
        // Over 3 minutes a third is bad after one, so 3.3 of 10 %; over 1 minute all is.
        let levels = sums.levels(3, 1, 0, ratio("0.9"), &[ratio("3"), ratio("4")]);
        assert_eq!(sums.spans(&levels, 0), [Span { fired: 239, ended: Some(359) }]);
        assert_eq!(sums.spans(&levels, 1), [Span { fired: 299, ended: Some(359) }]);
        // 300 events in 3 minutes are not 301; there are fewer where the history begins.
        assert!(sums.spans(&sums.levels(3, 1, 301, ratio("0.9"), &[ratio("3")]), 0).is_empty());
    }

    #[test]
    fn equality_is_not_strictly_greater_and_what_lasts_has_no_end() {
        let sums = Sums::of(&minutes(&[10, 11, 10]), 0, 180, 60);
        let levels = sums.levels(1, 1, 0, ratio("0.9"), &[ratio("1")]);
        assert_eq!(sums.spans(&levels, 0), [Span { fired: 119, ended: Some(179) }]);
        let sums = Sums::of(&minutes(&[0, 11]), 0, 120, 60);
        let levels = sums.levels(1, 1, 0, ratio("0.9"), &[ratio("1")]);
        assert_eq!(sums.spans(&levels, 0), [Span { fired: 119, ended: None }]);
    }

    #[test]
    fn slots_outside_of_the_range_do_not_count() {
        let slots = [Slot { start: -1, good: 0, total: 5 }, Slot { start: 119, good: 0, total: 7 }];
        let outside = [Slot { start: 120, good: 0, total: 9 }, Slot { start: i64::MIN, good: 0, total: 9 }];
        let sums = Sums::of(&[slots, outside].concat(), 0, 150, 60);
        assert_eq!((sums.slots(), sums.window(2, 9).total), (2, 7));
        assert_eq!((sums.width(300), sums.width(90), sums.width(0)), (Some(5), None, None));
        assert_eq!(Sums::of(&slots, 0, -60, 60).slots(), 0);
    }

    /// The rule by its definition: at the last second T of each slot, sums over [T + 1 - W, T + 1).
    fn recount(slots: &[Slot], to: i64, slot: i64, rule: (i64, i64, i64, Ratio), target: Ratio) -> Vec<Span> {
        let (long, short, least, factor) = rule;
        let holds = |tick: i64| {
            let sum = |window: i64| {
                let within = slots.iter().filter(|s| (tick + 1 - window..tick + 1).contains(&s.start));
                within.fold(Counts::default(), |sum, s| Counts { good: sum.good + s.good, total: sum.total + s.total })
            };
            let burns = |window| burns_faster(sum(window), factor, target);
            burns(long) && burns(short) && sum(long).total >= least
        };
        let mut spans: Vec<Span> = Vec::new();
        let mut held = false;
        for tick in (1..=to / slot).map(|end| end * slot - 1) {
            match (held, holds(tick)) {
                (false, true) => spans.push(Span { fired: tick, ended: None }),
                (true, false) => spans.last_mut().unwrap().ended = Some(tick),
                _ => {}
            }
            held = holds(tick);
        }
        spans
    }

    proptest! {
        #[test]
        fn the_fast_evaluation_equals_a_recount(
            counts in prop::collection::vec((0i64..4, 0i64..30), 0..80),
            windows in (1i64..12, 1i64..12),
            least in 0i64..60,
            target in prop::sample::select(vec!["0.5", "0.9", "0.99", "0.999"]),
        ) {
            let slot = |(index, (bad, good)): (usize, &(i64, i64))| {
                Slot { start: index as i64 * 10, good: *good, total: bad * bad * bad + good }
            };
            let slots: Vec<Slot> = counts.iter().enumerate().map(slot).collect();
            let to = counts.len() as i64 * 10;
            let (long, short) = (windows.0.max(windows.1), windows.0.min(windows.1));
            let factors = ["0.5", "1", "1.5", "2", "5", "14.4", "100"].map(ratio);
            let sums = Sums::of(&slots, 0, to, 10);
            let levels = sums.levels(long as usize, short as usize, least, ratio(target), &factors);
            for (index, factor) in factors.iter().enumerate() {
                let want = recount(&slots, to, 10, (long * 10, short * 10, least, *factor), ratio(target));
                prop_assert_eq!(sums.spans(&levels, index), want, "{}x", factor.as_f64());
            }
        }
    }
}
