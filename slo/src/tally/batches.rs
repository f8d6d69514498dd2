//! The sums of a step: by a matcher's ids while records come, by names when the step is decided.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use slipstream_schemas::records::{TallyEntry, TallyExemplar};

use super::{Exemplar, HashMap, Matcher, SeriesId, TallyBatch, Verdict};
use crate::hash::target_partition;
use slipstream_definitions::definition::Slo;

/// good, total, unknown.
pub(super) type Counts = [i64; 3];

/// Sums per series, tick and slot, and a bad event per series and tick.
#[derive(Debug, Default)]
pub(super) struct Sums {
    open: OpenCells,
    /// Cells that were put away, by series, tick and slot.
    cells: HashMap<(SeriesId, i64, i64), Counts>,
    bad: HashMap<(SeriesId, i64), Found>,
    settled: NamedSums,
}

/// Sums by name: cells and bad events of one series lie together, in the order of ticks and slots.
#[derive(Debug, Default)]
struct NamedSums {
    names: Vec<Name>,
    /// Tick, slot, counts.
    cells: Vec<(i64, i64, Counts)>,
    bad: Vec<(i64, Found)>,
}

/// Per series the cell that was added to last. Events come nearly in order of time, so the next one is mostly for the same
/// cell: an index instead of a hash. The memory is kept from step to step, its content is not.
#[derive(Debug, Default)]
pub(super) struct OpenCells {
    of_series: Vec<Cell>,
    touched: Vec<SeriesId>,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    tick: i64,
    slot: i64,
    counts: Counts,
    /// Lowest id hash of a bad event of the tick.
    lowest: u64,
}

const EMPTY: Cell = Cell { tick: i64::MIN, slot: i64::MIN, counts: [0; 3], lowest: u64::MAX };

/// The bad event with the lowest id hash so far.
#[derive(Debug, Clone)]
struct Found {
    id: u64,
    exemplar: Exemplar,
}

/// An objective and group under one matcher, and where its sums lie.
#[derive(Debug)]
struct Name {
    slo: Arc<Slo>,
    generation: i64,
    /// Index of the objective.
    objective: usize,
    group: Arc<[String]>,
    cells: Range<usize>,
    bad: Range<usize>,
}

impl OpenCells {
    /// The cell of a series at a tick and slot, and the one that was there before, if it is another.
    fn of(&mut self, series: SeriesId, tick: i64, slot: i64) -> (&mut Cell, Option<Cell>) {
        let at = series.index();
        if at >= self.of_series.len() {
            self.of_series.resize(at + 1, EMPTY);
        }
        let cell = &mut self.of_series[at];
        if cell.tick == tick && cell.slot == slot {
            return (cell, None);
        }
        let before = *cell;
        let lowest = if before.tick == tick { before.lowest } else { u64::MAX };
        *cell = Cell { tick, slot, counts: [0; 3], lowest };
        if before.tick == EMPTY.tick {
            self.touched.push(series);
            return (cell, None);
        }
        (cell, Some(before))
    }

    fn drain(&mut self) -> impl Iterator<Item = (SeriesId, Cell)> + '_ {
        let OpenCells { of_series, touched } = self;
        touched.drain(..).map(|series| (series, std::mem::replace(&mut of_series[series.index()], EMPTY)))
    }
}

impl Sums {
    /// Empty sums, in the memory of an earlier step.
    pub(super) fn within(open: OpenCells) -> Sums {
        Sums { open, ..Sums::default() }
    }

    /// The memory of sums to which nothing was added.
    pub(super) fn into_spare(self) -> OpenCells {
        self.open
    }

    pub(super) fn len(&self) -> usize {
        self.open.touched.len() + self.cells.len() + self.settled.cells.len()
    }

    /// Adds an event with this id hash. Whether it is to be offered: it is bad, and may be the exemplar of its tick.
    pub(super) fn add(
        &mut self,
        series: SeriesId,
        (tick, slot): (i64, i64),
        verdict: Verdict,
        weight: i64,
        id: u64,
    ) -> bool {
        let (cell, before) = self.open.of(series, tick, slot);
        let [good, total, unknown] = &mut cell.counts;
        match verdict {
            Verdict::Good => (*good, *total) = (*good + weight, *total + weight),
            Verdict::Bad => *total += weight,
            Verdict::Unknown => *unknown += weight,
        }
        // The lowest hash, not the first to come: the same exemplar whatever the order and the batching (P3b).
        let offered = verdict == Verdict::Bad && id <= cell.lowest;
        if offered {
            cell.lowest = id;
        }
        self.put_away(series, before);
        offered
    }

    /// Adds what was summed elsewhere, with the lowest id hash of its bad events; `u64::MAX` without any. Whether that event
    /// is to be offered.
    pub(super) fn add_counts(
        &mut self,
        series: SeriesId,
        (tick, slot): (i64, i64),
        counts: Counts,
        lowest: u64,
    ) -> bool {
        let (cell, before) = self.open.of(series, tick, slot);
        (0..3).for_each(|i| cell.counts[i] += counts[i]);
        let offered = counts[1] > counts[0] && lowest <= cell.lowest;
        if offered {
            cell.lowest = lowest;
        }
        self.put_away(series, before);
        offered
    }

    fn put_away(&mut self, series: SeriesId, before: Option<Cell>) {
        if let Some(before) = before {
            let sum = self.cells.entry((series, before.tick, before.slot)).or_default();
            (0..3).for_each(|i| sum[i] += before.counts[i]);
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
        let put_away = self.cells.drain().map(|((series, tick, slot), counts)| (series, tick, slot, counts));
        let mut cells: Vec<(SeriesId, i64, i64, Counts)> = put_away.collect();
        cells.extend(self.open.drain().map(|(series, cell)| (series, cell.tick, cell.slot, cell.counts)));
        // Hash maps have no order; batches must have one, or the same step would not be the same bytes (L6).
        cells.sort_unstable();
        let mut bad: Vec<(SeriesId, i64, Found)> =
            self.bad.drain().map(|((series, tick), found)| (series, tick, found)).collect();
        bad.sort_unstable_by_key(|(series, tick, _)| (*series, *tick));
        let mut bad = bad.into_iter().peekable();
        for same in cells.chunk_by(|a, b| a.0 == b.0) {
            let (series, settled) = (same[0].0, &mut self.settled);
            let from = (settled.cells.len(), settled.bad.len());
            sum_up(&mut settled.cells, same.iter().map(|(_, tick, slot, counts)| (*tick, *slot, *counts)));
            while let Some((_, tick, found)) = bad.next_if(|(of, ..)| *of == series) {
                settled.bad.push((tick, found));
            }
            let key = matcher.series(series);
            settled.names.extend(key.shared_by.iter().map(|objective| Name {
                slo: Arc::clone(&key.slo),
                generation: key.generation,
                objective: *objective,
                group: Arc::clone(&key.group),
                cells: from.0..settled.cells.len(),
                bad: from.1..settled.bad.len(),
            }));
        }
    }

    /// One batch per target partition, entries or not: `template` says all but those. By SLO, generation, objective,
    /// group, tick and slot, so that equal steps are equal bytes. Also the memory for the next step.
    pub(super) fn into_batches(mut self, template: &TallyBatch, targets: u32) -> (Vec<(u32, TallyBatch)>, OpenCells) {
        // Empty ones too: each target learns from them how far the source is read (P1).
        let mut batches: Vec<(u32, TallyBatch)> = (0..targets).map(|target| (target, template.clone())).collect();
        self.settled.names.sort_unstable_by(Name::order);
        for same in self.settled.names.chunk_by(|a, b| a.order(b).is_eq()) {
            let (_, batch) = &mut batches[target_partition(&same[0].slo.name, targets) as usize];
            self.settled.put(same, batch);
        }
        (batches, self.open)
    }
}

/// Adds cells that come in the order of tick and slot, those of the same as one.
fn sum_up(cells: &mut Vec<(i64, i64, Counts)>, sorted: impl Iterator<Item = (i64, i64, Counts)>) {
    let from = cells.len();
    for (tick, slot, counts) in sorted {
        match cells[from..].last_mut() {
            Some((last_tick, last_slot, sum)) if (*last_tick, *last_slot) == (tick, slot) => {
                (0..3).for_each(|i| sum[i] += counts[i]);
            }
            _ => cells.push((tick, slot, counts)),
        }
    }
}

impl NamedSums {
    /// Adds what was summed under one name to a batch. It comes more than once where the definitions changed within the
    /// step, but not this one.
    fn put(&self, same: &[Name], batch: &mut TallyBatch) {
        let name = &same[0];
        if let [name] = same {
            batch.entries.extend(self.cells[name.cells.clone()].iter().map(|cell| name.entry(*cell)));
            batch.exemplars.extend(self.bad[name.bad.clone()].iter().map(|(tick, found)| name.exemplar(*tick, found)));
            return;
        }
        let mut cells: Vec<_> = same.iter().flat_map(|name| self.cells[name.cells.clone()].iter().copied()).collect();
        cells.sort_unstable();
        let mut sums = Vec::new();
        sum_up(&mut sums, cells.into_iter());
        batch.entries.extend(sums.into_iter().map(|cell| name.entry(cell)));
        let mut bad: Vec<_> = same.iter().flat_map(|name| &self.bad[name.bad.clone()]).collect();
        bad.sort_unstable_by_key(|(tick, found)| (*tick, found.id));
        bad.dedup_by_key(|(tick, _)| *tick);
        batch.exemplars.extend(bad.into_iter().map(|(tick, found)| name.exemplar(*tick, found)));
    }
}

impl Name {
    fn objective(&self) -> &str {
        self.slo.objectives.get(self.objective).map_or("", |objective| &objective.name)
    }

    /// By SLO, generation, objective and group.
    fn order(&self, other: &Name) -> Ordering {
        let same_slo = Arc::ptr_eq(&self.slo, &other.slo) && self.generation == other.generation;
        let slo = if same_slo {
            Ordering::Equal
        } else {
            self.slo.name.cmp(&other.slo.name).then(self.generation.cmp(&other.generation))
        };
        let objective = || {
            if same_slo && self.objective == other.objective {
                return Ordering::Equal;
            }
            self.objective().cmp(other.objective())
        };
        slo.then_with(objective).then_with(|| self.group.cmp(&other.group))
    }

    fn entry(&self, (tick, slot, [good, total, unknown]): (i64, i64, Counts)) -> TallyEntry {
        TallyEntry {
            slo: self.slo.name.clone(),
            generation: self.generation,
            objective: self.objective().to_owned(),
            group: self.group.to_vec(),
            tick,
            slot,
            good,
            total,
            unknown,
        }
    }

    fn exemplar(&self, tick: i64, found: &Found) -> TallyExemplar {
        TallyExemplar {
            slo: self.slo.name.clone(),
            generation: self.generation,
            objective: self.objective().to_owned(),
            group: self.group.to_vec(),
            tick,
            exemplar: found.exemplar.clone(),
        }
    }
}
