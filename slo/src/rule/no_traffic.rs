//! No traffic: nothing came in a window. A service that is down, or that nobody reaches.

use slipstream_definitions::definition::{Condition, NO_TRAFFIC, Ratio, Rule};
use slipstream_definitions::duration;
use slipstream_schemas::records::{AlertValue, BurnRates};

use super::words::{figure, length};
use super::{Counted, Kind, Why, value_of, values_of};
use crate::counts::Counts;

/// The kind.
#[derive(Debug)]
pub struct NoTraffic;

impl Kind for NoTraffic {
    fn name(&self) -> &'static str {
        NO_TRAFFIC
    }

    /// A series that began within the window has had no time to be without traffic.
    fn holds(&self, condition: &Condition, _: Ratio, series: &dyn Counted) -> Option<bool> {
        Some(series.events(condition.long) <= 0 && series.covers(condition.long))
    }

    fn may_hold(&self, _: &Condition, _: Ratio, _: Counts, events: i64) -> bool {
        events <= 0
    }

    fn needs_bad(&self) -> bool {
        false
    }

    fn is_by_absence(&self) -> bool {
        true
    }

    fn asks_events(&self) -> bool {
        true
    }

    fn values(&self, rule: &Rule, rates: &BurnRates) -> Vec<AlertValue> {
        vec![value_of(rule, rule.condition.long, rates, |_| 0.0)]
    }

    fn words(&self, condition: &Condition) -> String {
        format!("no traffic {}", duration::format(condition.long))
    }

    fn figure(&self, value: f64, _: Option<f64>) -> String {
        figure(value, &[])
    }

    fn why(&self, rule: &str, values: &[AlertValue]) -> Why {
        let values = values_of(rule, values);
        let Some(now) = values.first() else {
            return Why { summary: "gets no traffic".to_owned(), description: String::new() };
        };
        let over = length(now.window_seconds);
        Why {
            summary: format!("got no traffic in the last {over}"),
            description: format!("Not one request that counts came in {over} (rule {rule})."),
        }
    }

    fn over(&self) -> &'static str {
        "gets traffic again"
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Series, five_minutes};
    use super::*;

    const ANY: Ratio = Ratio { num: 1, den: 2 };

    #[test]
    fn nothing_came_since_the_series_is_there() {
        let silent = Condition::of(NO_TRAFFIC, 300, ANY);
        assert_eq!(NoTraffic.holds(&silent, ANY, &five_minutes(0, 0)), Some(true));
        assert_eq!(NoTraffic.holds(&silent, ANY, &five_minutes(0, 1)), Some(false));
        let new = Series { known: 299, ..five_minutes(0, 0) };
        assert_eq!(NoTraffic.holds(&silent, ANY, &new), Some(false));
        assert!(NoTraffic.may_hold(&silent, ANY, Counts { good: 5, total: 5 }, 0), "slices have no events");
    }
}
