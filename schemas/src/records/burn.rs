//! What burn publishes of a series at a tick.

use serde::{Deserialize, Serialize};

use super::tallies::Exemplar;

/// What burn publishes of a series at a tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BurnRates {
    /// SLO name.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// Values of groupBy.
    pub group: Vec<String>,
    /// Generation of the SLO.
    pub generation: i64,
    /// The tick evaluated; windows end at tick + 1 s.
    pub tick: i64,
    /// End offset of slo-definitions that burn had applied.
    pub revision: i64,
    /// False if a source was missing.
    pub complete: bool,
    /// True on the last record of a series whose SLO or objective was deleted or changed its meaning: nothing counts there
    /// any more, and it has no windows.
    pub retired: bool,
    /// One per window the SLO needs, shortest first; the budget's period is the last.
    pub windows: Vec<WindowRates>,
    /// good / total over the budget's period; null without traffic.
    pub sli: Option<f64>,
    /// What the period allows to be bad, by unit: (1 - target) x total, of sliced time (1 - target) x the whole period.
    pub budget_total: f64,
    /// Share of the budget that is left: 1 - bad / budget_total; negative when overspent; 1 without traffic.
    pub budget_remaining: f64,
    /// Unix seconds at which the budget is spent at the present rate; null when it is not being spent, is spent, or begins
    /// again before.
    pub exhaustion_at: Option<i64>,
    /// Every rule of the SLO and since when its condition holds.
    pub conditions: Vec<ConditionSince>,
    /// Weight of events that could not be decided.
    pub unknown: i64,
    /// Weight of events that were older, at their own tick, than any window reaches.
    pub too_late: i64,
    /// Unix seconds from which on the counts cover everything.
    pub covered_from: i64,
    /// Sources that were up to date.
    pub sources_current: i32,
    /// Sources there are.
    pub sources: i32,
    /// Newest bad events, newest first, at most five.
    pub exemplars: Vec<Exemplar>,
    /// What good, total and budget_total count.
    #[serde(default)]
    pub unit: BudgetUnit,
    /// The target in force, as a share; null on the last record of a retired series.
    #[serde(default)]
    pub target: Option<f64>,
    /// Unix seconds at which the budget's present period began, where it is one of a calendar; null where the window
    /// rolls.
    #[serde(default)]
    pub period_start: Option<i64>,
    /// The period of the calendar before the present one, as far as it is covered; null where the window rolls.
    #[serde(default)]
    pub previous: Option<PeriodCounts>,
}

/// The objective of a Rule that has series of its own.
pub const OF_RULE: &str = "rule";

impl BurnRates {
    /// Whether it is of a Rule that has series of its own: it counts as an SLO does, but promises nothing.
    pub fn is_of_rule(&self) -> bool {
        self.objective == OF_RULE && self.target.is_none() && !self.retired
    }
}

/// What a budget is counted in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetUnit {
    /// Weights of events.
    #[default]
    Events,
    /// Seconds, of an objective whose time is sliced.
    Seconds,
    /// Parts of 1,000,000,000, of a composite.
    Share,
}

/// Counts of a whole period of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodCounts {
    /// Unix seconds at which it began.
    pub start: i64,
    /// Its length.
    pub seconds: i64,
    /// As in [`WindowRates::good`].
    pub good: i64,
    /// As in [`WindowRates::total`].
    pub total: i64,
}

/// Counts of one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowRates {
    /// Length in seconds.
    pub seconds: i64,
    /// Slot of the ring that served it: the window covers [seconds, seconds + slot_seconds). 0: exact, the present period
    /// of a calendar.
    pub slot_seconds: i32,
    /// What was good, by unit.
    pub good: i64,
    /// Good and bad, by unit.
    pub total: i64,
    /// (bad / total) / (1 - target); 0 without traffic.
    pub burn: f64,
}

/// Whether, and since which tick, a rule's condition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionSince {
    /// Rule name, unique within the SLO.
    pub rule: String,
    /// Whether it holds at this tick.
    pub holds: bool,
    /// First tick at which it held without a break; null when it does not hold. On an incomplete tick a condition that
    /// is false keeps the since it had.
    pub since: Option<i64>,
}
