//! Snapshots are state: burn's state is the newest chunks plus the tallies after them (P4).
//!
//! A chunk holds the SLOs of a partition whose name hashes to it, as of a tally offset `at`, split into records. Where
//! nothing changed since it was written last, a record without parts says that it holds as of a later `at`.

use slipstream_schemas::records::{BurnChunk, RingSnapshot, SeriesSnapshot, SloSnapshot};

use super::Burn;
use super::parts::Parts;
use super::periods::Periods;
use super::pool::{Series, State};
use crate::hash::fnv1a64;

/// The chunk of an SLO. The upper half of the hash, for the lower one has chosen the partition.
pub(super) fn chunk_of(slo: &str, chunks: i32) -> i32 {
    ((fnv1a64([slo]) >> 32) % chunks.max(1) as u64) as i32
}

impl Burn {
    /// How many chunks there are.
    pub fn chunks(&self) -> i32 {
        self.chunks
    }

    /// A chunk of the present state as records to be written in one step; `None` while its own restore is under way.
    pub fn chunk(&self, chunk: i32) -> Vec<BurnChunk> {
        if !self.is_whole() {
            return Vec::new();
        }
        let parts = self.parts(chunk);
        let count = parts.len() as i32;
        let record = |(part, slos)| BurnChunk { part: part as i32, slos, ..self.record(chunk, count) };
        parts.into_iter().enumerate().map(record).collect()
    }

    /// As [`Burn::chunk`], for a writer whose records are in the log as soon as it goes on, or are given up with this
    /// state: where nothing changed since the chunk was written, or restored, the answer says just that.
    pub fn save(&mut self, chunk: i32) -> Vec<BurnChunk> {
        if self.is_whole() && !self.changes.since_saved(chunk) && !self.holds_back(chunk) {
            return vec![self.record(chunk, 0)];
        }
        let records = self.chunk(chunk);
        if !records.is_empty() {
            self.changes.saved(chunk);
        }
        records
    }

    /// Without SLOs.
    fn record(&self, chunk: i32, parts: i32) -> BurnChunk {
        BurnChunk {
            partition: self.partition,
            chunk,
            chunks: self.chunks,
            part: 0,
            parts,
            at: self.position,
            head: self.head.clone(),
            slos: Vec::new(),
        }
    }

    fn holds_back(&self, chunk: i32) -> bool {
        self.held.names().any(|name| chunk_of(name, self.chunks) == chunk)
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

/// Which chunks are not in the log as they are.
#[derive(Debug, Clone)]
pub(super) struct Changes(Vec<bool>);

impl Changes {
    /// Nothing is in the log.
    pub(super) fn all(chunks: i32) -> Changes {
        Changes(vec![true; chunks as usize])
    }

    /// The state of an SLO changed.
    pub(super) fn mark(&mut self, slo: &str) {
        let chunk = chunk_of(slo, self.0.len() as i32);
        self.0[chunk as usize] = true;
    }

    /// Whether the state of an SLO is not in the log as it is.
    pub(super) fn of(&self, slo: &str) -> bool {
        self.since_saved(chunk_of(slo, self.0.len() as i32))
    }

    pub(super) fn mark_all(&mut self) {
        self.0.fill(true);
    }

    pub(super) fn since_saved(&self, chunk: i32) -> bool {
        self.0.get(chunk as usize).copied().unwrap_or(true)
    }

    /// A chunk is in the log.
    pub(super) fn saved(&mut self, chunk: i32) {
        if let Some(changed) = self.0.get_mut(chunk as usize) {
            *changed = false;
        }
    }
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
