//! A state from snapshots. Restore folds from the least `at` of the chunks; a chunk takes part in entries and evaluations
//! from its own `at` on (P4).
//!
//! Records are taken in one by one and become series at once: what is superseded, or decoded, is never held as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use slipstream_schemas::records::{BurnChunk, BurnHead, SeriesSnapshot, SloSnapshot, TallyEntry, TallyExemplar};

use super::periods::Periods;
use super::pool::{Series, State};
use super::slo::SloState;
use super::snapshot::chunk_of;
use super::{Burn, BurnFault, head};
use crate::hash::series_hash;
use crate::ring::Ring;
use crate::scale::Scale;
use crate::slices::Slices;

/// Chunks whose offset the fold has not reached yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    chunks: Vec<Chunk>,
}

impl Pending {
    /// Whether an SLO's state is still to come from a chunk.
    pub(super) fn covers(&self, slo: &str) -> bool {
        self.chunks.iter().any(|c| chunk_of(slo, c.chunks) == c.chunk)
    }

    fn extract_ready(&mut self, offset: i64) -> Vec<Chunk> {
        self.chunks.extract_if(.., |c| c.at <= offset).collect()
    }
}

/// A chunk as of one offset.
#[derive(Debug, Clone)]
struct Chunk {
    chunk: i32,
    chunks: i32,
    at: i64,
    head: BurnHead,
    /// Parts seen, of so many.
    parts: (BTreeSet<i32>, i32),
    slos: BTreeMap<Arc<str>, Found>,
}

/// What a chunk has of an SLO, which may be spread over several parts.
#[derive(Debug, Clone, Default)]
struct Found {
    generation: Option<i64>,
    covered_from: i64,
    held: Vec<TallyEntry>,
    held_exemplars: Vec<TallyExemplar>,
    series: Vec<Series>,
}

/// All that was seen of one chunk.
#[derive(Debug, Default)]
struct Seen {
    /// The newest whole one.
    whole: Option<Chunk>,
    /// Newer ones of which parts are missing.
    partial: BTreeMap<i64, Chunk>,
    /// The newest word that nothing changed.
    unchanged: Option<(i64, BurnHead)>,
}

/// A state in the making.
#[derive(Debug)]
pub struct Restoring {
    empty: Burn,
    /// By the number of chunks that there were when they were written.
    sets: BTreeMap<i32, BTreeMap<i32, Seen>>,
}

impl Restoring {
    /// Takes in a record of burn-snapshots; in any order, old ones among them.
    ///
    /// # Errors
    /// When it was written by a version with other rings.
    pub fn add(&mut self, record: BurnChunk) -> Result<(), BurnFault> {
        if record.partition != self.empty.partition {
            return Ok(());
        }
        let seen = self.sets.entry(record.chunks).or_default().entry(record.chunk).or_default();
        if record.parts == 0 {
            if seen.unchanged.as_ref().is_none_or(|(at, _)| *at < record.at) {
                seen.unchanged = Some((record.at, record.head));
            }
            return Ok(());
        }
        if seen.whole.as_ref().is_some_and(|whole| whole.at >= record.at) {
            return Ok(());
        }
        check_rings(&record, &self.empty.scale)?;
        seen.take(record, &self.empty.scale);
        Ok(())
    }

    /// Whether a chunk of the present number is there, so that older records of it say nothing.
    pub fn has(&self, chunk: i32) -> bool {
        let set = self.sets.get(&self.empty.chunks);
        set.and_then(|set| set.get(&chunk)).is_some_and(|seen| seen.whole.is_some())
    }

    /// Whether every chunk is there: a reader that goes backwards from the newest record can stop.
    pub fn is_whole(&self) -> bool {
        self.sets
            .iter()
            .any(|(chunks, set)| set.len() == *chunks as usize && set.values().all(|seen| seen.whole.is_some()))
    }

    /// The state. The caller reads sli-tallies on from [`Burn::position`] and applies; what lies below `committed` is not
    /// published again. `first_retained` is the first offset of sli-tallies that is still there: where a chunk is
    /// missing, its SLOs begin with what is left, and `covered_from` says so.
    pub fn finish(self, first_retained: i64, committed: i64) -> Burn {
        let mut burn = self.empty;
        let chunks = self.sets.into_values().flat_map(BTreeMap::into_values).filter_map(Seen::newest);
        let (chunks, complete) = choose(chunks.filter(|chunk| chunk.at >= first_retained), burn.chunks);
        // What lies between the chunks and the committed position was published already; it is folded again in silence.
        burn.silent_below = committed;
        burn.position = first_retained;
        if let (true, Some(oldest)) = (complete, chunks.iter().min_by_key(|c| c.at)) {
            (burn.position, burn.head) = (oldest.at, oldest.head.clone());
        }
        burn.pending = Pending { chunks };
        burn.join_chunks(burn.position);
        burn
    }
}

impl Seen {
    fn take(&mut self, record: BurnChunk, scale: &Scale) {
        let chunk = self.partial.entry(record.at).or_insert_with(|| Chunk {
            chunk: record.chunk,
            chunks: record.chunks,
            at: record.at,
            head: record.head.clone(),
            parts: (BTreeSet::new(), record.parts),
            slos: BTreeMap::new(),
        });
        if chunk.parts.0.insert(record.part) {
            record.slos.into_iter().for_each(|slo| chunk.take(slo, scale));
        }
        // Until all parts are there, the chunk before it counts.
        if chunk.parts.0.len() == chunk.parts.1 as usize {
            self.whole = self.partial.remove(&record.at);
            self.partial = self.partial.split_off(&(record.at + 1));
        }
    }

    /// The newest whole one, as of where it holds.
    fn newest(self) -> Option<Chunk> {
        let whole = self.whole?;
        Some(match self.unchanged.filter(|(at, _)| *at > whole.at) {
            Some((at, head)) => Chunk { at, head, ..whole },
            None => whole,
        })
    }
}

impl Chunk {
    fn take(&mut self, snapshot: SloSnapshot, scale: &Scale) {
        let name: Arc<str> = snapshot.slo.into();
        let found = self.slos.entry(Arc::clone(&name)).or_default();
        (found.generation, found.covered_from) = (snapshot.generation, snapshot.covered_from);
        found.held.extend(snapshot.held);
        found.held_exemplars.extend(snapshot.held_exemplars);
        found.series.extend(snapshot.series.into_iter().map(|series| restored(Arc::clone(&name), series, scale)));
    }
}

impl Burn {
    /// Begins to restore a state from records of burn-snapshots.
    pub fn restoring(self) -> Restoring {
        Restoring { empty: self, sets: BTreeMap::new() }
    }

    /// The state that `records` of burn-snapshots hold: see [`Restoring`].
    ///
    /// # Errors
    /// When a snapshot was written by a version with other rings.
    pub fn restore(self, records: Vec<BurnChunk>, first_retained: i64, committed: i64) -> Result<Burn, BurnFault> {
        let mut restoring = self.restoring();
        records.into_iter().try_for_each(|record| restoring.add(record))?;
        Ok(restoring.finish(first_retained, committed))
    }

    /// Whether every chunk found its place: false while the fold catches up after a restore.
    pub fn is_whole(&self) -> bool {
        self.pending.chunks.is_empty()
    }

    /// Takes over the chunks whose offset is reached, before the batch at `offset` is applied.
    pub(super) fn join_chunks(&mut self, offset: i64) {
        for chunk in self.pending.extract_ready(offset) {
            head::learn(&mut self.head, &chunk.head);
            for (name, found) in chunk.slos {
                self.join(name, found);
            }
            if chunk.chunks == self.chunks {
                self.changes.saved(chunk.chunk);
            }
            self.version = 0;
        }
    }

    fn join(&mut self, name: Arc<str>, found: Found) {
        found.held.iter().for_each(|entry| self.held.entry(entry));
        found.held_exemplars.iter().for_each(|exemplar| self.held.exemplar(exemplar));
        let Some(generation) = found.generation else { return };
        let mut state = SloState::of_generation(generation, found.covered_from);
        for series in found.series {
            let keys = (Arc::clone(&series.objective), Arc::clone(&series.group));
            let id = self.pool.insert(series);
            state.adopt(keys.0, keys.1, id);
        }
        self.slos.insert(name, state);
    }
}

fn check_rings(record: &BurnChunk, scale: &Scale) -> Result<(), BurnFault> {
    let foreign = |slot_seconds: i32| scale.rings.iter().all(|r| r.slot_seconds != i64::from(slot_seconds));
    let mut rings = record.slos.iter().flat_map(|slo| &slo.series).flat_map(|series| &series.rings);
    match rings.find(|ring| foreign(ring.slot_seconds)) {
        Some(ring) => Err(BurnFault::ForeignSnapshot { partition: record.partition, slot_seconds: ring.slot_seconds }),
        None => Ok(()),
    }
}

/// Snapshots may be of a time when a partition had another number of chunks: the set that is complete and newest counts;
/// where none is complete, what there is of the present number.
fn choose(all: impl Iterator<Item = Chunk>, present: i32) -> (Vec<Chunk>, bool) {
    let mut sets: BTreeMap<i32, Vec<Chunk>> = BTreeMap::new();
    for chunk in all {
        sets.entry(chunk.chunks).or_default().push(chunk);
    }
    let complete = sets.iter().filter(|(chunks, set)| set.len() == **chunks as usize);
    let newest = complete.max_by_key(|(_, set)| set.iter().map(|c| c.at).min()).map(|(chunks, _)| *chunks);
    (sets.remove(&newest.unwrap_or(present)).unwrap_or_default(), newest.is_some())
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
        None => State::Rings(restored_rings(snapshot, scale)),
    }
}

fn restored_rings(snapshot: &SeriesSnapshot, scale: &Scale) -> Vec<Ring> {
    let in_snapshot = |size: i64| snapshot.rings.iter().any(|r| i64::from(r.slot_seconds) == size);
    let used = scale.rings.iter().rposition(|size| in_snapshot(size.slot_seconds)).map_or(0, |i| i + 1);
    let mut rings: Vec<Ring> = scale.rings[..used.max(scale.base_rings)].iter().map(|size| Ring::new(*size)).collect();
    for ring in &mut rings {
        let slot_seconds = ring.size().slot_seconds;
        snapshot.rings.iter().filter(|r| i64::from(r.slot_seconds) == slot_seconds).for_each(|r| ring.restore(r));
    }
    rings
}
