//! The alert policies of an SLO that names none: multi-window burn rates, tiers by share of the budget. Source: the SRE
//! workbook, chapter 5; the factor of a tier is share x period / long window.

use crate::definition::{Condition, Ratio, Rule, Severity};
use crate::duration;

/// The rule set of all burn-rate rules of an objective.
pub const BURN_RULE_SET: &str = "burn";

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// A default tier: it alerts when `percent` of the budget is spent within the long window.
struct Tier {
    long: i64,
    short: i64,
    percent: u64,
    severity: &'static str,
}

const fn tier(long: i64, short: i64, percent: u64, severity: &'static str) -> Tier {
    Tier { long, short, percent, severity }
}

const WEEK: &[Tier] =
    &[tier(HOUR, 300, 10, "page"), tier(6 * HOUR, 1_800, 20, "page"), tier(DAY, 2 * HOUR, 40, "ticket")];
const MONTH: &[Tier] = &[
    tier(HOUR, 300, 2, "page"),
    tier(6 * HOUR, 1_800, 5, "page"),
    tier(DAY, 2 * HOUR, 10, "ticket"),
    tier(3 * DAY, 6 * HOUR, 10, "ticket"),
];
const QUARTER: &[Tier] =
    &[tier(HOUR, 300, 1, "page"), tier(6 * HOUR, 1_800, 3, "page"), tier(DAY, 2 * HOUR, 5, "ticket")];

/// Minimum factor of a default tier. At 1 the budget is spent exactly at the end of its period; 28 days have 0.9333.
pub const LEAST_FACTOR: Ratio = Ratio { num: 9, den: 10 };
/// Longest time that a default rule waits for a slice of time to be over, seconds.
const MAX_WAIT: i64 = 300;

/// The default rules of an objective, and those that are omitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults {
    /// Worst first.
    pub rules: Vec<Rule>,
    /// Names and factors of tiers that could never fire: at or above 1 / (1 - target), the burn rate of a full outage.
    pub left_out: Vec<(String, Ratio)>,
    /// Names of tiers that would alert on spending that the budget allows: they look back further than the period, or their
    /// factor is below [`LEAST_FACTOR`].
    pub beyond: Vec<String>,
}

/// Default rules for a budget's period in seconds, by the tiers of the nearest of 7, 30 and 90 days; the shorter of two
/// that are equally near.
pub fn defaults(period: i64, target: Ratio) -> Defaults {
    let mut defaults = Defaults { rules: Vec::new(), left_out: Vec::new(), beyond: Vec::new() };
    for tier in tiers(period) {
        let name = format!("{}/{}", duration::format(tier.long), duration::format(tier.short));
        let factor = factor(tier, period);
        if tier.long > period || factor.compare(LEAST_FACTOR).is_lt() {
            defaults.beyond.push(name);
        } else if can_fire(factor, target) {
            defaults.rules.push(rule(name, tier, factor));
        } else {
            defaults.left_out.push((name, factor));
        }
    }
    defaults
}

/// How long default rules wait for time-slice objectives, seconds. A slice counts as it stands while it is in progress,
/// and one bad request at its start makes it bad until good ones arrive: no page before they had time to.
pub fn wait_for_slice(slice: Option<i64>) -> i64 {
    slice.map_or(0, |seconds| seconds.min(MAX_WAIT))
}

/// Whether a burn rate above `factor` is possible: at worst everything is bad, which burns at 1 / (1 - target).
pub fn can_fire(factor: Ratio, target: Ratio) -> bool {
    let (num, den) = (u128::from(factor.num), u128::from(factor.den));
    let (allowed, of) = (u128::from(target.den.saturating_sub(target.num)), u128::from(target.den));
    // num / den x allowed / of < 1; products of two u64 fit in u128.
    num * allowed < den * of
}

fn tiers(period: i64) -> &'static [Tier] {
    let known = [(7 * DAY, WEEK), (30 * DAY, MONTH), (90 * DAY, QUARTER)];
    known.into_iter().min_by_key(|(days, _)| ((days - period).abs(), *days)).map_or(MONTH, |(_, tiers)| tiers)
}

fn factor(tier: &Tier, period: i64) -> Ratio {
    let num = tier.percent.saturating_mul(period.unsigned_abs());
    let den = 100 * tier.long.unsigned_abs();
    Ratio::new(num, den).unwrap_or(Ratio { num, den })
}

fn rule(name: String, tier: &Tier, factor: Ratio) -> Rule {
    Rule {
        name,
        rule_set: BURN_RULE_SET.to_owned(),
        condition: Condition::burn_rate(tier.long, tier.short, factor, 0),
        severity: Severity::named(tier.severity),
        wait: 0,
        keep: 0,
        labels: Vec::new(),
        annotations: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, factor and severity of each default rule, for a period in days and a target.
    fn table(days: i64, target: &str) -> Vec<(String, String, String)> {
        let factor = |rule: &Rule| format!("{:.4}", rule.condition.threshold.as_f64());
        let defaults = defaults(days * DAY, Ratio::parse(target).unwrap());
        defaults.rules.iter().map(|rule| (rule.name.clone(), factor(rule), rule.severity.name.clone())).collect()
    }

    fn rows(rows: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        rows.iter()
            .map(|(name, factor, severity)| (name.to_string(), factor.to_string(), severity.to_string()))
            .collect()
    }

    #[test]
    fn published_factors() {
        let four = |factors: [&'static str; 4]| {
            rows(&[
                ("1h/5m", factors[0], "page"),
                ("6h/30m", factors[1], "page"),
                ("1d/2h", factors[2], "ticket"),
                ("3d/6h", factors[3], "ticket"),
            ])
        };
        let three = |factors: [&'static str; 3]| {
            rows(&[("1h/5m", factors[0], "page"), ("6h/30m", factors[1], "page"), ("1d/2h", factors[2], "ticket")])
        };
        // sloth, 30 and 28 d; Datadog, 7 and 90 d.
        assert_eq!(table(30, "0.999"), four(["14.4000", "6.0000", "3.0000", "1.0000"]));
        assert_eq!(table(28, "0.999"), four(["13.4400", "5.6000", "2.8000", "0.9333"]));
        assert_eq!(table(7, "0.999"), three(["16.8000", "5.6000", "2.8000"]));
        assert_eq!(table(90, "0.999"), three(["21.6000", "10.8000", "4.5000"]));
    }

    #[test]
    fn other_periods_take_the_tiers_of_the_nearest() {
        for (days, tiers) in
            [(1, 1), (2, 2), (3, 3), (18, 3), (19, 3), (26, 3), (27, 4), (35, 4), (60, 4), (61, 3), (90, 3)]
        {
            assert_eq!(table(days, "0.9999").len(), tiers, "{days} d");
        }
    }

    #[test]
    fn a_tier_that_alerts_on_what_the_budget_allows_is_left_out() {
        let target = Ratio::parse("0.99").unwrap();
        for (period, kept, beyond) in [(3 * DAY, 3, 0), (DAY, 1, 2), (DAY - 60, 1, 2), (HOUR, 0, 3)] {
            let defaults = defaults(period, target);
            assert_eq!((defaults.rules.len(), defaults.beyond.len()), (kept, beyond), "{period} s");
        }
    }

    #[test]
    fn a_tier_that_could_never_fire_is_left_out() {
        // 1 / (1 - 0.9) is 10; 30 d has 14.4, 6, 3, 1.
        let names = |days, target: &str| defaults(days * DAY, Ratio::parse(target).unwrap()).left_out;
        assert_eq!(names(30, "0.9").into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["1h/5m"]);
        // At the bound it needs more than everything to be bad: 7 d has 16.8, and 1 / (1 - target) is 16.8 here.
        let at_bound = Ratio::new(158, 168).unwrap();
        assert_eq!(defaults(7 * DAY, at_bound).left_out[0].0, "1h/5m");
        assert!(!can_fire(Ratio { num: u64::MAX, den: 1 }, Ratio { num: 1, den: u64::MAX }));
        assert!(can_fire(Ratio { num: 9, den: 1 }, Ratio { num: 9, den: 10 }));
    }
}
