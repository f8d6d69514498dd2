//! Rebuilding the redelivery memory of a partition that was gained: tally and sink begin with what the one before them
//! remembered.

use slipstream_schemas::Topic;
use slipstream_schemas::decode::{Attributes, Provenance, decode};
use slipstream_slo::redelivery::Memory;

use crate::port::{Fetch, Log, LogError, Position, TopicPartition};

/// The memory after all records below `position`: reads from the first offset of the generation before the position's.
/// Only valid events count.
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
    let mut next = since.max(first);
    while next < position.offset {
        let batch = log.read(partition, next, position.offset, Fetch::default()).await?;
        for record in batch.iter() {
            let from = Provenance {
                topic: Topic::RequestEvents.name(),
                partition: partition.partition,
                offset: record.offset(),
            };
            if let Ok(event) = decode(record.value().unwrap_or_default(), &from, Attributes::Skip) {
                memory.first(&event.event_id, record.log_time());
            }
        }
        next = batch.next;
    }
    Ok(memory)
}
