//! Budget remaining: less than a share of the error budget is left.

use slipstream_definitions::definition::{BUDGET_REMAINING, Condition, Ratio, Rule};
use slipstream_schemas::records::{AlertValue, BurnRates};

use super::words::{length, percent};
use super::{Counted, Kind, Why, burns_faster, value_in, values_of};
use crate::counts::Counts;

/// The kind.
#[derive(Debug)]
pub struct BudgetRemaining;

impl Kind for BudgetRemaining {
    fn name(&self) -> &'static str {
        BUDGET_REMAINING
    }

    /// Less than a share is left: over its period the budget burns faster than the rest of it.
    fn holds(&self, condition: &Condition, target: Ratio, series: &dyn Counted) -> Option<bool> {
        // It waits for its period.
        let Some(budget) = series.budget() else { return Some(false) };
        Some(burns_faster(budget.counts, condition.threshold.complement()?, target))
    }

    /// What leaves the period takes from the budget, too.
    fn may_hold(&self, _: &Condition, _: Ratio, _: Counts, _: i64) -> bool {
        true
    }

    fn needs_bad(&self) -> bool {
        true
    }

    fn values(&self, rule: &Rule, rates: &BurnRates) -> Vec<AlertValue> {
        // The budget's period is the last of the windows; another may be as long.
        vec![value_in(rule, rates.windows.last(), rates, |_| rates.budget_remaining)]
    }

    fn words(&self, condition: &Condition) -> String {
        format!("<{} of budget", percent(condition.threshold.as_f64(), &[]))
    }

    fn why(&self, rule: &str, values: &[AlertValue]) -> Why {
        let values = values_of(rule, values);
        let Some(now) = values.last() else {
            return Why { summary: "has little of its error budget left".to_owned(), description: String::new() };
        };
        let left = now.value.unwrap_or_default();
        let summary = if left < 0.0 {
            format!("has overspent its error budget by {}", percent(-left, &[]))
        } else {
            format!("has {} of its error budget left", percent(left, &[now.threshold]))
        };
        let counted = match (now.good, now.total) {
            (Some(good), Some(total)) => format!(": {} of {total} were bad", total - good),
            _ => String::new(),
        };
        let (period, least) = (length(now.window_seconds), percent(now.threshold, &[]));
        Why { summary, description: format!("Its period is {period}{counted} (rule {rule} fires below {least}).") }
    }

    fn over(&self) -> &'static str {
        "has enough of its error budget again"
    }
}

#[cfg(test)]
mod tests {
    use super::super::Budget;
    use super::super::fixtures::Series;
    use super::*;

    const TARGET: Ratio = Ratio { num: 99, den: 100 };

    fn with(bad: i64, total: i64) -> Series {
        let counts = Counts { good: total - bad, total };
        Series { budget: Some(Budget { counts, grows: false, renewed_in: None, share_of: None }), ..Series::default() }
    }

    #[test]
    fn exactly_the_share_is_not_below_it() {
        let tenth = Condition::of(BUDGET_REMAINING, 0, Ratio { num: 1, den: 10 });
        // 1,000 allow 10: of 9 a tenth is left.
        for (bad, holds) in [(0, false), (9, false), (10, true), (50, true)] {
            assert_eq!(BudgetRemaining.holds(&tenth, TARGET, &with(bad, 1_000)), Some(holds), "{bad}");
        }
        let overspent = Condition::of(BUDGET_REMAINING, 0, Ratio { num: 0, den: 1 });
        assert_eq!(BudgetRemaining.holds(&overspent, TARGET, &with(10, 1_000)), Some(false));
        assert_eq!(BudgetRemaining.holds(&overspent, TARGET, &with(11, 1_000)), Some(true));
    }

    #[test]
    fn it_waits_for_its_period() {
        let tenth = Condition::of(BUDGET_REMAINING, 0, Ratio { num: 1, den: 10 });
        assert_eq!(BudgetRemaining.holds(&tenth, TARGET, &Series::default()), Some(false));
        assert_eq!(BudgetRemaining.holds(&tenth, TARGET, &with(0, 0)), Some(false));
    }
}
