//! Rebuilding the redelivery memory of a partition that was gained: tally and sink start with what the previous owner
//! remembered.

use slipstream_log::{Batch, Fetch, Log, LogError, Offset, Position, TopicPartition};
use slipstream_schemas::LogTime;
use slipstream_schemas::decode::{Attributes, decode};
use slipstream_slo::redelivery::{Memory, TOGETHER, id_hash};

/// The memory after all records below `position`: reads from the first offset of the generation before the last one's.
/// Only valid events count. The next batch is read while the last one is decoded.
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
    let since = since(log, partition, position, &memory).await?;
    let read = |from| log.read(partition, from, position.offset, Fetch::default());
    let mut batch = Batch::new(partition, since);
    while batch.next < position.offset {
        let (ahead, ()) = tokio::join!(read(batch.next), async { remember(&mut memory, &batch) });
        batch = ahead?;
        // If reads return at once, other tasks get their turn here.
        tokio::task::yield_now().await;
    }
    remember(&mut memory, &batch);
    Ok(memory)
}

/// The first offset that counts: that of the generation before the last record's. The position's own log time may be a
/// horizon's, which records that become visible too late undercut (L7 broken); they do not undercut the last record.
async fn since(
    log: &dyn Log,
    partition: TopicPartition,
    position: Position,
    memory: &Memory,
) -> Result<Offset, LogError> {
    let (first, _) = log.bounds(partition).await?;
    let mut span = 1;
    loop {
        let lower = position.offset.saturating_sub(span).max(first);
        let mut last = None;
        let mut next = lower;
        while next < position.offset {
            let batch = log.read(partition, next, position.offset, Fetch::default()).await?;
            let Some(at) = batch.iter().last().map(|record| record.log_time()) else { break };
            (last, next) = (Some(at), batch.next);
        }
        match last {
            Some(at) => return log.offset_at(partition, memory.rebuild_from(at)).await.map(|since| since.max(first)),
            None if lower <= first => return Ok(position.offset),
            // A log may have offsets that hold no record.
            None => span *= 16,
        }
    }
}

fn remember(memory: &mut Memory, batch: &Batch) {
    let mut group: Vec<(u64, LogTime)> = Vec::with_capacity(TOGETHER);
    let mut hashes: Vec<u64> = Vec::with_capacity(TOGETHER);
    for record in batch.iter() {
        let from = batch.partition.provenance(record.offset());
        if let Ok(event) = decode(record.value().unwrap_or_default(), &from, Attributes::Skip) {
            let hash = id_hash(&event.event_id);
            group.push((hash, record.log_time()));
            hashes.push(hash);
        }
        if group.len() == TOGETHER {
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

#[cfg(test)]
mod tests {
    use slipstream_log::Outgoing;
    use slipstream_log::clock::{Clock, ManualClock};
    use slipstream_log::memory::{MemoryLog, MemoryOptions};
    use slipstream_schemas::Topic;

    use super::*;

    const EVENT: &str =
        r#"{"event_id": "a", "time": 900000, "service": "s", "endpoint": "/", "method": "GET", "status_code": 200}"#;

    #[tokio::test]
    async fn a_record_far_below_the_positions_log_time_is_known_all_the_same() {
        let clock = ManualClock::at(3_500);
        let log = MemoryLog::new(MemoryOptions { clock: Clock::Manual(clock), ..MemoryOptions::default() });
        let partition = TopicPartition { topic: Topic::RequestEvents, partition: 0 };
        let value = Some(EVENT.as_bytes().into());
        let record = Outgoing { topic: partition.topic, partition: Some(0), key: None, value, headers: Vec::new() };
        log.publish(vec![record]).await.unwrap();
        // A horizon told that nothing below 9 s will come; then a copy from 4.2 s becomes visible.
        let position = Position { offset: 1, log_time: LogTime(9_000) };
        let mut memory = rebuild(log.as_ref() as &dyn Log, partition, position, 1_000).await.unwrap();
        assert!(!memory.first("a", LogTime(4_200)));
        assert!(memory.first("a", LogTime(6_200)), "by the rule it counts again");
    }
}
