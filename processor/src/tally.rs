//! The loop of tally: request-events in, a TallyBatch to every partition of sli-tallies out, dead letters aside.
//!
//! Commit point: one step holds the batches, the dead letters and the position, so a crash leaves all of it or nothing
//! (L2), the next owner goes on at the committed position (L4), and every offset is covered once (P1).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{
    Advance, Batch, Consumer, Fetch, Log, Outgoing, Polled, Position, RecordRef, Settled, SharedLog, Step,
    TopicPartition, redelivered, settle,
};
use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::dead_letter::dead_letter_headers;
use slipstream_schemas::decode::{Attributes, EventError, Provenance, decode};
use slipstream_schemas::{LogTime, Topic, codec};
use slipstream_slo::tally::{Decided, Pushed, Tally, pace_limit};
use tokio::time::Instant;

use crate::ProcessorError;
use crate::definitions::Definitions;
use crate::events::{Reassigned, TallyStep};
use crate::poll::poll;

const ROLE: &str = "tally";
/// A step takes what came within this time: fewer, larger commits.
const STEP_EVERY: Duration = Duration::from_millis(100);
/// Records a step takes at most.
const STEP_RECORDS: usize = 20_000;
/// Log time a step covers at most, milliseconds.
const STEP_SPAN_MS: i64 = 300_000;
/// Sums a step holds at most: what bounds the batches.
const STEP_CELLS: usize = 8_000;

/// Runs until shut down.
///
/// # Errors
/// When the log fails for good or a definition cannot be understood.
pub async fn run(log: SharedLog, health: Health, shutdown: Shutdown) -> Result<(), ProcessorError> {
    health.set(ROLE, State::Starting("reading definitions".to_owned()));
    let mut tally = TallyLoop::open(log).await?;
    health.set(ROLE, State::Ready);
    loop {
        let began = Instant::now();
        let turn = async {
            let full = tally.turn().await?;
            if !full {
                tokio::time::sleep_until(began + STEP_EVERY).await;
            }
            Ok::<(), ProcessorError>(())
        };
        // What is dropped in the middle of a step is decided anew from the committed position (L4).
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            turned = turn => turned?,
        }
    }
}

struct TallyLoop {
    log: SharedLog,
    consumer: Box<dyn Consumer>,
    definitions: Definitions,
    sources: u32,
    targets: u32,
    owned: BTreeMap<TopicPartition, Owned>,
    /// Greatest log time known: of a record read, or of a horizon.
    read: LogTime,
}

/// The partitions that have something to read, each with the log time that it can reach next.
type Readable = BTreeMap<TopicPartition, LogTime>;

/// What the loop has of an assigned partition.
struct Owned {
    position: Position,
    tally: Tally,
    pending: Option<Pending>,
}

/// Records that were fetched, and how many of them were decided.
struct Pending {
    batch: Batch,
    done: usize,
}

impl Pending {
    fn rest(&self) -> impl Iterator<Item = RecordRef<'_>> {
        (self.done..self.batch.len()).filter_map(|i| self.batch.get(i))
    }
}

impl Owned {
    /// Log time that the partition can reach next; none: nothing to read.
    fn reach(&self) -> Option<LogTime> {
        let next = self.pending.as_ref()?.rest().next()?;
        Some(next.log_time().max(self.position.log_time))
    }
}

impl TallyLoop {
    async fn open(log: SharedLog) -> Result<Self, ProcessorError> {
        let definitions = Definitions::open(log.clone()).await?;
        definitions.redelivery_window()?;
        Ok(TallyLoop {
            sources: log.partitions(Topic::RequestEvents).await?,
            targets: log.partitions(Topic::SliTallies).await?,
            consumer: log.subscribe(ROLE, &[Topic::RequestEvents]).await?,
            owned: BTreeMap::new(),
            read: LogTime(i64::MIN),
            definitions,
            log,
        })
    }

    /// Reads and decides once. Answers whether there is more to do at once.
    async fn turn(&mut self) -> Result<bool, ProcessorError> {
        let full = self.gather().await?;
        self.definitions.look(self.read).await?;
        // As it is before the first step: who has worked off what was fetched may have more in the log.
        let readable: Readable = self.owned.iter().filter_map(|(p, o)| Some((*p, o.reach()?))).collect();
        let mut moved = false;
        for partition in self.owned.keys().copied().collect::<Vec<_>>() {
            moved |= self.step(partition, &readable).await?;
        }
        Ok(full || (moved && self.owned.values().any(|o| o.pending.is_some())))
    }

    /// Fetches from every partition that has something, so that none goes ahead of another that was only not asked yet.
    /// Answers whether a fetch was full. It ends because a partition is paused once it delivered.
    async fn gather(&mut self) -> Result<bool, ProcessorError> {
        let busy = self.owned.values().any(|o| o.pending.is_some());
        let mut wait = if busy { Duration::ZERO } else { STEP_EVERY };
        let fetch = Fetch { records: STEP_RECORDS, ..Fetch::default() };
        let mut full = false;
        loop {
            match poll(self.consumer.as_mut(), ROLE, fetch, wait).await? {
                Polled::Nothing => return Ok(full),
                Polled::Assigned(partitions) => self.gain(partitions).await?,
                Polled::Revoked(partitions) => self.lose(&partitions),
                Polled::Records(batch) => full |= self.take(batch),
            }
            wait = Duration::ZERO;
        }
    }

    async fn gain(&mut self, partitions: Vec<(TopicPartition, Option<Position>)>) -> Result<(), ProcessorError> {
        self.sources = self.log.partitions(Topic::RequestEvents).await?;
        let window = self.definitions.redelivery_window()?;
        for (partition, committed) in partitions {
            let position = match committed {
                Some(position) => position,
                None => Position { offset: self.log.bounds(partition).await?.0, log_time: LogTime(0) },
            };
            let memory = redelivered::rebuild(self.log.as_ref() as &dyn Log, partition, position, window).await?;
            Reassigned { role: ROLE, partition, position }.emit();
            let source = partition.partition as i32;
            let tally =
                Tally::new(source, self.sources as i32, self.targets, position.offset, position.log_time, memory);
            self.owned.insert(partition, Owned { position, tally, pending: None });
        }
        for owned in self.owned.values_mut() {
            owned.tally.set_sources(self.sources as i32);
        }
        Ok(())
    }

    /// L6: step, memory and records of a lost partition go together.
    fn lose(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.owned.remove(partition);
        }
    }

    /// Keeps what was fetched; a partition delivers no more until it was worked off. Answers whether the fetch was full.
    fn take(&mut self, batch: Batch) -> bool {
        let partition = batch.partition;
        let full = batch.len() >= STEP_RECORDS;
        let Some(last) = batch.len().checked_sub(1).and_then(|i| batch.get(i)) else { return false };
        self.read = self.read.max(last.log_time());
        if let Some(owned) = self.owned.get_mut(&partition) {
            self.consumer.pause(&[partition]);
            owned.pending = Some(Pending { batch, done: 0 });
        }
        full
    }

    /// How far a partition may go, and how far those are that have something to read besides it.
    fn bounds_of(&self, partition: TopicPartition, readable: &Readable) -> (LogTime, Option<LogTime>) {
        let others = || readable.iter().filter(|(p, _)| **p != partition);
        let pace = pace_limit(others().map(|(_, reach)| *reach));
        let low = others().filter_map(|(p, _)| self.owned.get(p)).map(|o| o.position.log_time).min();
        let reach = self.owned.get(&partition).map_or(LogTime(i64::MAX), |o| leap(o.position.log_time));
        (pace.min(self.definitions.limit()).min(reach), low)
    }

    /// Decides a step of a partition, if there is anything to say, and commits it. Answers whether there was.
    async fn step(&mut self, partition: TopicPartition, readable: &Readable) -> Result<bool, ProcessorError> {
        let (limit, low) = self.bounds_of(partition, readable);
        let Some(owned) = self.owned.get_mut(&partition) else { return Ok(false) };
        let made = match &mut owned.pending {
            Some(pending) => decide(&mut owned.tally, pending, &self.definitions, limit, low)?,
            None => {
                let Some(horizon) = self.consumer.horizon(partition).await? else { return Ok(false) };
                self.read = self.read.max(horizon.time);
                // The horizon was taken first: where all topics have one order, every definition before it is now found.
                self.definitions.look(self.read).await?;
                let limit = limit.min(self.definitions.limit());
                let idle = owned.tally.idle(self.definitions.revisions(), horizon.end, horizon.time, limit, low);
                idle.map(|decided| Made { decided, dead: Vec::new() })
            }
        };
        let Some(made) = made else { return Ok(false) };
        self.commit(partition, made).await?;
        Ok(true)
    }

    async fn commit(&mut self, partition: TopicPartition, made: Made) -> Result<(), ProcessorError> {
        let Some(owned) = self.owned.get_mut(&partition) else { return Ok(()) };
        let told = TallyStep::of(partition, &made.decided);
        let step = made.into_step(partition, owned.position);
        match settle(self.consumer.as_mut(), &step).await? {
            Settled::Lost(partitions) => self.lose(&partitions),
            Settled::Done => {
                owned.position = step.positions[0].to;
                if owned.pending.as_ref().is_some_and(|p| p.done == p.batch.len()) {
                    owned.pending = None;
                    self.consumer.resume(&[partition]);
                }
                told.emit();
            }
        }
        Ok(())
    }
}

/// Log time up to which a step may go: after days of standstill burn evaluates every second of them, and is to get them
/// in pieces that it can commit. A source that begins has no ticks behind it.
fn leap(stamp: LogTime) -> LogTime {
    LogTime(if stamp.0 > 0 { stamp.0.saturating_add(STEP_SPAN_MS) } else { i64::MAX })
}

/// A decided step and its dead letters.
struct Made {
    decided: Decided<EventError>,
    dead: Vec<Outgoing>,
}

impl Made {
    fn into_step(self, partition: TopicPartition, from: Position) -> Step {
        let batches = self.decided.batches.iter().map(|(target, batch)| Outgoing {
            topic: Topic::SliTallies,
            partition: Some(*target),
            key: None,
            value: Some(Bytes::from(codec::encode(batch))),
            headers: Vec::new(),
        });
        let to = Position { offset: self.decided.to, log_time: self.decided.stamp };
        Step { outputs: batches.chain(self.dead).collect(), positions: vec![Advance { partition, from, to }] }
    }
}

/// Decides a step over the pending records, as far as the limits allow.
fn decide(
    tally: &mut Tally,
    pending: &mut Pending,
    definitions: &Definitions,
    limit: LogTime,
    low: Option<LogTime>,
) -> Result<Option<Made>, ProcessorError> {
    let partition = pending.batch.partition;
    let last = pending.batch.len().checked_sub(1).and_then(|i| pending.batch.get(i)).map_or(limit, |r| r.log_time());
    let attributes = match tally.needs_attributes(last, definitions.revisions()) {
        true => Attributes::Read,
        false => Attributes::Skip,
    };
    let mut step = tally.begin(definitions.revisions(), limit);
    let mut dead = Vec::new();
    let mut done = pending.done;
    for record in pending.rest() {
        let from =
            Provenance { topic: partition.topic.name(), partition: partition.partition, offset: record.offset() };
        let event = decode(record.value().unwrap_or_default(), &from, attributes);
        let letter = event.as_ref().err().map(|error| dead_letter(&record, &from, error));
        match step.push(record.offset(), record.log_time(), event.as_ref().map_err(Clone::clone))? {
            Pushed::Beyond => break,
            Pushed::Dead => dead.extend(letter),
            Pushed::Accepted | Pushed::Duplicate => {}
        }
        done += 1;
        if step.cells() >= STEP_CELLS {
            break;
        }
    }
    pending.done = done;
    if done == pending.batch.len() {
        step.reached(pending.batch.next);
    }
    Ok(step.finish(low).map(|decided| Made { decided, dead }))
}

/// The original key, bytes and headers, and headers that say where it came from and what is wrong with it.
fn dead_letter(record: &RecordRef<'_>, from: &Provenance<'_>, error: &EventError) -> Outgoing {
    let own = record.headers().map(|(name, value)| (name.to_owned(), Bytes::copy_from_slice(value)));
    let added = dead_letter_headers(from, error).into_iter().map(|(name, value)| (name.to_owned(), Bytes::from(value)));
    Outgoing {
        topic: Topic::DeadLetters,
        partition: None,
        key: record.key().map(Bytes::copy_from_slice),
        value: record.value().map(Bytes::copy_from_slice),
        headers: own.chain(added).collect(),
    }
}
