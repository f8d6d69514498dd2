//! Reading burn-snapshots: the newest complete set of a partition's chunks, from the end backwards.

use slipstream_log::{Batch, Fetch, Log, LogError, Offset, RecordRef, TopicPartition};
use slipstream_schemas::records::BurnChunk;
use slipstream_schemas::{Cause, Topic, codec};
use slipstream_slo::burn::Restoring;

use super::BurnStateError;
use super::snapshots::chunk_of_key;

/// Snapshot records that are read first, from the end backwards: up to 32 MiB at a time.
const LOOK_BACK: Offset = 64;
/// As long as they have fewer bytes, more are looked at the next time.
const LOOK_BYTES: usize = 4 << 20;

/// Reads the newest records of burn-snapshots for a partition. They are read backwards until every chunk is
/// found: superseded records that are not compacted yet precede them. Returns how many were read, and their bytes.
pub(super) async fn read_chunks(
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
                // Decoding takes a while, so let other tasks continue.
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

/// Reads a record of burn-snapshots if it may be needed. Returns whether it was read.
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
