//! A thread that decodes blocks and sums them.

use slipstream_log::{Batch, Offset};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::{Origin, TallyBatch};
use slipstream_slo::revision::Revisions;
use slipstream_slo::tally::columns::{ColumnTally, Columns};
use slipstream_store::Events;

use super::copies::Copies;
use super::dictionary::Dictionary;
use super::rows::{BatchRows, Decoded, EventRows, Known, columns_of};
use super::tallied::{Counts, Tallied};
use super::traffic::TrafficOfThread;
use super::turns::Turns;
use super::{Case, Job};
use crate::contributors::Makeups;
use crate::source::Block;

/// A block to be summed.
pub struct Work {
    /// Its place among all blocks.
    pub number: u64,
    /// Its place among those of its partition.
    pub of_partition: u64,
    /// Index of its reader.
    pub source: usize,
    /// What to do.
    pub task: Task,
    /// See [`TallyBatch::low`].
    pub low: LogTime,
}

/// What there is to sum.
pub enum Task {
    /// What a reader brought.
    Block(Block),
    /// Nothing comes before this log time.
    Known(LogTime),
}

/// A block that was summed.
pub struct Summed {
    /// Its place among all blocks.
    pub number: u64,
    /// Per set of definitions, one for each target.
    pub batches: Vec<Vec<(u32, TallyBatch)>>,
}

/// What is passed from block to block of a partition.
pub struct Source {
    /// See [`Known`].
    pub known: Known,
    /// Records before it, as burn counts them.
    pub position: i64,
}

impl Source {
    /// Returns the position before so many records.
    fn advance(&mut self, records: usize) -> i64 {
        let from = self.position;
        self.position += records as i64;
        from
    }
}

/// A thread's own state.
pub struct Worker<'a> {
    sources: &'a [Turns<Source>],
    revisions: Vec<&'a Revisions>,
    from: LogTime,
    targets: u32,
    dictionary: Dictionary,
    tally: ColumnTally,
    /// What it leaves behind.
    pub traffic: TrafficOfThread,
    /// Per set of definitions.
    pub makeups: Vec<Makeups>,
    /// Of its blocks.
    pub tallied: Tallied,
    /// Likewise.
    pub copies: Copies,
}

impl<'a> Worker<'a> {
    pub fn new(job: &'a Job, sources: &'a [Turns<Source>], targets: u32) -> Worker<'a> {
        let counted = job.from.tick()..job.span.to.0.div_euclid(1_000) + 1;
        Worker {
            sources,
            revisions: job.cases.iter().map(|case| &case.revisions).collect(),
            from: job.from,
            targets,
            dictionary: Dictionary::default(),
            tally: ColumnTally::new(job.cases.len(), counted),
            traffic: TrafficOfThread::new(job.steps),
            makeups: job.cases.iter().map(Case::makeups).collect(),
            tallied: Tallied::default(),
            copies: Copies::of_one(job.threads),
        }
    }

    /// Where it waits for its turn.
    pub fn sources(&self) -> &'a [Turns<Source>] {
        self.sources
    }

    /// Sums a block; `None` if the work was given up.
    pub fn sum(&mut self, work: Work) -> Option<Summed> {
        let Work { number, of_partition, source, task, low } = work;
        let turns = &self.sources[source];
        self.tallied.pass(low);
        let batches = match task {
            Task::Known(until) => {
                let template = turns.take(of_partition, |source_state| {
                    let stamp = source_state.known.know(until);
                    self.template(source, (source_state.position, source_state.position), stamp, low)
                })?;
                self.empty(&template)
            }
            Task::Block(Block::Records { batch, count_from }) => {
                self.records(&batch, count_from, (source, of_partition), low)?
            }
            Task::Block(Block::Events { events, until }) => self.events(&events, until, (source, of_partition), low)?,
        };
        Some(Summed { number, batches })
    }

    fn records(
        &mut self,
        batch: &Batch,
        count_from: Offset,
        (source, of_partition): (usize, u64),
        low: LogTime,
    ) -> Option<Vec<Vec<(u32, TallyBatch)>>> {
        self.make_room();
        let mut decoded = Decoded::of(batch, count_from, self.from, &mut self.dictionary);
        let last = batch.iter().last().map_or(LogTime(i64::MIN), |record| record.log_time());
        let template = self.sources[source].take(of_partition, |state| {
            let stamp = decoded.deduplicate(&mut state.known, last, self.from);
            let from = state.advance(batch.len());
            self.template(source, (from, state.position), stamp, low)
        })?;
        let offset = |row: &u32| batch.get(*row as usize).map_or(0, |record| record.offset());
        self.copies.add(batch.partition.partition, decoded.copies.iter().map(offset));
        self.tallied.add(&decoded.duplicates, low, |duplicates| Counts { duplicates, ..Counts::default() });
        self.tallied.add(&decoded.invalid, low, |invalid| Counts { invalid, ..Counts::default() });
        self.count(&decoded.columns, low);
        let rows = BatchRows { batch, dictionary: &self.dictionary };
        let batches = self.tally.sum(&decoded.columns, &rows, &self.revisions, &template, self.targets);
        self.take_shares();
        Some(batches)
    }

    fn events(
        &mut self,
        events: &Events,
        until: LogTime,
        (source, of_partition): (usize, u64),
        low: LogTime,
    ) -> Option<Vec<Vec<(u32, TallyBatch)>>> {
        self.make_room();
        let columns = columns_of(events, &mut self.dictionary);
        let template = self.sources[source].take(of_partition, |state| {
            let (from, stamp) = (state.advance(events.len()), state.known.know(until));
            self.template(source, (from, state.position), stamp, low)
        })?;
        self.count(&columns, low);
        let rows = EventRows { events, dictionary: &self.dictionary };
        let batches = self.tally.sum(&columns, &rows, &self.revisions, &template, self.targets);
        self.take_shares();
        Some(batches)
    }

    fn make_room(&mut self) {
        if self.dictionary.is_full() {
            self.leave_tuples();
        }
    }

    fn count(&mut self, columns: &Columns, low: LogTime) {
        let in_range = &columns.stamp[columns.stamp.partition_point(|stamp| *stamp < self.from.0)..];
        self.tallied.add(in_range, low, |events| Counts { events, ..Counts::default() });
        if !in_range.is_empty() {
            self.traffic.add(columns, &self.dictionary);
        }
    }

    fn template(&self, source: usize, (from, to): (i64, i64), stamp: LogTime, low: LogTime) -> TallyBatch {
        TallyBatch {
            source: source as i32,
            sources: self.sources.len() as i32,
            from,
            to,
            stamp,
            low: low.min(stamp),
            origin: if from == to { Origin::Idle } else { Origin::Live },
            revision: 0,
            entries: Vec::new(),
            exemplars: Vec::new(),
        }
    }

    fn empty(&self, template: &TallyBatch) -> Vec<Vec<(u32, TallyBatch)>> {
        let of = |revisions: &&Revisions| {
            let batch = TallyBatch { revision: revisions.end(), ..template.clone() };
            (0..self.targets).map(|target| (target, batch.clone())).collect()
        };
        self.revisions.iter().map(of).collect()
    }

    /// Tuples are numbered anew: what was counted by their numbers is told by what they are.
    pub fn leave_tuples(&mut self) {
        self.tally.forget_tuples();
        self.take_shares();
        self.traffic.forget_tuples();
        self.dictionary = Dictionary::default();
    }

    fn take_shares(&mut self) {
        let Worker { tally, makeups, dictionary, .. } = self;
        for (case, makeups) in makeups.iter_mut().enumerate() {
            tally.shares(case).for_each(|share| makeups.add(dictionary.tuple(share.tuple), &share));
        }
    }
}
