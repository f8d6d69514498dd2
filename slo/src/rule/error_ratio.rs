//! Error ratio: more than a share of the requests of a window is bad.

use slipstream_definitions::definition::{Condition, ERROR_RATIO, Ratio, Rule};
use slipstream_definitions::duration;
use slipstream_schemas::records::{AlertValue, BurnRates};

use super::words::{length, percent};
use super::{Counted, Kind, Why, is_below, nothing_came, share_of_bad, value_of, values_of};
use crate::counts::Counts;

/// The kind.
#[derive(Debug)]
pub struct ErrorRatio;

impl Kind for ErrorRatio {
    fn name(&self) -> &'static str {
        ERROR_RATIO
    }

    fn holds(&self, condition: &Condition, _: Ratio, series: &dyn Counted) -> Option<bool> {
        // More than a share is bad: less than the rest is good.
        is_below(series.counts(condition.long), condition.threshold.complement()?)
    }

    fn may_hold(&self, condition: &Condition, _: Ratio, short: Counts, _: i64) -> bool {
        condition.threshold.complement().and_then(|good| is_below(short, good)).unwrap_or(false)
    }

    fn needs_bad(&self) -> bool {
        true
    }

    fn values(&self, rule: &Rule, rates: &BurnRates) -> Vec<AlertValue> {
        vec![value_of(rule, rule.condition.long, rates, share_of_bad)]
    }

    fn words(&self, condition: &Condition) -> String {
        let share = percent(condition.threshold.as_f64(), &[]);
        format!(">{share} errors {}", duration::format(condition.long))
    }

    fn why(&self, rule: &str, values: &[AlertValue]) -> Why {
        let values = values_of(rule, values);
        if let Some(why) = nothing_came(rule, &values) {
            return why;
        }
        let Some(now) = values.first() else {
            return Why { summary: "has too many errors".to_owned(), description: String::new() };
        };
        let share = percent(now.value.unwrap_or_default(), &[now.threshold]);
        let over = length(now.window_seconds);
        let counted = match (now.good, now.total) {
            (Some(good), Some(total)) => format!("{} of {total} were bad over the last {over}", total - good),
            _ => format!("{share} were bad over the last {over}"),
        };
        Why {
            summary: format!("has {share} errors over the last {over}"),
            description: format!("{counted} (rule {rule} fires above {}).", percent(now.threshold, &[])),
        }
    }

    fn over(&self) -> &'static str {
        "no longer has too many errors"
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{five_minutes, rule};
    use super::*;

    const TARGET: Ratio = Ratio { num: 99, den: 100 };

    fn above(num: u64, den: u64) -> Condition {
        Condition::of(ERROR_RATIO, 300, Ratio { num, den })
    }

    #[test]
    fn equality_is_not_above() {
        for (bad, total, holds) in
            [(5, 100, false), (6, 100, true), (50, 1_000, false), (51, 1_000, true), (0, 5, false)]
        {
            let found = ErrorRatio.holds(&above(5, 100), TARGET, &five_minutes(bad, total));
            assert_eq!(found, Some(holds), "{bad} of {total}");
        }
        assert_eq!(ErrorRatio.holds(&above(5, 100), TARGET, &five_minutes(0, 0)), None);
        assert_eq!(ErrorRatio.holds(&above(0, 1), TARGET, &five_minutes(1, i64::MAX)), Some(true));
        assert_eq!(ErrorRatio.holds(&above(0, 1), TARGET, &five_minutes(0, i64::MAX)), Some(false));
    }

    #[test]
    fn it_may_hold_whenever_it_does() {
        for (bad, total) in [(0, 0), (5, 100), (6, 100), (100, 100)] {
            let counts = Counts { good: total - bad, total };
            let holds = ErrorRatio.holds(&above(5, 100), TARGET, &five_minutes(bad, total)) == Some(true);
            assert_eq!(ErrorRatio.may_hold(&above(5, 100), TARGET, counts, total), holds, "{bad} of {total}");
        }
    }

    #[test]
    fn it_says_how_many_of_how_many() {
        let rates = super::super::words::tests::rates(&[(300, 930, 1_000)]);
        let values = ErrorRatio.values(&rule(above(5, 100)), &rates);
        let why = ErrorRatio.why("r", &values);
        assert_eq!(why.summary, "has 7% errors over the last 5 min");
        assert_eq!(why.description, "70 of 1000 were bad over the last 5 min (rule r fires above 5%).");
        let nothing = super::super::words::tests::rates(&[(300, 0, 0)]);
        let why = ErrorRatio.why("r", &ErrorRatio.values(&rule(above(5, 100)), &nothing));
        assert_eq!(why.summary, "got no requests in the last 5 min");
    }
}
