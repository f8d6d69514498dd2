//! Who spent a budget.

use serde::Serialize;
use slipstream_query::history::{ContributorAnswer, ContributorRow};
use utoipa::ToSchema;

use super::{Example, Rows, at};

/// A value, and what was bad with it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Contributor {
    /// The value; empty where requests had none. Of the others, how many values they are.
    pub value: String,
    /// Weight of its bad requests.
    pub bad: i64,
    /// Weight of its good and bad requests.
    pub total: i64,
    /// Its share of all bad requests, to four digits.
    pub share: f64,
}

impl From<ContributorRow> for Contributor {
    fn from(row: ContributorRow) -> Self {
        Contributor { value: row.value, bad: row.bad, total: row.total, share: row.share }
    }
}

/// Who spent a budget.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Contributors {
    /// The SLO.
    pub slo: String,
    /// Its objective.
    pub objective: String,
    /// Start of the range.
    pub from: String,
    /// Its end.
    pub to: String,
    /// The field.
    pub by: String,
    /// Weight of bad requests.
    pub bad: i64,
    /// Weight of good and bad requests.
    pub total: i64,
    /// Weight of requests that could not be decided.
    pub unknown: i64,
    /// Most bad requests first. The shares, with that of the others, add up to exactly 1.
    pub contributors: Vec<Contributor>,
    /// All other values together; null if there are none.
    pub other: Option<Contributor>,
    /// Log time up to which the store has everything; null if it has nothing yet.
    pub as_of: Option<String>,
}

impl Contributors {
    /// What was answered, and up to when that is known.
    pub fn new(answer: ContributorAnswer, as_of: Option<String>) -> Contributors {
        Contributors {
            slo: answer.slo,
            objective: answer.objective,
            from: answer.from,
            to: answer.to,
            by: answer.by,
            bad: answer.bad,
            total: answer.total,
            unknown: answer.unknown,
            contributors: answer.contributors.into_iter().map(Contributor::from).collect(),
            other: answer.others.map(Contributor::from),
            as_of,
        }
    }
}

impl Rows for Contributors {
    const COLUMNS: &'static [&'static str] = &["value", "bad", "total", "share", "other"];
    type Row = Contributor;

    fn rows(&self) -> &[Contributor] {
        &self.contributors
    }

    /// All others: the column `other` tells it from a value, which may be a number, too.
    fn last_row(&self) -> Option<serde_json::Value> {
        let mut row = serde_json::to_value(self.other.as_ref()?).ok()?;
        row.as_object_mut()?.insert("other".to_owned(), true.into());
        Some(row)
    }

    fn as_of(&self) -> Option<&str> {
        self.as_of.as_deref()
    }
}

impl Example for Contributors {
    fn example() -> Self {
        let contributor = |value: &str, bad, total, share| Contributor { value: value.to_owned(), bad, total, share };
        Contributors {
            slo: "payment-availability".to_owned(),
            objective: "0".to_owned(),
            from: at("09:00:00.000000"),
            to: at("10:00:00.000000"),
            by: "endpoint".to_owned(),
            bad: 90,
            total: 36_000,
            unknown: 0,
            contributors: vec![contributor("/pay", 81, 12_000, 0.9)],
            other: Some(contributor("4", 9, 24_000, 0.1)),
            as_of: Some(at("10:00:02")),
        }
    }
}
