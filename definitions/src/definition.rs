//! Definitions after parsing: types that cannot be wrong. `openslo` parses them from YAML, `revision` decides which are
//! in force, `matcher` and `burn` work with them.

use serde::ser::SerializeStructVariant;
use serde::{Serialize, Serializer};
use slipstream_schemas::records::BudgetUnit;
pub use slipstream_schemas::records::OF_RULE;

pub use crate::calendar::{Calendar, Unit};

/// An exact non-negative decimal as num / den: thresholds are compared in whole numbers, never in floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Ratio {
    /// Numerator.
    pub num: u64,
    /// Denominator, not 0.
    pub den: u64,
}

/// An SLO with all its references resolved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slo {
    /// metadata.name, RFC 1123, at most 63 bytes.
    pub name: String,
    /// metadata.displayName, or the name.
    pub display_name: String,
    /// spec.service, or empty.
    pub service: String,
    /// spec.description.
    pub description: String,
    /// Dimensions by which series are split: `service`, `environment`, `endpoint`, `method`, `status_code` or
    /// `attributes.KEY`.
    pub group_by: Vec<GroupKey>,
    /// The time that a budget is for.
    pub window: Window,
    /// At least one.
    pub objectives: Vec<Objective>,
    /// For a composite SLO: what applies to its objectives together.
    pub composite: Option<Composite>,
    /// Labels of the SLO, for alerts.
    pub labels: Vec<(String, String)>,
    /// Which kind of document it is.
    pub document: Document,
}

/// The kind of a document that has series of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Document {
    /// An SLO: a promise to users, with a budget.
    #[default]
    #[serde(rename = "SLO")]
    Slo,
    /// A `Rule` with an indicator of its own: it counts and alerts as an SLO does, but promises nothing. Its target, window
    /// and budget have no meaning.
    Rule,
}

impl Document {
    /// The kind, as documents and records name it.
    pub fn kind(self) -> &'static str {
        match self {
            Document::Slo => "SLO",
            Document::Rule => "Rule",
        }
    }
}

/// Which events count, as the source text of CEL filters; `filter` compiles them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Indicator {
    /// Which events count at all.
    pub total: String,
    /// Which of them are good or bad.
    pub side: Side,
}

/// A ratio has a filter for its good or for its bad events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Side {
    /// Filter of good events.
    Good(String),
    /// Filter of bad events; unknown stays unknown.
    Bad(String),
}

/// A dimension to group by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub enum GroupKey {
    /// `service`.
    Service,
    /// `environment`.
    Environment,
    /// `endpoint`.
    Endpoint,
    /// `method`.
    Method,
    /// `status_code`.
    StatusCode,
    /// `attributes.KEY`; an event without it is in the group of the empty value.
    Attribute(String),
}

impl GroupKey {
    /// The label's name: the field, or the attribute's key.
    pub fn label(&self) -> &str {
        match self {
            GroupKey::Service => "service",
            GroupKey::Environment => "environment",
            GroupKey::Endpoint => "endpoint",
            GroupKey::Method => "method",
            GroupKey::StatusCode => "status_code",
            GroupKey::Attribute(key) => key,
        }
    }
}

/// The time that a budget is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// The last so many seconds, at every moment.
    Rolling(i64),
    /// Periods of a calendar: each has a new budget.
    Calendar(Calendar),
}

impl Window {
    /// Its length in seconds; for a calendar, the nominal length (a month has 30 days, a year 365).
    pub fn nominal_seconds(&self) -> i64 {
        match self {
            Window::Rolling(seconds) => *seconds,
            Window::Calendar(calendar) => calendar.nominal_seconds(),
        }
    }
}

/// How the budget of an objective is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Budgeting {
    /// A share of the events.
    Occurrences,
    /// A share of the time: of slices of so many seconds, from the epoch on, each is good or bad. One without events
    /// is good.
    Timeslices {
        /// Length of a slice.
        seconds: i64,
        /// Least share of good events in a good slice, above 0, at most 1.
        target: Ratio,
    },
    /// The mean of the slices' ratios of good events. One without events counts as 1.
    RatioTimeslices {
        /// Length of a slice.
        seconds: i64,
    },
}

impl Budgeting {
    /// What a budget is counted in.
    pub fn unit(self) -> BudgetUnit {
        if self.slice().is_some() { BudgetUnit::Seconds } else { BudgetUnit::Events }
    }

    /// Length of a slice in seconds, if there are slices.
    pub fn slice(self) -> Option<i64> {
        match self {
            Budgeting::Occurrences => None,
            Budgeting::Timeslices { seconds, .. } | Budgeting::RatioTimeslices { seconds } => Some(seconds),
        }
    }
}

/// The name of the objective for a composite SLO as a whole.
pub const COMPOSITE: &str = "composite";

/// What applies to the objectives of a composite SLO together. Its share of bad is the weighted mean of theirs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Composite {
    /// The mean of the objectives' targets, by weight.
    pub target: Ratio,
    /// Rules; those of the single objectives are empty.
    pub rules: Vec<Rule>,
}

/// A target and the rules that guard it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Objective {
    /// displayName, or its index; unique within the SLO.
    pub name: String,
    /// What is counted.
    pub indicator: Indicator,
    /// How the budget is counted.
    pub budgeting: Budgeting,
    /// The exact target, 0 < target < 1.
    pub target: Ratio,
    /// compositeWeight, above 0; 1 by default.
    pub weight: Ratio,
    /// Rules in document order; names unique within the objective.
    pub rules: Vec<Rule>,
}

/// When to alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// Unique within the objective; `1h/5m` for a default tier.
    pub name: String,
    /// Alerts are per rule set: `burn` for all burn-rate rules of an objective.
    pub rule_set: String,
    /// What must hold.
    pub condition: Condition,
    /// How bad.
    pub severity: Severity,
    /// `for`: seconds it must hold.
    pub wait: i64,
    /// `keep_firing_for`, seconds; in a rule set the longest one applies.
    pub keep: i64,
    /// Labels for the alert.
    pub labels: Vec<(String, String)>,
    /// Annotations for the alert, runbook_url among them.
    pub annotations: Vec<(String, String)>,
}

/// The kind of a condition on burn rates, as OpenSLO names it.
pub const BURN_RATE: &str = "burnrate";
/// The kind: more than a share is bad.
pub const ERROR_RATIO: &str = "errorratio";
/// The kind: less than a share is good.
pub const RATIO_BELOW: &str = "ratiobelow";
/// The kind: less than a share is as fast as a limit, so that quantile is above the limit.
pub const LATENCY_QUANTILE: &str = "latencyquantile";
/// The kind: nothing comes.
pub const NO_TRAFFIC: &str = "notraffic";
/// The kind: less than a share of the budget is left.
pub const BUDGET_REMAINING: &str = "budgetremaining";
/// The kind: the budget will be spent soon.
pub const BUDGET_EXHAUSTED: &str = "budgetexhausted";

/// What must hold, as written: something over a window is held against a threshold. What that is depends on the kind, and
/// `slo::rule` has a file for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its kind: [`BURN_RATE`] and the like.
    pub kind: &'static str,
    /// Long window, seconds; 0 where the kind looks at the budget alone.
    pub long: i64,
    /// Short window, seconds, at most as long: it must agree, so that an alert ends soon after its cause. As long as the other
    /// where the kind has one window.
    pub short: i64,
    /// The exact threshold: of burn rates a factor; of a quantile its share (0.95); of the end of a budget seconds; else a
    /// share.
    pub threshold: Ratio,
    /// Of a latency quantile, what it must exceed, milliseconds; it is in the filter of the objective.
    pub limit_ms: Option<Ratio>,
    /// Low-traffic guard: least total in the long window.
    pub least: i64,
    /// The same: least bad in the long window.
    pub least_bad: i64,
    /// What it means that nothing came.
    pub no_data: NoData,
}

/// What it means for a condition that its window has nothing to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoData {
    /// It does not hold.
    #[default]
    Ok,
    /// It holds. Where a source is missing it stays as it was, since nobody knows.
    Alert,
    /// It stays as it was. So it remembers earlier ticks, as `since` does: what P3b promises of a tick does not hold for it after an
    /// incomplete one.
    Keep,
}

impl Condition {
    /// Burn rate strictly greater than `factor` in both windows (seconds), with at least `least` events in the long one.
    pub fn burn_rate(long: i64, short: i64, factor: Ratio, least: i64) -> Condition {
        Condition { short, least, ..Condition::of(BURN_RATE, long, factor) }
    }

    /// A condition of a kind with one window, without guards.
    pub fn of(kind: &'static str, window: i64, threshold: Ratio) -> Condition {
        let (least, least_bad) = (0, 0);
        Condition {
            kind,
            long: window,
            short: window,
            threshold,
            limit_ms: None,
            least,
            least_bad,
            no_data: NoData::Ok,
        }
    }

    /// The windows that it looks at, seconds.
    pub fn windows(&self) -> impl Iterator<Item = i64> {
        [self.long, self.short].into_iter().filter(|window| *window > 0)
    }
}

impl Serialize for Condition {
    /// `{"Burn": {long, short, factor, least}}`: so `slo list --json` has shown burn rates from the beginning. Other kinds
    /// have `threshold` instead, and all the fields that came since.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, threshold) = if self.kind == BURN_RATE { ("Burn", "factor") } else { (self.kind, "threshold") };
        let mut fields = serializer.serialize_struct_variant("Condition", 0, kind, 7)?;
        fields.serialize_field("long", &self.long)?;
        fields.serialize_field("short", &self.short)?;
        fields.serialize_field(threshold, &self.threshold)?;
        fields.serialize_field("limit_ms", &self.limit_ms)?;
        fields.serialize_field("least", &self.least)?;
        fields.serialize_field("least_bad", &self.least_bad)?;
        fields.serialize_field("no_data", &self.no_data)?;
        fields.end()
    }
}

/// How bad: ordered by `rank`, the greater the worse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Severity {
    /// As written: `page`, `ticket`, ...
    pub name: String,
    /// page, critical, sev1: 3; error, sev2: 2; ticket, warning, others: 1; info: 0.
    pub rank: u8,
}

impl Severity {
    /// The severity of that name, in any case.
    pub fn named(name: &str) -> Severity {
        let rank = match name.to_ascii_lowercase().as_str() {
            "page" | "critical" | "sev1" => 3,
            "error" | "sev2" => 2,
            "info" => 0,
            _ => 1,
        };
        Severity { name: name.to_owned(), rank }
    }
}

/// A part of an SLO with its own series: an objective, or the composite of all.
#[derive(Debug, Clone, Copy)]
pub struct Promise<'a> {
    /// Name of the objective, or [`COMPOSITE`].
    pub name: &'a str,
    /// The exact target.
    pub target: Ratio,
    /// The rules that guard it.
    pub rules: &'a [Rule],
    /// What its budget is counted in.
    pub unit: BudgetUnit,
    /// The objective; `None` for the composite.
    pub objective: Option<&'a Objective>,
}

impl Objective {
    /// An objective over events, without rules, of weight 1.
    pub fn new(name: impl Into<String>, indicator: Indicator, target: Ratio) -> Objective {
        let weight = Ratio { num: 1, den: 1 };
        Objective { name: name.into(), indicator, budgeting: Budgeting::Occurrences, target, weight, rules: Vec::new() }
    }
}

impl Slo {
    /// Whether counts under `self` mean the same as under `other`: filters, groupBy, budgeting, and the kind of window.
    /// Objectives may be added and removed, targets, rules and the length of a rolling window may change.
    pub fn same_meaning(&self, other: &Slo) -> bool {
        let windows = match (&self.window, &other.window) {
            (Window::Rolling(_), Window::Rolling(_)) => true,
            (mine, theirs) => mine == theirs,
        };
        self.document == other.document
            && windows
            && self.group_by == other.group_by
            && self.objectives.iter().all(|mine| other.keeps_meaning(mine))
    }

    /// Whether an objective means the same here, if one of its name is there.
    pub fn keeps_meaning(&self, objective: &Objective) -> bool {
        let mine = self.objectives.iter().find(|mine| mine.name == objective.name);
        mine.is_none_or(|mine| mine.indicator == objective.indicator && mine.budgeting == objective.budgeting)
    }

    /// The parts with their own series: the objectives in order, then the composite if there is one.
    pub fn promises(&self) -> impl Iterator<Item = Promise<'_>> {
        let single = self.objectives.iter().map(|objective| Promise {
            name: &objective.name,
            target: objective.target,
            rules: &objective.rules,
            unit: objective.budgeting.unit(),
            objective: Some(objective),
        });
        let composite = self.composite.iter().map(|composite| Promise {
            name: COMPOSITE,
            target: composite.target,
            rules: &composite.rules,
            unit: BudgetUnit::Share,
            objective: None,
        });
        single.chain(composite)
    }

    /// Every rule, of all objectives and the composite.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.promises().flat_map(|promise| promise.rules)
    }

    /// The rules that guard the series of that objective; empty if the SLO does not have it.
    pub fn rules_of(&self, objective: &str) -> Option<&[Rule]> {
        self.promises().find(|promise| promise.name == objective).map(|promise| promise.rules)
    }

    /// The rules whose windows a series with these rules of its own is looked at by: in a composite SLO those of the
    /// composite, which looks at all.
    pub fn looking<'a>(&'a self, own: &'a [Rule]) -> &'a [Rule] {
        self.composite.as_ref().map_or(own, |composite| &composite.rules)
    }

    /// Every window that the rules of an objective look at, ascending and without repeats; the budget's is among them
    /// where it rolls. Seconds.
    pub fn windows(&self, rules: &[Rule]) -> Vec<i64> {
        let rolling = match self.window {
            Window::Rolling(seconds) => Some(seconds),
            Window::Calendar(_) => None,
        };
        let of_rules = rules.iter().flat_map(|rule| rule.condition.windows());
        let mut windows: Vec<i64> = of_rules.chain(rolling).collect();
        windows.sort_unstable();
        windows.dedup();
        windows
    }
}
