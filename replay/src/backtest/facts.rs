//! What the engine hands over to be scored: which rules were watching, and when they fired.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::definition::Severity;

use super::Range;
use super::figures::Firing;
use super::labels::Labels;

/// From this rank on a severity wakes somebody: `page`, `critical`, `sev1`.
const PAGES: u8 = 3;

/// A time at which an alert fired, or a rule alone would have.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    /// SLO.
    pub slo: String,
    /// Service of the SLO.
    pub service: String,
    /// Objective.
    pub objective: String,
    /// groupBy labels and values; empty when not grouped. The value of `service` is a service that it is of, too.
    pub group: BTreeMap<String, String>,
    /// Rule set.
    pub rule_set: String,
    /// The rule; of an alert, the worst.
    pub rule: String,
    /// Its severity; of an alert, the worst that it had.
    pub severity: String,
    /// When its condition began to hold, Unix seconds.
    pub pending: i64,
    /// When it fired.
    pub fired: i64,
    /// When it was over, exclusive; `None`: it was still firing at the range's end.
    pub ended: Option<i64>,
    /// Share of the period's budget that was spent when it fired, if known.
    pub budget_gone: Option<f64>,
}

impl Fired {
    pub(super) fn firing(&self) -> Firing<'_> {
        let group = self.group.get("service").unwrap_or(&self.service);
        Firing {
            services: [&self.service, group],
            fired: self.fired,
            ended: self.ended,
            pages: Severity::named(&self.severity).rank >= PAGES,
            budget_gone: self.budget_gone,
        }
    }
}

/// A rule that was watching, whether it fired or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// SLO.
    pub slo: String,
    /// Service of the SLO.
    pub service: String,
    /// Services that its groups are of, if it is grouped by service.
    pub services: BTreeSet<String>,
    /// Objective.
    pub objective: String,
    /// Rule set.
    pub rule_set: String,
    /// The rule's name.
    pub rule: String,
    /// Its severity.
    pub severity: String,
}

/// What a score is about.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The range that is judged.
    pub range: Range,
    /// All rules, in the order in which they are shown.
    pub watched: &'a [Watched],
    /// When alerts fired, one entry for each episode; also those that were open when the range began.
    pub alerts: &'a [Fired],
    /// When each rule would have fired if it were alone; the same as `alerts` if that is not known.
    pub rules: &'a [Fired],
    /// The incidents; `None`: nobody noted any down.
    pub labels: Option<&'a Labels>,
}
