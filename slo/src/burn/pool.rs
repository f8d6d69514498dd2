//! The series of a partition, and which of them a tick has to look at.

use std::collections::BTreeSet;
use std::sync::Arc;

use slipstream_schemas::records::{ConditionSince, Exemplar, TallyEntry};

use super::slo::Plan;
use crate::condition::Counts;
use crate::hash::series_hash;
use crate::ring::Ring;
use crate::scale::Scale;

/// Bad events that a series remembers.
const EXEMPLARS: usize = 5;

/// State of one series.
#[derive(Debug)]
pub(super) struct Series {
    /// None: restored, and not settled by its definition yet.
    pub plan: Option<Arc<Plan>>,
    pub slo: Arc<str>,
    pub objective: Arc<str>,
    pub group: Arc<[String]>,
    pub hash: u64,
    pub rings: Vec<Ring>,
    /// As last evaluated; none: never.
    pub conditions: Option<Vec<ConditionSince>>,
    /// Tallied since last published.
    pub dirty: bool,
    pub unknown: i64,
    pub too_late: i64,
    /// Newest first.
    pub exemplars: Vec<Exemplar>,
}

impl Series {
    pub(super) fn new(plan: Arc<Plan>, slo: Arc<str>, group: Arc<[String]>, scale: &Scale) -> Series {
        let objective = Arc::clone(&plan.objective_name);
        Series {
            hash: series_hash(&slo, &objective, &group),
            rings: scale.rings[..plan.rings].iter().map(|size| Ring::new(*size)).collect(),
            plan: Some(plan),
            slo,
            objective,
            group,
            conditions: None,
            dirty: false,
            unknown: 0,
            too_late: 0,
            exemplars: Vec::new(),
        }
    }

    /// Adds an entry at `tick`. What is older, at its own tick, than any window reaches counts as too late.
    pub(super) fn add(&mut self, tick: i64, entry: &TallyEntry) {
        self.dirty = true;
        self.unknown += entry.unknown;
        let reached = self.rings.last().is_some_and(|longest| {
            let size = longest.size();
            size.slot_of(entry.slot) >= size.oldest_slot(entry.tick)
        });
        if !reached {
            self.too_late += entry.total + entry.unknown;
        }
        for ring in &mut self.rings {
            ring.add(tick, entry.slot, Counts { good: entry.good, total: entry.total });
        }
    }

    pub(super) fn remember(&mut self, exemplar: Exemplar) {
        self.exemplars.insert(0, exemplar);
        self.exemplars.truncate(EXEMPLARS);
    }

    pub(super) fn any_holds(&self) -> bool {
        self.conditions.iter().flatten().any(|condition| condition.holds)
    }

    fn name(&self) -> (&str, &str, &[String]) {
        (&self.slo, &self.objective, &self.group)
    }
}

/// Series by id. Ids are reused and mean nothing outside this process: what leaves is in the order of names.
#[derive(Debug)]
pub(super) struct Pool {
    series: Vec<Option<Series>>,
    free: Vec<u32>,
    /// Per second of the cadence: the series that are evaluated then whatever happens.
    due: Vec<Vec<u32>>,
    /// Series with a condition that holds.
    holding: BTreeSet<u32>,
}

impl Pool {
    pub(super) fn new(evaluate_every: i64) -> Pool {
        let due = (0..evaluate_every).map(|_| Vec::new()).collect();
        Pool { series: Vec::new(), free: Vec::new(), due, holding: BTreeSet::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.series.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, series: Series) -> u32 {
        let (hash, holds) = (series.hash, series.any_holds());
        let id = self.free.pop().unwrap_or_else(|| {
            self.series.push(None);
            self.series.len() as u32 - 1
        });
        self.series[id as usize] = Some(series);
        let second = self.second_of(hash);
        self.due[second].push(id);
        self.set_holding(id, holds);
        id
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Series> {
        let series = self.series[id as usize].take()?;
        let second = self.second_of(series.hash);
        self.due[second].retain(|other| *other != id);
        self.holding.remove(&id);
        self.free.push(id);
        Some(series)
    }

    /// All ids, ascending.
    pub(super) fn ids(&self) -> Vec<u32> {
        (0..self.series.len() as u32).filter(|id| self.get(*id).is_some()).collect()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Series> {
        self.series[id as usize].as_ref()
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Series> {
        self.series[id as usize].as_mut()
    }

    pub(super) fn set_holding(&mut self, id: u32, holds: bool) {
        if holds {
            self.holding.insert(id);
        } else {
            self.holding.remove(&id);
        }
    }

    /// The series to look at: tallied, with a condition that holds, or due by hash. By name, each once.
    pub(super) fn to_evaluate(&self, tick: i64, touched: Vec<u32>) -> Vec<u32> {
        let mut ids = touched;
        ids.extend(&self.holding);
        ids.extend(&self.due[tick.rem_euclid(self.due.len() as i64) as usize]);
        ids.sort_unstable();
        ids.dedup();
        ids.sort_by(|a, b| self.get(*a).map(Series::name).cmp(&self.get(*b).map(Series::name)));
        ids
    }

    fn second_of(&self, hash: u64) -> usize {
        (hash % self.due.len() as u64) as usize
    }
}
