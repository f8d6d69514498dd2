//! Budget exhausted within: at the rate at which a window spends it, the error budget will be gone in less than so long. One that is
//! gone already counts while it is being spent.

use slipstream_definitions::definition::{BUDGET_EXHAUSTED, Condition, Ratio, Rule};
use slipstream_definitions::duration;
use slipstream_schemas::records::{AlertValue, BudgetUnit, BurnRates, WindowRates};

use super::words::{length, percent};
use super::{Budget, Counted, Kind, Why, product, value_of, values_of};
use crate::counts::Counts;

/// The kind.
#[derive(Debug)]
pub struct BudgetExhausted;

impl Kind for BudgetExhausted {
    fn name(&self) -> &'static str {
        BUDGET_EXHAUSTED
    }

    fn holds(&self, condition: &Condition, target: Ratio, series: &dyn Counted) -> Option<bool> {
        // It waits for its period, which is not the same as that nothing came.
        let Some(budget) = series.budget().filter(|_| series.covers(condition.long)) else { return Some(false) };
        let window = series.counts(condition.long);
        (window.total > 0).then_some(())?;
        Some(budget.counts.total > 0 && is_gone_within(&budget, window, condition, target))
    }

    /// It may be gone by what came before; while nothing is bad it is not being spent.
    fn may_hold(&self, _: &Condition, _: Ratio, short: Counts, _: i64) -> bool {
        short.bad() > 0
    }

    fn needs_bad(&self) -> bool {
        true
    }

    fn values(&self, rule: &Rule, rates: &BurnRates) -> Vec<AlertValue> {
        let seconds = rule.condition.long;
        let mut value = value_of(rule, seconds, rates, |_| 0.0);
        value.value = rates.windows.iter().find(|window| window.seconds == seconds).and_then(|w| time_left(rates, w));
        vec![value]
    }

    fn words(&self, condition: &Condition) -> String {
        let within = duration::format(condition.threshold.as_f64() as i64);
        format!("budget gone in {within} at {}", duration::format(condition.long))
    }

    fn figure(&self, value: f64, _: Option<f64>) -> String {
        length(value as i64)
    }

    fn why(&self, rule: &str, values: &[AlertValue]) -> Why {
        let values = values_of(rule, values);
        let Some(now) = values.first() else {
            return Why { summary: "will soon have spent its error budget".to_owned(), description: String::new() };
        };
        let summary = match now.value {
            Some(left) if left > 0.0 => format!("will have spent its error budget in {}", length(left as i64)),
            Some(_) => "has spent its error budget and goes on".to_owned(),
            None => "will soon have spent its error budget".to_owned(),
        };
        let (over, within) = (length(now.window_seconds), length(now.threshold as i64));
        let share = now.total.filter(|total| *total > 0).zip(now.good);
        let bad = share.map_or(String::new(), |(total, good)| {
            format!(", of which {} was bad", percent((total - good) as f64 / total as f64, &[]))
        });
        let description = format!("At the rate of the last {over}{bad} (rule {rule} fires below {within}).");
        Why { summary, description }
    }

    fn over(&self) -> &'static str {
        "no longer spends its error budget that fast"
    }
}

/// left / rate < time, in whole numbers. What is left: (1 - target) x total - bad. The rate: what the window has of bad, less by
/// how much the budget grows meanwhile, over its seconds; of shares of time over the seconds that they are a share of.
fn is_gone_within(budget: &Budget, window: Counts, condition: &Condition, target: Ratio) -> bool {
    let (den, allowed) = (i128::from(target.den), i128::from(target.den.saturating_sub(target.num)));
    let left = allowed * i128::from(budget.counts.total) - den * i128::from(budget.counts.bad());
    let bad = den * i128::from(window.bad());
    if bad <= 0 || left <= 0 {
        return bad > 0;
    }
    let growth = if budget.grows { allowed * i128::from(window.total) } else { 0 };
    let rate = bad - growth;
    let within = (condition.threshold.num / condition.threshold.den.max(1)) as i64;
    // One that begins anew before is not spent.
    let within = budget.renewed_in.map_or(within, |renewed| within.min(renewed));
    let over = budget.share_of.unwrap_or(condition.long);
    let (Ok(within), Ok(over)) = (u64::try_from(within), u64::try_from(over)) else { return false };
    rate > 0 && product(left.unsigned_abs(), over) < product(rate.unsigned_abs(), within)
}

/// Seconds until the budget is spent at the rate of a window, for people; 0 if it is; `None` if it is not being spent.
fn time_left(rates: &BurnRates, window: &WindowRates) -> Option<f64> {
    let left = rates.budget_total * rates.budget_remaining;
    let bad = (window.total - window.good) as f64;
    let growth = match (rates.period_start, rates.unit, rates.target) {
        (Some(_), BudgetUnit::Events | BudgetUnit::Share, Some(target)) => (1.0 - target) * window.total as f64,
        _ => 0.0,
    };
    let period = rates.windows.last().map_or(0, |period| period.seconds);
    let elapsed = rates.period_start.map_or(period, |start| rates.tick + 1 - start);
    let over = if rates.unit == BudgetUnit::Share { elapsed } else { window.seconds };
    if left <= 0.0 && bad > 0.0 {
        return Some(0.0);
    }
    let rate = (bad - growth) / over.max(1) as f64;
    (rate > 0.0).then(|| left / rate)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Series, rule};
    use super::*;
    use crate::slices::WHOLE;

    const TARGET: Ratio = Ratio { num: 99, den: 100 };
    const HOUR: i64 = 3_600;

    fn four_hours() -> Condition {
        Condition::of(BUDGET_EXHAUSTED, HOUR, Ratio { num: 4 * HOUR as u64, den: 1 })
    }

    /// Bad and total of the period and of the last hour.
    fn series(period: (i64, i64), hour: (i64, i64), change: impl Fn(&mut Budget)) -> Series {
        let counts = Counts { good: period.1 - period.0, total: period.1 };
        let mut budget = Budget { counts, grows: false, renewed_in: None, share_of: None };
        change(&mut budget);
        Series { windows: vec![(HOUR, hour.0, hour.1)], budget: Some(budget), known: 90 * 86_400 }
    }

    fn holds(series: &Series) -> Option<bool> {
        BudgetExhausted.holds(&four_hours(), TARGET, series)
    }

    #[test]
    fn what_is_left_over_what_an_hour_spends() {
        let rolling = |_: &mut Budget| {};
        // 100 allowed, 60 spent: 40 are left. 10 an hour: exactly four hours.
        assert_eq!(holds(&series((60, 10_000), (10, 50), rolling)), Some(false));
        assert_eq!(holds(&series((60, 10_000), (11, 50), rolling)), Some(true));
        assert_eq!(holds(&series((61, 10_000), (10, 50), rolling)), Some(true));
        // It is gone, and it is spent, or not.
        assert_eq!(holds(&series((200, 10_000), (1, 5_000), rolling)), Some(true));
        assert_eq!(holds(&series((200, 10_000), (0, 5_000), rolling)), Some(false));
        assert_eq!(holds(&series((60, 10_000), (0, 0), rolling)), None, "nothing came");
        assert_eq!(holds(&Series { budget: None, ..series((60, 10_000), (11, 50), rolling) }), Some(false), "it waits");
        assert_eq!(holds(&Series { known: HOUR - 1, ..series((60, 10_000), (11, 50), rolling) }), Some(false));
        let huge = i64::MAX / 100;
        assert_eq!(holds(&series((0, huge), (huge, huge), rolling)), Some(true), "no overflow");
    }

    #[test]
    fn a_calendars_budget_grows_and_begins_anew() {
        let calendar = |renewed| move |budget: &mut Budget| (budget.grows, budget.renewed_in) = (true, Some(renewed));
        // 11 of 100 an hour: 1 of them is allowed.
        assert_eq!(holds(&series((60, 10_000), (11, 100), calendar(86_400))), Some(false));
        assert_eq!(holds(&series((60, 10_000), (12, 100), calendar(86_400))), Some(true));
        assert_eq!(holds(&series((60, 10_000), (12, 100), calendar(3 * HOUR))), Some(false), "it begins anew before");
        assert_eq!(holds(&series((60, 10_000), (1, 100), calendar(86_400))), Some(false), "it grows as fast");
    }

    #[test]
    fn a_composites_share_is_spent_over_its_period() {
        let whole = WHOLE;
        // Half of 1 % of 100 h is left: half an hour. A tenth is bad: five hours; an eighth: four; more: less.
        let share = |budget: &mut Budget| budget.share_of = Some(100 * HOUR);
        let of = |part: i64| series((whole / 200, whole), (part, whole), share);
        assert_eq!(holds(&of(whole / 10)), Some(false));
        assert_eq!(holds(&of(whole / 8)), Some(false));
        assert_eq!(holds(&of(whole / 8 + 1)), Some(true));
    }

    #[test]
    fn it_says_how_long_it_lasts() {
        let mut rates = super::super::words::tests::rates(&[(HOUR, 39, 50), (30 * 86_400, 9_940, 10_000)]);
        (rates.budget_total, rates.budget_remaining) = (100.0, 0.4);
        let values = BudgetExhausted.values(&rule(four_hours()), &rates);
        let why = BudgetExhausted.why("r", &values);
        assert_eq!(why.summary, "will have spent its error budget in 3 h 38 min");
        assert_eq!(why.description, "At the rate of the last 1 h, of which 22% was bad (rule r fires below 4 h).");
        rates.budget_remaining = -0.5;
        let values = BudgetExhausted.values(&rule(four_hours()), &rates);
        assert_eq!(BudgetExhausted.why("r", &values).summary, "has spent its error budget and goes on");
    }
}
