//! Rebuilding the redelivery memory of a partition that was gained: tally and sink begin with what the one before them
//! remembered.

use slipstream_schemas::decode::{Attributes, Provenance, decode};
use slipstream_schemas::{LogTime, Topic};
use slipstream_slo::redelivery::{Memory, id_hash};

use crate::batch::Batch;
use crate::port::{Fetch, Log, LogError, Position, TopicPartition};

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
    let since = log.offset_at(partition, memory.rebuild_from(position.log_time)).await?;
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
