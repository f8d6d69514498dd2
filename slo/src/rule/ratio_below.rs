//! Ratio below: less than a share of the requests of a window is good. Business success, conversion, an SLI below its
//! objective.

use slipstream_definitions::definition::{Condition, RATIO_BELOW, Ratio, Rule};
use slipstream_definitions::duration;
use slipstream_schemas::records::{AlertValue, BurnRates};

use super::words::{length, percent};
use super::{Counted, Kind, Why, is_below, nothing_came, share_of_good, value_of, values_of};
use crate::counts::Counts;

/// The kind.
#[derive(Debug)]
pub struct RatioBelow;

impl Kind for RatioBelow {
    fn name(&self) -> &'static str {
        RATIO_BELOW
    }

    fn holds(&self, condition: &Condition, _: Ratio, series: &dyn Counted) -> Option<bool> {
        is_below(series.counts(condition.long), condition.threshold)
    }

    fn may_hold(&self, condition: &Condition, _: Ratio, short: Counts, _: i64) -> bool {
        is_below(short, condition.threshold).unwrap_or(false)
    }

    fn needs_bad(&self) -> bool {
        true
    }

    fn values(&self, rule: &Rule, rates: &BurnRates) -> Vec<AlertValue> {
        vec![value_of(rule, rule.condition.long, rates, share_of_good)]
    }

    fn words(&self, condition: &Condition) -> String {
        format!("<{} good {}", percent(condition.threshold.as_f64(), &[]), duration::format(condition.long))
    }

    fn why(&self, rule: &str, values: &[AlertValue]) -> Why {
        let values = values_of(rule, values);
        if let Some(why) = nothing_came(rule, &values) {
            return why;
        }
        let Some(now) = values.first() else {
            return Why { summary: "has too few good requests".to_owned(), description: String::new() };
        };
        let share = percent(now.value.unwrap_or_default(), &[now.threshold]);
        let (over, least) = (length(now.window_seconds), percent(now.threshold, &[]));
        let counted = match (now.good, now.total) {
            (Some(good), Some(total)) => format!("{good} of {total} were good over the last {over}"),
            _ => format!("{share} were good over the last {over}"),
        };
        Why {
            summary: format!("has {share} good requests over the last {over}, below {least}"),
            description: format!("{counted} (rule {rule} fires below {least})."),
        }
    }

    fn over(&self) -> &'static str {
        "has enough good requests again"
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{five_minutes, rule};
    use super::*;

    const TARGET: Ratio = Ratio { num: 99, den: 100 };

    #[test]
    fn equality_is_not_below() {
        let below = Condition::of(RATIO_BELOW, 300, Ratio { num: 2, den: 10 });
        for (good, total, holds) in [(2, 10, false), (1, 10, true), (0, 1, true), (20, 100, false), (199, 1_000, true)]
        {
            let found = RatioBelow.holds(&below, TARGET, &five_minutes(total - good, total));
            assert_eq!(found, Some(holds), "{good} of {total}");
            assert_eq!(RatioBelow.may_hold(&below, TARGET, Counts { good, total }, total), holds);
        }
        assert_eq!(RatioBelow.holds(&below, TARGET, &five_minutes(0, 0)), None);
    }

    #[test]
    fn it_says_how_far_below() {
        let below = Condition::of(RATIO_BELOW, 300, Ratio { num: 995, den: 1_000 });
        let rates = super::super::words::tests::rates(&[(300, 9_949, 10_000)]);
        let why = RatioBelow.why("r", &RatioBelow.values(&rule(below), &rates));
        assert_eq!(why.summary, "has 99.49% good requests over the last 5 min, below 99.5%");
        assert_eq!(why.description, "9949 of 10000 were good over the last 5 min (rule r fires below 99.5%).");
    }
}
