//! How an SLO stood.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_query::history::{HistoryAnswer, HistoryPoint};
use utoipa::ToSchema;

use super::{Example, Rows, at};

/// How a series stood at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Point {
    /// End of the tick.
    pub at: String,
    /// The objective's name.
    pub objective: String,
    /// groupBy labels and their values; absent when not grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub group: Option<BTreeMap<String, String>>,
    /// good / total over the budget's period; null without traffic.
    pub sli: Option<f64>,
    /// What was good over the period.
    pub good: i64,
    /// Good and bad over the period.
    pub total: i64,
    /// Weight of events that could not be decided.
    pub unknown: i64,
    /// What may be bad over the period.
    pub budget_total: f64,
    /// Share of the budget that was left; negative when overspent.
    pub budget_remaining: f64,
    /// Burn rate by window, such as `5m`.
    pub burn_rates: BTreeMap<String, f64>,
    /// When the budget would have been spent at that rate; null if it was not being spent.
    pub exhaustion_at: Option<String>,
    /// Since when the counts covered everything.
    pub covered_from: Option<String>,
    /// False if a source was missing at that tick.
    pub complete: bool,
}

impl From<HistoryPoint> for Point {
    fn from(point: HistoryPoint) -> Self {
        Point {
            at: point.at,
            objective: point.objective,
            group: point.group,
            sli: point.sli,
            good: point.good,
            total: point.total,
            unknown: point.unknown,
            budget_total: point.budget_total,
            budget_remaining: point.budget_remaining,
            burn_rates: point.burn_rates,
            exhaustion_at: point.exhaustion_at,
            covered_from: point.covered_from,
            complete: point.complete,
        }
    }
}

/// How an SLO stood.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct History {
    /// The SLO.
    pub slo: String,
    /// Start of the range.
    pub from: String,
    /// Its end.
    pub to: String,
    /// Length of a step: `5m`.
    pub step: String,
    /// By time, then objective and group; of each the last that was published in its step.
    pub points: Vec<Point>,
    /// Log time up to which the store has everything; null if it has nothing yet.
    pub as_of: Option<String>,
}

impl History {
    /// What was answered, and up to when that is known.
    pub fn new(answer: HistoryAnswer, as_of: Option<String>) -> History {
        let HistoryAnswer { slo, from, to, step, points } = answer;
        History { slo, from, to, step, points: points.into_iter().map(Point::from).collect(), as_of }
    }
}

impl Rows for History {
    const COLUMNS: &'static [&'static str] = &[
        "at",
        "objective",
        "group",
        "sli",
        "good",
        "total",
        "unknown",
        "budget_total",
        "budget_remaining",
        "burn_rates",
        "exhaustion_at",
        "covered_from",
        "complete",
    ];
    type Row = Point;

    fn rows(&self) -> &[Point] {
        &self.points
    }

    fn as_of(&self) -> Option<&str> {
        self.as_of.as_deref()
    }
}

impl Example for History {
    fn example() -> Self {
        let point = Point {
            at: at("09:30:00"),
            objective: "0".to_owned(),
            group: None,
            sli: Some(0.9975),
            good: 35_910,
            total: 36_000,
            unknown: 0,
            budget_total: 180.0,
            budget_remaining: 0.5,
            burn_rates: BTreeMap::from([("1h".to_owned(), 1.2), ("5m".to_owned(), 2.4)]),
            exhaustion_at: None,
            covered_from: Some("2026-10-30T00:00:00Z".to_owned()),
            complete: true,
        };
        History {
            slo: "payment-availability".to_owned(),
            from: at("09:00:00"),
            to: at("10:00:00"),
            step: "5m".to_owned(),
            points: vec![point],
            as_of: Some(at("10:00:02")),
        }
    }
}
