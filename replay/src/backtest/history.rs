//! What an objective counted over a range, as the engine hands it over.

use std::collections::BTreeMap;

use slipstream_definitions::definition::{Ratio, Rule};

/// Counts of an objective over events. (Slices of time and composites burn by other sums: nothing is suggested for them.)
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// SLO.
    pub slo: String,
    /// Service of the SLO.
    pub service: String,
    /// Objective.
    pub objective: String,
    /// Its target.
    pub target: Ratio,
    /// The rules that guard it now.
    pub rules: Vec<Rule>,
    /// Length of its budget's period, seconds; of a calendar the nominal one.
    pub period: i64,
    /// Where the counts begin, Unix seconds: at the range's beginning, or before it, so that windows are full there.
    pub from: i64,
    /// Length of a slot, seconds, from `from` on. Windows that are no multiple of it are not looked at; 10 s or 1 min fit all.
    pub slot_seconds: i64,
    /// Its series: one, or one for each group.
    pub series: Vec<Series>,
    /// The SLO's self-contained document ([`slipstream_definitions::openslo::CanonicalDocument`]), from which the definition to
    /// copy is made.
    pub document: Option<String>,
}

/// A series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// groupBy labels and values; empty when not grouped.
    pub group: BTreeMap<String, String>,
    /// What was counted, in any order; a slot in which nothing was may be absent.
    pub slots: Vec<Slot>,
}

/// Weights of events of a slot, by SLI time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// A second in the slot, such as its first; Unix seconds.
    pub start: i64,
    /// Good.
    pub good: i64,
    /// Good or bad.
    pub total: i64,
}

impl History {
    /// The services of a series: the SLO's and, if grouped by service, the group's (else the first twice).
    pub fn services<'a>(&'a self, series: &'a Series) -> [&'a str; 2] {
        [&self.service, series.group.get("service").unwrap_or(&self.service)]
    }

    /// The services of all its series, with repeats.
    pub fn all_services(&self) -> impl Iterator<Item = &str> {
        self.series.iter().flat_map(|series| self.services(series)).chain([self.service.as_str()])
    }
}
