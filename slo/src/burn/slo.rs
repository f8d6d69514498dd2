//! State of one SLO: which generation it counts, its series, and how it changes with its definition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use slipstream_schemas::records::{BurnRates, Exemplar, TallyEntry};

use super::evaluate::{Moment, retired};
use super::held::Due;
use super::plan::{EvaluationPlan, Needs, whole_second};
use super::pool::{Pool, Series, State};
use super::since::Since;
use super::watch::{Taken, Watch};
use super::{Burn, BurnFault};
use crate::redelivery::id_hash;
use crate::revision::InForce;
use crate::scale::Scale;
use slipstream_definitions::definition::{COMPOSITE, Ratio, Slo};

/// The value that a group beyond the cap gets in every dimension.
const OTHER: &str = "other";

/// State of one SLO.
#[derive(Debug, Clone, Default)]
pub(super) struct SloState {
    pub generation: Option<i64>,
    /// See [`EvaluationPlan::covered_from`]; that of objectives that came later is later.
    pub covered_from: i64,
    /// Objective, group, series.
    pub series: BTreeMap<Arc<str>, BTreeMap<Arc<[String]>, u32>>,
    /// Of the objectives; the composite, of which no tallies come, is separate.
    plans: BTreeMap<Arc<str>, Arc<EvaluationPlan>>,
    composite: Option<Arc<EvaluationPlan>>,
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

    /// Takes in what is due: see [`Burn::take_in`]. Returns the weight of what came too late.
    pub(super) fn take_in(
        &mut self,
        due: &mut Due,
        (tick, since): (i64, Option<&Since>),
        (pool, scale): (&mut Pool, &Scale),
        touched: &mut Vec<u32>,
        watch: &mut dyn Watch,
    ) -> i64 {
        let mut too_late = 0;
        let generation = self.generation;
        let stays = |objective: &str| since.is_none_or(|since| since.has(objective));
        due.entries.retain(|entry| Some(entry.generation) == generation && stays(&entry.objective));
        due.exemplars.retain(|found| stays(&found.objective));
        due.entries.sort_by(|a, b| (&a.group, &a.objective).cmp(&(&b.group, &b.objective)));
        for same in due.entries.chunk_by(|a, b| a.group == b.group && a.objective == b.objective) {
            let id = self.series_for(&same[0], pool, scale);
            if let Some((id, series)) = id.and_then(|id| Some((id, pool.get_mut(id)?))) {
                let before = series.too_late;
                same.iter().for_each(|entry| series.add(tick, entry, since));
                too_late += series.too_late - before;
                let Series { slo, objective, group, .. } = &*series;
                watch.taken(Taken { slo, generation: same[0].generation, objective, group, entries: same });
                touched.push(id);
                touched.extend(self.composite_for(&same[0], pool, scale));
            }
        }
        for (id, exemplar) in self.lowest_ids(due) {
            if let Some(series) = pool.get_mut(id) {
                series.remember(exemplar);
            }
        }
        too_late
    }

    /// One exemplar per series of those that are due at a tick: which one does not depend on how the tick was cut into
    /// steps.
    fn lowest_ids(&self, due: &Due) -> BTreeMap<u32, Exemplar> {
        let mut lowest: BTreeMap<u32, (u64, &Exemplar)> = BTreeMap::new();
        for found in due.exemplars.iter().filter(|e| Some(e.generation) == self.generation) {
            let Some(id) = self.find(&found.objective, self.place(&found.group)) else { continue };
            let composite = self.composite.as_ref().and_then(|_| self.find(COMPOSITE, self.place(&found.group)));
            let candidate = (id_hash(&found.exemplar.event_id), &found.exemplar);
            for id in [Some(id), composite].into_iter().flatten() {
                let kept = lowest.entry(id).or_insert(candidate);
                if (candidate.0, &candidate.1.event_id) < (kept.0, &kept.1.event_id) {
                    *kept = candidate;
                }
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

    /// The composite of an entry's group, which is to be published for what its members were told.
    fn composite_for(&mut self, entry: &TallyEntry, pool: &mut Pool, scale: &Scale) -> Option<u32> {
        let plan = self.composite.clone()?;
        let id = match (self.find(COMPOSITE, self.place(&entry.group)), self.place(&entry.group)) {
            (Some(id), _) => id,
            (None, Place::Own(group)) => self.create(entry.slo.as_str().into(), plan, group.into(), pool, scale),
            (None, Place::Other(dimensions)) => {
                self.create(entry.slo.as_str().into(), plan, other(dimensions), pool, scale)
            }
        };
        pool.get_mut(id)?.dirty = true;
        Some(id)
    }

    /// The objectives that a composite stands for, in the order of the definition: weight, and the series of its group if
    /// anything was told of it.
    pub(super) fn members<'a>(&'a self, composite: &'a Series) -> impl Iterator<Item = (Ratio, Option<u32>)> + 'a {
        let objectives = composite.plan.iter().flat_map(|plan| &plan.slo.objectives);
        objectives.map(|objective| {
            let groups = self.series.get(objective.name.as_str());
            (objective.weight, groups.and_then(|groups| groups.get(&composite.group)).copied())
        })
    }

    fn create(
        &mut self,
        slo: Arc<str>,
        plan: Arc<EvaluationPlan>,
        group: Arc<[String]>,
        pool: &mut Pool,
        scale: &Scale,
    ) -> u32 {
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

/// Whether a series is that of all groups beyond the cap, or of a group that has its name and is counted there, too.
pub fn is_other(group: &[String]) -> bool {
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
        let composite_stays = slo.composite.is_some() == state.has_composite(&self.pool);
        let stays = |name: &str| {
            let known = slo.objectives.iter().any(|o| o.name == name) || (name == COMPOSITE && slo.composite.is_some());
            known && (name != COMPOSITE || composite_stays)
        };
        state.retire(|name| !stays(name), &mut self.pool, moment, out);
        state.make_plans(&found, &self.pool, moment.tick, &self.scale)?;
        state.follow_plans(name, &slo, &mut self.pool, moment.tick, &self.scale);
        Ok(())
    }
}

impl SloState {
    /// Whether the series that has the name of composites is one.
    fn has_composite(&self, pool: &Pool) -> bool {
        let id = self.series.get(COMPOSITE).and_then(|groups| groups.values().next());
        id.and_then(|id| pool.get(*id)).is_some_and(|series| matches!(series.state, State::Composite))
    }

    /// A longer window than ever before is served by what was kept for the longest until now, and knows no more than that.
    fn make_plans(&mut self, found: &InForce, pool: &Pool, tick: i64, scale: &Scale) -> Result<(), BurnFault> {
        let needs = Needs::of(found, scale)?;
        let plans = |covered_from| EvaluationPlan::all(found, &needs, covered_from, scale);
        let reach = |plan: &Arc<EvaluationPlan>| {
            let id = self.series.get(&plan.objective_name)?.values().next()?;
            pool.get(*id)?.reach_if_it_grows(plan, scale)
        };
        // The sums of a calendar's periods are whole whatever the rules look at.
        let rolling = plans(self.covered_from).into_iter().filter(|plan| plan.clock.is_none());
        if let Some(shortest) = rolling.filter_map(|plan| reach(&plan)).min() {
            self.cover_from(tick + 1 - shortest);
        }
        let (composite, single) = plans(self.covered_from).into_iter().partition(|plan| plan.single().is_none());
        let (composite, single): (Vec<Arc<EvaluationPlan>>, Vec<Arc<EvaluationPlan>>) = (composite, single);
        self.composite = composite.into_iter().next();
        self.plans = single.into_iter().map(|plan| (Arc::clone(&plan.objective_name), plan)).collect();
        Ok(())
    }

    /// Gives every series its objective's plan, and what that needs. An ungrouped series exists from its definition on.
    fn follow_plans(&mut self, name: &Arc<str>, slo: &Slo, pool: &mut Pool, tick: i64, scale: &Scale) {
        let plans: Vec<Arc<EvaluationPlan>> = self.plans.values().chain(&self.composite).cloned().collect();
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
        self.add_composites(name, pool, scale);
    }

    /// A composite that comes to objectives which are there has all of their groups.
    fn add_composites(&mut self, name: &Arc<str>, pool: &mut Pool, scale: &Scale) {
        let Some(plan) = self.composite.clone() else { return };
        let known: BTreeSet<Arc<[String]>> = self.series.values().flat_map(|groups| groups.keys()).cloned().collect();
        let there = self.series.get(COMPOSITE);
        let missing: Vec<_> = known.into_iter().filter(|g| there.is_none_or(|there| !there.contains_key(g))).collect();
        for group in missing {
            self.create(Arc::clone(name), Arc::clone(&plan), group, pool, scale);
        }
    }
}

impl Series {
    /// How many seconds of the past it knows, if a plan needs more than it has kept until now.
    fn reach_if_it_grows(&self, plan: &EvaluationPlan, scale: &Scale) -> Option<i64> {
        match &self.state {
            State::Rings(rings) if rings.len() < plan.rings => Some(scale.rings[rings.len().checked_sub(1)?].reach()),
            State::Slices(slices) if slices.kept() < plan.slices => Some((slices.kept() - 1) * slices.seconds()),
            State::Rings(_) | State::Slices(_) | State::Composite => None,
        }
    }

    fn follow(&mut self, plan: Arc<EvaluationPlan>, tick: i64, scale: &Scale) {
        match &mut self.state {
            State::Rings(rings) => {
                rings.truncate(plan.rings);
                while let Some(size) = scale.rings[..plan.rings].get(rings.len()) {
                    let Some(finer) = rings.last() else { break };
                    // What this tick itself adds comes after: its entries have not been taken in yet.
                    let made = finer.coarser(*size, tick - 1);
                    rings.push(made);
                }
            }
            State::Slices(slices) => {
                slices.judge_by(plan.budgeting());
                if slices.kept() != plan.slices {
                    slices.keep(plan.slices, tick - 1);
                }
            }
            State::Composite => {}
        }
        self.plan = Some(plan);
    }
}
