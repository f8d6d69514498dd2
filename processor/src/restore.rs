//! Burn's state from the log: the newest snapshot, and the tallies after it. For a partition that was gained, and for a
//! look from outside.

use slipstream_log::{Fetch, Log, Offset, RecordRef, SharedLog, TopicPartition};
use slipstream_schemas::records::{BurnChunk, BurnRates, TallyBatch};
use slipstream_schemas::{Topic, codec};
use slipstream_slo::burn::Burn;
use slipstream_slo::scale::Scale;

use crate::ProcessorError;
use crate::burn::CHUNKS;
use crate::definitions::Definitions;

/// A state, and what it took to have it.
pub(crate) struct Restored {
    /// The state; its position may be beyond what was asked for.
    pub burn: Burn,
    /// Snapshot records read.
    pub chunks: usize,
    /// Tally batches folded again.
    pub replayed: u64,
}

/// The state of a partition of sli-tallies at the offset `committed`. What lies below it is published by nobody again.
pub(crate) async fn restore(
    log: &dyn Log,
    partition: TopicPartition,
    committed: Offset,
    definitions: &mut Definitions,
) -> Result<Restored, ProcessorError> {
    let chunks = chunks_of(log, partition).await?;
    let read = chunks.len();
    let (first, _) = log.bounds(partition).await?;
    let partitions = log.partitions(Topic::SliTallies).await?;
    let mut burn = Burn::new(partition.partition, partitions, CHUNKS, Scale::REAL).restore(chunks, first, committed)?;
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
        }
    }
    Ok(Restored { burn, chunks: read, replayed })
}

/// Where every series stands at the end of the log, published or not: exact, whatever the cadence of publishing.
///
/// # Errors
/// When the log cannot be read, or holds what this version does not understand.
pub async fn current_states(log: &SharedLog) -> Result<Vec<BurnRates>, ProcessorError> {
    let mut definitions = Definitions::open(log.clone()).await?;
    let mut states = Vec::new();
    for partition in 0..log.partitions(Topic::SliTallies).await? {
        let partition = TopicPartition { topic: Topic::SliTallies, partition };
        let (_, end) = log.bounds(partition).await?;
        let restored = restore(log.as_ref(), partition, end, &mut definitions).await?;
        states.extend(restored.burn.states(definitions.revisions())?);
    }
    Ok(states)
}

/// All records of burn-snapshots that concern a partition.
async fn chunks_of(log: &dyn Log, partition: TopicPartition) -> Result<Vec<BurnChunk>, ProcessorError> {
    let snapshots = snapshots_of(log, partition).await?;
    let (mut next, end) = log.bounds(snapshots).await?;
    let mut chunks = Vec::new();
    while next < end {
        let batch = log.read(snapshots, next, end, Fetch::default()).await?;
        for record in batch.iter() {
            let place = || format!("{snapshots} at offset {}", record.offset());
            let chunk: BurnChunk = codec::decode(record.value().unwrap_or_default())
                .map_err(|e| ProcessorError::Unreadable { place: place(), cause: e.to_string() })?;
            if chunk.partition as u32 == partition.partition {
                chunks.push(chunk);
            }
        }
        next = batch.next;
    }
    Ok(chunks)
}

/// Where a partition's snapshots are kept.
pub(crate) async fn snapshots_of(log: &dyn Log, partition: TopicPartition) -> Result<TopicPartition, ProcessorError> {
    let partitions = log.partitions(Topic::BurnSnapshots).await?;
    Ok(TopicPartition { topic: Topic::BurnSnapshots, partition: partition.partition % partitions.max(1) })
}

/// Folds a batch, with the definitions it was counted by; what is to be published.
pub(crate) async fn apply(
    burn: &mut Burn,
    partition: TopicPartition,
    record: &RecordRef<'_>,
    definitions: &mut Definitions,
) -> Result<Vec<BurnRates>, ProcessorError> {
    let place = || format!("{partition} at offset {}", record.offset());
    let tally: TallyBatch = codec::decode(record.value().unwrap_or_default())
        .map_err(|e| ProcessorError::Unreadable { place: place(), cause: e.to_string() })?;
    definitions.read_up_to(tally.revision).await?;
    Ok(burn.apply(record.offset(), &tally, definitions.revisions())?)
}
