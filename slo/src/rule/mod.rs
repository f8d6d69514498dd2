//! Rules as they are evaluated: a file for each kind.
//!
//! A kind says which window sums it reads, whether it holds, and why in words. Everything else is written once for all
//! kinds: burn evaluates them and decides when to publish, the alert machine what it means, `slo list` and the notifier
//! print their words. A new kind is a file here and a line in [`Kinds`].

mod burn_rate;
pub mod words;

use std::fmt::Debug;

use slipstream_definitions::definition::{Condition, Ratio, Rule};
use slipstream_schemas::records::{AlertValue, WindowRates};

pub use self::burn_rate::{BurnRate, burns_faster};
use crate::counts::Counts;

/// A kind of rule. Pure: a series' window sums in, a verdict and its words out.
pub trait Kind: Debug + Sync {
    /// As [`Condition::kind`] names it.
    fn name(&self) -> &'static str;

    /// The rule set of its rules, by which an alert is known.
    fn rule_set(&self) -> &'static str;

    /// The windows whose sums it reads, seconds.
    fn windows(&self, condition: &Condition) -> Vec<i64>;

    /// Whether it holds. `sums` gives what a window of so many seconds counts. The low-traffic guard is not its business.
    fn holds(&self, condition: &Condition, target: Ratio, sums: &dyn Fn(i64) -> Counts) -> bool;

    /// Whether it may hold, by the sums of its short window alone, which are quickly had. False: it does not, for certain.
    fn may_hold(&self, condition: &Condition, target: Ratio, short: Counts) -> bool;

    /// Whether it can hold only where something was bad: then quiet stretches may be passed quickly.
    fn needs_bad(&self) -> bool;

    /// What an alert keeps of the windows that the rule looks at.
    fn values(&self, rule: &Rule, windows: &[WindowRates]) -> Vec<AlertValue>;

    /// The condition in short, for tables.
    fn words(&self, condition: &Condition) -> String;

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
const KNOWN: &[&dyn Kind] = &[&BurnRate];

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
        self.by(|kind| kind.name() == condition.kind)
    }

    /// The kind whose rule set that is. Transitions do not name the kind they are of; those of a rule set that no kind
    /// has are of the first.
    pub fn of_rule_set(self, rule_set: &str) -> &'static dyn Kind {
        self.by(|kind| kind.rule_set() == rule_set)
    }

    fn by(self, is: impl Fn(&dyn Kind) -> bool) -> &'static dyn Kind {
        self.0.iter().copied().find(|kind| is(*kind)).unwrap_or(self.0[0])
    }

    /// Whether a condition holds: by its kind, and with the least events that it asks for in its long window. `counts` gives
    /// the sums of a window in seconds, `events` how many events it had: they differ where time is sliced.
    pub fn holds(
        self,
        condition: &Condition,
        target: Ratio,
        counts: impl Fn(i64) -> Counts,
        events: impl Fn(i64) -> i64,
    ) -> bool {
        let enough = || condition.least <= 0 || events(condition.long) >= condition.least;
        self.of(condition).holds(condition, target, &counts) && enough()
    }

    /// Every window that these rules read, seconds; in no order, and with repeats.
    pub fn windows(self, rules: &[Rule]) -> impl Iterator<Item = i64> {
        rules.iter().flat_map(move |rule| self.of(&rule.condition).windows(&rule.condition))
    }
}
