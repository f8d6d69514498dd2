//! More than so many requests in a window: all that a kind of rule of one's own has to say of itself.

use slipstream_definitions::definition::{Condition, Ratio, Rule};
use slipstream_definitions::duration;
use slipstream_schemas::records::{AlertValue, BurnRates};
use slipstream_slo::counts::Counts;
use slipstream_slo::rule::{Counted, Kind, Why};

/// The kind.
#[derive(Debug)]
pub struct Rush;

impl Kind for Rush {
    fn name(&self) -> &'static str {
        "rush"
    }

    fn holds(&self, condition: &Condition, _: Ratio, series: &dyn Counted) -> Option<bool> {
        Some(series.events(condition.long) > condition.threshold.num as i64)
    }

    fn may_hold(&self, condition: &Condition, _: Ratio, _: Counts, events: i64) -> bool {
        events > condition.threshold.num as i64
    }

    fn needs_bad(&self) -> bool {
        false
    }

    fn asks_events(&self) -> bool {
        true
    }

    fn values(&self, rule: &Rule, rates: &BurnRates) -> Vec<AlertValue> {
        let of_rule = rates.windows.iter().filter(|window| window.seconds == rule.condition.long);
        let value = |window: &slipstream_schemas::records::WindowRates| AlertValue {
            rule: rule.name.clone(),
            window_seconds: window.seconds,
            burn: window.burn,
            threshold: rule.condition.threshold.as_f64(),
            value: Some(window.total as f64),
            ..AlertValue::default()
        };
        of_rule.map(value).collect()
    }

    fn words(&self, condition: &Condition) -> String {
        format!(">{} requests {}", condition.threshold.num, duration::format(condition.long))
    }

    fn why(&self, _: &str, _: &[AlertValue]) -> Why {
        Why { summary: "gets too many requests".to_owned(), description: String::new() }
    }

    fn over(&self) -> &'static str {
        "gets fewer requests again"
    }
}
