//! How bad it became while an alert was open, second by second: steps would tell only what was at their ends.

use std::collections::BTreeMap;

use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_store::alerts::AlertState;

/// Extremes of an episode, from its pending on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extremes {
    /// The highest burn rate by the seconds of its window.
    pub burn: BTreeMap<i64, f64>,
    /// The least budget left.
    pub budget: Option<f64>,
}

/// An alert and an episode of it.
pub type EpisodeKey = (String, i64);
/// An SLO, an objective, values of its groups.
type Series = (String, String, Vec<String>);

/// Extremes of all episodes.
#[derive(Debug, Default)]
pub struct Watched {
    open: BTreeMap<Series, Vec<EpisodeKey>>,
    /// What they were.
    pub found: BTreeMap<EpisodeKey, Extremes>,
}

impl Watched {
    /// Nothing is open any more.
    pub fn forget(&mut self) {
        *self = Watched::default();
    }

    /// An alert took a step.
    pub fn step(&mut self, transition: &AlertTransition) {
        let group = transition.group.iter().map(|label| label.value.clone()).collect();
        let series = (transition.slo.clone(), transition.objective.clone(), group);
        let episode = (transition.alert_id.clone(), transition.episode);
        let open = self.open.entry(series).or_default();
        open.retain(|known| *known != episode);
        if AlertState::after(transition.kind).is_open() {
            open.push(episode);
        }
    }

    /// A series was evaluated.
    pub fn evaluated(&mut self, rates: &BurnRates) {
        if self.open.is_empty() {
            return;
        }
        let series = (rates.slo.clone(), rates.objective.clone(), rates.group.clone());
        for episode in self.open.get(&series).into_iter().flatten() {
            let found = self.found.entry(episode.clone()).or_default();
            for window in &rates.windows {
                let highest = found.burn.entry(window.seconds).or_insert(window.burn);
                *highest = highest.max(window.burn);
            }
            found.budget = Some(found.budget.map_or(rates.budget_remaining, |least| least.min(rates.budget_remaining)));
        }
    }
}
