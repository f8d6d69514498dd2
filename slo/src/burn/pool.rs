//! The series of a partition, and which of them a tick has to look at.

use std::collections::BTreeSet;
use std::sync::Arc;

use slipstream_schemas::records::{ConditionSince, Exemplar, TallyEntry};

use super::periods::{Clock, Periods};
use super::plan::EvaluationPlan;
use super::since::Since;
use crate::counts::Counts;
use crate::hash::series_hash;
use crate::ring::Ring;
use crate::scale::Scale;
use crate::slices::Slices;

/// Bad events that a series remembers.
const EXEMPLARS: usize = 5;

/// What a series counts.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Events.
    Rings(Vec<Ring>),
    /// Events per slice of time.
    Slices(Box<Slices>),
    /// Nothing: it stands for the objectives of its SLO together.
    Composite,
}

impl State {
    pub(super) fn new(plan: &EvaluationPlan, scale: &Scale) -> State {
        if plan.single().is_none() {
            return State::Composite;
        }
        match Slices::new(plan.budgeting(), plan.slices, scale) {
            Some(slices) => State::Slices(Box::new(slices)),
            None => State::Rings(scale.rings[..plan.rings].iter().map(|size| Ring::new(*size)).collect()),
        }
    }
}

/// State of one series.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// `None` if it was restored and its definition has not settled it yet.
    pub plan: Option<Arc<EvaluationPlan>>,
    pub slo: Arc<str>,
    pub objective: Arc<str>,
    pub group: Arc<[String]>,
    pub hash: u64,
    pub state: State,
    /// Sums of the budget's periods, where they are a calendar's.
    pub periods: Option<Periods>,
    /// As last evaluated; `None` if it never was.
    pub conditions: Option<Vec<ConditionSince>>,
    /// Tallied since last published.
    pub dirty: bool,
    pub unknown: i64,
    pub too_late: i64,
    /// Newest first.
    pub exemplars: Vec<Exemplar>,
}

impl Series {
    pub(super) fn new(plan: Arc<EvaluationPlan>, slo: Arc<str>, group: Arc<[String]>, scale: &Scale) -> Series {
        let objective = Arc::clone(&plan.objective_name);
        Series {
            hash: series_hash(&slo, &objective, &group),
            state: State::new(&plan, scale),
            periods: plan.clock.as_ref().map(|_| Periods::default()),
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

    /// Adds an entry at `tick`; `since` is what happened to the rings after the entry's own tick. What is older, at its own
    /// tick, than any window or period reaches counts as too late.
    pub(super) fn add(&mut self, tick: i64, entry: &TallyEntry, since: Option<&Since>) {
        self.dirty = true;
        self.unknown += entry.unknown;
        if !self.reaches(tick, entry, since) {
            self.too_late += entry.total + entry.unknown;
        }
        let counts = Counts { good: entry.good, total: entry.total };
        match &mut self.state {
            State::Rings(rings) => {
                for (i, ring) in rings.iter_mut().enumerate() {
                    if since.is_none_or(|since| since.is_in(i, entry.slot)) {
                        ring.add(tick, entry.slot, counts);
                    }
                }
                self.count(tick, entry.slot, counts.bad(), counts.total);
            }
            State::Slices(slices) => {
                if let Some(flip) = slices.add(tick, entry.tick, entry.slot, counts) {
                    self.count(tick, flip.begin, flip.bad, 0);
                }
            }
            State::Composite => {}
        }
    }

    /// Whether rings, slices or a period reach an entry that is taken in at `tick`.
    fn reaches(&self, tick: i64, entry: &TallyEntry, since: Option<&Since>) -> bool {
        let (own, second) = (entry.tick, entry.slot);
        match &self.state {
            State::Rings(rings) => {
                let in_rings = match since {
                    Some(since) => since.reached(own, second),
                    None => {
                        rings.last().is_some_and(|ring| ring.size().slot_of(second) >= ring.size().oldest_slot(own))
                    }
                };
                in_rings || self.clock().is_some_and(|clock| clock.at(own).contains(second))
            }
            State::Slices(slices) => slices.reaches(tick, own, second),
            State::Composite => true,
        }
    }

    /// Counts for the calendar's period that holds a second, at `tick`.
    fn count(&mut self, tick: i64, second: i64, bad: i64, total: i64) {
        let spans = self.clock().map(|clock| clock.at(tick));
        if let (Some(periods), Some(spans)) = (&mut self.periods, spans) {
            periods.add(&spans, second, bad, total);
        }
    }

    /// `None` where the budget's window rolls.
    fn clock(&self) -> Option<&Clock> {
        self.plan.as_ref()?.clock.as_deref()
    }

    pub(super) fn remember(&mut self, exemplar: Exemplar) {
        self.exemplars.insert(0, exemplar);
        self.exemplars.truncate(EXEMPLARS);
    }

    /// A copy for a look: sums come beside it.
    pub(super) fn without_counts(&self) -> Series {
        Series {
            plan: self.plan.clone(),
            hash: self.hash,
            slo: Arc::clone(&self.slo),
            objective: Arc::clone(&self.objective),
            group: Arc::clone(&self.group),
            state: State::Composite,
            periods: None,
            conditions: self.conditions.clone(),
            dirty: self.dirty,
            unknown: self.unknown,
            too_late: self.too_late,
            exemplars: self.exemplars.clone(),
        }
    }

    /// What an evaluation may change.
    pub(super) fn remembered(&self) -> (Option<Vec<ConditionSince>>, bool, i64, i64) {
        (self.conditions.clone(), self.dirty, self.unknown, self.too_late)
    }

    pub(super) fn any_holds(&self) -> bool {
        self.conditions.iter().flatten().any(|condition| condition.holds)
    }
}

/// Series by id. Ids are reused and mean nothing outside this process: what leaves is in the order of names.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    series: Vec<Option<Series>>,
    free: Vec<u32>,
    /// Per second of the cadence: the series that are evaluated then whatever happens. Spread by hash, so that a second has
    /// its share of them and not all at once.
    due: Vec<Vec<u32>>,
    /// Series with a condition that holds: it may end without a tally, as time goes on.
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

    /// The series to look at: tallied, with a condition that holds, or due by hash. Each once.
    pub(super) fn to_evaluate(&self, tick: i64, touched: Vec<u32>) -> Vec<u32> {
        let mut ids = touched;
        ids.extend(&self.holding);
        ids.extend(&self.due[tick.rem_euclid(self.due.len() as i64) as usize]);
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn second_of(&self, hash: u64) -> usize {
        (hash % self.due.len() as u64) as usize
    }
}
