//! Rebuilding the redelivery memory of a partition that was gained: tally and sink begin with what the one before them
//! remembered.

use slipstream_schemas::decode::{Attributes, Provenance, decode};
use slipstream_schemas::{LogTime, Topic};
use slipstream_slo::redelivery::{Memory, id_hash};

use crate::batch::Batch;
use crate::port::{Fetch, Log, LogError, Offset, Position, TopicPartition};

/// Events whose places in the memory are looked for together.
const GROUP: usize = 64;

/// The memory after all records below `position`: reads from the first offset of the generation before the position's.
/// Only valid events count. What comes next is read while the last batch is decoded.
///
/// # Errors
/// When the log cannot be read.
pub async fn rebuild(
    log: &dyn Log,
    partition: TopicPartition,
    position: Position,
    window_ms: i64,
) -> Result<Memory, LogError> {
    let mut memory = Memory::new(window_ms);
    let (first, _) = log.bounds(partition).await?;
    let since = since(log, partition, position, &memory, window_ms).await?;
    let read = |from| log.read(partition, from, position.offset, Fetch::default());
    let mut batch = Batch::new(partition, since.max(first));
    while batch.next < position.offset {
        let (ahead, ()) = tokio::join!(read(batch.next), async { remember(&mut memory, &batch) });
        batch = ahead?;
        // Where reading takes no time others get their turn here.
        tokio::task::yield_now().await;
    }
    remember(&mut memory, &batch);
    Ok(memory)
}

/// The first offset that counts. The position's log time may be that of a horizon, which a record that becomes visible too
/// late undercuts (L7 broken): where nothing below the position lies in its generation, what comes may lie in the one
/// before.
async fn since(
    log: &dyn Log,
    partition: TopicPartition,
    position: Position,
    memory: &Memory,
    window_ms: i64,
) -> Result<Offset, LogError> {
    let from = memory.rebuild_from(position.log_time);
    let generation = log.offset_at(partition, LogTime(from.0 + window_ms)).await?;
    let from = if generation < position.offset { from } else { LogTime(from.0 - window_ms) };
    log.offset_at(partition, from).await
}

fn remember(memory: &mut Memory, batch: &Batch) {
    let mut from = Provenance { topic: Topic::RequestEvents.name(), partition: batch.partition.partition, offset: 0 };
    let mut group: Vec<(u64, LogTime)> = Vec::with_capacity(GROUP);
    let mut hashes: Vec<u64> = Vec::with_capacity(GROUP);
    for record in batch.iter() {
        from.offset = record.offset();
        if let Ok(event) = decode(record.value().unwrap_or_default(), &from, Attributes::Skip) {
            let hash = id_hash(&event.event_id);
            group.push((hash, record.log_time()));
            hashes.push(hash);
        }
        if group.len() == GROUP {
            take(memory, &mut group, &mut hashes);
        }
    }
    take(memory, &mut group, &mut hashes);
}

fn take(memory: &mut Memory, group: &mut Vec<(u64, LogTime)>, hashes: &mut Vec<u64>) {
    memory.foresee(hashes);
    for (hash, at) in group.drain(..) {
        memory.first_of_hash(hash, at);
    }
    hashes.clear();
}
