//! Burn's state from the log: the newest snapshot, and the tallies after it. For a partition that was gained, and for a
//! look from outside.

pub mod snapshots;

use std::time::Duration;

use crate::takeover::Turns;
use slipstream_log::{Batch, Fetch, Log, LogError, Offset, Position, RecordRef, SharedLog, TopicPartition};
use slipstream_schemas::records::{BurnChunk, BurnRates, TallyBatch};
use slipstream_schemas::{Cause, Topic, codec};
use slipstream_slo::burn::{Burn, BurnFault, Restoring};
use slipstream_slo::scale::Scale;
use tokio::time::Instant;

use crate::names::BURN;
use crate::revisions::{Definitions, RevisionsError};
use snapshots::{CHUNKS, chunk_of_key};

/// Snapshot records that are looked at first, from the end backwards: up to 32 MiB at a time.
const LOOK_BACK: Offset = 64;
/// As long as they have fewer bytes, more are looked at the next time.
const LOOK_BYTES: usize = 4 << 20;

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum BurnStateError {
    /// The log failed for good.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The definitions are not known.
    #[error(transparent)]
    Definitions(#[from] RevisionsError),
    /// Tallies do not join (P1), or were written by a newer version.
    #[error(transparent)]
    Fault(#[from] BurnFault),
    /// A record of an internal topic cannot be read.
    #[error("reading {place}: {cause}")]
    Unreadable {
        /// Partition and offset.
        place: String,
        /// Why.
        #[source]
        cause: Cause,
    },
}

/// A state, and what it took to have it.
pub struct Restored {
    /// The state; its position may be beyond the committed one.
    pub burn: Burn,
    /// As committed.
    pub position: Position,
    /// What it took.
    pub cost: RestoreCost,
}

/// What it took to have a state.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreCost {
    /// Series restored.
    pub series: usize,
    /// Snapshot records read.
    pub chunks: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Tally batches folded again.
    pub replayed: u64,
    /// Reading snapshots.
    pub reading: Duration,
    /// Folding tallies.
    pub folding: Duration,
}

/// The state of a gained partition, by a task of its own: it reads definitions on for itself.
///
/// # Errors
/// When the log cannot be read, or holds what this version does not understand.
pub async fn restored(
    turns: Turns,
    log: SharedLog,
    partition: TopicPartition,
    committed: Position,
    mut definitions: Definitions,
) -> Result<Restored, BurnStateError> {
    let _turn = turns.next().await;
    let (burn, cost) = restore(log.as_ref(), partition, committed.offset, &mut definitions).await?;
    Ok(Restored { burn, position: committed, cost })
}

/// The state of a partition of sli-tallies at the offset `committed`. What lies below it is published by nobody again.
async fn restore(
    log: &dyn Log,
    partition: TopicPartition,
    committed: Offset,
    definitions: &mut Definitions,
) -> Result<(Burn, RestoreCost), BurnStateError> {
    let (first, _) = log.bounds(partition).await?;
    let partitions = log.partitions(Topic::SliTallies).await?;
    let mut restoring = Burn::new(partition.partition, partitions, CHUNKS, Scale::REAL).restoring();
    let began = Instant::now();
    let (chunks, bytes) = read_chunks(log, partition, &mut restoring).await?;
    let read = Instant::now();
    let mut burn = restoring.finish(first, committed);
    // The snapshot may know definitions that the next batch does not name.
    definitions.read_new().await?;
    let (mut next, mut replayed) = (burn.position(), 0);
    while next < committed {
        let batch = log.read(partition, next, committed, Fetch::default()).await?;
        if batch.is_empty() {
            break;
        }
        next = batch.next;
        replayed += batch.len() as u64;
        for record in batch.iter() {
            apply(&mut burn, partition, &record, definitions).await?;
            tokio::task::yield_now().await;
        }
    }
    let (reading, folding) = (read - began, read.elapsed());
    let cost = RestoreCost { series: burn.series(), chunks, bytes, replayed, reading, folding };
    Ok((burn, cost))
}

/// Rebuilds the state of a partition of sli-tallies where burn committed to stand, as its next owner does, and drops it:
/// what that takes.
///
/// # Errors
/// When the log cannot be read, or holds what this version does not understand.
pub async fn restore_cost(log: &SharedLog, partition: u32) -> Result<RestoreCost, BurnStateError> {
    let mut definitions = Definitions::open(log.clone(), BURN).await?;
    let partition = TopicPartition { topic: Topic::SliTallies, partition };
    let committed = log.committed(BURN, partition).await?.unwrap_or_default();
    Ok(restore(log.as_ref(), partition, committed.offset, &mut definitions).await?.1)
}

/// Where every series stands at the end of the log, published or not: exact, whatever the cadence of publishing.
///
/// # Errors
/// When the log cannot be read, or holds what this version does not understand.
pub async fn current_states(log: &SharedLog) -> Result<Vec<BurnRates>, BurnStateError> {
    let mut definitions = Definitions::open(log.clone(), BURN).await?;
    let mut states = Vec::new();
    for partition in 0..log.partitions(Topic::SliTallies).await? {
        let partition = TopicPartition { topic: Topic::SliTallies, partition };
        let (_, end) = log.bounds(partition).await?;
        let (burn, _) = restore(log.as_ref(), partition, end, &mut definitions).await?;
        states.extend(burn.states(definitions.revisions())?);
    }
    Ok(states)
}

/// Takes in the newest records of burn-snapshots that concern a partition. They are read backwards until every chunk is
/// there: what was superseded and is not compacted yet lies before them. Answers how many were read, and their bytes.
async fn read_chunks(
    log: &dyn Log,
    partition: TopicPartition,
    restoring: &mut Restoring,
) -> Result<(usize, usize), BurnStateError> {
    let snapshots = snapshots_of(log, partition).await?;
    let (first, mut upper) = log.settled_bounds(snapshots).await?;
    let (mut span, mut records, mut bytes) = (LOOK_BACK, 0, 0);
    while upper > first && !restoring.is_whole() {
        let lower = (upper - span).max(first);
        let batches = read_all(log, snapshots, lower, upper).await?;
        for batch in batches.iter().rev() {
            for i in (0..batch.len()).rev() {
                let Some(record) = batch.get(i) else { continue };
                if take_chunk(&record, snapshots, partition, restoring)? {
                    records += 1;
                    bytes += record.value().map_or(0, <[u8]>::len);
                }
                // Decoding takes its time, and the others are to go on.
                tokio::task::yield_now().await;
            }
        }
        if batches.iter().map(Batch::bytes).sum::<usize>() < LOOK_BYTES {
            span *= 2;
        }
        upper = lower;
    }
    Ok((records, bytes))
}

/// Takes in a record of burn-snapshots, if it may matter. Whether it was read.
fn take_chunk(
    record: &RecordRef<'_>,
    snapshots: TopicPartition,
    partition: TopicPartition,
    restoring: &mut Restoring,
) -> Result<bool, BurnStateError> {
    let key = chunk_of_key(record.key().unwrap_or_default());
    if key.is_some_and(|(of, chunk)| of != partition.partition || chunk.is_some_and(|chunk| restoring.has(chunk))) {
        return Ok(false);
    }
    let place = || format!("{snapshots} at offset {}", record.offset());
    let chunk: BurnChunk = codec::decode(record.value().unwrap_or_default())
        .map_err(|e| BurnStateError::Unreadable { place: place(), cause: Cause::of(e) })?;
    restoring.add(chunk)?;
    Ok(true)
}

async fn read_all(log: &dyn Log, from: TopicPartition, mut next: Offset, end: Offset) -> Result<Vec<Batch>, LogError> {
    let mut batches = Vec::new();
    while next < end {
        let batch = log.read(from, next, end, Fetch::default()).await?;
        next = batch.next.max(next + 1);
        batches.push(batch);
    }
    Ok(batches)
}

/// Where a partition's snapshots are kept.
///
/// # Errors
/// When the log cannot be read.
pub async fn snapshots_of(log: &dyn Log, partition: TopicPartition) -> Result<TopicPartition, BurnStateError> {
    let partitions = log.partitions(Topic::BurnSnapshots).await?;
    Ok(TopicPartition { topic: Topic::BurnSnapshots, partition: partition.partition % partitions.max(1) })
}

/// Folds a batch, with the definitions it was counted by; what is to be published.
///
/// # Errors
/// When it cannot be read, does not join what was folded before, or the definitions are not known.
pub async fn apply(
    burn: &mut Burn,
    partition: TopicPartition,
    record: &RecordRef<'_>,
    definitions: &mut Definitions,
) -> Result<Vec<BurnRates>, BurnStateError> {
    let place = || format!("{partition} at offset {}", record.offset());
    let tally: TallyBatch = codec::decode(record.value().unwrap_or_default())
        .map_err(|e| BurnStateError::Unreadable { place: place(), cause: Cause::of(e) })?;
    definitions.read_up_to(tally.revision).await?;
    Ok(burn.apply(record.offset(), &tally, definitions.revisions())?)
}
