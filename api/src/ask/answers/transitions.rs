//! A step of an alert's machine.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_query::history::TransitionRow;
use slipstream_schemas::records;
use slipstream_store::text;
use utoipa::ToSchema;

use super::{Example, at};

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// A condition began to hold; `for` runs.
    Pending,
    /// It ceased before it was ripe.
    Inactive,
    /// It held long enough.
    Firing,
    /// No condition holds; `keep_firing_for` runs.
    Keeping,
    /// A condition holds again while keeping.
    Resumed,
    /// The worst ripe rule is another one.
    Severity,
    /// Over.
    Resolved,
}

impl From<records::TransitionKind> for TransitionKind {
    fn from(kind: records::TransitionKind) -> Self {
        use records::TransitionKind as Of;
        match kind {
            Of::Pending => TransitionKind::Pending,
            Of::Inactive => TransitionKind::Inactive,
            Of::Firing => TransitionKind::Firing,
            Of::Keeping => TransitionKind::Keeping,
            Of::Resumed => TransitionKind::Resumed,
            Of::Severity => TransitionKind::Severity,
            Of::Resolved => TransitionKind::Resolved,
        }
    }
}

/// A step of an alert's machine.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Transition {
    /// The alert.
    pub alert_id: String,
    /// The tick of its pending.
    pub episode: i64,
    /// 1 for pending, then counting.
    pub seq: i32,
    /// The SLO.
    pub slo: String,
    /// Its service.
    pub service: String,
    /// The objective.
    pub objective: String,
    /// groupBy labels and values; empty when not grouped.
    pub group: BTreeMap<String, String>,
    /// What happened.
    pub kind: TransitionKind,
    /// When.
    pub at: String,
    /// The worst ripe rule.
    pub rule: String,
    /// Its severity; empty while pending.
    pub severity: String,
    /// Whether no source was missing.
    pub complete: bool,
}

impl From<&records::AlertTransition> for Transition {
    fn from(of: &records::AlertTransition) -> Self {
        Transition {
            alert_id: of.alert_id.clone(),
            episode: of.episode,
            seq: of.seq,
            slo: of.slo.clone(),
            service: of.service.clone(),
            objective: of.objective.clone(),
            group: of.group.iter().map(|label| (label.name.clone(), label.value.clone())).collect(),
            kind: of.kind.into(),
            at: text::seconds(of.tick),
            rule: of.rule.clone(),
            severity: of.severity.clone(),
            complete: of.complete,
        }
    }
}

/// A step of one alert, with the burn rates that mattered.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Step {
    /// The tick of its pending: it identifies an episode of the alert.
    pub episode: i64,
    /// 1 for pending, then counting.
    pub seq: i32,
    /// When.
    pub at: String,
    /// What happened.
    pub kind: TransitionKind,
    /// Severity after it; empty while no rule is ripe.
    pub severity: String,
    /// The worst ripe rule.
    pub rule: String,
    /// Burn rate by rule and window: `1h/5m 1h`.
    pub burn_rates: BTreeMap<String, f64>,
    /// The rule's kind: `burnrate`, `errorratio` and the like.
    pub rule_kind: String,
    /// What the kind of the rule compares, in the same way: a burn rate, a share of 1, or seconds.
    pub values: BTreeMap<String, f64>,
    /// Whether no source was missing.
    pub complete: bool,
}

impl From<TransitionRow> for Step {
    fn from(row: TransitionRow) -> Self {
        Step {
            episode: row.episode,
            seq: row.seq,
            at: row.at,
            kind: row.kind.into(),
            severity: row.severity,
            rule: row.rule,
            burn_rates: row.burn_rates,
            rule_kind: row.rule_kind,
            values: row.values,
            complete: row.complete,
        }
    }
}

impl Example for Step {
    fn example() -> Self {
        Step {
            episode: 1_796_031_070,
            seq: 2,
            at: at("09:31:10"),
            kind: TransitionKind::Firing,
            severity: "page".to_owned(),
            rule: "1h/5m".to_owned(),
            burn_rates: BTreeMap::from([("1h/5m 1h".to_owned(), 21.3), ("1h/5m 5m".to_owned(), 40.0)]),
            rule_kind: "burnrate".to_owned(),
            values: BTreeMap::from([("1h/5m 1h".to_owned(), 21.3), ("1h/5m 5m".to_owned(), 40.0)]),
            complete: true,
        }
    }
}

impl Example for Transition {
    fn example() -> Self {
        Transition {
            alert_id: "5a2f9c01d3b7e846".to_owned(),
            episode: 1_796_031_070,
            seq: 2,
            slo: "payment-availability".to_owned(),
            service: "payment".to_owned(),
            objective: "0".to_owned(),
            group: BTreeMap::new(),
            kind: TransitionKind::Firing,
            at: at("09:31:10"),
            rule: "1h/5m".to_owned(),
            severity: "page".to_owned(),
            complete: true,
        }
    }
}
