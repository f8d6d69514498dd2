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

#[derive(Debug)]
struct Open {
    objective: String,
    /// Values of groupBy.
    group: Vec<String>,
    episode: EpisodeKey,
}
/// Extremes of all episodes.
#[derive(Debug, Default)]
pub struct Watched {
    /// By SLO: those that are open. Every evaluation of every series asks here.
    open: BTreeMap<String, Vec<Open>>,
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
        let episode = (transition.alert_id.clone(), transition.episode);
        let open = self.open.entry(transition.slo.clone()).or_default();
        open.retain(|known| known.episode != episode);
        if AlertState::after(transition.kind).is_open() {
            let group = transition.group.iter().map(|label| label.value.clone()).collect();
            open.push(Open { objective: transition.objective.clone(), group, episode });
        }
    }

    /// A series was evaluated.
    pub fn evaluated(&mut self, rates: &BurnRates) {
        let of_slo = self.open.get(&rates.slo).into_iter().flatten();
        for Open { episode, .. } in of_slo.filter(|open| open.objective == rates.objective && open.group == rates.group)
        {
            let found = self.found.entry(episode.clone()).or_default();
            for window in &rates.windows {
                let highest = found.burn.entry(window.seconds).or_insert(window.burn);
                *highest = highest.max(window.burn);
            }
            found.budget = Some(found.budget.map_or(rates.budget_remaining, |least| least.min(rates.budget_remaining)));
        }
    }
}
