//! Burn: a fold over the TallyBatches of one partition of sli-tallies. It owns the SLOs whose name hashes to it.
//!
//! Tick T is evaluated once the frontier has reached T + 1 s, over exactly the entries with a tick up to T. The frontier
//! is the least log time up to which the sources are known. No decision reads a clock.
//!
//! - P1 is asserted: a batch begins where the last one of its source ended, or the fold stops.
//! - P3a: the state, and what is published, is a function of batches and definitions.
//! - P4: state after [`Restoring::finish`] equals state without the restart.

mod evaluate;
mod head;
mod held;
mod look;
mod parts;
mod periods;
mod plan;
mod pool;
mod restore;
mod since;
mod slo;
mod snapshot;
mod sums;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use slipstream_schemas::records::{BurnHead, BurnRates, Origin, TallyBatch};

use crate::hash::target_partition;
use crate::revision::Revisions;
use crate::scale::Scale;
use evaluate::{Moment, evaluate, is_quiet};
use head::Frontier;
use held::Held;
use pool::Pool;
use restore::Pending;
use since::Meanwhile;
use slo::SloState;
use snapshot::Changes;

pub use parts::PART_BYTES;
pub use restore::Restoring;
pub use slo::is_other;
pub use watch::{Nobody, Taken, Watch};

/// Why a fold cannot continue. Each of these stops the role: its output could not be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BurnFault {
    /// A range of request-events is missing from sli-tallies, or is there twice.
    #[error(
        "P1: sli-tallies/{partition} at offset {offset}: the batch of request-events/{input} covers [{from}, {to}) where \
         {expected} is next; burn stops because its counts would be wrong, and changes nothing. Was request-events deleted and \
         recreated, or were tally's offsets reset? What to do: docs/operations-kafka.md, \"A topic that was recreated\""
    )]
    Contiguity {
        /// Partition of sli-tallies.
        partition: i32,
        /// Offset of the batch.
        offset: i64,
        /// Partition of request-events.
        input: i32,
        /// Offset that had to come next.
        expected: i64,
        /// First offset that the batch covers.
        from: i64,
        /// First offset that it does not cover.
        to: i64,
    },
    /// A batch of a kind that this version does not know how to count.
    #[error(
        "sli-tallies/{partition} at offset {offset}: a batch of origin {origin:?} was written by a newer version; upgrade burn first"
    )]
    NewerVersion {
        /// Partition of sli-tallies.
        partition: i32,
        /// Offset of the batch.
        offset: i64,
        /// Its origin.
        origin: Origin,
    },
    /// A batch that contradicts itself.
    #[error(
        "sli-tallies/{partition} at offset {offset}: {what}; the topic was written by something else than tally, or is damaged"
    )]
    Malformed {
        /// Partition of sli-tallies.
        partition: i32,
        /// Offset of the batch.
        offset: i64,
        /// What is wrong.
        what: String,
    },
    /// The caller has to read slo-definitions further before it applies the batch.
    #[error(
        "sli-tallies/{partition}: a batch counts by slo-definitions up to offset {need}, but only {have} were read"
    )]
    DefinitionsBehind {
        /// Partition of sli-tallies.
        partition: i32,
        /// End offset that the batch names.
        need: i64,
        /// End offset that was read.
        have: i64,
    },
    /// A batch was given twice, or out of order.
    #[error(
        "L3: sli-tallies/{partition}: offset {got} was delivered where at least {expected} is next; restart this role"
    )]
    OutOfOrder {
        /// Partition of sli-tallies.
        partition: i32,
        /// Least offset that may come.
        expected: i64,
        /// Offset that came.
        got: i64,
    },
    /// A snapshot whose rings this version does not keep.
    #[error(
        "burn-snapshots/{partition}: a snapshot has slots of {slot_seconds} s, which this version does not keep; upgrade burn, or remove its snapshots to start counting again"
    )]
    ForeignSnapshot {
        /// Partition of sli-tallies.
        partition: i32,
        /// The slots.
        slot_seconds: i32,
    },
    /// A definition that no ring serves.
    #[error("SLO {slo}: a window of {seconds} s is longer than any this version keeps ({longest} s); shorten it")]
    WindowTooLong {
        /// The SLO.
        slo: String,
        /// Its window.
        seconds: i64,
        /// The longest there is.
        longest: i64,
    },
}

/// Burn's state for one partition of sli-tallies.
#[derive(Debug, Clone)]
pub struct Burn {
    partition: i32,
    partitions: u32,
    chunks: i32,
    scale: Scale,
    /// Next tally offset.
    position: i64,
    /// Below this, evaluations were published by a former owner.
    silent_below: i64,
    head: BurnHead,
    /// How many revisions the SLOs below are settled by; 0: look at all of them again.
    version: usize,
    slos: BTreeMap<Arc<str>, SloState>,
    pool: Pool,
    held: Held,
    pending: Pending,
    changes: Changes,
    /// Unix seconds before which a source's records were gone when the fold first heard of it.
    floor: i64,
    /// See [`Burn::begin_at`].
    begin: Option<i64>,
    incomplete_ticks: u64,
    too_late: i64,
}

impl Burn {
    /// An empty state for `partition` of `partitions` of sli-tallies. Its snapshots come in `chunks` chunks.
    pub fn new(partition: u32, partitions: u32, chunks: u32, scale: Scale) -> Burn {
        let chunks = chunks.max(1) as i32;
        Burn {
            partition: partition as i32,
            partitions,
            chunks,
            scale,
            position: 0,
            silent_below: 0,
            head: head::empty(),
            version: 0,
            slos: BTreeMap::new(),
            pool: Pool::new(scale.evaluate_every),
            held: Held::default(),
            pending: Pending::default(),
            changes: Changes::all(chunks),
            floor: 0,
            begin: None,
            incomplete_ticks: 0,
            too_late: 0,
        }
    }

    /// The same, with no tick before this one. Otherwise ticks begin with the first cut; where the source of the first batch has
    /// lost its past, with what is left of that. Then they would depend on which source comes first.
    #[must_use]
    pub fn begin_at(self, tick: i64) -> Burn {
        Burn { begin: Some(tick), ..self }
    }

    /// Next tally offset: after [`Burn::restore`], where to read on from.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The next tick to be evaluated; `None` before the first cut.
    pub fn next_tick(&self) -> Option<i64> {
        self.head.next_tick
    }

    /// How many ticks were evaluated without all sources since the fold began.
    pub fn incomplete_ticks(&self) -> u64 {
        self.incomplete_ticks
    }

    /// Weight of the events that were older, when they came, than any window of their objective reaches, since the fold
    /// began. An event counts once for each objective that it matches.
    pub fn too_late(&self) -> i64 {
        self.too_late
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.pool.len()
    }

    /// Applies the batch at `offset` and evaluates every tick that the frontier now allows. Returns what is to be
    /// published, by tick, SLO, objective and group. `revisions` has slo-definitions at least up to the revision that the
    /// batch names.
    ///
    /// # Errors
    /// See [`BurnFault`]. The state is not to be used after one.
    pub fn apply(
        &mut self,
        offset: i64,
        batch: &TallyBatch,
        revisions: &Revisions,
    ) -> Result<Vec<BurnRates>, BurnFault> {
        self.apply_watched(offset, batch, revisions, &mut Nobody)
    }

    /// As [`Burn::apply`], and `watch` looks on. The burn rates that it takes are not returned.
    ///
    /// # Errors
    /// See [`BurnFault`], and what `watch` returns.
    pub fn apply_watched(
        &mut self,
        offset: i64,
        batch: &TallyBatch,
        revisions: &Revisions,
        watch: &mut dyn Watch,
    ) -> Result<Vec<BurnRates>, BurnFault> {
        self.check(offset, batch, revisions)?;
        // Before the batch is held: what belongs to a chunk that is still pending is passed over, since it is in there.
        self.join_chunks(offset);
        if let Some(gone_before) = head::accept(&mut self.head, self.partition, offset, batch)? {
            self.raise_floor(gone_before);
        }
        self.hold(batch);
        self.position = offset + 1;
        self.start(revisions);
        let mut out = Vec::new();
        self.advance(revisions, &mut out, watch)?;
        // A chunk may have been written right here, and no batch after it may have come.
        self.join_chunks(self.position);
        Ok(out)
    }

    fn moment(&self, tick: i64, frontier: &Frontier) -> Moment {
        Moment {
            tick,
            complete: frontier.current == self.head.sources,
            current: frontier.current,
            sources: self.head.sources,
            revision: self.head.revision,
        }
    }

    fn check(&self, offset: i64, batch: &TallyBatch, revisions: &Revisions) -> Result<(), BurnFault> {
        let partition = self.partition;
        if offset < self.position {
            return Err(BurnFault::OutOfOrder { partition, expected: self.position, got: offset });
        }
        if let Origin::Backfill | Origin::Correction = batch.origin {
            return Err(BurnFault::NewerVersion { partition, offset, origin: batch.origin });
        }
        if batch.revision > revisions.end() {
            return Err(BurnFault::DefinitionsBehind { partition, need: batch.revision, have: revisions.end() });
        }
        let malformed = |what: String| Err(BurnFault::Malformed { partition, offset, what });
        if batch.source < 0 || batch.source >= batch.sources {
            return malformed(format!("source {} of {}", batch.source, batch.sources));
        }
        // Nothing happens after it is known, and nothing is known beyond what was read.
        match batch.entries.iter().find(|e| e.slot > e.tick || e.tick > batch.stamp.tick()) {
            Some(e) => malformed(format!("slot {} at tick {} by stamp {}", e.slot, e.tick, batch.stamp.0)),
            None => Ok(()),
        }
    }

    /// Keeps the entries until their tick is evaluated.
    fn hold(&mut self, batch: &TallyBatch) {
        for entry in batch.entries.iter().filter(|e| !self.pending.covers(&e.slo)) {
            self.held.entry(entry);
        }
        for exemplar in batch.exemplars.iter().filter(|e| !self.pending.covers(&e.slo)) {
            self.held.exemplar(exemplar);
        }
    }

    /// Ticks begin with the cut of the first revision; where the past is gone, with what is left, or where they are told to.
    fn start(&mut self, revisions: &Revisions) {
        if self.head.next_tick.is_none() {
            let first = revisions.first_cut(self.head.revision);
            self.head.next_tick = first.map(|cut| cut.tick().max(self.begin.unwrap_or(self.floor)));
        }
    }

    /// Evaluates the ticks that ended before the frontier.
    fn advance(
        &mut self,
        revisions: &Revisions,
        out: &mut Vec<BurnRates>,
        watch: &mut dyn Watch,
    ) -> Result<(), BurnFault> {
        let frontier = head::frontier(&self.head, self.scale.lag_ms);
        // Up to the end of the tick: at its beginning, records of it may still come.
        while let Some(tick) = self.head.next_tick.filter(|tick| (tick + 1) * 1_000 <= frontier.time.0) {
            self.head.next_tick = Some(tick + 1);
            let moment = self.moment(tick, &frontier);
            self.incomplete_ticks += u64::from(!moment.complete);
            self.tick(&moment, revisions, out, watch)?;
            if self.position <= self.silent_below {
                out.clear();
            }
            watch.evaluated(self, tick, out)?;
        }
        Ok(())
    }

    fn tick(
        &mut self,
        moment: &Moment,
        revisions: &Revisions,
        out: &mut Vec<BurnRates>,
        watch: &mut dyn Watch,
    ) -> Result<(), BurnFault> {
        self.switch(moment, revisions, out)?;
        let touched = self.take_in(moment, revisions, watch);
        // Not every series: of 100,000 most have nothing new, and their windows move only with the slots.
        let before = out.len();
        for id in self.pool.to_evaluate(moment.tick, touched) {
            if self.pool.get(id).is_some_and(|series| is_quiet(series, moment, &self.scale)) {
                continue;
            }
            let sums = self.sums(id, moment.tick);
            let Some((sums, series)) = sums.zip(self.pool.get_mut(id)) else { continue };
            // Only what changed is written again in a snapshot. Comparing costs a copy, so not where it is marked already.
            let before = (!self.changes.of(&series.slo)).then(|| series.remembered());
            let rates = evaluate(series, &sums, moment, &self.scale);
            if before.is_some_and(|before| before != series.remembered()) {
                self.changes.mark(&series.slo);
            }
            let holds = series.any_holds();
            self.pool.set_holding(id, holds);
            out.extend(rates);
        }
        // Ids mean nothing outside: what leaves is in the order of names.
        out[before..].sort_by(by_name);
        Ok(())
    }

    /// Settles the SLOs whose definitions changed by this tick: a revision applies from the tick that holds its cut.
    fn switch(&mut self, moment: &Moment, revisions: &Revisions, out: &mut Vec<BurnRates>) -> Result<(), BurnFault> {
        let version = revisions.in_force(moment.end(), self.head.revision);
        if version == self.version {
            return Ok(());
        }
        for name in revisions.names(self.version, version) {
            let mine = target_partition(&name, self.partitions) == self.partition as u32;
            if mine && !self.pending.covers(&name) {
                self.changes.mark(&name);
                self.settle(&name, revisions.fold(&name, version), moment, out)?;
            }
        }
        self.version = version;
        Ok(())
    }

    /// Adds the entries with ticks up to `tick` to their series, which are returned. They come in the order of ticks and
    /// groups, so that who is admitted below the cap does not depend on batching. Entries of a generation that ended are
    /// dropped.
    fn take_in(&mut self, moment: &Moment, revisions: &Revisions, watch: &mut dyn Watch) -> Vec<u32> {
        let mut touched = Vec::new();
        let mut meanwhile = Meanwhile::new(moment.tick, (revisions, moment.revision), &self.scale);
        while let Some((own, by_slo)) = self.held.pop_due(moment.tick) {
            for (name, mut due) in by_slo {
                self.changes.mark(&name);
                if let Some(state) = self.slos.get_mut(name.as_str()) {
                    let came = (moment.tick, meanwhile.since(&name, own));
                    self.too_late += state.take_in(&mut due, came, (&mut self.pool, &self.scale), &mut touched, watch);
                }
            }
        }
        touched
    }

    /// A source's first batch began beyond its first record: what came before is not in the counts.
    fn raise_floor(&mut self, gone_before: i64) {
        self.floor = self.floor.max(gone_before);
        for state in self.slos.values_mut() {
            state.cover_from(self.floor);
        }
        self.changes.mark_all();
        // `covered_from` is part of every plan: all of them are made again at the next tick.
        self.version = 0;
    }
}

fn by_name(a: &BurnRates, b: &BurnRates) -> std::cmp::Ordering {
    (&a.slo, &a.objective, &a.group).cmp(&(&b.slo, &b.objective, &b.group))
}
