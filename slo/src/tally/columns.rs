//! Tally over columns: the events of a block at a time, and for several sets of definitions in one go.
//!
//! What [`super::StepBuilder`] does event by event is here done per distinct (tuple, tick, slot), a tuple being service,
//! environment, endpoint, method and status code: events are counted into a few buckets, between the latencies that any
//! definition compares with, and definitions are applied to buckets. Only what reads attributes, or more than a threshold of
//! the latency, is evaluated event by event. The batches are those of a step over the same events (P2, P3b).

mod grouped;
mod plan;
mod shares;

use std::ops::Range;

use slipstream_schemas::LogTime;
use slipstream_schemas::event::EventView;
use slipstream_schemas::records::{Exemplar, TallyBatch};

use super::MATCHER_SERIES;
use super::batches::{OpenCells, Sums};
use crate::matcher::{Matcher, Verdict};
use crate::revision::Revisions;
use grouped::{Bucket, Grouped};
use plan::{PlanVerdict, TuplePlan};
pub use shares::{Share, Shares};

/// Accepted events of one partition in the order of their offsets, a column for each field. All are of one length.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// The [`crate::redelivery::id_hash`] of each event_id.
    pub id: Vec<u64>,
    /// The number that the caller gave to its service, environment, endpoint, method and status code: dense from 0.
    pub tuple: Vec<u32>,
    /// Log time up to which the partition is read with it, ms; ascending.
    pub stamp: Vec<i64>,
    /// Second of its SLI time.
    pub slot: Vec<i64>,
    /// See [`EventView::weight`].
    pub weight: Vec<u32>,
    /// See [`EventView::latency_ms`]; NaN if it was not measured.
    pub latency: Vec<f64>,
    /// The number by which the caller finds the event again.
    pub row: Vec<u32>,
}

impl Columns {
    /// How many events.
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }
}

/// Where a caller keeps what is not in columns.
pub trait Rows {
    /// An event of a tuple: its dimensions are looked at, and nothing else.
    fn of_tuple(&self, tuple: u32) -> EventView<'_>;
    /// The event of a row, with its attributes.
    fn event(&self, row: u32) -> EventView<'_>;
}

/// Sums blocks for one or more sets of definitions. Each thread has its own.
#[derive(Debug)]
pub struct ColumnTally {
    cases: Vec<Case>,
    /// By number of the tuple; made when one is first met.
    plans: Vec<Option<Box<TuplePlan>>>,
    grouped: Grouped,
}

/// A set of definitions.
#[derive(Debug, Default)]
struct Case {
    matching: Option<Matching>,
    /// Memory for the sums of the next block.
    spare: OpenCells,
    shares: Shares,
}

/// The matcher of the definitions that are in force.
#[derive(Debug)]
struct Matching {
    /// See [`Revisions::in_force`].
    version: usize,
    matcher: Matcher,
    /// Up to here, exclusive, it is right.
    until: LogTime,
}

/// One block while it is summed.
struct Block<'b, R> {
    columns: &'b Columns,
    rows: &'b R,
    sums: Vec<Sums>,
}

impl ColumnTally {
    /// For so many sets of definitions. Events with a tick in `counted` also count in [`ColumnTally::shares`].
    pub fn new(cases: usize, counted: Range<i64>) -> ColumnTally {
        let case = || Case { shares: Shares::new(counted.clone()), ..Case::default() };
        ColumnTally { cases: (0..cases).map(|_| case()).collect(), plans: Vec::new(), grouped: Grouped::default() }
    }

    /// The caller is about to number tuples anew. [`ColumnTally::shares`] then has all that there are by their old numbers.
    pub fn forget_tuples(&mut self) {
        self.settle_shares();
        self.plans.clear();
    }

    /// Which tuples the events of each series were of, by set of definitions: what is settled since the last call. While tuples
    /// and definitions stay the same, shares add up.
    pub fn shares(&mut self, case: usize) -> impl Iterator<Item = Share> {
        self.cases.get_mut(case).into_iter().flat_map(|case| case.shares.take())
    }

    /// The batches of a block, for each set of definitions one per target partition. `template` says all but the entries
    /// and the revision.
    pub fn sum<R: Rows>(
        &mut self,
        columns: &Columns,
        rows: &R,
        definitions: &[&Revisions],
        template: &TallyBatch,
        targets: u32,
    ) -> Vec<Vec<(u32, TallyBatch)>> {
        let sums = self.cases.iter_mut().map(|case| Sums::within(std::mem::take(&mut case.spare))).collect();
        let mut block = Block { columns, rows, sums };
        let mut from = 0;
        while from < columns.len() {
            let until = self.switch(LogTime(columns.stamp[from]), definitions, &mut block.sums);
            let to = from + columns.stamp[from..].partition_point(|stamp| *stamp < until.0);
            self.add(&mut block, from..to);
            from = to;
        }
        let mut all = Vec::with_capacity(self.cases.len());
        for ((case, mut sums), revisions) in self.cases.iter_mut().zip(block.sums).zip(definitions) {
            case.settle(&mut sums);
            let template = TallyBatch { revision: revisions.end(), ..template.clone() };
            let (batches, spare) = sums.into_batches(&template, targets);
            case.spare = spare;
            all.push(batches);
        }
        all
    }

    /// Matches by the definitions in force at `at`. Returns the log time up to which, exclusive, they are.
    fn switch(&mut self, at: LogTime, definitions: &[&Revisions], sums: &mut [Sums]) -> LogTime {
        // Blocks of several partitions come in turns: the next one may be older than the last.
        let stays = |case: &Case, revisions: &Revisions| {
            let in_force = revisions.in_force(at, revisions.end());
            case.matching.as_ref().is_some_and(|m| m.version == in_force && m.matcher.series_len() <= MATCHER_SERIES)
        };
        if !self.cases.iter().zip(definitions).all(|(case, revisions)| stays(case, revisions)) {
            // Plans are of all sets of definitions together.
            self.settle_shares();
            self.plans.clear();
        }
        let mut until = LogTime(i64::MAX);
        for ((case, revisions), sums) in self.cases.iter_mut().zip(definitions).zip(sums) {
            if !stays(case, revisions) {
                case.settle(sums);
                case.matching = Some(Matching::at(at, revisions));
            }
            until = case.matching.as_ref().map_or(until, |m| until.min(m.until));
        }
        until
    }

    /// Adds the events of a range, within which definitions do not change.
    fn add<R: Rows>(&mut self, block: &mut Block<'_, R>, range: Range<usize>) {
        self.group(block, range.clone());
        self.apply(block);
        if block.columns.tuple[range.clone()].iter().any(|tuple| self.plan(*tuple).is_some_and(TuplePlan::has_rest)) {
            self.add_rest(block, range);
        }
    }

    fn plan(&self, tuple: u32) -> Option<&TuplePlan> {
        self.plans.get(tuple as usize)?.as_deref()
    }

    /// Counts events into the buckets of their tuples.
    fn group<R: Rows>(&mut self, block: &Block<'_, R>, range: Range<usize>) {
        let Columns { id, tuple, stamp, slot, weight, latency, row } = block.columns;
        self.grouped.clear();
        for at in range {
            let number = tuple[at];
            if self.plan(number).is_none() {
                self.meet(number, block.rows);
            }
            let Some(plan) = self.plans[number as usize].as_deref() else { continue };
            let cell = (number, LogTime(stamp[at]).tick(), slot[at]);
            let bucket = plan.bucket(latency[at]);
            self.grouped.add(cell, (bucket, plan.buckets()), (weight[at], id[at], row[at]));
        }
    }

    /// Looks up how the events of a tuple count.
    fn meet<R: Rows>(&mut self, tuple: u32, rows: &R) {
        let event = rows.of_tuple(tuple);
        let of = |case: &mut Case| case.matching.as_mut().map(|m| m.matcher.tuple_rows(&event)).unwrap_or_default();
        let plan = TuplePlan::new(self.cases.iter_mut().map(of).collect());
        let at = tuple as usize;
        if at >= self.plans.len() {
            self.plans.resize_with(at + 1, || None);
        }
        self.plans[at] = Some(Box::new(plan));
    }

    /// Applies the definitions to what was counted.
    fn apply<R: Rows>(&mut self, block: &mut Block<'_, R>) {
        let ColumnTally { cases, plans, grouped } = self;
        for (cell, buckets) in grouped.cells() {
            let Some(plan) = plans[cell.tuple as usize].as_deref_mut() else { continue };
            let all = Counted::of_all(buckets);
            for (case, (rows, sums)) in cases.iter().zip(plan.rows_mut().zip(&mut block.sums)) {
                let shared = case.shares.counts(cell.tick);
                let moment = (cell.tick, cell.slot);
                rows.each(|series, verdict, share| {
                    let counted = match verdict {
                        PlanVerdict::One(verdict) => all.as_one(*verdict),
                        PlanVerdict::OfBucket(verdicts) => Counted::by(buckets, verdicts.iter().copied()),
                    };
                    if shared {
                        (0..3).for_each(|i| share[i] += counted.counts[i]);
                    }
                    if sums.add_counts(series, moment, counted.counts, counted.lowest) {
                        sums.offer(series, cell.tick, counted.lowest, || exemplar(&block.rows.event(counted.row)));
                    }
                });
            }
        }
    }

    /// Evaluates events one by one for what their tuples do not decide.
    fn add_rest<R: Rows>(&mut self, block: &mut Block<'_, R>, range: Range<usize>) {
        let Columns { id, tuple, stamp, slot, weight, row, .. } = block.columns;
        for at in range {
            let Some(plan) = self.plans[tuple[at] as usize].as_deref() else { continue };
            if !plan.has_rest() {
                continue;
            }
            let (event, tick) = (block.rows.event(row[at]), LogTime(stamp[at]).tick());
            for ((case, sums), rest) in self.cases.iter_mut().zip(&mut block.sums).zip(plan.rest()) {
                let Some(matching) = case.matching.as_mut().filter(|_| rest) else { continue };
                let shares = &mut case.shares;
                matching.matcher.apply_rest(&event, &mut |series, verdict| {
                    let weight = i64::from(weight[at]);
                    shares.add_one(tick, (series, tuple[at]), verdict, weight);
                    if sums.add(series, (tick, slot[at]), verdict, weight, id[at]) {
                        sums.offer(series, tick, id[at], || exemplar(&event));
                    }
                });
            }
        }
    }

    /// Puts names to the shares so far: series ids mean nothing to another matcher, nor tuples to another numbering.
    fn settle_shares(&mut self) {
        for (number, case) in self.cases.iter_mut().enumerate() {
            let Some(matching) = &case.matching else { continue };
            for (tuple, plan) in (0u32..).zip(&mut self.plans) {
                let Some(plan) = plan else { continue };
                plan.drain_shares(number, |series, counts| case.shares.add((series, tuple), counts));
            }
            case.shares.settle(&matching.matcher);
        }
    }
}

impl Case {
    /// Series ids mean nothing to another matcher: puts names to the sums so far.
    fn settle(&mut self, sums: &mut Sums) {
        if let Some(matching) = &self.matching {
            sums.settle(&matching.matcher);
        }
    }
}

impl Matching {
    fn at(at: LogTime, revisions: &Revisions) -> Matching {
        let upto = revisions.end();
        Matching {
            version: revisions.in_force(at, upto),
            matcher: Matcher::new(&revisions.active_at(at, upto)),
            until: revisions.next_cut_after(at, upto).unwrap_or(LogTime(i64::MAX)),
        }
    }
}

/// The events of a cell as they count for a series.
#[derive(Debug, Clone, Copy)]
struct Counted {
    /// good, total, unknown.
    counts: [i64; 3],
    /// Lowest id hash of those that are bad, and the row of that event.
    lowest: u64,
    row: u32,
}

impl Counted {
    const NONE: Counted = Counted { counts: [0; 3], lowest: u64::MAX, row: 0 };

    /// All events, as if they were bad.
    fn of_all(buckets: &[Bucket]) -> Counted {
        Counted::by(buckets, std::iter::repeat(Verdict::Bad))
    }

    /// All events with one verdict, from [`Counted::of_all`].
    fn as_one(self, verdict: Verdict) -> Counted {
        let weight = self.counts[1];
        match verdict {
            Verdict::Bad => self,
            Verdict::Good => Counted { counts: [weight, weight, 0], ..Counted::NONE },
            Verdict::Unknown => Counted { counts: [0, 0, weight], ..Counted::NONE },
        }
    }

    /// Each bucket with a verdict of its own.
    fn by(buckets: &[Bucket], verdicts: impl Iterator<Item = Verdict>) -> Counted {
        let mut counted = Counted::NONE;
        for (bucket, verdict) in buckets.iter().zip(verdicts).filter(|(bucket, _)| bucket.weight > 0) {
            let [good, total, unknown] = &mut counted.counts;
            match verdict {
                Verdict::Good => (*good, *total) = (*good + bucket.weight, *total + bucket.weight),
                Verdict::Unknown => *unknown += bucket.weight,
                Verdict::Bad => {
                    *total += bucket.weight;
                    if bucket.lowest < counted.lowest {
                        (counted.lowest, counted.row) = (bucket.lowest, bucket.row);
                    }
                }
            }
        }
        counted
    }
}

fn exemplar(event: &EventView<'_>) -> Exemplar {
    Exemplar {
        event_id: event.event_id.to_string(),
        trace_id: event.trace_id.as_deref().map(str::to_owned),
        time: event.time.0,
    }
}
