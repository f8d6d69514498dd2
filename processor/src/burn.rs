//! The loop of burn: sli-tallies in, BurnRates and snapshots of the state out.
//!
//! Commit point: one step holds the rates, the snapshot records and the position (L2), so what was published and what a
//! successor restores never disagree (P4).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{
    Advance, Batch, Consumer, Fetch, Outgoing, Polled, Position, Share, SharedLog, Step, StepFate, TopicPartition,
    settle,
};
use slipstream_role::burn_state::snapshots::Snapshots;
use slipstream_role::burn_state::{BurnStateError, Restored, apply, restored, snapshots_of};
use slipstream_role::names::BURN as ROLE;
use slipstream_role::patience::patient;
use slipstream_role::revisions::Definitions;
use slipstream_role::takeover::Takeovers;
use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::records::BurnRates;
use slipstream_schemas::{LogTime, Topic, codec};
use slipstream_slo::burn::Burn;
use tokio::time::Instant;

use crate::ProcessorError;
use crate::telemetry::{BurnRestored, BurnStep, Reassigned};

/// A position is committed this often where nothing is published.
const COMMIT_EVERY: Duration = Duration::from_millis(250);
/// How long a poll waits.
const WAIT: Duration = Duration::from_millis(100);
/// Burn rates with which a step ends, about: after a standstill there are many.
const STEP_RATES: usize = 5_000;
/// Tally batches a step folds at most.
const STEP_BATCHES: usize = 500;

/// On shutdown, a restore under way is waited for this long, to leave a whole snapshot behind.
const LAST_RESTORES: Duration = Duration::from_secs(1);

/// Runs until shut down.
///
/// # Errors
/// When the log fails permanently, tallies do not join (P1), or a definition cannot be parsed.
pub async fn run(log: SharedLog, health: Health, shutdown: Shutdown) -> Result<(), ProcessorError> {
    let log = patient(log, ROLE);
    work(log, &health, &shutdown).await
}

async fn work(log: SharedLog, health: &Health, shutdown: &Shutdown) -> Result<(), ProcessorError> {
    health.set(ROLE, State::Starting("reading definitions".to_owned()));
    let mut burn = BurnLoop {
        consumer: log.subscribe(ROLE, &[Topic::SliTallies], Share::Divided).await?,
        definitions: Definitions::open(log.clone(), ROLE).await?,
        owned: BTreeMap::new(),
        restoring: Takeovers::default(),
        log,
    };
    health.set(ROLE, State::Ready);
    // A turn is never dropped half way: what it folded and what it is to publish belong together.
    while !shutdown.is_cancelled() {
        burn.turn().await?;
    }
    burn.finish().await
}

struct BurnLoop {
    log: SharedLog,
    consumer: Box<dyn Consumer>,
    definitions: Definitions,
    owned: BTreeMap<TopicPartition, Owned>,
    /// Gained, and not worked on yet.
    restoring: Takeovers<Result<Restored, BurnStateError>>,
}

/// What the loop has of an assigned partition.
struct Owned {
    burn: Burn,
    /// As committed.
    position: Position,
    /// Log time of the last batch folded.
    log_time: LogTime,
    rates: Vec<BurnRates>,
    folded: u64,
    /// Of [`Burn::too_late`], what was said.
    too_late: i64,
    last_commit: Instant,
    snapshots: Snapshots,
}

/// What a step has of one partition.
struct Part {
    advance: Advance,
    outputs: Vec<Outgoing>,
    /// Snapshot records among them.
    chunks: usize,
}

impl BurnLoop {
    async fn turn(&mut self) -> Result<(), ProcessorError> {
        self.take_over_ready().await?;
        let mut wait = WAIT;
        // About once each, so that one step has what is new of all.
        for _ in 0..self.owned.len().max(1) {
            let fetch = Fetch { records: STEP_BATCHES, ..Fetch::default() };
            match self.consumer.poll(fetch, wait).await? {
                Polled::Nothing => break,
                Polled::Assigned(partitions) => {
                    for (partition, committed) in partitions {
                        self.gain(partition, committed.unwrap_or_default());
                    }
                }
                Polled::Revoked(partitions) => self.lose(&partitions),
                Polled::Records(batch) => self.fold(&batch).await?,
            }
            wait = Duration::ZERO;
        }
        self.commit().await
    }

    /// Starts rebuilding the state of a gained partition, which is paused in the meantime.
    fn gain(&mut self, partition: TopicPartition, position: Position) {
        Reassigned { role: ROLE, partition, position }.emit();
        self.consumer.pause(&[partition]);
        self.owned.remove(&partition);
        let (turns, log, definitions) = (self.restoring.turns(), self.log.clone(), self.definitions.clone());
        self.restoring.begin(partition, restored(turns, log, partition, position, definitions));
    }

    /// Starts processing the partitions whose state is ready.
    async fn take_over_ready(&mut self) -> Result<(), ProcessorError> {
        while let Some((partition, restored)) = self.restoring.ready() {
            self.take_over(partition, restored?).await?;
        }
        Ok(())
    }

    /// The same for those that are not ready yet.
    async fn take_over_rest(&mut self) -> Result<(), ProcessorError> {
        while let Some((partition, restored)) = self.restoring.next().await {
            self.take_over(partition, restored?).await?;
        }
        Ok(())
    }

    async fn take_over(&mut self, partition: TopicPartition, restored: Restored) -> Result<(), ProcessorError> {
        let Restored { burn, position, cost } = restored;
        BurnRestored { partition, cost }.emit();
        // The restore has folded batches beyond the committed position; they must not be folded twice.
        if burn.position() > position.offset {
            self.consumer.seek(partition, burn.position()).await?;
        }
        let snapshots = snapshots_of(self.log.as_ref(), partition).await?;
        self.owned.insert(partition, Owned::new(burn, position, snapshots));
        self.consumer.resume(&[partition]);
        Ok(())
    }

    /// L6: state and step of a lost partition go together.
    fn lose(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.owned.remove(partition);
            self.restoring.forget(*partition);
        }
    }

    /// Folds what was fetched; a step ends early when it has much to publish.
    async fn fold(&mut self, batch: &Batch) -> Result<(), ProcessorError> {
        for record in batch.iter() {
            // Lost in a commit below: the next owner folds the rest.
            let Some(owned) = self.owned.get_mut(&batch.partition) else { return Ok(()) };
            let rates = apply(&mut owned.burn, batch.partition, &record, &mut self.definitions).await?;
            owned.rates.extend(rates);
            owned.folded += 1;
            owned.log_time = owned.log_time.max(record.log_time());
            if owned.rates.len() >= STEP_RATES {
                self.commit().await?;
            }
        }
        Ok(())
    }

    /// Commits, in one step, the partitions of which something is to be published, or whose position has not been
    /// committed for a while.
    async fn commit(&mut self) -> Result<(), ProcessorError> {
        let now = Instant::now();
        let due = self.owned.iter_mut().filter(|(_, owned)| owned.is_due());
        let parts = due.map(|(partition, owned)| {
            let chunks = owned.snapshots.due(&mut owned.burn, now);
            owned.part(*partition, chunks, Position { offset: owned.burn.position(), log_time: owned.log_time })
        });
        let parts = parts.collect();
        self.send(parts).await
    }

    /// Brings parts into the log together. Those of partitions that are lost in the meantime are dropped, and the
    /// others sent again unchanged (L6).
    async fn send(&mut self, mut parts: Vec<Part>) -> Result<(), ProcessorError> {
        while !parts.is_empty() {
            let step = Step {
                outputs: parts.iter().flat_map(|part| part.outputs.iter().cloned()).collect(),
                positions: parts.iter().map(|part| part.advance).collect(),
            };
            let done = match settle(self.consumer.as_mut(), &step).await? {
                StepFate::Done => true,
                StepFate::Lost { partitions, others_done } => {
                    self.lose(&partitions);
                    parts.retain(|part| !partitions.contains(&part.advance.partition));
                    others_done
                }
            };
            if done {
                parts.drain(..).for_each(|part| self.committed(&part));
            }
        }
        Ok(())
    }

    fn committed(&mut self, part: &Part) {
        if let Some(owned) = self.owned.get_mut(&part.advance.partition) {
            owned.committed(part);
        }
    }

    /// Folds once more: a step must move the position, and the last one may have moved it to where the fold is.
    async fn read_on(&mut self, partition: TopicPartition) -> Result<(), ProcessorError> {
        let Some(owned) = self.owned.get(&partition) else { return Ok(()) };
        let (from, (_, end)) = (owned.burn.position(), self.log.bounds(partition).await?);
        let fetch = Fetch { records: STEP_BATCHES, ..Fetch::default() };
        let batch = self.log.read(partition, from, end, fetch).await?;
        self.fold(&batch).await
    }

    /// Leaves complete snapshots behind, so that the next start has nothing to fold again.
    async fn finish(&mut self) -> Result<(), ProcessorError> {
        if let Ok(answer) = tokio::time::timeout(LAST_RESTORES, self.take_over_rest()).await {
            answer?;
        }
        for partition in self.owned.keys().copied().collect::<Vec<_>>() {
            self.leave_snapshot(partition).await?;
        }
        Ok(())
    }

    /// A complete one, if it is not too large.
    async fn leave_snapshot(&mut self, partition: TopicPartition) -> Result<(), ProcessorError> {
        self.read_on(partition).await?;
        let horizon = self.consumer.horizon(partition).await?;
        let Some(owned) = self.owned.get_mut(&partition) else { return Ok(()) };
        let offset = owned.burn.position();
        // At the end of the log the position moves in log time at least, as a step must.
        let known = horizon.filter(|h| h.end == offset).map_or(owned.log_time, |h| h.time.max(owned.log_time));
        let to = Position { offset, log_time: known };
        if to == owned.position {
            return Ok(());
        }
        let chunks = owned.snapshots.last(&mut owned.burn, Instant::now());
        let part = owned.part(partition, chunks, to);
        self.send(vec![part]).await
    }
}

impl Owned {
    fn new(burn: Burn, position: Position, snapshots: TopicPartition) -> Self {
        let now = Instant::now();
        Owned {
            too_late: burn.too_late(),
            burn,
            position,
            log_time: position.log_time,
            rates: Vec::new(),
            folded: 0,
            last_commit: now,
            snapshots: Snapshots::begin(snapshots, now),
        }
    }

    fn is_due(&self) -> bool {
        // A step must move the position, or one in doubt could not be settled (L6).
        let moved = self.burn.position() > self.position.offset;
        moved && (!self.rates.is_empty() || self.last_commit.elapsed() >= COMMIT_EVERY)
    }

    /// What there is to publish, and the move to `to`.
    fn part(&self, partition: TopicPartition, chunks: Vec<Outgoing>, to: Position) -> Part {
        let advance = Advance { partition, from: self.position, to };
        Part { advance, chunks: chunks.len(), outputs: self.rates.iter().map(rates_record).chain(chunks).collect() }
    }

    fn committed(&mut self, part: &Part) {
        let complete = self.rates.iter().filter(|r| r.complete).count() as u64;
        let incomplete = self.rates.len() as u64 - complete;
        let partition = part.advance.partition;
        let (batches, chunks) = (self.folded, part.chunks as u64);
        let too_late = (self.burn.too_late() - self.too_late).max(0) as u64;
        BurnStep { partition, batches, complete, incomplete, chunks, too_late }.emit();
        self.too_late = self.burn.too_late();
        self.position = part.advance.to;
        self.rates.clear();
        self.folded = 0;
        self.last_commit = Instant::now();
    }
}

/// Keyed by series, so that compaction keeps the newest of each.
fn rates_record(rates: &BurnRates) -> Outgoing {
    let mut key = rates.slo.clone().into_bytes();
    for part in std::iter::once(&rates.objective).chain(&rates.group) {
        // 0xFF is not part of any UTF-8 text, so two different series cannot have the same key.
        key.push(0xFF);
        key.extend_from_slice(part.as_bytes());
    }
    Outgoing {
        topic: Topic::BurnRates,
        partition: None,
        key: Some(Bytes::from(key)),
        value: Some(Bytes::from(codec::encode(rates))),
        headers: Vec::new(),
    }
}
