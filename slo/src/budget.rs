//! Error budgets and burn rates as people read them: floats. What decides is in `rule`, in whole numbers.

use crate::counts::Counts;
use slipstream_definitions::definition::{BURN_RATE, Ratio, Rule};

const HOUR: i64 = 3_600;

/// The last second that calendars with four-digit years can print in every time zone. A budget that lasts longer is
/// said to last until then.
pub const FAR_FUTURE: i64 = 253_402_207_200;

/// 1 - target.
pub fn error_share(target: Ratio) -> f64 {
    target.den.saturating_sub(target.num) as f64 / target.den as f64
}

/// (bad / total) / (1 - target): 1 spends exactly the budget over the window. 0 without traffic.
/// Source: Site Reliability Workbook, chapter 5.
pub fn burn_rate(counts: Counts, target: Ratio) -> f64 {
    if counts.total <= 0 { 0.0 } else { counts.bad() as f64 / counts.total as f64 / error_share(target) }
}

/// good / total; `None` without traffic.
pub fn sli(counts: Counts) -> Option<f64> {
    (counts.total > 0).then(|| counts.good as f64 / counts.total as f64)
}

/// The window whose bad events say how fast the budget is being spent at present: the shortest long window of the burn
/// rules that is at least an hour, else their longest; without rules an hour, or the period if that is shorter. Seconds.
pub fn present_window(rules: &[Rule], period: i64) -> i64 {
    let burn_rates = || rules.iter().filter(|rule| rule.condition.kind == BURN_RATE);
    let long = || burn_rates().map(|rule| rule.condition.long);
    long().filter(|w| *w >= HOUR).min().or_else(|| long().max()).unwrap_or(HOUR.min(period))
}

/// The state of a budget and its rate, in the unit that it is counted in: events, seconds or shares of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// What was bad in the period.
    pub bad: f64,
    /// What may be bad in it.
    pub allowed: f64,
    /// What becomes bad per second at the current rate.
    pub bad_rate: f64,
    /// What may become bad a second more: a calendar's budget of events grows with the traffic of its period.
    pub allowed_rate: f64,
}

impl Course {
    /// Of a share of events: what is bad over the period, and over the present window, of which `covered` seconds are
    /// known. `grows`: the period is not over, and what it allows grows with its traffic.
    pub fn of_events(period: Counts, present: Counts, covered: i64, grows: bool, target: Ratio) -> Course {
        let covered = covered.max(1) as f64;
        let allowed_rate = error_share(target) * present.total as f64 / covered;
        Course {
            bad: period.bad() as f64,
            allowed: error_share(target) * period.total.max(0) as f64,
            bad_rate: present.bad() as f64 / covered,
            allowed_rate: if grows { allowed_rate } else { 0.0 },
        }
    }

    /// Of sliced time: bad seconds of a period of so many, and of the present window of `covered` seconds.
    /// A second a second is the most that can become bad.
    pub fn of_time(bad: f64, period: i64, present_bad: f64, covered: i64, target: Ratio) -> Course {
        Course {
            bad,
            allowed: error_share(target) * period as f64,
            bad_rate: (present_bad / covered.max(1) as f64).min(1.0),
            allowed_rate: 0.0,
        }
    }

    /// Of a composite's share of bad over the `elapsed` seconds of its period, and its share in the present window.
    /// `grows`: the period is not over.
    pub fn of_share(share: f64, elapsed: i64, present: f64, grows: bool, target: Ratio) -> Course {
        let elapsed = elapsed.max(1) as f64;
        let allowed = error_share(target);
        Course {
            bad: share * elapsed,
            allowed: allowed * elapsed,
            bad_rate: present,
            allowed_rate: if grows { allowed } else { 0.0 },
        }
    }

    /// Share of the budget that is left: negative when overspent; 1 where nothing is allowed because nothing came.
    pub fn remaining(&self) -> f64 {
        if self.allowed > 0.0 { 1.0 - self.bad / self.allowed } else { 1.0 }
    }

    /// When the budget is spent at the present rate: what is left / what is spent a second. None when it is not being
    /// spent, is spent, or begins again before, at `renewed`. Unix seconds, rounded up.
    pub fn exhaustion_at(&self, now: i64, renewed: Option<i64>) -> Option<i64> {
        let (left, rate) = (self.allowed - self.bad, self.bad_rate - self.allowed_rate);
        if left <= 0.0 || self.bad_rate <= 0.0 || rate <= 0.0 {
            return None;
        }
        let at = now.saturating_add((left / rate).ceil() as i64).min(FAR_FUTURE);
        renewed.is_none_or(|renewed| at < renewed).then_some(at)
    }
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
        for ((bad, total), expected, allowed, remaining) in table {
            let got = Course::of_events(counts(bad, total), counts(0, 0), 1, false, TARGET);
            assert_eq!(sli(counts(bad, total)), expected, "{bad} of {total}");
            assert!((got.allowed - allowed).abs() < 1e-9, "{got:?}");
            assert!((got.remaining() - remaining).abs() < 1e-9, "{got:?}");
        }
    }

    #[test]
    fn exhaustion_is_what_is_left_over_the_present_rate() {
        let at = |period, present, covered| {
            Course::of_events(period, present, covered, false, TARGET).exhaustion_at(1_000, None)
        };
        // 10 allowed, 4 spent: 6 left; 3 bad events an hour: two hours.
        assert_eq!(at(counts(4, 1_000), counts(3, 50), HOUR), Some(1_000 + 2 * HOUR));
        // The present window is known for half an hour only: twice the rate.
        assert_eq!(at(counts(4, 1_000), counts(3, 50), HOUR / 2), Some(1_000 + HOUR));
        assert_eq!(at(counts(4, 1_000), counts(0, 50), HOUR), None);
        assert_eq!(at(counts(10, 1_000), counts(3, 50), HOUR), None);
        assert_eq!(at(counts(1, i64::MAX / 2), counts(1, 50), HOUR), Some(FAR_FUTURE));
    }

    #[test]
    fn a_calendars_budget_of_events_grows_with_its_traffic() {
        let course = |bad| Course::of_events(counts(4, 1_000), counts(bad, 100), HOUR, true, TARGET);
        // At 1 % of bad the budget grows as fast as it is spent; at 3 % by 2 of 100 an hour: 6 are left for 3 hours.
        assert_eq!(course(1).exhaustion_at(1_000, Some(FAR_FUTURE)), None);
        assert_eq!(course(3).exhaustion_at(1_000, Some(FAR_FUTURE)), Some(1_000 + 3 * HOUR));
        assert_eq!(course(3).exhaustion_at(1_000, Some(1_000 + 3 * HOUR)), None, "it begins again before");
    }

    #[test]
    fn a_budget_of_time_is_that_of_its_whole_period() {
        // 99 % of 30 d: 432 minutes. 32 are spent, and a quarter of the last hour was bad.
        let course = Course::of_time(32.0 * 60.0, 30 * 86_400, 900.0, HOUR, TARGET);
        assert!((course.allowed - 432.0 * 60.0).abs() < 1e-6);
        assert_eq!(course.exhaustion_at(0, None), Some(1_600 * 60));
        let outage = Course::of_time(32.0 * 60.0, 30 * 86_400, 60.0, 1, TARGET);
        assert_eq!(outage.exhaustion_at(0, None), Some(400 * 60), "no faster than the clock");
    }

    #[test]
    fn a_composites_share_is_spent_over_its_period() {
        // 1 % of 100 h is allowed; half of that was spent, and 10 % are bad at present: 0.5 h / 0.1.
        let rolling = Course::of_share(0.005, 100 * HOUR, 0.1, false, TARGET);
        assert!((rolling.remaining() - 0.5).abs() < 1e-9);
        assert_eq!(rolling.exhaustion_at(0, None), Some(5 * HOUR));
        let calendar = Course::of_share(0.005, 100 * HOUR, 0.01, true, TARGET);
        assert_eq!(calendar.exhaustion_at(0, Some(FAR_FUTURE)), None, "it grows as fast");
    }
}
