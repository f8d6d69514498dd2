//! What other definitions make of a range, as it is printed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Counted, Outcome, Request};

/// Two sets of definitions over one reading.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhatIf {
    /// By the definitions of then.
    pub before: Outcome,
    /// By those that were given.
    pub after: Outcome,
    /// Per objective and group, those that differ.
    pub slos: Vec<SloChange>,
    /// Per episode.
    pub alerts: Vec<AlertChange>,
}

/// What other definitions make of an objective.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloChange {
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// Group values, if grouped.
    pub group: Option<BTreeMap<String, String>>,
    /// Null: it was not there.
    pub sli_before: Option<f64>,
    /// See `sli_before`.
    pub sli_after: Option<f64>,
    /// See `sli_before`.
    pub budget_remaining_before: Option<f64>,
    /// See `sli_before`.
    pub budget_remaining_after: Option<f64>,
    /// Counts of the range.
    pub range_before: Option<Counted>,
    /// See `range_before`.
    pub range_after: Option<Counted>,
}

/// How an alert changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It fires and ends at the same times, with the same severities.
    Same,
    /// It fires only by the given definitions.
    Gained,
    /// It fired only by those of then.
    Lost,
    /// It fires sooner by the given ones.
    Earlier,
    /// It fires later by the given ones.
    Later,
    /// It fires at the same time, and has another severity, or has it at other times.
    Severity,
    /// It fires at the same time with the same severities, and ends at another time.
    Resolved,
}

/// What other definitions make of an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertChange {
    /// How.
    pub change: Change,
    /// By how many seconds earlier (negative) or later it fires.
    pub by_seconds: Option<i64>,
    /// The alert's id by the given definitions; by those of then if it is lost.
    pub id: String,
    /// Its id by the definitions of then; null: it is gained.
    pub id_before: Option<String>,
    /// Its id by the given ones; null: it is lost.
    pub id_after: Option<String>,
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// Group values, if grouped.
    pub group: Option<BTreeMap<String, String>>,
    /// Severity, the worse of both.
    pub severity: String,
    /// The worst severity that it had by the definitions of then.
    pub severity_before: Option<String>,
    /// The worst that it has by the given ones.
    pub severity_after: Option<String>,
    /// Its episode by the definitions of then.
    pub episode_before: Option<i64>,
    /// Its episode by the given ones.
    pub episode_after: Option<i64>,
    /// When it fired by the definitions of then.
    pub fired_before: Option<String>,
    /// When it fires by the given ones.
    pub fired_after: Option<String>,
    /// When it was resolved by the definitions of then; null: not in the range.
    pub resolved_before: Option<String>,
    /// When it is resolved by the given ones; null: not in the range.
    pub resolved_after: Option<String>,
    /// Of a lost alert, when that fired by the given definitions which was firing already when this one fired by those of then; of a
    /// gained one the other way round. Null: none was.
    pub within: Option<String>,
    /// Requests from here on were looked at for what made the difference: those of the long window before it, the last six
    /// hours at most. Null: none were, because nothing changed, more than 200 alerts did, or the replay was stopped.
    pub looked_from: Option<String>,
    /// Up to here, exclusive; null as `looked_from` is.
    pub looked_to: Option<String>,
    /// Requests that made the difference: they count differently, or, where none does, the first bad ones.
    pub requests: Vec<RequestChange>,
    /// How many there are of those that count differently; null: it was not looked into.
    pub changed_requests: Option<u64>,
}

/// A request and how it counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestChange {
    /// The request.
    #[serde(flatten)]
    pub request: Request,
    /// `good`, `bad`, `unknown` or `not counted`, by the definitions of then.
    pub before: &'static str,
    /// By the given ones.
    pub after: &'static str,
}
