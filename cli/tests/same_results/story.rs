//! What came of a log: every burn rate that was published, and every transition of an alert.

use std::collections::BTreeMap;

use slipstream_log::Log;
use slipstream_schemas::Topic;
use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_testkit::verdict;

/// SLO, objective, group, tick, generation: at its end there is a last word of the one that was before.
type Place = (String, String, Vec<String>, i64, i64);

pub struct Story {
    /// The last tick it tells of.
    pub until: i64,
    rates: BTreeMap<Place, BurnRates>,
    /// By alert, in order.
    pub transitions: Vec<AlertTransition>,
}

impl Story {
    /// Reads it from a log where everything up to the tick `until` was processed.
    pub async fn told(log: &dyn Log, until: i64) -> Story {
        let mut rates = BTreeMap::new();
        for mut told in verdict::all::<BurnRates>(log, Topic::BurnRates).await.unwrap() {
            // How far the definitions were read, of which a later one says nothing yet, is no value.
            told.revision = 0;
            let place = (told.slo.clone(), told.objective.clone(), told.group.clone(), told.tick, told.generation);
            if told.tick <= until {
                let twice = rates.insert(place, told);
                assert!(twice.is_none(), "L2: told twice: {twice:?}");
            }
        }
        let mut transitions: Vec<AlertTransition> = verdict::all(log, Topic::Alerts).await.unwrap();
        transitions.retain(|t| t.tick <= until);
        transitions.sort_by_key(|t| (t.alert_id.clone(), t.episode, t.seq));
        Story { until, rates, transitions }
    }

    /// Whether no source was ever left out.
    pub fn is_complete(&self) -> bool {
        self.rates.values().all(|rates| rates.complete)
    }

    /// P3b: where both tell of a complete tick, they tell the same values. Returns how many burn rates of this story were
    /// compared, and how many there are.
    pub fn complete_ticks_equal(&self, other: &Story) -> (usize, usize) {
        let mut compared = 0;
        for (place, mine) in self.rates.iter().filter(|(_, rates)| rates.complete) {
            let Some(theirs) = other.rates.get(place).filter(|rates| rates.complete) else { continue };
            assert_eq!(values(mine), values(theirs), "P3b: {place:?}");
            compared += 1;
        }
        (compared, self.rates.len())
    }

    /// P3b, where no tick is incomplete: the same output, and the same transitions.
    pub fn same(&self, other: &Story) {
        assert!(self.is_complete() && other.is_complete());
        let places = |story: &Story| story.rates.keys().cloned().collect::<Vec<_>>();
        assert_eq!(places(self), places(other), "P3b: what is published, and when");
        for (place, mine) in &self.rates {
            assert_eq!(Some(mine), other.rates.get(place), "P3b: {place:?}");
        }
        let shown = |story: &Story| {
            let line = |t: &AlertTransition| format!("{} {:?} {} {:?} {}", t.slo, t.group, t.episode, t.kind, t.tick);
            story.transitions.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(shown(self), shown(other), "P3b: transitions");
        assert_eq!(self.transitions, other.transitions, "P3b: transitions");
    }
}

/// Without what remembers earlier ticks: since when a condition holds.
fn values(rates: &BurnRates) -> BurnRates {
    let mut values = rates.clone();
    values.conditions.iter_mut().for_each(|condition| condition.since = None);
    values
}
