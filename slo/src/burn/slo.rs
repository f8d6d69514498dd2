//! State of one SLO: which generation it counts, its series, and how it changes with its definition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use slipstream_schemas::records::{BurnRates, Exemplar, TallyEntry};

use super::evaluate::{Moment, retired};
use super::held::Due;
use super::pool::{Pool, Series};
use super::{Burn, BurnFault};
use crate::budget::present_window;
use crate::definition::{Objective, Slo};
use crate::redelivery::id_hash;
use crate::revision::InForce;
use crate::scale::Scale;

/// The value that a group beyond the cap gets in every dimension.
const OTHER: &str = "other";

/// How an objective is evaluated.
#[derive(Debug)]
pub(super) struct Plan {
    pub slo: Arc<Slo>,
    pub objective: usize,
    pub objective_name: Arc<str>,
    pub generation: i64,
    /// Every window, ascending, and the ring that serves it. The budget's period is among them.
    pub windows: Vec<(i64, usize)>,
    /// The window that says how fast the budget is being spent.
    pub present: i64,
    /// How many rings its series have.
    pub rings: usize,
    /// Unix seconds from which on its counts cover everything.
    pub covered_from: i64,
}

impl Plan {
    pub(super) fn objective(&self) -> &Objective {
        &self.slo.objectives[self.objective]
    }

    fn new(found: &InForce, index: usize, rings: usize, covered_from: i64, scale: &Scale) -> Plan {
        let slo = &found.active.slo;
        let windows = windows(slo, &slo.objectives[index]);
        Plan {
            slo: Arc::clone(slo),
            objective: index,
            objective_name: slo.objectives[index].name.as_str().into(),
            generation: found.active.generation,
            windows: windows.into_iter().filter_map(|w| scale.ring_for(w).map(|ring| (w, ring))).collect(),
            present: present_window(&slo.objectives[index], slo.window.nominal_seconds()),
            rings,
            covered_from: covered_from.max(whole_second(found.objectives_since[index])),
        }
    }
}

/// Every window that is evaluated for an objective, ascending.
fn windows(slo: &Slo, objective: &Objective) -> Vec<i64> {
    let mut windows = slo.windows(&objective.rules);
    windows.push(present_window(objective, slo.window.nominal_seconds()));
    windows.sort_unstable();
    windows.dedup();
    windows
}

/// How many rings the series of an SLO have.
fn rings(slo: &Slo, scale: &Scale) -> Result<usize, BurnFault> {
    let longest = slo.objectives.iter().flat_map(|o| windows(slo, o)).max().unwrap_or(0);
    let too_long =
        || BurnFault::WindowTooLong { slo: slo.name.clone(), seconds: longest, longest: scale.longest_window() };
    scale.ring_for(longest).map(|ring| scale.base_rings.max(ring + 1)).ok_or_else(too_long)
}

/// The first second of which everything is at or after a cut.
fn whole_second(cut: i64) -> i64 {
    (cut + 999).div_euclid(1_000)
}

/// State of one SLO.
#[derive(Debug, Default)]
pub(super) struct SloState {
    pub generation: Option<i64>,
    /// See [`Plan::covered_from`]; that of objectives that came later is later.
    pub covered_from: i64,
    /// Objective, group, series.
    pub series: BTreeMap<Arc<str>, BTreeMap<Arc<[String]>, u32>>,
    plans: BTreeMap<Arc<str>, Arc<Plan>>,
    /// Groups that were admitted below the cap.
    groups: BTreeSet<Arc<[String]>>,
}

impl SloState {
    /// A state without series.
    pub(super) fn of_generation(generation: i64, covered_from: i64) -> SloState {
        SloState { generation: Some(generation), covered_from, ..SloState::default() }
    }

    pub(super) fn cover_from(&mut self, second: i64) {
        self.covered_from = self.covered_from.max(second);
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.series.values().flat_map(|groups| groups.values().copied())
    }

    /// Adds a series that is in the pool.
    pub(super) fn adopt(&mut self, objective: Arc<str>, group: Arc<[String]>, id: u32) {
        if !is_other(&group) {
            self.groups.insert(Arc::clone(&group));
        }
        self.series.entry(objective).or_default().insert(group, id);
    }

    /// Takes in what is due: see [`Burn::take_in`].
    pub(super) fn take_in(&mut self, due: &mut Due, tick: i64, pool: &mut Pool, scale: &Scale, touched: &mut Vec<u32>) {
        let generation = self.generation;
        due.entries.retain(|entry| Some(entry.generation) == generation);
        due.entries.sort_by(|a, b| (&a.group, &a.objective).cmp(&(&b.group, &b.objective)));
        for same in due.entries.chunk_by(|a, b| a.group == b.group && a.objective == b.objective) {
            let id = self.series_for(&same[0], pool, scale);
            if let Some((id, series)) = id.and_then(|id| Some((id, pool.get_mut(id)?))) {
                same.iter().for_each(|entry| series.add(tick, entry));
                touched.push(id);
            }
        }
        for (id, exemplar) in self.lowest_ids(due) {
            if let Some(series) = pool.get_mut(id) {
                series.remember(exemplar);
            }
        }
    }

    /// One exemplar per series of those that are due at a tick: which one does not depend on how the tick was cut into
    /// steps.
    fn lowest_ids(&self, due: &Due) -> BTreeMap<u32, Exemplar> {
        let mut lowest: BTreeMap<u32, (u64, &Exemplar)> = BTreeMap::new();
        for found in due.exemplars.iter().filter(|e| Some(e.generation) == self.generation) {
            let Some(id) = self.find(&found.objective, self.place(&found.group)) else { continue };
            let candidate = (id_hash(&found.exemplar.event_id), &found.exemplar);
            let kept = lowest.entry(id).or_insert(candidate);
            if (candidate.0, &candidate.1.event_id) < (kept.0, &kept.1.event_id) {
                *kept = candidate;
            }
        }
        lowest.into_iter().map(|(id, (_, exemplar))| (id, exemplar.clone())).collect()
    }

    /// The series of an entry, its group admitted now if there is room. None where the objective is not part of the SLO
    /// any more.
    fn series_for(&mut self, entry: &TallyEntry, pool: &mut Pool, scale: &Scale) -> Option<u32> {
        let TallyEntry { slo, objective, group, .. } = entry;
        let plan = Arc::clone(self.plans.get(objective.as_str())?);
        if !self.groups.contains(group.as_slice()) && !is_other(group) && self.groups.len() < scale.groups {
            self.groups.insert(group.as_slice().into());
        }
        if let Some(id) = self.find(objective, self.place(group)) {
            return Some(id);
        }
        let group: Arc<[String]> = match self.place(group) {
            Place::Own(group) => group.into(),
            Place::Other(dimensions) => other(dimensions),
        };
        Some(self.create(slo.as_str().into(), plan, group, pool, scale))
    }

    fn create(&mut self, slo: Arc<str>, plan: Arc<Plan>, group: Arc<[String]>, pool: &mut Pool, scale: &Scale) -> u32 {
        let series = Series::new(plan, slo, group, scale);
        let (objective, group) = (Arc::clone(&series.objective), Arc::clone(&series.group));
        let id = pool.insert(series);
        self.series.entry(objective).or_default().insert(group, id);
        id
    }

    /// Where a group is counted: by itself if it was admitted.
    fn place<'a>(&self, group: &'a [String]) -> Place<'a> {
        if self.groups.contains(group) { Place::Own(group) } else { Place::Other(group.len()) }
    }

    fn find(&self, objective: &str, place: Place<'_>) -> Option<u32> {
        let groups = self.series.get(objective)?;
        match place {
            Place::Own(group) => groups.get(group).copied(),
            Place::Other(dimensions) => groups.get(&other(dimensions)).copied(),
        }
    }

    /// Forgets the series for which `gone` holds; those that were ever evaluated say good-bye.
    fn retire(&mut self, gone: impl Fn(&str) -> bool, pool: &mut Pool, moment: &Moment, out: &mut Vec<BurnRates>) {
        for (_, groups) in self.series.extract_if(.., |objective, _| gone(objective)) {
            let removed = groups.into_values().filter_map(|id| pool.remove(id));
            let known = removed.filter(|series| series.conditions.is_some());
            out.extend(known.map(|series| retired(series, self.generation, self.covered_from, moment)));
        }
        self.plans.retain(|objective, _| !gone(objective));
        self.groups = self.series.values().flat_map(|groups| groups.keys()).filter(|g| !is_other(g)).cloned().collect();
    }
}

/// Where a group is counted.
enum Place<'a> {
    Own(&'a [String]),
    /// Together with all that came too late, in as many dimensions.
    Other(usize),
}

fn other(dimensions: usize) -> Arc<[String]> {
    (0..dimensions).map(|_| OTHER.to_owned()).collect()
}

fn is_other(group: &[String]) -> bool {
    !group.is_empty() && group.iter().all(|value| value == OTHER)
}

impl Burn {
    /// Makes the state of an SLO what its definition asks for at this tick. Doing so twice changes nothing, so a restored
    /// state settles into itself (P4).
    pub(super) fn settle(
        &mut self,
        name: &Arc<str>,
        found: Option<InForce>,
        moment: &Moment,
        out: &mut Vec<BurnRates>,
    ) -> Result<(), BurnFault> {
        let Some(found) = found else {
            if let Some(mut state) = self.slos.remove(name) {
                state.retire(|_| true, &mut self.pool, moment, out);
            }
            return Ok(());
        };
        let state = self.slos.entry(Arc::clone(name)).or_default();
        if state.generation != Some(found.active.generation) {
            state.retire(|_| true, &mut self.pool, moment, out);
            state.generation = Some(found.active.generation);
            state.covered_from = whole_second(found.active.generation).max(self.floor);
        }
        let slo = Arc::clone(&found.active.slo);
        state.retire(|objective| slo.objectives.iter().all(|o| o.name != objective), &mut self.pool, moment, out);
        state.make_plans(&found, &self.pool, moment.tick, &self.scale)?;
        state.follow_plans(name, &slo, &mut self.pool, moment.tick, &self.scale);
        Ok(())
    }
}

impl SloState {
    /// A longer window than ever before is served by a ring made from the next finer one, which knows no more than that.
    fn make_plans(&mut self, found: &InForce, pool: &Pool, tick: i64, scale: &Scale) -> Result<(), BurnFault> {
        let slo = &found.active.slo;
        let rings = rings(slo, scale)?;
        let present = self.ids().next().and_then(|id| pool.get(id)).map_or(rings, |series| series.rings.len());
        if present < rings {
            self.cover_from(tick + 1 - scale.rings[present - 1].reach());
        }
        let plan = |index| Arc::new(Plan::new(found, index, rings, self.covered_from, scale));
        let plans = (0..slo.objectives.len()).map(plan);
        self.plans = plans.map(|plan| (Arc::clone(&plan.objective_name), plan)).collect();
        Ok(())
    }

    /// Gives every series its objective's plan and rings. An ungrouped series exists from its definition on.
    fn follow_plans(&mut self, name: &Arc<str>, slo: &Slo, pool: &mut Pool, tick: i64, scale: &Scale) {
        let plans: Vec<Arc<Plan>> = self.plans.values().cloned().collect();
        for plan in plans {
            for id in self.series.get(&plan.objective_name).into_iter().flat_map(|groups| groups.values()) {
                if let Some(series) = pool.get_mut(*id) {
                    series.follow(Arc::clone(&plan), tick, scale);
                }
            }
            if slo.group_by.is_empty() && self.find(&plan.objective_name, Place::Own(&[])).is_none() {
                self.groups.insert([].into());
                self.create(Arc::clone(name), plan, [].into(), pool, scale);
            }
        }
    }
}

impl Series {
    fn follow(&mut self, plan: Arc<Plan>, tick: i64, scale: &Scale) {
        self.rings.truncate(plan.rings);
        while let Some(size) = scale.rings[..plan.rings].get(self.rings.len()) {
            let Some(finer) = self.rings.last() else { break };
            // What this tick itself adds comes after: its entries have not been taken in yet.
            let made = finer.coarser(*size, tick - 1);
            self.rings.push(made);
        }
        self.plan = Some(plan);
    }
}
