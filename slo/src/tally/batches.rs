//! The sums of a step: by a matcher's ids while records come, by names when the step is decided.

use std::collections::BTreeMap;

use slipstream_schemas::records::{TallyEntry, TallyExemplar};

use super::{Exemplar, HashMap, Matcher, SeriesId, TallyBatch, Verdict};
use crate::hash::target_partition;

/// Sums per series, tick and slot, and a bad event per series and tick.
#[derive(Debug, Default)]
pub(super) struct Sums {
    cells: HashMap<(SeriesId, i64, i64), [i64; 3]>,
    bad: HashMap<(SeriesId, i64), Found>,
    names: Names,
    entries: HashMap<(u32, i64, i64), [i64; 3]>,
    exemplars: HashMap<(u32, i64), Found>,
}

/// The bad event with the lowest id hash so far.
#[derive(Debug, Clone)]
struct Found {
    id: u64,
    exemplar: Exemplar,
}

/// SLO, generation, objective, group: in this order entries leave, so that equal steps are equal bytes.
type Name = (String, i64, String, Vec<String>);

/// Names are long and cells are many: a name is kept once.
#[derive(Debug, Default)]
struct Names {
    ids: BTreeMap<Name, u32>,
}

impl Names {
    /// The ids of a matcher's series, one for each objective that shares it.
    fn of(&mut self, matcher: &Matcher, series: SeriesId) -> Vec<u32> {
        let key = matcher.series(series);
        let name = |objective: &str| (key.slo.name.clone(), key.generation, objective.to_owned(), key.group.clone());
        key.objectives().map(|objective| self.id(name(&objective.name))).collect()
    }

    fn id(&mut self, name: Name) -> u32 {
        let next = self.ids.len() as u32;
        *self.ids.entry(name).or_insert(next)
    }
}

impl Sums {
    pub(super) fn len(&self) -> usize {
        self.cells.len() + self.entries.len()
    }

    pub(super) fn add(&mut self, series: SeriesId, tick: i64, slot: i64, verdict: Verdict, weight: i64) {
        let [good, total, unknown] = self.cells.entry((series, tick, slot)).or_default();
        match verdict {
            Verdict::Good => (*good, *total) = (*good + weight, *total + weight),
            Verdict::Bad => *total += weight,
            Verdict::Unknown => *unknown += weight,
        }
    }

    /// Keeps a bad event if its id hash is the lowest of its series and tick.
    pub(super) fn offer(&mut self, series: SeriesId, tick: i64, id: u64, exemplar: impl Fn() -> Exemplar) {
        self.bad
            .entry((series, tick))
            .and_modify(|found| {
                if id < found.id {
                    *found = Found { id, exemplar: exemplar() };
                }
            })
            .or_insert_with(|| Found { id, exemplar: exemplar() });
    }

    /// Names the series of what was summed since the last call: a matcher's ids mean nothing to the next one.
    pub(super) fn settle(&mut self, matcher: &Matcher) {
        let mut known: HashMap<SeriesId, Vec<u32>> = HashMap::new();
        let names = &mut self.names;
        for ((series, tick, slot), counts) in self.cells.drain() {
            for name in known.entry(series).or_insert_with(|| names.of(matcher, series)) {
                let sum = self.entries.entry((*name, tick, slot)).or_default();
                (0..3).for_each(|i| sum[i] += counts[i]);
            }
        }
        for ((series, tick), found) in self.bad.drain() {
            for name in known.entry(series).or_insert_with(|| names.of(matcher, series)) {
                let kept = self.exemplars.entry((*name, tick)).or_insert_with(|| found.clone());
                if found.id < kept.id {
                    *kept = found.clone();
                }
            }
        }
    }

    /// One batch per target partition, entries or not: `template` says all but those.
    pub(super) fn into_batches(self, template: &TallyBatch, targets: u32) -> Vec<(u32, TallyBatch)> {
        let mut batches: Vec<(u32, TallyBatch)> = (0..targets).map(|target| (target, template.clone())).collect();
        let mut cells: Vec<_> = self.entries.into_iter().collect();
        cells.sort_unstable_by_key(|(key, _)| *key);
        let mut bad: Vec<_> = self.exemplars.into_iter().collect();
        bad.sort_unstable_by_key(|(key, _)| *key);
        for (name, id) in &self.names.ids {
            let (_, batch) = &mut batches[target_partition(&name.0, targets) as usize];
            let mine = stretch(&cells, |((name, _, _), _)| *name, *id);
            batch.entries.extend(mine.iter().map(|((_, tick, slot), counts)| entry(name, *tick, *slot, *counts)));
            let mine = stretch(&bad, |((name, _), _)| *name, *id);
            batch.exemplars.extend(mine.iter().map(|((_, tick), found)| exemplar(name, *tick, found)));
        }
        batches
    }
}

/// The stretch of a sorted list whose keys are `id`.
fn stretch<T>(sorted: &[T], key: impl Fn(&T) -> u32, id: u32) -> &[T] {
    let begin = sorted.partition_point(|item| key(item) < id);
    let len = sorted[begin..].partition_point(|item| key(item) == id);
    &sorted[begin..begin + len]
}

fn entry(name: &Name, tick: i64, slot: i64, [good, total, unknown]: [i64; 3]) -> TallyEntry {
    let (slo, generation, objective, group) = name.clone();
    TallyEntry { slo, generation, objective, group, tick, slot, good, total, unknown }
}

fn exemplar(name: &Name, tick: i64, found: &Found) -> TallyExemplar {
    let (slo, generation, objective, group) = name.clone();
    TallyExemplar { slo, generation, objective, group, tick, exemplar: found.exemplar.clone() }
}
