//! Conditions: pure functions of a series' window sums. Burn uses them to decide when to publish; what they mean is the
//! alert machine's business.

use slipstream_definitions::definition::{Condition, Ratio};

/// Weights in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// What was good: events, slices of time or parts of them.
    pub good: i64,
    /// Good and bad.
    pub total: i64,
}

impl Counts {
    /// What was bad.
    pub fn bad(self) -> i64 {
        self.total - self.good
    }
}

/// Whether a condition holds. `counts` gives the sums of a window in seconds, `events` how many events it had: they
/// differ where time is sliced.
pub fn holds(
    condition: &Condition,
    target: Ratio,
    counts: impl Fn(i64) -> Counts,
    events: impl Fn(i64) -> i64,
) -> bool {
    match *condition {
        Condition::Burn { long, short, factor, least } => {
            burns_faster(counts(long), factor, target)
                && burns_faster(counts(short), factor, target)
                && (least <= 0 || events(long) >= least)
        }
    }
}

/// Whether (bad / total) / (1 - target) is strictly greater than `factor`, in whole numbers:
/// bad x factor.den x target.den > factor.num x (target.den - target.num) x total. Without traffic nothing burns.
pub fn burns_faster(counts: Counts, factor: Ratio, target: Ratio) -> bool {
    let (Ok(total @ 1..), Ok(bad @ 1..)) = (u64::try_from(counts.total), u64::try_from(counts.bad())) else {
        return false;
    };
    let allowed_share = u128::from(factor.num) * u128::from(target.den.saturating_sub(target.num));
    let whole = u128::from(factor.den) * u128::from(target.den);
    product(whole, bad) > product(allowed_share, total)
}

/// a x b as (high, low 64 bits): 128 bits are not enough for the longest decimals times the largest counts.
fn product(a: u128, b: u64) -> (u128, u64) {
    let low = (a & u128::from(u64::MAX)) * u128::from(b);
    let high = (a >> 64) * u128::from(b) + (low >> 64);
    (high, low as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Ratio = Ratio { num: 999, den: 1_000 };
    const FACTOR: Ratio = Ratio { num: 144, den: 10 };

    fn counts(bad: i64, total: i64) -> Counts {
        Counts { good: total - bad, total }
    }

    #[test]
    fn equality_is_not_strictly_greater() {
        // 14.4 x 0.001: of 10,000 events 144 are exactly the limit.
        assert!(!burns_faster(counts(144, 10_000), FACTOR, TARGET));
        assert!(burns_faster(counts(145, 10_000), FACTOR, TARGET));
        // 6 x 0.1: of 100 events 60. In floats 60 / 100 / (1 - 0.9) is greater than 6.
        let (six, nine_tenths) = (Ratio { num: 6, den: 1 }, Ratio { num: 9, den: 10 });
        assert!(!burns_faster(counts(60, 100), six, nine_tenths));
        assert!(burns_faster(counts(61, 100), six, nine_tenths));
    }

    #[test]
    fn nothing_burns_without_traffic_or_without_bad_events() {
        let zero = Ratio { num: 0, den: 1 };
        for (bad, total) in [(0, 0), (0, 10), (3, 0), (-2, 10), (1, -1)] {
            assert!(!burns_faster(counts(bad, total), zero, TARGET), "{bad} of {total}");
        }
    }

    #[test]
    fn the_largest_counts_and_decimals_do_not_overflow() {
        let nearly_one = Ratio { num: u64::MAX - 1, den: u64::MAX };
        let one = Ratio { num: u64::MAX, den: u64::MAX };
        assert!(burns_faster(counts(i64::MAX, i64::MAX), one, nearly_one));
        assert!(!burns_faster(counts(1, i64::MAX), one, Ratio { num: 1, den: u64::MAX }));
    }

    #[test]
    fn both_windows_must_burn_and_the_long_one_must_have_traffic() {
        let rule = |least| Condition::Burn { long: 3_600, short: 300, factor: FACTOR, least };
        let burns = |rule, long: (i64, i64), short: (i64, i64)| {
            let sums = |w| if w == 3_600 { counts(long.0, long.1) } else { counts(short.0, short.1) };
            holds(&rule, TARGET, sums, |w| sums(w).total)
        };
        assert!(burns(rule(0), (50, 1_000), (5, 100)));
        assert!(!burns(rule(0), (50, 1_000), (1, 100)));
        assert!(!burns(rule(0), (5, 1_000), (5, 100)));
        assert!(burns(rule(1_000), (50, 1_000), (5, 100)));
        assert!(!burns(rule(1_001), (50, 1_000), (5, 100)));
    }
}
