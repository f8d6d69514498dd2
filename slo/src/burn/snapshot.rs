//! Snapshots are state: burn's state is the newest chunks plus the tallies after them (P4).
//!
//! A chunk holds the SLOs of a partition whose name hashes to it, as of a tally offset `at`, split into records. Restore
//! folds from the least `at`; a chunk takes part in entries and evaluations from its own `at` on.

use std::collections::BTreeMap;
use std::sync::Arc;

use slipstream_schemas::records::{BurnChunk, BurnHead, RingSnapshot, SeriesSnapshot, SloSnapshot};

use super::parts::Parts;
use super::periods::Periods;
use super::pool::{Series, State};
use super::slo::SloState;
use super::{Burn, BurnFault, head};
use crate::hash::{fnv1a64, series_hash};
use crate::ring::Ring;
use crate::scale::Scale;
use crate::slices::Slices;

/// The chunk of an SLO. The upper half of the hash, for the lower one has chosen the partition.
fn chunk_of(slo: &str, chunks: i32) -> i32 {
    ((fnv1a64([slo]) >> 32) % chunks.max(1) as u64) as i32
}

/// Chunks whose offset the fold has not reached yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    chunks: Vec<WholeChunk>,
}

/// All records of a chunk.
#[derive(Debug, Clone)]
struct WholeChunk {
    chunk: i32,
    chunks: i32,
    at: i64,
    head: BurnHead,
    slos: BTreeMap<String, SloSnapshot>,
}

impl Pending {
    /// Whether an SLO's state is still to come from a chunk.
    pub(super) fn covers(&self, slo: &str) -> bool {
        self.chunks.iter().any(|c| chunk_of(slo, c.chunks) == c.chunk)
    }

    fn extract_ready(&mut self, offset: i64) -> Vec<WholeChunk> {
        self.chunks.extract_if(.., |c| c.at <= offset).collect()
    }
}

impl Burn {
    /// The state that `records` of burn-snapshots hold, in any order, old ones among them: for each chunk the newest
    /// whole one counts. The caller reads sli-tallies on from [`Burn::position`] and applies; what lies below `committed`
    /// is not published again. `first_retained` is the first offset of sli-tallies that is still there: where a chunk is
    /// missing, its SLOs begin with what is left, and `covered_from` says so.
    ///
    /// # Errors
    /// When a snapshot was written by a version with other rings.
    pub fn restore(mut self, records: Vec<BurnChunk>, first_retained: i64, committed: i64) -> Result<Burn, BurnFault> {
        let usable = records.into_iter().filter(|r| r.partition == self.partition && r.at >= first_retained);
        let (chunks, complete) = choose(whole_chunks(usable), self.chunks);
        self.silent_below = committed;
        self.position = first_retained;
        if let (true, Some(oldest)) = (complete, chunks.iter().min_by_key(|c| c.at)) {
            (self.position, self.head) = (oldest.at, oldest.head.clone());
        }
        self.pending = Pending { chunks };
        self.check_rings()?;
        self.join_chunks(self.position);
        Ok(self)
    }

    /// Whether every chunk found its place: false while the fold catches up after a restore.
    pub fn is_whole(&self) -> bool {
        self.pending.chunks.is_empty()
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> i32 {
        self.chunks
    }

    /// A chunk of the present state as records to be written in one step; none while its own restore is under way.
    pub fn chunk(&self, chunk: i32) -> Vec<BurnChunk> {
        if !self.is_whole() {
            return Vec::new();
        }
        let parts = self.parts(chunk);
        let count = parts.len() as i32;
        let record = |(part, slos)| BurnChunk {
            partition: self.partition,
            chunk,
            chunks: self.chunks,
            part: part as i32,
            parts: count,
            at: self.position,
            head: self.head.clone(),
            slos,
        };
        parts.into_iter().enumerate().map(record).collect()
    }

    /// Takes over the chunks whose offset is reached, before the batch at `offset` is applied.
    pub(super) fn join_chunks(&mut self, offset: i64) {
        for chunk in self.pending.extract_ready(offset) {
            head::learn(&mut self.head, &chunk.head);
            for (name, snapshot) in chunk.slos {
                self.join(name.into(), snapshot);
            }
            self.version = 0;
        }
    }

    fn join(&mut self, name: Arc<str>, snapshot: SloSnapshot) {
        snapshot.held.iter().for_each(|entry| self.held.entry(entry));
        snapshot.held_exemplars.iter().for_each(|exemplar| self.held.exemplar(exemplar));
        let Some(generation) = snapshot.generation else { return };
        let mut state = SloState::of_generation(generation, snapshot.covered_from);
        for series in snapshot.series {
            let series = restored(Arc::clone(&name), series, &self.scale);
            let keys = (Arc::clone(&series.objective), Arc::clone(&series.group));
            let id = self.pool.insert(series);
            state.adopt(keys.0, keys.1, id);
        }
        self.slos.insert(name, state);
    }

    fn check_rings(&self) -> Result<(), BurnFault> {
        let series = self.pending.chunks.iter().flat_map(|c| c.slos.values()).flat_map(|slo| &slo.series);
        let foreign = |slot_seconds: i32| self.scale.rings.iter().all(|r| r.slot_seconds != i64::from(slot_seconds));
        match series.flat_map(|s| &s.rings).find(|ring| foreign(ring.slot_seconds)) {
            Some(ring) => {
                Err(BurnFault::ForeignSnapshot { partition: self.partition, slot_seconds: ring.slot_seconds })
            }
            None => Ok(()),
        }
    }

    fn parts(&self, chunk: i32) -> Vec<Vec<SloSnapshot>> {
        let mut names: Vec<&str> = self.slos.keys().map(AsRef::as_ref).chain(self.held.names()).collect();
        names.retain(|name| chunk_of(name, self.chunks) == chunk);
        names.sort_unstable();
        names.dedup();
        let mut parts = Parts::default();
        for name in names {
            let state = self.slos.get(name);
            parts.begin(name, state);
            let held = self.held.of(name);
            held.entries.into_iter().for_each(|entry| parts.entry(entry));
            held.exemplars.into_iter().for_each(|exemplar| parts.exemplar(exemplar));
            let last_tick = self.head.next_tick.map_or(i64::MIN / 2, |next| next - 1);
            for id in state.iter().flat_map(|state| state.ids()) {
                if let Some(series) = self.pool.get(id) {
                    parts.series(snapshot_of(series, last_tick, self.scale.base_rings));
                }
            }
        }
        parts.finish()
    }
}

/// The newest `at` of each chunk of which every part is there.
fn whole_chunks(records: impl Iterator<Item = BurnChunk>) -> Vec<WholeChunk> {
    let mut by_chunk: BTreeMap<(i32, i32, i64), BTreeMap<i32, BurnChunk>> = BTreeMap::new();
    for record in records {
        by_chunk.entry((record.chunks, record.chunk, record.at)).or_default().insert(record.part, record);
    }
    let mut newest: BTreeMap<(i32, i32), WholeChunk> = BTreeMap::new();
    for ((chunks, chunk, at), parts) in by_chunk {
        let Some(first) = parts.get(&0).filter(|first| first.parts as usize == parts.len()) else { continue };
        let head = first.head.clone();
        let slos = merged(parts.into_values().flat_map(|part| part.slos));
        newest.insert((chunks, chunk), WholeChunk { chunk, chunks, at, head, slos });
    }
    newest.into_values().collect()
}

/// An SLO may be spread over several parts.
pub(super) fn merged(snapshots: impl Iterator<Item = SloSnapshot>) -> BTreeMap<String, SloSnapshot> {
    let mut slos: BTreeMap<String, SloSnapshot> = BTreeMap::new();
    for snapshot in snapshots {
        match slos.get_mut(&snapshot.slo) {
            Some(whole) => {
                whole.held.extend(snapshot.held);
                whole.held_exemplars.extend(snapshot.held_exemplars);
                whole.series.extend(snapshot.series);
            }
            None => {
                slos.insert(snapshot.slo.clone(), snapshot);
            }
        }
    }
    slos
}

/// Snapshots may be of a time when a partition had another number of chunks: the set that is complete and newest counts;
/// where none is complete, what there is of the present number.
fn choose(all: Vec<WholeChunk>, present: i32) -> (Vec<WholeChunk>, bool) {
    let mut sets: BTreeMap<i32, Vec<WholeChunk>> = BTreeMap::new();
    for chunk in all {
        sets.entry(chunk.chunks).or_default().push(chunk);
    }
    let complete = sets.iter().filter(|(chunks, set)| set.len() == **chunks as usize);
    let newest = complete.max_by_key(|(_, set)| set.iter().map(|c| c.at).min()).map(|(chunks, _)| *chunks);
    (sets.remove(&newest.unwrap_or(present)).unwrap_or_default(), newest.is_some())
}

fn snapshot_of(series: &Series, tick: i64, base_rings: usize) -> SeriesSnapshot {
    let clock = series.plan.as_ref().and_then(|plan| plan.clock.as_ref());
    // Restored, and not settled by its definition yet: no tick has passed since the snapshot that it came from.
    let at_tick = |periods: Periods| clock.map_or(periods, |clock| periods.at(&clock.at(tick)));
    SeriesSnapshot {
        objective: series.objective.to_string(),
        group: series.group.to_vec(),
        rings: rings_of(series, tick, base_rings),
        conditions: series.conditions.clone(),
        dirty: series.dirty,
        unknown: series.unknown,
        too_late: series.too_late,
        exemplars: series.exemplars.clone(),
        slices: match &series.state {
            State::Slices(slices) => slices.snapshot(tick),
            State::Rings(_) | State::Composite => None,
        },
        periods: series.periods.map(|periods| at_tick(periods).snapshot()).unwrap_or_default(),
        composite: matches!(series.state, State::Composite),
    }
}

/// A ring that only long windows need is told by being there.
fn rings_of(series: &Series, tick: i64, base_rings: usize) -> Vec<RingSnapshot> {
    match &series.state {
        State::Rings(rings) => {
            rings.iter().enumerate().filter_map(|(i, ring)| ring.snapshot(tick, i >= base_rings)).collect()
        }
        State::Slices(_) | State::Composite => Vec::new(),
    }
}

fn restored(slo: Arc<str>, snapshot: SeriesSnapshot, scale: &Scale) -> Series {
    Series {
        plan: None,
        hash: series_hash(&slo, &snapshot.objective, &snapshot.group),
        slo,
        state: restored_state(&snapshot, scale),
        periods: Periods::restored(&snapshot.periods),
        objective: snapshot.objective.into(),
        group: snapshot.group.into(),
        conditions: snapshot.conditions,
        dirty: snapshot.dirty,
        unknown: snapshot.unknown,
        too_late: snapshot.too_late,
        exemplars: snapshot.exemplars,
    }
}

fn restored_state(snapshot: &SeriesSnapshot, scale: &Scale) -> State {
    match &snapshot.slices {
        _ if snapshot.composite => State::Composite,
        Some(slices) => State::Slices(Box::new(Slices::restored(slices, scale))),
        None => State::Rings(restored_rings(&snapshot.rings, scale)),
    }
}

fn restored_rings(snapshots: &[RingSnapshot], scale: &Scale) -> Vec<Ring> {
    let in_snapshot = |size: i64| snapshots.iter().any(|r| i64::from(r.slot_seconds) == size);
    let used = scale.rings.iter().rposition(|size| in_snapshot(size.slot_seconds)).map_or(0, |i| i + 1);
    let mut rings: Vec<Ring> = scale.rings[..used.max(scale.base_rings)].iter().map(|size| Ring::new(*size)).collect();
    for ring in &mut rings {
        let slot_seconds = ring.size().slot_seconds;
        snapshots.iter().filter(|r| i64::from(r.slot_seconds) == slot_seconds).for_each(|r| ring.restore(r));
    }
    rings
}
