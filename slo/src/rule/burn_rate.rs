//! Multi-window burn rate: the budget is being spent more than so many times too fast, over a long window and still over a
//! short one. Source: the SRE workbook, chapter 5.

use slipstream_definitions::definition::{BURN_RATE, Condition, Ratio, Rule};
use slipstream_definitions::duration;
use slipstream_schemas::records::{AlertValue, BurnRates};

use super::words::{figure, length};
use super::{Counted, Kind, Why, product, value_of, values_of};
use crate::counts::Counts;

/// The kind.
#[derive(Debug)]
pub struct BurnRate;

impl Kind for BurnRate {
    fn name(&self) -> &'static str {
        BURN_RATE
    }

    fn holds(&self, condition: &Condition, target: Ratio, series: &dyn Counted) -> Option<bool> {
        let (long, short) = (series.counts(condition.long), series.counts(condition.short));
        (long.total > 0 && short.total > 0).then_some(())?;
        let burns = |counts| burns_faster(counts, condition.threshold, target);
        Some(burns(long) && burns(short))
    }

    fn may_hold(&self, condition: &Condition, target: Ratio, short: Counts, _: i64) -> bool {
        burns_faster(short, condition.threshold, target)
    }

    fn needs_bad(&self) -> bool {
        true
    }

    fn values(&self, rule: &Rule, rates: &BurnRates) -> Vec<AlertValue> {
        let value = |seconds| value_of(rule, seconds, rates, |window| window.burn);
        vec![value(rule.condition.long), value(rule.condition.short)]
    }

    /// `>14.4x 1h/5m`.
    fn words(&self, condition: &Condition) -> String {
        let Condition { long, short, threshold, .. } = *condition;
        let factor = (threshold.as_f64() * 1e4).round() / 1e4;
        format!(">{factor}x {}/{}", duration::format(long), duration::format(short))
    }

    fn figure(&self, value: f64, other: Option<f64>) -> String {
        figure(value, other.as_slice())
    }

    fn why(&self, rule: &str, values: &[AlertValue]) -> Why {
        let values = values_of(rule, values);
        // The shortest window says how it burns now.
        let Some(now) = values.first() else {
            return Why { summary: "is spending its error budget too fast".to_owned(), description: String::new() };
        };
        let rate = |value: &AlertValue| figure(value.burn, &[value.threshold]);
        let over = |value: &&AlertValue| format!("{} over the last {}", rate(value), length(value.window_seconds));
        let rates: Vec<String> = values.iter().map(over).collect();
        Why {
            summary: format!("is spending its error budget {} times too fast", rate(now)),
            description: format!(
                "Burn rate {} (rule {rule} fires above {}). At 1 the budget would last exactly its period.",
                rates.join(" and "),
                figure(now.threshold, &[])
            ),
        }
    }

    fn over(&self) -> &'static str {
        "no longer spends its error budget too fast"
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

#[cfg(test)]
mod tests {
    use super::super::fixtures::Series;
    use super::*;
    use crate::rule::Kinds;

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
    fn what_is_just_above_its_threshold_does_not_look_like_it() {
        let value = |window_seconds, burn| AlertValue {
            rule: "r".to_owned(),
            window_seconds,
            burn,
            threshold: 14.4,
            ..AlertValue::default()
        };
        let why = BurnRate.why("r", &[value(3_600, 14.43), value(300, 14.402)]);
        assert_eq!(why.summary, "is spending its error budget 14.402 times too fast");
        assert!(
            why.description.starts_with("Burn rate 14.402 over the last 5 min and 14.43 over the last 1 h"),
            "{why:?}"
        );
        let slow = AlertValue { threshold: 0.03, ..value(300, 0.04) };
        assert_eq!(BurnRate.why("r", &[slow]).summary, "is spending its error budget 0.04 times too fast");
    }

    #[test]
    fn both_windows_must_burn_and_the_long_one_must_have_traffic() {
        let rule = |least| Condition::burn_rate(3_600, 300, FACTOR, least);
        let burns = |rule, long: (i64, i64), short: (i64, i64)| {
            let windows = vec![(3_600, long.0, long.1), (300, short.0, short.1)];
            Kinds::default().holds(&rule, TARGET, &Series { windows, ..Series::default() }, (false, true))
        };
        assert!(burns(rule(0), (50, 1_000), (5, 100)));
        assert!(!burns(rule(0), (50, 1_000), (1, 100)));
        assert!(!burns(rule(0), (5, 1_000), (5, 100)));
        assert!(burns(rule(1_000), (50, 1_000), (5, 100)));
        assert!(!burns(rule(1_001), (50, 1_000), (5, 100)));
    }
}
