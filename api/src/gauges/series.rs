//! Which series metrics tell of, and by which labels.

use std::collections::HashMap;

use slipstream_definitions::definition::{Budgeting, COMPOSITE, Objective, Slo};
use slipstream_definitions::labels::of_group;
use slipstream_query::slos::{SloStatus, of_series};
use slipstream_runtime::metrics::Labels;
use slipstream_schemas::records::{BurnRates, WindowRates};

use crate::live::Snapshot;

/// Names that are ours; a dimension of such a name becomes `group_<name>`.
const OURS: [&str; 6] = ["slo", "objective", "window", "unit", "outcome", "budgeting"];

/// A series of an SLO.
pub struct Series<'a> {
    /// Its definition, unless it was deleted a moment ago.
    pub slo: Option<&'a Slo>,
    /// How it stands.
    pub status: SloStatus,
    /// Its state, once it has one.
    pub state: Option<&'a BurnRates>,
    /// Its window of five minutes, whether its rules look at that or not.
    pub short: Option<&'a WindowRates>,
    /// `slo`, `service`, `objective`, and the dimensions of its group.
    pub labels: Labels,
}

impl<'a> Series<'a> {
    /// At most so many, by name, and how many are left out. Of each objective as many groups as of any other, where it has as
    /// many: one with thousands of groups takes nothing away from others.
    pub fn some(snapshot: &'a Snapshot, most: usize) -> (Vec<Series<'a>>, usize) {
        let (definitions, states) = (snapshot.definitions(), snapshot.states());
        let slos: HashMap<&str, &Slo> = definitions.iter().map(|slo| (slo.name.as_str(), slo)).collect();
        let all = of_series(definitions, states);
        let total = all.len();
        let mut ranked: Vec<(usize, SloStatus, Option<&BurnRates>)> = Vec::with_capacity(total);
        for (status, state) in all {
            let rank =
                ranked.last().filter(|(_, last, _)| (&last.name, &last.objective) == (&status.name, &status.objective));
            ranked.push((rank.map_or(0, |(rank, ..)| rank + 1), status, state));
        }
        if total > most {
            let mut ranks: Vec<usize> = ranked.iter().map(|(rank, ..)| *rank).collect();
            let (_, highest, _) = ranks.select_nth_unstable(most);
            let highest = *highest;
            // Below it all have room, and of that rank as many as are left.
            let mut left = most - ranked.iter().filter(|(rank, ..)| *rank < highest).count();
            ranked.retain(|(rank, ..)| {
                let at = *rank == highest && left > 0;
                left -= usize::from(at);
                *rank < highest || at
            });
        }
        let left_out = total - ranked.len();
        let series = ranked.into_iter().map(|(_, status, state)| {
            let slo = slos.get(status.name.as_str()).copied();
            let labels = labels(slo, &status, state);
            let short = state.and_then(|state| snapshot.short(state));
            Series { slo, status, state, short, labels }
        });
        (series.collect(), left_out)
    }

    /// Its objective's definition; `None` for all objectives of a composite together.
    pub fn objective(&self) -> Option<&'a Objective> {
        self.slo?.objectives.iter().find(|objective| objective.name == self.status.objective)
    }

    /// How its budget is counted.
    pub fn budgeting(&self) -> &'static str {
        match self.objective().map(|objective| objective.budgeting) {
            Some(Budgeting::Occurrences) => "occurrences",
            Some(Budgeting::Timeslices { .. }) => "timeslices",
            Some(Budgeting::RatioTimeslices { .. }) => "ratio_timeslices",
            None if self.status.objective == COMPOSITE => "composite",
            None => "unknown",
        }
    }

    /// Its windows but for the period, the shortest first, and the period.
    pub fn windows(&self) -> (&'a [WindowRates], Option<&'a WindowRates>) {
        match self.state.and_then(|state| state.windows.split_last()) {
            Some((period, shorter)) => (shorter, Some(period)),
            None => (&[], None),
        }
    }
}

/// As those of its alerts: a dimension `service` says more than the SLO's service.
fn labels(slo: Option<&Slo>, status: &SloStatus, state: Option<&BurnRates>) -> Labels {
    let group = state.map(|state| state.group.as_slice()).unwrap_or_default();
    let unknown: Vec<String> = (0..group.len()).map(|i| format!("group_{i}")).collect();
    let dimensions = group.iter().enumerate().map(|(i, value)| {
        let known = slo.and_then(|slo| slo.group_by.get(i));
        (known.map_or(unknown[i].as_str(), |key| key.label()), value.as_str())
    });
    let group = of_group(dimensions, &OURS);
    let mut labels = vec![("slo".to_owned(), status.name.clone())];
    if !group.iter().any(|(name, _)| name == "service") {
        labels.push(("service".to_owned(), status.service.clone()));
    }
    labels.push(("objective".to_owned(), status.objective.clone()));
    labels.extend(group);
    // As Prometheus takes them.
    labels.retain(|(_, value)| !value.is_empty());
    labels.into()
}

/// The share of a window that was good; `None` without traffic.
pub fn good(window: &WindowRates) -> Option<f64> {
    (window.total > 0).then(|| window.good as f64 / window.total as f64)
}

/// The share of a window that was bad; `None` without traffic.
pub fn bad(window: &WindowRates) -> Option<f64> {
    (window.total > 0).then(|| (window.total - window.good) as f64 / window.total as f64)
}
