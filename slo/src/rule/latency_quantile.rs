//! Latency quantile: p95 above 500 ms is exactly that less than 95 % of the requests were answered within 500 ms. So what is
//! good is the filter's business, and this counts it.

use slipstream_definitions::definition::{Condition, LATENCY_QUANTILE, Ratio, Rule};
use slipstream_definitions::duration;
use slipstream_schemas::records::{AlertValue, BurnRates};

use super::words::{figure, length, percent};
use super::{Counted, Kind, RatioBelow, Why, nothing_came, values_of};
use crate::counts::Counts;

/// The kind.
#[derive(Debug)]
pub struct LatencyQuantile;

impl Kind for LatencyQuantile {
    fn name(&self) -> &'static str {
        LATENCY_QUANTILE
    }

    fn holds(&self, condition: &Condition, target: Ratio, series: &dyn Counted) -> Option<bool> {
        RatioBelow.holds(condition, target, series)
    }

    fn may_hold(&self, condition: &Condition, target: Ratio, short: Counts, events: i64) -> bool {
        RatioBelow.may_hold(condition, target, short, events)
    }

    fn needs_bad(&self) -> bool {
        RatioBelow.needs_bad()
    }

    fn values(&self, rule: &Rule, rates: &BurnRates) -> Vec<AlertValue> {
        RatioBelow.values(rule, rates)
    }

    fn words(&self, condition: &Condition) -> String {
        let limit = condition.limit_ms.map_or(0.0, Ratio::as_f64);
        let window = duration::format(condition.long);
        format!("{} >{}ms {window}", quantile(condition.threshold.as_f64()), figure(limit, &[]))
    }

    fn why(&self, rule: &str, values: &[AlertValue]) -> Why {
        let values = values_of(rule, values);
        if let Some(why) = nothing_came(rule, &values) {
            return why;
        }
        let Some(now) = values.first() else {
            return Why { summary: "is too slow".to_owned(), description: String::new() };
        };
        let limit = figure(now.limit.unwrap_or_default(), &[]);
        let (over, name) = (length(now.window_seconds), quantile(now.threshold));
        let share = percent(now.value.unwrap_or_default(), &[now.threshold]);
        let counted = match (now.good, now.total) {
            (Some(good), Some(total)) => format!("{share} ({good} of {total})"),
            _ => share,
        };
        Why {
            summary: format!("is too slow: {name} is above {limit} ms over the last {over}"),
            description: format!(
                "{counted} were answered within {limit} ms over the last {over} (rule {rule} fires below {}).",
                percent(now.threshold, &[])
            ),
        }
    }

    fn over(&self) -> &'static str {
        "is fast enough again"
    }
}

/// `p95`, `p99.9`.
fn quantile(share: f64) -> String {
    format!("p{}", figure(share * 100.0, &[]))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{five_minutes, rule};
    use super::*;

    fn p95() -> Condition {
        let limit_ms = Some(Ratio { num: 500, den: 1 });
        Condition { limit_ms, ..Condition::of(LATENCY_QUANTILE, 300, Ratio { num: 95, den: 100 }) }
    }

    #[test]
    fn fewer_than_the_share_within_the_limit() {
        let target = Ratio { num: 1, den: 2 };
        for (slow, total, holds) in [(5, 100, false), (6, 100, true), (1, 19, true), (1, 20, false)] {
            let found = LatencyQuantile.holds(&p95(), target, &five_minutes(slow, total));
            assert_eq!(found, Some(holds), "{slow} of {total}");
        }
    }

    #[test]
    fn it_says_which_quantile_and_limit() {
        let rates = super::super::words::tests::rates(&[(300, 920, 1_000)]);
        let why = LatencyQuantile.why("r", &LatencyQuantile.values(&rule(p95()), &rates));
        assert_eq!(why.summary, "is too slow: p95 is above 500 ms over the last 5 min");
        let says = "92% (920 of 1000) were answered within 500 ms over the last 5 min (rule r fires below 95%).";
        assert_eq!(why.description, says);
    }
}
