//! The loop of tally: request-events in, a TallyBatch to every partition of sli-tallies out, dead letters aside.
//!
//! Commit point: one step holds the batches, the dead letters and the positions of all partitions of a turn, so a crash
//! leaves all of it or nothing (L2), the next owner continues at the committed position (L4), and every offset is covered
//! once (P1). The decision about each partition is a separate value: if another one is lost, it is sent without that.

mod gained;
mod made;
mod pace;

use std::collections::BTreeMap;
use std::time::Duration;

use slipstream_log::{
    Batch, Consumer, Fetch, LogError, Polled, Position, Share, SharedLog, StepFate, TopicPartition, settle,
};
use slipstream_role::names::TALLY as ROLE;
use slipstream_role::patience::patient;
use slipstream_role::revisions::Definitions;
use slipstream_role::takeover::Takeovers;
use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::{LogTime, Topic};
use slipstream_slo::tally::{Tally, pace_limit};
use tokio::time::Instant;

use crate::ProcessorError;
use crate::telemetry::{Reassigned, TallyStep};
use gained::{Gained, gained};
use made::{Made, Pending, decide, step_of};
use pace::{At, Pace, Standings};

/// A step takes what came within this time: fewer, larger commits.
const STEP_EVERY: Duration = Duration::from_millis(100);
/// Records that a turn fetches at most, of all partitions, and of one at least and at most.
const TURN_RECORDS: usize = 100_000;
const FETCH_LEAST: usize = 2_000;
const FETCH_MOST: usize = 50_000;
/// Bytes that a turn fetches at most, and of one partition at least.
const TURN_BYTES: usize = 24 << 20;
const FETCH_BYTES_LEAST: usize = 1 << 20;
/// A turn that brought so many records is followed by the next one at once: there will be more.
const BUSY: usize = 10_000;
/// Log time a step covers at most, milliseconds.
const STEP_SPAN_MS: i64 = 300_000;

/// One of the threads of a process that tally: a member of the group with its share of the partitions.
#[derive(Debug, Clone)]
pub struct Thread {
    name: String,
    pace: Pace,
}

impl Thread {
    /// The only one.
    pub fn alone() -> Thread {
        Thread { name: ROLE.to_owned(), pace: Pace::default() }
    }

    /// So many, at least one, that keep pace with each other.
    pub fn all(threads: usize) -> Vec<Thread> {
        let first = Thread::alone();
        let others = (2..=threads).map(|n| Thread { name: format!("{ROLE}-{n}"), pace: first.pace.clone() });
        let others: Vec<Thread> = others.collect();
        std::iter::once(first).chain(others).collect()
    }

    /// Its name among roles.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Runs until shut down.
///
/// # Errors
/// When the log fails permanently or a definition cannot be parsed.
pub async fn run(log: SharedLog, thread: Thread, health: Health, shutdown: Shutdown) -> Result<(), ProcessorError> {
    let log = patient(log, ROLE);
    work(log, thread, &health, &shutdown).await
}

async fn work(log: SharedLog, thread: Thread, health: &Health, shutdown: &Shutdown) -> Result<(), ProcessorError> {
    health.set(&thread.name, State::Starting("reading definitions".to_owned()));
    let mut tally = TallyLoop::open(log, thread.pace).await?;
    health.set(&thread.name, State::Ready);
    loop {
        let began = Instant::now();
        let turn = async {
            let busy = tally.turn().await?;
            if !busy {
                tokio::time::sleep_until(began + STEP_EVERY).await;
            }
            Ok::<(), ProcessorError>(())
        };
        // What is dropped in the middle of a step is decided again from the committed position (L4).
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
    takeovers: Takeovers<Result<Gained, LogError>>,
    pace: Pace,
    /// Greatest log time known: of a record read, or of a horizon.
    read: LogTime,
}

/// What the loop has of an assigned partition.
struct Owned {
    position: Position,
    tally: Tally,
    pending: Option<Pending>,
}

impl Owned {
    fn at(&self) -> At {
        let next = self.pending.as_ref().and_then(|pending| pending.next());
        At { reach: next.map(|next| next.log_time().max(self.position.log_time)), stamp: self.position.log_time }
    }
}

impl TallyLoop {
    async fn open(log: SharedLog, pace: Pace) -> Result<Self, ProcessorError> {
        let definitions = Definitions::open(log.clone(), ROLE).await?;
        definitions.redelivery_window().ok_or(ProcessorError::NoSettings)?;
        Ok(TallyLoop {
            sources: log.partitions(Topic::RequestEvents).await?,
            targets: log.partitions(Topic::SliTallies).await?,
            consumer: log.subscribe(ROLE, &[Topic::RequestEvents], Share::Divided).await?,
            owned: BTreeMap::new(),
            takeovers: Takeovers::default(),
            pace,
            read: LogTime(i64::MIN),
            definitions,
            log,
        })
    }

    /// Reads and decides once. Returns whether there is more to do at once.
    async fn turn(&mut self) -> Result<bool, ProcessorError> {
        while let Some((partition, gained)) = self.takeovers.ready() {
            self.own(partition, gained?);
        }
        let fetched = self.gather().await?;
        // Before anything is decided: records are committed only up to the limit of this look, so a revision that is
        // published in the meantime cannot apply to them.
        self.definitions.look(self.read).await?;
        // As it is before the step: even if all that was fetched is processed, the log may have more.
        self.owned.iter().for_each(|(partition, owned)| self.pace.tell(*partition, owned.at()));
        let mut standings = self.pace.all();
        let mut parts = Vec::with_capacity(self.owned.len());
        for partition in self.owned.keys().copied().collect::<Vec<_>>() {
            if let Some(made) = self.decide(partition, &standings).await? {
                standings.decided(partition, made.decided.stamp);
                parts.push(made);
            }
        }
        let moved = !parts.is_empty();
        self.commit(parts).await?;
        Ok(fetched >= BUSY || (moved && self.owned.values().any(|o| o.pending.is_some())))
    }

    /// Fetches from every partition that has something, so that none goes ahead of another that was only not asked yet.
    /// Returns how many records came. It ends because a partition is paused once it delivered.
    async fn gather(&mut self) -> Result<usize, ProcessorError> {
        let busy = self.owned.values().any(|o| o.pending.is_some());
        let mut wait = if busy { Duration::ZERO } else { STEP_EVERY };
        let mut fetched = 0;
        loop {
            let fetch = self.fetch();
            match self.consumer.poll(fetch, wait).await? {
                Polled::Nothing => return Ok(fetched),
                Polled::Assigned(partitions) => self.gain(partitions).await?,
                Polled::Revoked(partitions) => self.lose(&partitions),
                Polled::Records(batch) => fetched += self.take(batch),
            }
            wait = Duration::ZERO;
        }
    }

    /// What one partition may bring: all of them together are what a turn holds in memory.
    fn fetch(&self) -> Fetch {
        let partitions = self.owned.len().max(1);
        Fetch {
            records: (TURN_RECORDS / partitions).clamp(FETCH_LEAST, FETCH_MOST),
            bytes: (TURN_BYTES / partitions).max(FETCH_BYTES_LEAST),
        }
    }

    /// The memory of a gained partition is rebuilt in parallel to the others; until then it is paused.
    async fn gain(&mut self, partitions: Vec<(TopicPartition, Option<Position>)>) -> Result<(), ProcessorError> {
        // The group may know new partitions before the log does: burn refuses a source beyond them.
        let beyond = partitions.iter().map(|(partition, _)| partition.partition + 1).max().unwrap_or_default();
        self.sources = self.log.partitions(Topic::RequestEvents).await?.max(beyond).max(self.sources);
        for owned in self.owned.values_mut() {
            owned.tally.set_sources(self.sources as i32);
        }
        let window = self.definitions.redelivery_window().ok_or(ProcessorError::NoSettings)?;
        for (partition, committed) in partitions {
            self.consumer.pause(&[partition]);
            let work = gained(self.takeovers.turns(), self.log.clone(), partition, committed, window);
            self.takeovers.begin(partition, work);
        }
        Ok(())
    }

    fn own(&mut self, partition: TopicPartition, Gained { position, memory }: Gained) {
        Reassigned { role: ROLE, partition, position }.emit();
        let (source, sources) = (partition.partition as i32, self.sources as i32);
        let tally = Tally::new(source, sources, self.targets, position.offset, position.log_time, memory);
        self.owned.insert(partition, Owned { position, tally, pending: None });
        self.consumer.resume(&[partition]);
    }

    /// L6: step, memory and records of a lost partition go together.
    fn lose(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.owned.remove(partition);
            self.takeovers.forget(*partition);
            self.pace.forget(*partition);
        }
    }

    /// Keeps what was fetched; a partition delivers no more until it was processed. Returns how many records it is.
    fn take(&mut self, batch: Batch) -> usize {
        let partition = batch.partition;
        let Some(last) = batch.len().checked_sub(1).and_then(|i| batch.get(i)) else { return 0 };
        self.read = self.read.max(last.log_time());
        let records = batch.len();
        if let Some(owned) = self.owned.get_mut(&partition) {
            // Bounds memory, and keeps a fast partition from running ahead of one whose records are not decided yet.
            self.consumer.pause(&[partition]);
            owned.pending = Some(Pending::new(batch));
        }
        records
    }

    /// Decides the part of a partition, if it has any.
    async fn decide(
        &mut self,
        partition: TopicPartition,
        standings: &Standings,
    ) -> Result<Option<Made>, ProcessorError> {
        let Some(owned) = self.owned.get_mut(&partition) else { return Ok(None) };
        let low = standings.low_of_others(partition);
        let pace = pace_limit(standings.reach_of_others(partition)).min(leap(owned.position.log_time));
        if let Some(pending) = &mut owned.pending {
            let limit = pace.min(self.definitions.limit());
            return decide(&mut owned.tally, pending, self.definitions.revisions(), limit, low);
        }
        let Some(horizon) = self.consumer.horizon(partition).await? else { return Ok(None) };
        self.read = self.read.max(horizon.time);
        // The horizon was taken first: where all topics have one order, every definition before it is now found.
        self.definitions.look(self.read).await?;
        let limit = pace.min(self.definitions.limit());
        let idle = owned.tally.idle(self.definitions.revisions(), horizon.end, horizon.time, limit, low);
        Ok(idle.map(|decided| Made { partition, decided, dead: Vec::new() }))
    }

    /// Commits what was decided in one step. The part of a partition that was lost is dropped with it (L6); the rest is
    /// sent again, if it is not in the log.
    async fn commit(&mut self, mut parts: Vec<Made>) -> Result<(), ProcessorError> {
        loop {
            // In each round: a partition that was lost in the last one has no position any more, so its part is left out.
            let from = |made: &Made| self.owned.get(&made.partition).map(|owned| owned.position);
            let step = step_of(parts.iter().filter_map(|made| Some((made, from(made)?))));
            if step.positions.is_empty() {
                return Ok(());
            }
            match settle(self.consumer.as_mut(), &step).await? {
                StepFate::Done => break,
                StepFate::Lost { partitions, others_done } => {
                    self.lose(&partitions);
                    parts.retain(|made| !partitions.contains(&made.partition));
                    if others_done {
                        break;
                    }
                }
            }
        }
        parts.iter().for_each(|made| self.committed(made));
        Ok(())
    }

    fn committed(&mut self, made: &Made) {
        let Some(owned) = self.owned.get_mut(&made.partition) else { return };
        // Only now: until the commit is settled, the same values are sent from the same positions (L6).
        owned.position = made.to();
        if owned.pending.as_ref().is_some_and(Pending::is_done) {
            owned.pending = None;
            self.consumer.resume(&[made.partition]);
        }
        TallyStep::of(made.partition, &made.decided).emit();
    }
}

impl Drop for TallyLoop {
    /// The other threads of the process no longer wait for these.
    fn drop(&mut self) {
        self.owned.keys().for_each(|partition| self.pace.forget(*partition));
    }
}

/// Log time up to which a step may go: after days of standstill burn evaluates every second of them, and is to get them
/// in pieces that it can commit. A source that begins has no ticks behind it.
fn leap(stamp: LogTime) -> LogTime {
    LogTime(if stamp.0 > 0 { stamp.0.saturating_add(STEP_SPAN_MS) } else { i64::MAX })
}
