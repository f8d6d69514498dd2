//! The sums of a step: by series ids while records come, by names when it is decided.

use std::collections::BTreeMap;

use slipstream_schemas::records::{TallyEntry, TallyExemplar};

use super::{Exemplar, HashMap, Matcher, SeriesId, TallyBatch, Verdict};
use crate::hash::target_partition;

/// Sums per series, tick and slot, and a bad event per series and tick.
#[derive(Debug, Default)]
pub(super) struct Sums {
    cells: HashMap<(SeriesId, i64, i64), [i64; 3]>,
    bad: HashMap<(SeriesId, i64), Found>,
    entries: BTreeMap<EntryKey, [i64; 3]>,
    exemplars: BTreeMap<ExemplarKey, Found>,
}

/// The bad event with the lowest id hash so far.
#[derive(Debug, Clone)]
struct Found {
    id: u64,
    exemplar: Exemplar,
}

/// SLO, generation, objective, group: in this order entries leave, so that equal steps are equal bytes.
type Series = (String, i64, String, Vec<String>);
/// Series, tick, slot.
type EntryKey = (Series, i64, i64);
/// Series, tick.
type ExemplarKey = (Series, i64);

/// What a series is called, for each objective of its SLO.
fn names(matcher: &Matcher, series: SeriesId) -> impl Iterator<Item = Series> + '_ {
    let key = matcher.series(series);
    key.slo.objectives.iter().map(|o| (key.slo.name.clone(), key.generation, o.name.clone(), key.group.clone()))
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

    /// Names the series of what was summed since the last call, once for each objective of its SLO.
    pub(super) fn settle(&mut self, matcher: &Matcher) {
        for ((series, tick, slot), counts) in self.cells.drain() {
            for key in names(matcher, series) {
                let sum = self.entries.entry((key, tick, slot)).or_default();
                (0..3).for_each(|i| sum[i] += counts[i]);
            }
        }
        for ((series, tick), found) in self.bad.drain() {
            for key in names(matcher, series) {
                let kept = self.exemplars.entry((key, tick)).or_insert_with(|| found.clone());
                if found.id < kept.id {
                    *kept = found.clone();
                }
            }
        }
    }

    /// One batch per target partition, entries or not: `template` says all but those.
    pub(super) fn into_batches(self, template: &TallyBatch, targets: u32) -> Vec<(u32, TallyBatch)> {
        let mut batches: Vec<(u32, TallyBatch)> = (0..targets).map(|target| (target, template.clone())).collect();
        for (((slo, generation, objective, group), tick, slot), [good, total, unknown]) in self.entries {
            let (_, batch) = &mut batches[target_partition(&slo, targets) as usize];
            batch.entries.push(TallyEntry { slo, generation, objective, group, tick, slot, good, total, unknown });
        }
        for (((slo, generation, objective, group), tick), found) in self.exemplars {
            let (_, batch) = &mut batches[target_partition(&slo, targets) as usize];
            let exemplar = found.exemplar;
            batch.exemplars.push(TallyExemplar { slo, generation, objective, group, tick, exemplar });
        }
        batches
    }
}
