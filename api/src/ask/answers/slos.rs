//! The SLOs, and how they stand.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_query::slos::SloStatus;
use slipstream_schemas::records;
use utoipa::ToSchema;

use super::rules::RuleStanding;
use super::{Example, Rows, at};

/// What good, total and budget_total count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Weights of events.
    Events,
    /// Seconds of sliced time.
    Seconds,
    /// Parts of 1,000,000,000 of a composite.
    Share,
}

impl From<records::BudgetUnit> for Unit {
    fn from(unit: records::BudgetUnit) -> Self {
        match unit {
            records::BudgetUnit::Events => Unit::Events,
            records::BudgetUnit::Seconds => Unit::Seconds,
            records::BudgetUnit::Share => Unit::Share,
        }
    }
}

/// An objective of an SLO, or one group of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Standing {
    /// Name of the SLO.
    pub name: String,
    /// Its service.
    pub service: String,
    /// The objective's name.
    pub objective: String,
    /// groupBy labels and their values; absent when not grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub group: Option<BTreeMap<String, String>>,
    /// The target as a share; null if the definition is not known.
    pub target: Option<f64>,
    /// The budget's period: `30d`; for a calendar, `1M`.
    pub window: Option<String>,
    /// good / total over the period; null without traffic.
    pub sli: Option<f64>,
    /// Share of the budget that is left; negative when overspent.
    pub budget_remaining: f64,
    /// Burn rate by window, such as `5m`.
    pub burn_rates: BTreeMap<String, f64>,
    /// When the budget will be spent at the present rate; null if it is not being spent, or is spent.
    pub exhaustion_at: Option<String>,
    /// What good, total and budget_total count.
    pub unit: Unit,
    /// What was good over the period.
    pub good: i64,
    /// Good and bad over the period.
    pub total: i64,
    /// What may be bad over the period.
    pub budget_total: f64,
    /// When the calendar period began; null for a rolling window.
    pub period_start: Option<String>,
    /// Weight of events that could not be decided.
    pub unknown: i64,
    /// Weight of events that were too old, when they arrived, for any window.
    pub too_late: i64,
    /// Since when the counts cover everything.
    pub covered_from: Option<String>,
    /// Whether that is the whole period.
    pub covers_period: bool,
    /// False if a source was missing at that tick, or it was never evaluated.
    pub complete: bool,
    /// End of the tick evaluated last; null if never evaluated.
    pub as_of: Option<String>,
}

impl From<SloStatus> for Standing {
    fn from(status: SloStatus) -> Self {
        Standing {
            name: status.name,
            service: status.service,
            objective: status.objective,
            group: status.group,
            target: status.target,
            window: status.window,
            sli: status.sli,
            budget_remaining: status.budget_remaining,
            burn_rates: status.burn_rates,
            exhaustion_at: status.exhaustion_at,
            unit: status.unit.into(),
            good: status.good,
            total: status.total,
            budget_total: status.budget_total,
            period_start: status.period_start,
            unknown: status.unknown,
            too_late: status.too_late,
            covered_from: status.covered_from,
            covers_period: status.covers_period,
            complete: status.complete,
            as_of: status.as_of,
        }
    }
}

/// Up to when an answer about SLOs knows everything.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Known {
    /// End of the last tick evaluated; null before the first.
    pub as_of: Option<String>,
    /// False if a source was missing, or nothing new was heard of for some time.
    pub complete: bool,
    /// For so many whole seconds the state has not moved on; absent while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stale_for_seconds: Option<u64>,
}

/// The SLOs, worst budget first, and the Rules.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Slos {
    /// One for each objective and group.
    pub slos: Vec<Standing>,
    /// The Rules, on an SLO or with an indicator of their own, and their groups.
    pub rules: Vec<RuleStanding>,
    /// Up to when this is known.
    #[serde(flatten)]
    pub known: Known,
}

impl Rows for Slos {
    const COLUMNS: &'static [&'static str] = STANDING;
    type Row = Standing;

    fn rows(&self) -> &[Standing] {
        &self.slos
    }

    fn as_of(&self) -> Option<&str> {
        self.known.as_of.as_deref()
    }
}

/// Columns of standings.
pub const STANDING: &[&str] = &[
    "name",
    "service",
    "objective",
    "group",
    "target",
    "window",
    "sli",
    "budget_remaining",
    "burn_rates",
    "exhaustion_at",
    "unit",
    "good",
    "total",
    "budget_total",
    "period_start",
    "unknown",
    "too_late",
    "covered_from",
    "covers_period",
    "complete",
    "as_of",
];

impl Example for Standing {
    fn example() -> Self {
        Standing {
            name: "payment-availability".to_owned(),
            service: "payment".to_owned(),
            objective: "0".to_owned(),
            group: None,
            target: Some(0.995),
            window: Some("30d".to_owned()),
            sli: Some(0.9975),
            budget_remaining: 0.5,
            burn_rates: BTreeMap::from([("1h".to_owned(), 1.2), ("30d".to_owned(), 0.5), ("5m".to_owned(), 2.4)]),
            exhaustion_at: Some("2026-12-09T11:20:00Z".to_owned()),
            unit: Unit::Events,
            good: 35_910,
            total: 36_000,
            budget_total: 180.0,
            period_start: None,
            unknown: 0,
            too_late: 0,
            covered_from: Some("2026-10-30T00:00:00Z".to_owned()),
            covers_period: true,
            complete: true,
            as_of: Some(at("10:00:02")),
        }
    }
}

impl Example for Known {
    fn example() -> Self {
        Known { as_of: Some(at("10:00:02")), complete: true, stale_for_seconds: None }
    }
}

impl Example for Slos {
    fn example() -> Self {
        Slos { slos: vec![Standing::example()], rules: vec![RuleStanding::example()], known: Known::example() }
    }
}
