//! The past of an SLO: how it stood, and who spent its budget.

use std::collections::BTreeMap;

use serde::Serialize;
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
    /// Share of the budget that was left; negative when overspent.
    pub budget_remaining: f64,
    /// Burn rate by window, such as `5m`.
    pub burn_rates: BTreeMap<String, f64>,
    /// False if a source was missing at that tick.
    pub complete: bool,
    /// Since when the counts covered everything.
    pub covered_from: Option<String>,
}

/// How an SLO stood.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct History {
    /// By time, then objective and group; of each step the last one that is stored.
    pub points: Vec<Point>,
    /// Log time up to which the store has everything; null if it has nothing yet.
    pub as_of: Option<String>,
}

/// A value, and what was bad with it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Contributor {
    /// The value; empty where requests had none.
    pub value: String,
    /// What was bad.
    pub bad: i64,
    /// Good and bad.
    pub total: i64,
    /// Its share of all that was bad; all shares, with that of the others, are 1.
    pub share: f64,
}

/// All that are not listed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Others {
    /// How many values.
    pub values: u64,
    /// What was bad.
    pub bad: i64,
    /// Good and bad.
    pub total: i64,
    /// Their share of all that was bad.
    pub share: f64,
}

/// Who spent a budget.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Contributors {
    /// What was bad.
    pub bad: i64,
    /// Good and bad.
    pub total: i64,
    /// Weight of events that could not be decided.
    pub unknown: i64,
    /// The field.
    pub by: String,
    /// Worst first.
    pub contributors: Vec<Contributor>,
    /// All that are not listed.
    pub other: Others,
    /// Log time up to which the store has everything; null if it has nothing yet.
    pub as_of: Option<String>,
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
        "budget_remaining",
        "burn_rates",
        "complete",
        "covered_from",
    ];
    type Row = Point;

    fn rows(&self) -> &[Point] {
        &self.points
    }

    fn as_of(&self) -> Option<&str> {
        self.as_of.as_deref()
    }
}

impl Rows for Contributors {
    const COLUMNS: &'static [&'static str] = &["value", "bad", "total", "share"];
    type Row = Contributor;

    fn rows(&self) -> &[Contributor] {
        &self.contributors
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
            budget_remaining: 0.5,
            burn_rates: BTreeMap::from([("1h".to_owned(), 1.2), ("5m".to_owned(), 2.4)]),
            complete: true,
            covered_from: Some("2026-10-30T00:00:00Z".to_owned()),
        };
        History { points: vec![point], as_of: Some(at("10:00:02")) }
    }
}

impl Example for Contributors {
    fn example() -> Self {
        let contributor = |value: &str, bad, total, share| Contributor { value: value.to_owned(), bad, total, share };
        Contributors {
            bad: 90,
            total: 36_000,
            unknown: 0,
            by: "endpoint".to_owned(),
            contributors: vec![contributor("/pay", 81, 12_000, 0.9)],
            other: Others { values: 4, bad: 9, total: 24_000, share: 0.1 },
            as_of: Some(at("10:00:02")),
        }
    }
}
