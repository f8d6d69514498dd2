//! No traffic in a window: all that a second kind of rule has to say of itself.

use slipstream_definitions::definition::{Condition, Ratio, Rule};
use slipstream_definitions::duration;
use slipstream_schemas::records::{AlertValue, WindowRates};
use slipstream_slo::counts::Counts;
use slipstream_slo::rule::{Kind, Why};

/// The kind.
#[derive(Debug)]
pub struct NoTraffic;

impl Kind for NoTraffic {
    fn name(&self) -> &'static str {
        "notraffic"
    }

    fn rule_set(&self) -> &'static str {
        "no-traffic"
    }

    fn windows(&self, condition: &Condition) -> Vec<i64> {
        vec![condition.long]
    }

    fn holds(&self, condition: &Condition, _: Ratio, sums: &dyn Fn(i64) -> Counts) -> bool {
        sums(condition.long).total == 0
    }

    fn may_hold(&self, _: &Condition, _: Ratio, short: Counts) -> bool {
        short.total == 0
    }

    fn needs_bad(&self) -> bool {
        false
    }

    fn values(&self, rule: &Rule, windows: &[WindowRates]) -> Vec<AlertValue> {
        let of_rule = windows.iter().filter(|window| window.seconds == rule.condition.long);
        let value = |window: &WindowRates| AlertValue {
            rule: rule.name.clone(),
            window_seconds: window.seconds,
            burn: window.total as f64,
            threshold: 0.0,
        };
        of_rule.map(value).collect()
    }

    fn words(&self, condition: &Condition) -> String {
        format!("no traffic for {}", duration::format(condition.long))
    }

    fn why(&self, _: &str, _: &[AlertValue]) -> Why {
        Why { summary: "gets no traffic".to_owned(), description: String::new() }
    }

    fn over(&self) -> &'static str {
        "gets traffic again"
    }
}
