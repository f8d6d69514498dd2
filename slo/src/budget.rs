//! Error budgets and burn rates as people read them: floats. What decides is in `condition`, in whole numbers.

use crate::condition::Counts;
use crate::definition::{Condition, Objective, Ratio};

const HOUR: i64 = 3_600;

/// The last second that calendars with four-digit years can print in every time zone. A budget that lasts longer is
/// said to last until then.
pub const FAR_FUTURE: i64 = 253_402_207_200;

/// A budget over its period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// good / total; none without traffic.
    pub sli: Option<f64>,
    /// Bad events that the period allows at its present total: (1 - target) x total.
    pub allowed: f64,
    /// Share that is left: 1 - burn rate over the period. Negative when overspent; 1 without traffic.
    pub remaining: f64,
}

/// 1 - target.
pub fn error_share(target: Ratio) -> f64 {
    target.den.saturating_sub(target.num) as f64 / target.den as f64
}

/// (bad / total) / (1 - target): 1 spends exactly the budget over the window. 0 without traffic.
/// Source: Site Reliability Workbook, chapter 5.
pub fn burn_rate(counts: Counts, target: Ratio) -> f64 {
    if counts.total <= 0 { 0.0 } else { counts.bad() as f64 / counts.total as f64 / error_share(target) }
}

/// The budget of a period with these counts.
pub fn budget(period: Counts, target: Ratio) -> Budget {
    Budget {
        sli: (period.total > 0).then(|| period.good as f64 / period.total as f64),
        allowed: error_share(target) * period.total.max(0) as f64,
        remaining: 1.0 - burn_rate(period, target),
    }
}

/// The window whose bad events say how fast the budget is being spent at present: the shortest long window of the
/// objective's burn rules that is at least an hour, else their longest; without rules an hour, or the period if that is
/// shorter. Seconds.
pub fn present_window(objective: &Objective, period: i64) -> i64 {
    let long = || {
        objective.rules.iter().map(|rule| match rule.condition {
            Condition::Burn { long, .. } => long,
        })
    };
    long().filter(|w| *w >= HOUR).min().or_else(|| long().max()).unwrap_or(HOUR.min(period))
}

/// When the budget is spent at the present rate: remaining budget in events / bad events per second over the present
/// window, of which `covered` seconds are known. None when it is not being spent, or is spent. Unix seconds, rounded
/// up.
pub fn exhaustion_at(now: i64, period: Counts, present: Counts, covered: i64, target: Ratio) -> Option<i64> {
    let left = error_share(target) * period.total as f64 - period.bad() as f64;
    if left <= 0.0 || present.bad() <= 0 {
        return None;
    }
    let seconds = left * covered.max(1) as f64 / present.bad() as f64;
    Some(now.saturating_add(seconds.ceil() as i64).min(FAR_FUTURE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Ratio = Ratio { num: 99, den: 100 };

    fn counts(bad: i64, total: i64) -> Counts {
        Counts { good: total - bad, total }
    }

    #[test]
    fn budgets_by_hand() {
        // (bad, total) over the period, then sli, allowed, remaining
        let table = [
            ((0, 0), None, 0.0, 1.0),
            ((0, 1_000), Some(1.0), 10.0, 1.0),
            ((5, 1_000), Some(0.995), 10.0, 0.5),
            ((10, 1_000), Some(0.99), 10.0, 0.0),
            ((25, 1_000), Some(0.975), 10.0, -1.5),
        ];
        for ((bad, total), sli, allowed, remaining) in table {
            let got = budget(counts(bad, total), TARGET);
            assert_eq!(got.sli, sli, "{bad} of {total}");
            assert!((got.allowed - allowed).abs() < 1e-9, "{got:?}");
            assert!((got.remaining - remaining).abs() < 1e-9, "{got:?}");
        }
    }

    #[test]
    fn exhaustion_is_what_is_left_over_the_present_rate() {
        // 10 allowed, 4 spent: 6 left; 3 bad events an hour: two hours.
        assert_eq!(exhaustion_at(1_000, counts(4, 1_000), counts(3, 50), HOUR, TARGET), Some(1_000 + 2 * HOUR));
        // The present window is known for half an hour only: twice the rate.
        assert_eq!(exhaustion_at(1_000, counts(4, 1_000), counts(3, 50), HOUR / 2, TARGET), Some(1_000 + HOUR));
        assert_eq!(exhaustion_at(1_000, counts(4, 1_000), counts(0, 50), HOUR, TARGET), None);
        assert_eq!(exhaustion_at(1_000, counts(10, 1_000), counts(3, 50), HOUR, TARGET), None);
        let patient = exhaustion_at(1_000, counts(1, i64::MAX / 2), counts(1, 50), HOUR, TARGET);
        assert_eq!(patient, Some(FAR_FUTURE));
    }
}
