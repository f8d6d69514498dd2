//! What series took in since somebody began to look: numbers that only rise, as counters do.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slipstream_schemas::records::BurnRates;
use slipstream_slo::burn::{Burn, BurnFault, Taken, Watch};

/// The counts of every series; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<HashMap<Box<[u8]>, Count>>>);

/// Weights of the events of a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Good.
    pub good: u64,
    /// Bad.
    pub bad: u64,
    /// Neither: a filter could not be decided.
    pub unknown: u64,
}

impl Counts {
    fn all(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That of a series; zeros if it took nothing in.
    pub fn of(&self, state: &BurnRates) -> Count {
        self.all().get(name(&state.slo, &state.objective, &state.group).as_slice()).copied().unwrap_or_default()
    }

    /// How many series took something in.
    pub(crate) fn len(&self) -> usize {
        self.all().len()
    }

    /// Forgets all but these.
    pub(crate) fn keep(&self, states: &[BurnRates]) {
        let known: HashSet<Vec<u8>> = states.iter().map(|s| name(&s.slo, &s.objective, &s.group)).collect();
        self.all().retain(|name, _| known.contains(name.as_ref()));
    }
}

impl Watch for Counts {
    fn taken(&mut self, taken: Taken<'_>) {
        let name = name(taken.slo, taken.objective, taken.group);
        let mut all = self.all();
        let count = match all.get_mut(name.as_slice()) {
            Some(count) => count,
            None => all.entry(name.into_boxed_slice()).or_default(),
        };
        for entry in taken.entries {
            // What is taken back makes a counter no smaller.
            let add = |sum: &mut u64, weight: i64| *sum = sum.saturating_add(u64::try_from(weight).unwrap_or(0));
            add(&mut count.good, entry.good);
            add(&mut count.bad, entry.total - entry.good);
            add(&mut count.unknown, entry.unknown);
        }
    }

    fn evaluated(&mut self, _: &Burn, _: i64, _: &mut Vec<BurnRates>) -> Result<(), BurnFault> {
        Ok(())
    }
}

/// The parts cannot run into each other: no text has such a byte.
fn name(slo: &str, objective: &str, group: &[String]) -> Vec<u8> {
    let mut name = Vec::with_capacity(slo.len() + objective.len() + 48);
    for part in [slo, objective].into_iter().chain(group.iter().map(String::as_str)) {
        name.extend_from_slice(part.as_bytes());
        name.push(0xff);
    }
    name
}
