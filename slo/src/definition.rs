//! Definitions after parsing: types that cannot be wrong. `openslo` makes them from YAML, `revision` tells which are in
//! force, `matcher` and `burn` work with them.

use serde::Serialize;

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
    /// What is counted.
    pub indicator: Indicator,
    /// Dimensions by which series are split: `service`, `environment`, `endpoint`, `method`, `status_code` or
    /// `attributes.KEY`.
    pub group_by: Vec<GroupKey>,
    /// Rolling period of the budget, seconds.
    pub period: i64,
    /// At least one.
    pub objectives: Vec<Objective>,
    /// Labels of the SLO, for alerts.
    pub labels: Vec<(String, String)>,
}

/// What makes an event count, as the source text of CEL filters; `filter` compiles them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Indicator {
    /// Which events count at all.
    pub total: String,
    /// Which of them are good or bad.
    pub side: Side,
}

/// A ratio gives its good or its bad events.
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

/// A target and the rules that guard it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Objective {
    /// displayName, or its index.
    pub name: String,
    /// The exact target, 0 < target < 1.
    pub target: Ratio,
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
    /// `keep_firing_for`, seconds; of a rule set the longest counts.
    pub keep: i64,
    /// Labels for the alert.
    pub labels: Vec<(String, String)>,
    /// Annotations for the alert, runbook_url among them.
    pub annotations: Vec<(String, String)>,
}

/// The conditions this version knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Condition {
    /// Burn rate strictly greater than `factor` in both windows.
    Burn {
        /// Long window, seconds.
        long: i64,
        /// Short window, seconds.
        short: i64,
        /// Exact factor.
        factor: Ratio,
        /// Low-traffic guard: least total in the long window.
        least: i64,
    },
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

impl Slo {
    /// Whether counts under `self` mean the same as under `other`: filter, groupBy and budgeting method.
    pub fn same_meaning(&self, other: &Slo) -> bool {
        self.indicator == other.indicator && self.group_by == other.group_by
    }

    /// Every window an objective needs, ascending and without repeats; the budget's period is among them.
    pub fn windows(&self, objective: &Objective) -> Vec<i64> {
        let mut windows: Vec<i64> = objective
            .rules
            .iter()
            .flat_map(|rule| match rule.condition {
                Condition::Burn { long, short, .. } => [long, short],
            })
            .chain(std::iter::once(self.period))
            .collect();
        windows.sort_unstable();
        windows.dedup();
        windows
    }
}
