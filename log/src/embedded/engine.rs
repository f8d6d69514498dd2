//! What an embedded log has to bring along: how it keeps its records. The rest, [`Embedded`](super::Embedded), is the same
//! for all.

use async_trait::async_trait;
use slipstream_schemas::{LogTime, Topic};
use tokio::sync::watch;

use super::error::WriteError;
use super::guard::Guard;
use crate::batch::Batch;
use crate::groups::Groups;
use crate::partitioner::partition_of;
use crate::port::{Appended, Fetch, Horizon, LogError, Offset, Outgoing, Position, TopicId, TopicPartition};

/// How an embedded log keeps its records.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Name and place, for people.
    fn describe(&self) -> String;

    /// See [`crate::Log::total_order`].
    fn total_order(&self) -> bool {
        true
    }

    /// What distinguishes this log from another one in its place, if available: the id of all its topics.
    fn id(&self) -> Option<TopicId> {
        None
    }

    /// How many partitions a topic has.
    fn partitions(&self, topic: Topic) -> u32;

    /// Which member owns which partition.
    fn groups(&self) -> &Groups;

    /// Changes whenever records become visible or a group changes.
    fn changes(&self) -> watch::Receiver<u64>;

    /// First retained and end offset of a partition that exists.
    fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError>;

    /// See [`Horizon`]; exact.
    fn horizon(&self, partition: TopicPartition) -> Result<Horizon, LogError>;

    /// One write transaction, or a part of one: records whose partition is chosen, under a guard.
    async fn write(&self, records: Vec<Outgoing>, guard: Guard) -> Result<Vec<Appended>, WriteError>;

    /// The committed position, after every write that was begun before (so that a write in doubt is decided).
    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError>;

    /// See [`crate::Log::read`]; `from` and `to` lie within the bounds.
    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError>;

    /// See [`crate::Log::offset_at`].
    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError>;
}

pub(super) fn existing<E: Engine>(engine: &E, partition: TopicPartition) -> Result<(), LogError> {
    let partitions = engine.partitions(partition.topic);
    if partition.partition < partitions {
        return Ok(());
    }
    Err(LogError::Fatal {
        doing: format!("using {partition}"),
        cause: format!("{} has {partitions} partitions", partition.topic).into(),
    })
}

/// Chooses the partition of each record and refuses what can never be written. Records without key and partition go to
/// the one whose turn it is.
pub(super) fn place<E: Engine>(engine: &E, turn: u32, mut records: Vec<Outgoing>) -> Result<Vec<Outgoing>, LogError> {
    for record in &mut records {
        record.check()?;
        let partitions = engine.partitions(record.topic);
        let partition = match (record.partition, &record.key) {
            (Some(chosen), _) => chosen,
            (None, Some(key)) => partition_of(key, partitions),
            (None, None) => turn % partitions.max(1),
        };
        existing(engine, TopicPartition { topic: record.topic, partition })?;
        record.partition = Some(partition);
    }
    Ok(records)
}

pub(super) async fn read_within<E: Engine>(
    engine: &E,
    partition: TopicPartition,
    from: Offset,
    to: Offset,
    fetch: Fetch,
) -> Result<Batch, LogError> {
    let (first, end) = engine.bounds(partition)?;
    if from < first || from > end {
        return Err(LogError::OutOfRange { partition, offset: from, first, end });
    }
    let to = to.min(end);
    if from >= to {
        return Ok(Batch::new(partition, from));
    }
    engine.read(partition, from, to, fetch).await
}
