//! A backtest as it is printed: the contract of `--json`.
//!
//! `{from, to, quiet_seconds, quiet_share, incidents, alerts, rules, rule_sets, severities, all, suggestions}`; what each holds is
//! documented at its type. Times are RFC 3339 in UTC, lengths whole seconds, shares from 0 to 1.

use serde::Serialize;

use super::score::Score;
use super::suggest::Suggestion;

/// How a set of definitions would have done, and what would fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// Against the incidents, or without.
    #[serde(flatten)]
    pub score: Score,
    /// One for each objective whose budget counts events; empty if none were asked for.
    pub suggestions: Vec<Suggestion>,
}
