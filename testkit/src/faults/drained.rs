//! Whether a group, or the store, has reached the end of the log.

use anyhow::Result;
use slipstream_log::{Fetch, Log, TopicPartition};
use slipstream_schemas::Topic;
use slipstream_store::Store;

/// Whether the group has committed past the last record of a topic.
pub async fn by_group(log: &dyn Log, group: &str, topic: Topic) -> Result<bool> {
    for partition in 0..log.partitions(topic).await? {
        let place = TopicPartition { topic, partition };
        let from = log.committed(group, place).await?.map(|position| position.offset);
        if !nothing_from(log, place, from).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the store has all records of a topic.
pub async fn by_store(log: &dyn Log, store: &dyn Store, topic: Topic) -> Result<bool> {
    let positions = store.positions().await?;
    for partition in 0..log.partitions(topic).await? {
        let place = TopicPartition { topic, partition };
        let stored = positions.iter().find(|p| (p.topic, p.partition) == (topic, partition));
        if !nothing_from(log, place, stored.map(|p| p.offset)).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether there are no records from here on: where transactions end there are offsets without one.
async fn nothing_from(log: &dyn Log, place: TopicPartition, from: Option<i64>) -> Result<bool> {
    let (first, end) = log.settled_bounds(place).await?;
    let mut next = from.unwrap_or(first).max(first);
    while next < end {
        let batch = log.read(place, next, end, Fetch::default()).await?;
        if !batch.is_empty() {
            return Ok(false);
        }
        next = batch.next;
    }
    Ok(true)
}
