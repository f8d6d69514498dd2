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
    /// When its condition began to hold, Unix seconds.
    pub pending: i64,
    /// When it fired, and by which rule.
    pub first: Telling,
    /// Each time that it became worse than it had been, by time.
    pub rises: Vec<Telling>,
    /// When it was over, exclusive; `None`: it was still firing at the range's end.
    pub ended: Option<i64>,
}

/// A time at which people are told of an alert: it fires, or becomes worse. (They are told that it eases off, too, but that
/// calls for nobody.)
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// When, Unix seconds.
    pub at: i64,
    /// The worst rule at that time.
    pub rule: String,
    /// Its severity.
    pub severity: String,
    /// Share of the period's budget that was spent then, if known.
    pub budget_gone: Option<f64>,
}

impl Fired {
    /// Every time at which people are told of it: never none.
    pub fn tellings(&self) -> impl Iterator<Item = &Telling> {
        std::iter::once(&self.first).chain(&self.rises)
    }

    /// A telling of it; `alert` tells those of different alerts apart.
    pub(super) fn firing<'a>(&'a self, alert: usize, telling: &Telling) -> Firing<'a> {
        let group = self.group.get("service").unwrap_or(&self.service);
        Firing {
            alert,
            services: [&self.service, group],
            fired: telling.at,
            ended: self.ended,
            pages: Severity::named(&telling.severity).rank >= PAGES,
            budget_gone: telling.budget_gone,
        }
    }
}

/// All tellings of some alerts, by time; of those in the same second always in the same order.
pub(super) fn by_time<'a>(alerts: impl IntoIterator<Item = &'a Fired>) -> Vec<(&'a Fired, &'a Telling, Firing<'a>)> {
    let each = |(alert, fired): (usize, &'a Fired)| {
        fired.tellings().map(move |telling| (fired, telling, fired.firing(alert, telling))).collect::<Vec<_>>()
    };
    let mut tellings: Vec<_> = alerts.into_iter().enumerate().flat_map(each).collect();
    tellings.sort_by_key(|(fired, telling, _)| (telling.at, &fired.slo, &fired.objective, &fired.group));
    tellings
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
    /// The alerts, one entry for each episode; also those that were open when the range began.
    pub alerts: &'a [Fired],
    /// When each rule would have fired if it were alone; the same as `alerts` if that is not known.
    pub rules: &'a [Fired],
    /// The incidents; `None`: nobody noted any down.
    pub labels: Option<&'a Labels>,
}
