//! Burn's state from the log: the newest snapshot, and the tallies after it. For a partition that was gained, and for a
//! look from outside.

mod chunks;
mod folded;
pub mod snapshots;

use std::time::Duration;

use crate::takeover::Turns;
use slipstream_log::{Log, LogError, Offset, Position, RecordRef, SharedLog, TopicPartition};
use slipstream_schemas::records::{BurnRates, TallyBatch};
use slipstream_schemas::{Cause, Topic, codec};
use slipstream_slo::burn::{Burn, BurnFault, Nobody, Watch};
use tokio::time::Instant;

use crate::names::BURN;
use crate::revisions::{Definitions, RevisionsError};

pub use chunks::snapshots_of;
pub use folded::Folded;

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum BurnStateError {
    /// The log failed permanently.
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

/// The state of a gained partition, restored in its own task: it reads further definitions itself.
///
/// # Errors
/// When the log cannot be read, or holds records that this version does not support.
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

/// The state of a partition of sli-tallies at the offset `committed`. What lies below it is never published again.
async fn restore(
    log: &dyn Log,
    partition: TopicPartition,
    committed: Offset,
    definitions: &mut Definitions,
) -> Result<(Burn, RestoreCost), BurnStateError> {
    let began = Instant::now();
    let (mut state, chunks, bytes) = Folded::from_snapshots(log, partition, committed).await?;
    let read = Instant::now();
    // The snapshot may know definitions that the next batch does not name.
    definitions.read_new().await?;
    let replayed = state.read_on(log, committed, definitions, &mut Nobody).await?;
    let (reading, folding) = (read - began, read.elapsed());
    let cost = RestoreCost { series: state.burn.series(), chunks, bytes, replayed, reading, folding };
    Ok((state.burn, cost))
}

/// Rebuilds the state of a partition of sli-tallies at burn's committed position, as its next owner does, and drops it:
/// returns what that takes.
///
/// # Errors
/// When the log cannot be read, or holds records that this version does not support.
pub async fn restore_cost(log: &SharedLog, partition: u32) -> Result<RestoreCost, BurnStateError> {
    let mut definitions = Definitions::open(log.clone(), BURN).await?;
    let partition = TopicPartition { topic: Topic::SliTallies, partition };
    let committed = log.committed(BURN, partition).await?.unwrap_or_default();
    Ok(restore(log.as_ref(), partition, committed.offset, &mut definitions).await?.1)
}

/// The state of every series at the end of the log, published or not: exact, whatever the cadence of publishing.
///
/// # Errors
/// When the log cannot be read, or holds records that this version does not support.
pub async fn current_states(log: &SharedLog) -> Result<Vec<BurnRates>, BurnStateError> {
    let mut definitions = Definitions::open(log.clone(), BURN).await?;
    let mut states = Vec::new();
    for partition in 0..log.partitions(Topic::SliTallies).await? {
        let partition = TopicPartition { topic: Topic::SliTallies, partition };
        let state = Folded::at_the_end(log.as_ref(), partition, &mut definitions).await?;
        states.extend(state.burn.states(definitions.revisions())?);
    }
    Ok(states)
}

/// Folds a batch, with the definitions it was counted by; returns what is to be published.
///
/// # Errors
/// When it cannot be read, does not join what was folded before, or the definitions are not known.
pub async fn apply(
    burn: &mut Burn,
    partition: TopicPartition,
    record: &RecordRef<'_>,
    definitions: &mut Definitions,
) -> Result<Vec<BurnRates>, BurnStateError> {
    apply_watched(burn, partition, record, definitions, &mut Nobody).await
}

/// As [`apply`], and `watch` looks on.
///
/// # Errors
/// When it cannot be read, does not join what was folded before, or the definitions are not known.
async fn apply_watched(
    burn: &mut Burn,
    partition: TopicPartition,
    record: &RecordRef<'_>,
    definitions: &mut Definitions,
    watch: &mut (dyn Watch + Send),
) -> Result<Vec<BurnRates>, BurnStateError> {
    let place = || format!("{partition} at offset {}", record.offset());
    let tally: TallyBatch = codec::decode(record.value().unwrap_or_default())
        .map_err(|e| BurnStateError::Unreadable { place: place(), cause: Cause::of(e) })?;
    definitions.read_up_to(tally.revision).await?;
    Ok(burn.apply_watched(record.offset(), &tally, definitions.revisions(), watch)?)
}
