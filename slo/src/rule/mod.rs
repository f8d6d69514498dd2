//! Rules as they are evaluated: a file for each kind.
//!
//! A kind says which window sums it reads, whether it holds, and why in words. Everything else is written once for all
//! kinds: burn evaluates them and decides when to publish, the alert machine what it means, `slo list` and the notifier
//! print their words. A new kind is a file here and a line in [`Kinds`].

mod budget_exhausted;
mod budget_remaining;
mod burn_rate;
mod error_ratio;
mod latency_quantile;
mod no_traffic;
mod ratio_below;
pub mod words;

use std::fmt::Debug;

use slipstream_definitions::definition::{Condition, NoData, Ratio, Rule};
use slipstream_schemas::records::{AlertValue, BudgetUnit, BurnRates, WindowRates};

pub use self::budget_exhausted::BudgetExhausted;
pub use self::budget_remaining::BudgetRemaining;
pub use self::burn_rate::{BurnRate, burns_faster};
pub use self::error_ratio::ErrorRatio;
pub use self::latency_quantile::LatencyQuantile;
pub use self::no_traffic::NoTraffic;
pub use self::ratio_below::RatioBelow;
use crate::counts::Counts;

/// What a series counts, as rules see it at a tick.
pub trait Counted {
    /// What a window of so many seconds counts: events, slices of time, or parts of a composite's share.
    fn counts(&self, window: i64) -> Counts;

    /// How many events a window had: another number where time is sliced.
    fn events(&self, window: i64) -> i64;

    /// Whether the series was there during the whole window.
    fn covers(&self, window: i64) -> bool;

    /// The budget; `None` where its counts do not cover its period.
    fn budget(&self) -> Option<Budget>;
}

/// A budget in whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// What was bad in its period, and what the target is a share of, in the unit of [`Counted::counts`].
    pub counts: Counts,
    /// Whether it grows with what comes: that of a calendar's period, where time is not sliced.
    pub grows: bool,
    /// Seconds until it begins anew; `None` where its window rolls.
    pub renewed_in: Option<i64>,
    /// Where counts are parts of a share: seconds of the period that they are a share of.
    pub share_of: Option<i64>,
}

/// A kind of rule. Pure: a series' window sums in, a verdict and its words out.
pub trait Kind: Debug + Sync {
    /// As [`Condition::kind`] names it.
    fn name(&self) -> &'static str;

    /// The windows whose sums it reads, seconds.
    fn windows(&self, condition: &Condition) -> Vec<i64> {
        condition.windows().collect()
    }

    /// Whether it holds; `None`: there is nothing to look at. The low-traffic guard is not its business.
    fn holds(&self, condition: &Condition, target: Ratio, series: &dyn Counted) -> Option<bool>;

    /// Whether it may hold, by the sums of its short window alone, which are quickly had, and how many events that had.
    /// False: it does not, for certain.
    fn may_hold(&self, condition: &Condition, target: Ratio, short: Counts, events: i64) -> bool;

    /// Whether it can hold only where something was bad: then quiet stretches may be passed quickly.
    fn needs_bad(&self) -> bool;

    /// Whether it holds because something did not come: on a tick that lacks a source nobody knows that.
    fn is_by_absence(&self) -> bool {
        false
    }

    /// Whether it asks how many events there were.
    fn asks_events(&self) -> bool {
        false
    }

    /// What an alert keeps of the windows that the rule looks at.
    fn values(&self, rule: &Rule, rates: &BurnRates) -> Vec<AlertValue>;

    /// The condition in short, for tables.
    fn words(&self, condition: &Condition) -> String;

    /// A value or threshold of the kind for people: told from the other, if there is one. A share is a percentage.
    fn figure(&self, value: f64, other: Option<f64>) -> String {
        words::percent(value, other.as_slice())
    }

    /// Why an alert by the rule of that name fires.
    fn why(&self, rule: &str, values: &[AlertValue]) -> Why;

    /// What an SLO does once the alert is over; goes on a sentence that begins with the SLO.
    fn over(&self) -> &'static str;
}

/// Why an alert fires, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Goes on a sentence that begins with the SLO: `is spending its error budget 36 times too fast`.
    pub summary: String,
    /// Whole sentences; empty if there is nothing to add.
    pub description: String,
}

/// The kinds that this version knows.
const KNOWN: &[&dyn Kind] =
    &[&BurnRate, &ErrorRatio, &RatioBelow, &LatencyQuantile, &NoTraffic, &BudgetRemaining, &BudgetExhausted];

/// Kinds of rules, by name. The default is all that this version knows.
#[derive(Debug, Clone, Copy)]
pub struct Kinds(&'static [&'static dyn Kind]);

impl Default for Kinds {
    fn default() -> Kinds {
        Kinds(KNOWN)
    }
}

impl Kinds {
    /// Other kinds than this version's; at least one.
    pub const fn of_table(kinds: &'static [&'static dyn Kind]) -> Kinds {
        assert!(!kinds.is_empty(), "a table of kinds has one at least");
        Kinds(kinds)
    }

    /// Whether a condition is of one of these kinds.
    pub fn has(self, condition: &Condition) -> bool {
        self.0.iter().any(|kind| kind.name() == condition.kind)
    }

    /// The kind of a condition. Revisions take no definition with a kind that is not here.
    pub fn of(self, condition: &Condition) -> &'static dyn Kind {
        self.named(condition.kind)
    }

    /// The kind of that name, as transitions have it; the first for one that is not here.
    pub fn named(self, name: &str) -> &'static dyn Kind {
        self.0.iter().copied().find(|kind| kind.name() == name).unwrap_or(self.0[0])
    }

    /// Whether a condition holds: by its kind, with the least events and bad events that it asks for in its long window, and
    /// by what it says of no data, which fewer events than it asks for are, too. `before`: whether it held when it was looked at
    /// last. `complete`: whether no source is missing; where one is, that something did not come is no news.
    pub fn holds(
        self,
        condition: &Condition,
        target: Ratio,
        series: &dyn Counted,
        (before, complete): (bool, bool),
    ) -> bool {
        let Condition { long, least, least_bad, .. } = *condition;
        let kind = self.of(condition);
        let enough = least <= 0 || series.events(long) >= least;
        let Some(holds) = kind.holds(condition, target, series).filter(|_| enough) else {
            return match condition.no_data {
                NoData::Ok => false,
                NoData::Alert if !complete => before,
                NoData::Alert => series.covers(long),
                NoData::Keep => before,
            };
        };
        if kind.is_by_absence() && !complete {
            return before;
        }
        holds && (least_bad <= 0 || series.counts(long).bad() >= least_bad)
    }

    /// Whether a condition may hold: see [`Kind::may_hold`].
    pub fn may_hold(self, condition: &Condition, target: Ratio, short: Counts, events: i64) -> bool {
        let silent = condition.no_data == NoData::Alert && (short.total <= 0 || condition.least > 0);
        silent || self.of(condition).may_hold(condition, target, short, events)
    }

    /// Whether what a condition says at a tick remembers earlier ticks, incomplete ones too.
    pub fn remembers(self, condition: &Condition) -> bool {
        condition.no_data != NoData::Ok || self.of(condition).is_by_absence()
    }

    /// Whether a condition can hold only where something was bad.
    pub fn needs_bad(self, condition: &Condition) -> bool {
        condition.no_data != NoData::Alert && self.of(condition).needs_bad()
    }

    /// Whether one of these rules asks how many events there were.
    pub fn ask_events(self, rules: &[Rule]) -> bool {
        rules.iter().any(|rule| rule.condition.least > 0 || self.of(&rule.condition).asks_events())
    }

    /// Every window that these rules read, seconds; in no order, and with repeats.
    pub fn windows(self, rules: &[Rule]) -> impl Iterator<Item = i64> {
        rules.iter().flat_map(move |rule| self.of(&rule.condition).windows(&rule.condition))
    }
}

/// A window that a rule looks at, as an alert keeps it; zeros where the record does not have it.
fn value_of(rule: &Rule, seconds: i64, rates: &BurnRates, value: impl Fn(&WindowRates) -> f64) -> AlertValue {
    let window = rates.windows.iter().find(|window| window.seconds == seconds);
    AlertValue { window_seconds: seconds, ..value_in(rule, window, rates, value) }
}

/// The same of a window that was found. Counts are of requests: of time and of shares there are none.
fn value_in(
    rule: &Rule,
    window: Option<&WindowRates>,
    rates: &BurnRates,
    value: impl Fn(&WindowRates) -> f64,
) -> AlertValue {
    let counted = window.filter(|_| rates.unit == BudgetUnit::Events);
    AlertValue {
        rule: rule.name.clone(),
        window_seconds: window.map_or(0, |window| window.seconds),
        burn: window.map_or(0.0, |window| window.burn),
        threshold: rule.condition.threshold.as_f64(),
        value: window.map(value),
        good: counted.map(|window| window.good),
        total: counted.map(|window| window.total),
        limit: rule.condition.limit_ms.map(Ratio::as_f64),
    }
}

/// The share of a window that was good; 0 without traffic.
fn share_of_good(window: &WindowRates) -> f64 {
    if window.total > 0 { window.good as f64 / window.total as f64 } else { 0.0 }
}

/// The share of a window that was bad; 0 without traffic.
fn share_of_bad(window: &WindowRates) -> f64 {
    if window.total > 0 { (window.total - window.good) as f64 / window.total as f64 } else { 0.0 }
}

/// The values of a rule, the shortest window first.
fn values_of<'v>(rule: &str, values: &'v [AlertValue]) -> Vec<&'v AlertValue> {
    let mut values: Vec<&AlertValue> = values.iter().filter(|value| value.rule == rule).collect();
    values.sort_by_key(|value| value.window_seconds);
    values
}

/// Why an alert fires by a rule that alerts where nothing came: its values say nothing.
fn nothing_came(rule: &str, values: &[&AlertValue]) -> Option<Why> {
    let now = values.first().filter(|now| now.total == Some(0))?;
    let over = words::length(now.window_seconds);
    Some(Why {
        summary: format!("got no requests in the last {over}"),
        description: format!("There was nothing to look at (rule {rule} alerts then: noData)."),
    })
}

/// Whether less than a share is good, exactly: good x den < num x total. `None` without traffic.
fn is_below(counts: Counts, share: Ratio) -> Option<bool> {
    let total = u64::try_from(counts.total).ok().filter(|total| *total > 0)?;
    let good = u64::try_from(counts.good).unwrap_or(0);
    Some(u128::from(good) * u128::from(share.den) < u128::from(share.num) * u128::from(total))
}

/// a x b as (high, low 64 bits): 128 bits are not enough for the longest decimals times the largest counts.
fn product(a: u128, b: u64) -> (u128, u64) {
    let low = (a & u128::from(u64::MAX)) * u128::from(b);
    let high = (a >> 64) * u128::from(b) + (low >> 64);
    (high, low as u64)
}

#[cfg(test)]
pub(crate) mod fixtures {
    use super::*;

    /// A series of which some windows are known.
    #[derive(Debug, Default)]
    pub struct Series {
        /// Seconds, bad, total.
        pub windows: Vec<(i64, i64, i64)>,
        pub budget: Option<Budget>,
        /// Since so many seconds.
        pub known: i64,
    }

    impl Counted for Series {
        fn counts(&self, window: i64) -> Counts {
            let found = self.windows.iter().find(|(seconds, ..)| *seconds == window);
            found.map_or(Counts::default(), |(_, bad, total)| Counts { good: total - bad, total: *total })
        }

        fn events(&self, window: i64) -> i64 {
            self.counts(window).total
        }

        fn covers(&self, window: i64) -> bool {
            self.known >= window
        }

        fn budget(&self) -> Option<Budget> {
            self.budget
        }
    }

    /// A series with one window of five minutes that has long been known.
    pub fn five_minutes(bad: i64, total: i64) -> Series {
        Series { windows: vec![(300, bad, total)], budget: None, known: 86_400 }
    }

    /// A rule with a condition.
    pub fn rule(condition: Condition) -> Rule {
        Rule {
            name: "r".to_owned(),
            rule_set: "r".to_owned(),
            condition,
            severity: slipstream_definitions::definition::Severity::named("page"),
            wait: 0,
            keep: 0,
            labels: Vec::new(),
            annotations: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use slipstream_definitions::definition::ERROR_RATIO;

    use super::fixtures::five_minutes;
    use super::*;

    const TARGET: Ratio = Ratio { num: 99, den: 100 };
    const TWENTIETH: Ratio = Ratio { num: 1, den: 20 };

    fn holds(condition: &Condition, bad: i64, total: i64, before: bool) -> bool {
        Kinds::default().holds(condition, TARGET, &five_minutes(bad, total), (before, true))
    }

    #[test]
    fn guards_ask_for_events_and_for_bad_ones() {
        let errors = Condition::of(ERROR_RATIO, 300, TWENTIETH);
        assert!(holds(&errors, 1, 2, false));
        let guarded = Condition { least: 100, ..errors.clone() };
        assert!(!holds(&guarded, 50, 99, false));
        assert!(holds(&guarded, 50, 100, false));
        let guarded = Condition { least_bad: 5, ..errors };
        assert!(!holds(&guarded, 4, 4, false));
        assert!(holds(&guarded, 5, 5, false));
    }

    #[test]
    fn no_data_means_what_the_rule_says() {
        for (no_data, before, holds_then) in [
            (NoData::Ok, true, false),
            (NoData::Alert, false, true),
            (NoData::Keep, true, true),
            (NoData::Keep, false, false),
        ] {
            let errors = Condition { no_data, ..Condition::of(ERROR_RATIO, 300, TWENTIETH) };
            assert_eq!(holds(&errors, 0, 0, before), holds_then, "{no_data:?}, before: {before}");
            assert!(!holds(&errors, 0, 10, before), "there is data");
        }
        // A series that has just begun has had no time to get any.
        let alert = Condition { no_data: NoData::Alert, ..Condition::of(ERROR_RATIO, 300, TWENTIETH) };
        let new = fixtures::Series { known: 299, ..five_minutes(0, 0) };
        assert!(!Kinds::default().holds(&alert, TARGET, &new, (false, true)));
        // Too few requests are no data, too: what it was at noon it is at night.
        let keep = Condition { no_data: NoData::Keep, least: 50, ..Condition::of(ERROR_RATIO, 300, TWENTIETH) };
        for (bad, total, before, holds_then) in [(30, 50, false, true), (0, 49, true, true), (0, 50, true, false)] {
            assert_eq!(holds(&keep, bad, total, before), holds_then, "{bad} of {total}");
        }
    }

    #[test]
    fn what_did_not_come_is_no_news_while_a_source_is_missing() {
        let silent = Condition::of(slipstream_definitions::definition::NO_TRAFFIC, 300, TWENTIETH);
        let alert = Condition { no_data: NoData::Alert, ..Condition::of(ERROR_RATIO, 300, TWENTIETH) };
        let kinds = Kinds::default();
        for condition in [silent, alert] {
            let holds = |before, complete| kinds.holds(&condition, TARGET, &five_minutes(0, 0), (before, complete));
            assert_eq!([holds(false, true), holds(false, false), holds(true, false)], [true, false, true]);
            assert!(kinds.remembers(&condition));
        }
        let errors = Condition::of(ERROR_RATIO, 300, TWENTIETH);
        assert!(kinds.holds(&errors, TARGET, &five_minutes(1, 2), (false, false)), "what is bad is bad");
    }

    #[test]
    fn what_may_hold_is_looked_at() {
        let kinds = Kinds::default();
        for condition in [
            Condition { no_data: NoData::Alert, ..Condition::of(ERROR_RATIO, 300, TWENTIETH) },
            Condition::of(slipstream_definitions::definition::NO_TRAFFIC, 300, TWENTIETH),
        ] {
            assert!(kinds.may_hold(&condition, TARGET, Counts::default(), 0), "{condition:?}");
            assert!(!kinds.needs_bad(&condition), "{condition:?}");
            assert!(!kinds.may_hold(&condition, TARGET, Counts { good: 10, total: 10 }, 10), "{condition:?}");
        }
    }

    #[test]
    fn each_kind_says_itself_in_words() {
        use slipstream_definitions::definition as d;
        let ratio = |num, den| Ratio { num, den };
        let table = [
            (Condition::burn_rate(3_600, 300, ratio(144, 10), 0), ">14.4x 1h/5m"),
            (Condition::of(d::ERROR_RATIO, 300, ratio(5, 100)), ">5% errors 5m"),
            (Condition::of(d::RATIO_BELOW, 3_600, ratio(2, 10)), "<20% good 1h"),
            (
                Condition { limit_ms: Some(ratio(500, 1)), ..Condition::of(d::LATENCY_QUANTILE, 300, ratio(95, 100)) },
                "p95 >500ms 5m",
            ),
            (Condition::of(d::NO_TRAFFIC, 60, ratio(0, 1)), "no traffic 1m"),
            (Condition::of(d::BUDGET_REMAINING, 0, ratio(1, 10)), "<10% of budget"),
            (Condition::of(d::BUDGET_EXHAUSTED, 3_600, ratio(14_400, 1)), "budget gone in 4h at 1h"),
        ];
        assert_eq!(table.len(), KNOWN.len());
        for (condition, words) in table {
            let kind = Kinds::default().of(&condition);
            assert_eq!((kind.name(), kind.words(&condition).as_str()), (condition.kind, words));
        }
    }
}
