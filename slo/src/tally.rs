//! Tally: the records of one partition of request-events in, a decided step out.
//!
//! A step drops redeliveries, matches what is left against the definitions in force, and sums weights per series, tick
//! and slot. Nothing outlives a step but the redelivery memory and the position.
//!
//! P1: a step covers `[from, to)`, the next one begins at `to`, and each target partition gets a batch of every step.
//! P2: the entry of a batch for a series, tick and slot is the weighted count over the accepted events of its range.

use hashbrown::HashMap;
use slipstream_schemas::event::EventView;
use slipstream_schemas::records::{Exemplar, Origin, TallyBatch};
use slipstream_schemas::{LogTime, time};

use crate::matcher::{Matcher, SeriesId, Verdict};
use crate::redelivery::{Memory, id_hash};
use crate::revision::Revisions;

mod batches;
pub mod columns;

use batches::{OpenCells, Sums};

/// A source that is caught up says so when its horizon moved on by this, milliseconds. Burn waits for every source, so an
/// idle one that kept silent would hold up all ticks; each word costs a transaction, so not more often either.
pub const IDLE_STEP_MS: i64 = 250;
/// Tally commits no record later than its last look at the definitions plus this, milliseconds of log time. A revision
/// applies 5 s after its own log time, so one that the look could not see has its cut beyond this, with 2 s to spare for
/// records that become visible late.
pub const LOOK_MS: i64 = 3_000;
/// No partition runs further ahead of the slowest of its process that has something to read, milliseconds of log time.
/// Burn leaves out sources that are more than 3 s behind: a process that catches up must not outrun itself, or its own
/// ticks would be incomplete.
pub const PACE_MS: i64 = 2_000;
/// A matcher that has met more series than this is built again with the next step, so that it does not grow forever.
const MATCHER_SERIES: usize = 200_000;

/// How far in log time the partitions of a process may go. `reach` has the log time that each of its partitions can
/// reach next, of those that have something to read; the others do not hold up any.
pub fn pace_limit(reach: impl IntoIterator<Item = LogTime>) -> LogTime {
    reach.into_iter().min().map_or(LogTime(i64::MAX), |slowest| LogTime(slowest.0.saturating_add(PACE_MS)))
}

/// How far in log time records may be committed by definitions that were looked up when `read_before` was the greatest
/// log time read.
pub fn look_limit(read_before: LogTime) -> LogTime {
    LogTime(read_before.0.saturating_add(LOOK_MS))
}

/// A record that broke the order of its partition (L3): the partition's state is not to be trusted any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "L3: request-events/{source_partition}: offset {got} was delivered where at least {expected} is next; restart this role"
)]
pub struct OutOfOrder {
    /// Partition of request-events.
    pub source_partition: i32,
    /// Least offset that may come.
    pub expected: i64,
    /// Offset that came.
    pub got: i64,
}

/// What became of a record that was given to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It counts.
    Accepted,
    /// It is a later copy of an event that was met before.
    Duplicate,
    /// It is not a valid event; it is among the step's dead records.
    Dead,
    /// It is beyond the limit: it is not part of the step, and nothing after it may be.
    Beyond,
}

/// A record that is not a valid event.
#[derive(Debug, Clone, PartialEq)]
pub struct Dead<E> {
    /// Its offset.
    pub offset: i64,
    /// Why.
    pub error: E,
}

/// A decided step. A value: it is committed as it is, or not at all (L6).
#[derive(Debug, Clone, PartialEq)]
pub struct Decided<E> {
    /// Partition of request-events.
    pub source: i32,
    /// Live, or Idle where only the stamp moved.
    pub origin: Origin,
    /// First offset covered.
    pub from: i64,
    /// First offset not covered.
    pub to: i64,
    /// Log time of the position before the step.
    pub stamp_before: LogTime,
    /// Log time of the position after it.
    pub stamp: LogTime,
    /// Records that count.
    pub accepted: u64,
    /// Records that were dropped as redeliveries.
    pub duplicates: u64,
    /// Records below the stamp that had been given out: the log broke L7. They are counted, in the stamp's tick.
    pub undercut: u64,
    /// Records to be written to dead-letters in the same step.
    pub dead: Vec<Dead<E>>,
    /// One batch for every partition of sli-tallies.
    pub batches: Vec<(u32, TallyBatch)>,
}

/// The tally of one partition of request-events.
#[derive(Debug)]
pub struct Tally {
    source: i32,
    sources: i32,
    targets: u32,
    next: i64,
    stamp: LogTime,
    memory: Memory,
    matching: Option<Matching>,
    /// Memory for the sums of the next step.
    spare: OpenCells,
}

/// The matcher of the definitions that were in force at the last record.
#[derive(Debug)]
struct Matching {
    /// See [`Revisions::in_force`].
    version: usize,
    matcher: Matcher,
    /// Up to here, exclusive, it is right without asking; from the revisions below `upto`.
    until: LogTime,
    upto: i64,
}

impl Tally {
    /// The tally of partition `source` of `sources`, which feeds `targets` partitions of sli-tallies. It continues at
    /// the offset `next` and the log time `stamp` of the committed position; `memory` holds the records before it, from
    /// [`Memory::rebuild_from`] of that log time on.
    pub fn new(source: i32, sources: i32, targets: u32, next: i64, stamp: LogTime, memory: Memory) -> Tally {
        Tally { source, sources, targets, next, stamp, memory, matching: None, spare: OpenCells::default() }
    }

    /// The partition of request-events.
    pub fn source(&self) -> i32 {
        self.source
    }

    /// The first offset that no decided step covers.
    pub fn next_offset(&self) -> i64 {
        self.next
    }

    /// Log time up to which decided steps go.
    pub fn stamp(&self) -> LogTime {
        self.stamp
    }

    /// How many event_ids the redelivery memory holds.
    pub fn remembered(&self) -> usize {
        self.memory.len()
    }

    /// Partitions may be added while a tally runs.
    pub fn set_sources(&mut self, sources: i32) {
        self.sources = self.sources.max(sources);
    }

    /// Whether the definitions in force after the last record read attributes: if not, a decoder may skip them for
    /// records before the next cut. True when that is not known.
    pub fn needs_attributes(&self, at: LogTime, revisions: &Revisions) -> bool {
        match &self.matching {
            Some(m) if m.version == revisions.in_force(at, revisions.end()) => m.matcher.needs_attributes(),
            _ => true,
        }
    }

    /// Begins a step over records up to log time `limit`: the least of [`look_limit`] and [`pace_limit`].
    pub fn begin<'a, E>(&'a mut self, revisions: &'a Revisions, limit: LogTime) -> StepBuilder<'a, E> {
        if self.matching.as_ref().is_some_and(|m| m.matcher.series_len() > MATCHER_SERIES) {
            self.matching = None;
        }
        let sums = Sums::within(std::mem::take(&mut self.spare));
        StepBuilder {
            from: self.next,
            stamp_before: self.stamp,
            tally: self,
            revisions,
            limit,
            beyond: None,
            accepted: 0,
            duplicates: 0,
            undercut: 0,
            dead: Vec::new(),
            sums,
        }
    }

    /// A step that moves the stamp alone, where everything below `end` is read and no later record is before
    /// `horizon` (L7). `low` is the least stamp of the process's other partitions that have something to read. None
    /// when there is something to read, or the stamp would move by less than [`IDLE_STEP_MS`].
    pub fn idle<E>(
        &mut self,
        revisions: &Revisions,
        end: i64,
        horizon: LogTime,
        limit: LogTime,
        low: Option<LogTime>,
    ) -> Option<Decided<E>> {
        let mut step = self.begin(revisions, limit);
        if end > step.from {
            return None;
        }
        step.beyond = Some(horizon);
        step.finish(low)
    }
}

/// A step in the making.
#[derive(Debug)]
pub struct StepBuilder<'a, E> {
    tally: &'a mut Tally,
    revisions: &'a Revisions,
    limit: LogTime,
    from: i64,
    stamp_before: LogTime,
    /// A log time that no record of the next step undercuts.
    beyond: Option<LogTime>,
    accepted: u64,
    duplicates: u64,
    undercut: u64,
    dead: Vec<Dead<E>>,
    sums: Sums,
}

impl<E> StepBuilder<'_, E> {
    /// Takes the next record.
    ///
    /// # Errors
    /// When its offset was taken before (L3).
    pub fn push(
        &mut self,
        offset: i64,
        log_time: LogTime,
        event: Result<&EventView<'_>, E>,
    ) -> Result<Pushed, OutOfOrder> {
        self.push_hashed(offset, log_time, event.map(|event| (event, id_hash(&event.event_id))))
    }

    /// Says which events come next, by the [`id_hash`] of their ids: to look up some dozens together costs little more
    /// than to look up one.
    pub fn foresee(&self, ids: &[u64]) {
        self.tally.memory.foresee(ids);
    }

    /// As [`StepBuilder::push`], for a caller that has the [`id_hash`] of the event's id already.
    ///
    /// # Errors
    /// When its offset was taken before (L3).
    pub fn push_hashed(
        &mut self,
        offset: i64,
        log_time: LogTime,
        event: Result<(&EventView<'_>, u64), E>,
    ) -> Result<Pushed, OutOfOrder> {
        if offset < self.tally.next {
            return Err(OutOfOrder { source_partition: self.tally.source, expected: self.tally.next, got: offset });
        }
        // Once one record is beyond, all after it are: a step covers a range without holes (P1).
        if self.beyond.is_some() || log_time > self.limit {
            self.beyond.get_or_insert(log_time);
            return Ok(Pushed::Beyond);
        }
        self.tally.next = offset + 1;
        // L7 was broken. The event still counts, but in the present tick: burn may have evaluated its own.
        self.undercut += u64::from(log_time < self.tally.stamp);
        self.tally.stamp = self.tally.stamp.max(log_time);
        let (event, id) = match event {
            Ok(event) => event,
            // Not remembered: an invalid record must not make a valid one of the same id look like its copy.
            Err(error) => {
                self.dead.push(Dead { offset, error });
                return Ok(Pushed::Dead);
            }
        };
        if !self.tally.memory.first_of_hash(id, log_time) {
            self.duplicates += 1;
            return Ok(Pushed::Duplicate);
        }
        self.accepted += 1;
        self.count(id, log_time, event);
        Ok(Pushed::Accepted)
    }

    /// The records were taken up to `next`: offsets below it that brought none hold none (a log may have gaps).
    pub fn reached(&mut self, next: i64) {
        self.tally.next = self.tally.next.max(next);
    }

    /// How many records the step has taken.
    pub fn records(&self) -> u64 {
        self.accepted + self.duplicates + self.dead.len() as u64
    }

    /// How many sums the step holds: what bounds its size besides the number of records.
    pub fn cells(&self) -> usize {
        self.sums.len()
    }

    /// Decides. `low` is the least stamp of the process's other partitions that have something to read. None when there
    /// is nothing to say: no record, and the stamp could move by less than [`IDLE_STEP_MS`].
    pub fn finish(mut self, low: Option<LogTime>) -> Option<Decided<E>> {
        let idle = self.tally.next == self.from;
        if idle {
            // No further than the limit: beyond it other definitions may be in force.
            let known = self.beyond.map(|beyond| beyond.min(self.limit));
            match known.filter(|known| known.0 >= self.tally.stamp.0.saturating_add(IDLE_STEP_MS)) {
                Some(known) => self.tally.stamp = known,
                None => {
                    self.tally.spare = self.sums.into_spare();
                    return None;
                }
            }
        }
        self.settle_sums();
        let origin = if idle { Origin::Idle } else { Origin::Live };
        let stamp = self.tally.stamp;
        let template = TallyBatch {
            source: self.tally.source,
            sources: self.tally.sources,
            from: self.from,
            to: self.tally.next,
            stamp,
            // Tells burn that this process still works on an older partition: then it waits instead of leaving it out.
            low: low.map_or(stamp, |low| low.min(stamp)),
            origin,
            revision: self.revisions.end(),
            entries: Vec::new(),
            exemplars: Vec::new(),
        };
        let (batches, spare) = self.sums.into_batches(&template, self.tally.targets);
        self.tally.spare = spare;
        Some(Decided {
            source: template.source,
            origin,
            from: template.from,
            to: template.to,
            stamp_before: self.stamp_before,
            stamp,
            accepted: self.accepted,
            duplicates: self.duplicates,
            undercut: self.undercut,
            dead: self.dead,
            batches,
        })
    }

    /// Adds an accepted event to its series. Its slot is by SLI time; its tick is that of the log time up to which the
    /// partition is read with it.
    fn count(&mut self, id: u64, log_time: LogTime, event: &EventView<'_>) {
        let stamp = self.tally.stamp;
        self.switch(stamp);
        let Some(matching) = &mut self.tally.matching else { return };
        let (tick, slot) = (stamp.tick(), time::slot(event.time, log_time));
        let sums = &mut self.sums;
        matching.matcher.apply(event, &mut |series, verdict| {
            if sums.add(series, (tick, slot), verdict, i64::from(event.weight), id) {
                sums.offer(series, tick, id, || Exemplar {
                    event_id: event.event_id.to_string(),
                    trace_id: event.trace_id.as_deref().map(str::to_owned),
                    time: event.time.0,
                });
            }
        });
    }

    /// Matches by the definitions in force at `at`: a cut may lie inside a step.
    fn switch(&mut self, at: LogTime) {
        let upto = self.revisions.end();
        if self.tally.matching.as_ref().is_some_and(|m| at < m.until && m.upto == upto) {
            return;
        }
        let version = self.revisions.in_force(at, upto);
        let until = self.revisions.next_cut_after(at, upto).unwrap_or(LogTime(i64::MAX));
        if let Some(matching) = self.tally.matching.as_mut().filter(|m| m.version == version) {
            (matching.until, matching.upto) = (until, upto);
            return;
        }
        self.settle_sums();
        let matcher = Matcher::new(&self.revisions.active_at(at, upto));
        self.tally.matching = Some(Matching { version, matcher, until, upto });
    }

    /// Series ids mean nothing to another matcher: puts names to the sums so far.
    fn settle_sums(&mut self) {
        if let Some(matching) = &self.tally.matching {
            self.sums.settle(&matching.matcher);
        }
    }
}
