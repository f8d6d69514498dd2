//! Waiting until tally, burn and sink have reached the end of the log: how `import`, `simulate` and the demo end.

use std::time::Duration;

use anyhow::{Result, bail};
use slipstream_log::{Log, Offset, TopicPartition};
use slipstream_role::names;
use slipstream_schemas::Topic;
use slipstream_store::Store;

/// How often positions are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The end offsets of a topic's partitions.
async fn ends(log: &dyn Log, topic: Topic) -> Result<Vec<(TopicPartition, Offset)>> {
    let mut ends = Vec::new();
    for partition in 0..log.partitions(topic).await? {
        let partition = TopicPartition { topic, partition };
        ends.push((partition, log.bounds(partition).await?.1));
    }
    Ok(ends)
}

/// Waits until the store holds all that a topic holds now.
///
/// # Errors
/// When log or store fail.
pub async fn stored(log: &dyn Log, store: &dyn Store, topic: Topic) -> Result<()> {
    let goals = ends(log, topic).await?;
    loop {
        let positions = store.positions().await?;
        let at = |p: TopicPartition| positions.iter().find(|s| s.topic == p.topic && s.partition == p.partition);
        if goals.iter().all(|(p, end)| *end == 0 || at(*p).is_some_and(|s| s.offset >= *end)) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until a group has committed all that a topic holds now.
///
/// # Errors
/// When the log fails.
pub async fn committed(log: &dyn Log, group: &str, topic: Topic) -> Result<()> {
    let goals = ends(log, topic).await?;
    loop {
        let mut reached = true;
        for (partition, end) in &goals {
            let position = log.committed(group, *partition).await?;
            reached &= *end == 0 || position.is_some_and(|p| p.offset >= *end);
        }
        if reached {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until every event of the log is tallied, folded and stored.
///
/// # Errors
/// When log or store fail.
pub async fn everything(log: &dyn Log, store: &dyn Store) -> Result<()> {
    committed(log, names::TALLY, Topic::RequestEvents).await?;
    committed(log, names::BURN, Topic::SliTallies).await?;
    stored(log, store, Topic::RequestEvents).await
}

/// One of these waits, for at most `patience`.
///
/// # Errors
/// Those of the wait, or patience is over.
pub async fn within(patience: Duration, wait: impl Future<Output = Result<()>>) -> Result<()> {
    match tokio::time::timeout(patience, wait).await {
        Ok(done) => done,
        Err(_) => bail!("the pipeline did not reach the end of the log within {} s", patience.as_secs()),
    }
}
