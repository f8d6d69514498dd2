//! What a replay found, as it is printed: the contract of `--json`, and what the report draws.
//!
//! Times are RFC 3339 in UTC. Counts are sums of weights. What is told per step covers `[at, at + step_seconds)`.

mod alerts;
mod changes;

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_query::slos::SloStatus;
use slipstream_schemas::records::{AlertTransition, OF_RULE};

pub use alerts::{AlertHistory, Impact, Request, Threshold, TransitionShown};
pub use changes::{AlertChange, Change, RequestChange, SloChange, WhatIf};

/// A deploy may show its effect later: markers of so long before a range, or before an alert began, are told.
pub const CHANGE_BEFORE_MS: i64 = 3_600_000;

/// One reading of a range by one set of definitions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The range's beginning, log time (event time with `--clock event`).
    pub from: String,
    /// Its end: that asked for, or, if it was stopped, the last whole second up to which everything was read.
    pub to: String,
    /// Whether it was stopped before the end that was asked for.
    pub stopped: bool,
    /// `log` or `event`.
    pub clock: Clock,
    /// Where reading began, so that windows were full at `from`.
    pub warm_up_from: String,
    /// Events in the range that count.
    pub events: u64,
    /// Copies of events that were dropped; with `--clock event` those of the whole range that was asked for.
    pub duplicates: u64,
    /// Records that are no valid event; with `--clock event` all that there are, for they have no event time.
    pub invalid: u64,
    /// Length of a step, seconds.
    pub step_seconds: i64,
    /// Each part of the history and where it came from. Its times are log times, whatever the clock.
    pub parts: Vec<Part>,
    /// What no source holds any more, in log times.
    pub missing: Vec<Missing>,
    /// Each objective and group that was there at the end, or when its SLO was deleted in the range.
    pub slos: Vec<SloHistory>,
    /// Each episode of an alert that was open in the range, by the time it began.
    pub alerts: Vec<AlertHistory>,
    /// Traffic of each service; those beyond the largest 50 are together in `other`. If the replay was stopped, the last step may
    /// have requests after `to`, of partitions that were read further than others.
    pub traffic: Vec<ServiceTraffic>,
    /// Deploys, changes, incidents and notes in the range, and in the hour before it or before the first of its alerts began.
    pub markers: Vec<MarkerShown>,
    /// Rules on budgets, `SLO RULE`: without `--budgets` they are left out, since their periods are not read.
    pub rules_left_out: Vec<String>,
}

/// By which time events are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// When the log took them.
    #[default]
    Log,
    /// When they happened.
    Event,
}

/// A part of the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Which source: `sqlite:DIR`, `kafka://…`.
    pub source: String,
    /// Partition of request-events.
    pub partition: u32,
    /// Offsets `[from_offset, to_offset)`.
    pub from_offset: i64,
    /// See `from_offset`.
    pub to_offset: i64,
    /// Log time from which on it was counted.
    pub from: String,
    /// Up to this log time, exclusive.
    pub to: String,
}

/// A part of the range, or of the warm-up, that is gone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Missing {
    /// Partition of request-events.
    pub partition: u32,
    /// From this log time.
    pub from: String,
    /// Up to this log time.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// An objective, or one group of it; beyond 1,000 groups of an SLO, the group `other` has the rest.
///
/// If what its SLO counts was changed in the range, it is told of what it counts since the last such change: numbers before that
/// mean something else. An objective that was taken out of its SLO is not told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloHistory {
    /// How it stood at the range's end, or right before its SLO was deleted (see `as_of`): name, service, objective, target, window, sli, budget_remaining, burn_rates, group,
    /// covered_from and so on, as `query slos` has them.
    #[serde(flatten)]
    pub status: SloStatus,
    /// Events that became known in the range.
    pub range: Counted,
    /// One for each step, as long as it was there. The last one ends with the range.
    pub timeline: Vec<SloStep>,
    /// What made up the bad events of the range. Nothing is told of the group `other`, nor where the groups of an SLO have
    /// very many different values in all, never less than 10,000. If the replay was stopped, partitions that were read
    /// further than others count as far as they were read.
    pub contributors: Vec<Contributors>,
}

impl SloHistory {
    /// Whether it is of an SLO: a Rule that counts for itself promises nothing.
    pub fn promises(&self) -> bool {
        self.status.target.is_some() || self.status.objective != OF_RULE
    }
}

/// Counts of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counted {
    /// Good.
    pub good: i64,
    /// Good or bad.
    pub total: i64,
    /// Neither, because a filter could not be decided.
    pub unknown: i64,
}

/// An objective in a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloStep {
    /// Its beginning.
    pub at: String,
    /// Events that happened in it.
    #[serde(flatten)]
    pub counted: Counted,
    /// SLI over the budget's window at the end of the step; null without traffic.
    pub sli: Option<f64>,
    /// Budget left at the end of the step.
    pub budget_remaining: f64,
    /// Burn rate of each window at the end of the step: `{"5m": 14.1}`.
    pub burn_rates: BTreeMap<String, f64>,
}

/// The values of one dimension, those with most bad events first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contributors {
    /// `service`, `endpoint`, `method`, `status_code`, `environment` or an attribute's key as `attributes.region`.
    pub dimension: String,
    /// At most ten.
    pub values: Vec<Contributor>,
    /// How many more values had bad events.
    pub more: usize,
}

/// One value of a dimension.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contributor {
    /// The value; empty: none.
    pub value: String,
    /// Bad events that have it.
    pub bad: i64,
    /// Events, good or bad, that have it.
    pub total: i64,
    /// Of all bad events.
    pub share_of_bad: f64,
    /// Of all events.
    pub share_of_all: f64,
}

impl Outcome {
    /// The transitions of its alerts.
    pub fn transitions(&self) -> Vec<AlertTransition> {
        self.alerts.iter().flat_map(|alert| alert.records.clone()).collect()
    }

    /// Whether most of what became known in the range happened outside of it, as in an import: then steps are nearly empty.
    pub fn is_of_another_time(&self) -> bool {
        let in_steps = |slo: &SloHistory| slo.timeline.iter().map(|step| step.counted.total).sum::<i64>();
        let (steps, range) =
            self.slos.iter().fold((0, 0), |(steps, range), slo| (steps + in_steps(slo), range + slo.range.total));
        self.clock == Clock::Log && steps * 2 < range
    }
}

/// A service's traffic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceTraffic {
    /// The service.
    pub service: String,
    /// One for each step.
    pub steps: Vec<TrafficStep>,
}

/// A service's traffic in a step, by SLI time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrafficStep {
    /// Its beginning.
    pub at: String,
    /// Requests.
    pub requests: u64,
    /// Those with a status of 500 and above.
    pub errors: u64,
    /// Latency quantiles in milliseconds, within 1.1 %; null where none was measured.
    pub p50_ms: Option<f64>,
    /// See `p50_ms`.
    pub p95_ms: Option<f64>,
    /// See `p50_ms`.
    pub p99_ms: Option<f64>,
}

/// A marker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarkerShown {
    /// By which it is the same when it is sent again.
    pub id: String,
    /// When.
    pub time: String,
    /// Until when; null for a moment, and for an incident that goes on.
    pub until: Option<String>,
    /// `deploy`, `config`, `incident` or `note`.
    pub kind: String,
    /// Which service; empty: all.
    pub service: String,
    /// Which environment; empty: all.
    pub environment: String,
    /// What was deployed.
    pub version: Option<String>,
    /// What was done.
    pub text: String,
    /// Where more is to be read.
    pub link: Option<String>,
    /// Who recorded it; empty: not known.
    pub author: String,
}
