//! What the embedded logs, memory and SQLite, have in common: everything but how records are kept.

mod consumer;
mod guard;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use async_trait::async_trait;
use slipstream_schemas::{LogTime, Topic};
use tokio::sync::watch;

use crate::batch::Batch;
use crate::groups::Groups;
use crate::partitioner::partition_of;
use crate::port::{
    Appended, CommitError, Consumer, Fetch, Horizon, Log, LogError, Offset, Outgoing, Position, TopicPartition,
};

pub use guard::{Guard, Move};
pub(crate) use guard::{Holders, check_moves};

/// How an embedded log keeps its records. The rest, [`Embedded`], is the same for all.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Name and place, for people.
    fn describe(&self) -> String;

    /// See [`Log::total_order`].
    fn total_order(&self) -> bool {
        true
    }

    /// How many partitions a topic has.
    fn partitions(&self, topic: Topic) -> u32;

    /// Who owns which partition.
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

    /// See [`Log::read`]; `from` and `to` lie within the bounds.
    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError>;

    /// See [`Log::offset_at`].
    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError>;
}

/// Why a write failed.
#[derive(Debug, Clone)]
pub enum WriteError {
    /// The queue is full; nothing was written.
    Busy,
    /// Nothing was written.
    Aborted(String),
    /// It may have been written.
    InDoubt(String),
    /// Not the owner, or not the newest holder of the name, any more.
    Lost(Vec<TopicPartition>),
    /// Will not pass.
    Fatal(String),
}

/// A log inside this process.
pub struct Embedded<E> {
    engine: Arc<E>,
    session: u64,
    turn: AtomicU32,
}

static SESSIONS: AtomicU64 = AtomicU64::new(1);

impl<E: Engine> Embedded<E> {
    pub(crate) fn over(engine: Arc<E>) -> Arc<Self> {
        Arc::new(Embedded { engine, session: SESSIONS.fetch_add(1, Ordering::Relaxed), turn: AtomicU32::new(0) })
    }

    pub(crate) fn engine(&self) -> &E {
        &self.engine
    }

    /// A second handle to the same log, as another process would have it: it fences this one where both use the same
    /// writer name (L5).
    pub fn sibling(&self) -> Arc<Self> {
        Embedded::over(Arc::clone(&self.engine))
    }

    fn place_next(&self, records: Vec<Outgoing>) -> Result<Vec<Outgoing>, LogError> {
        place(self.engine(), self.turn.fetch_add(1, Ordering::Relaxed), records)
    }
}

fn existing<E: Engine>(engine: &E, partition: TopicPartition) -> Result<(), LogError> {
    let partitions = engine.partitions(partition.topic);
    if partition.partition < partitions {
        return Ok(());
    }
    Err(LogError::Fatal {
        doing: format!("using {partition}"),
        cause: format!("{} has {partitions} partitions", partition.topic),
    })
}

/// Chooses the partition of each record and refuses what can never be written. Records without key and partition go to
/// the one whose turn it is.
fn place<E: Engine>(engine: &E, turn: u32, mut records: Vec<Outgoing>) -> Result<Vec<Outgoing>, LogError> {
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

#[async_trait]
impl<E: Engine> Log for Embedded<E> {
    fn describe(&self) -> String {
        self.engine.describe()
    }

    fn total_order(&self) -> bool {
        self.engine.total_order()
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        Ok(self.engine.partitions(topic))
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        let records = self.place_next(records)?;
        self.engine.write(records, Guard::None).await.map_err(WriteError::of_publish)
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        let records = self.place_next(records).map_err(|e| CommitError::Fatal(e.to_string()))?;
        let guard = Guard::Name { writer: writer.to_owned(), session: self.session };
        self.engine.write(records, guard).await.map_err(WriteError::of_commit)
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        existing(self.engine(), partition)?;
        self.engine.bounds(partition)
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        existing(self.engine(), partition)?;
        read_within(self.engine(), partition, from, to, fetch).await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        existing(self.engine(), partition)?;
        self.engine.offset_at(partition, time).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        existing(self.engine(), partition)?;
        self.engine.committed(group, partition).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        let of =
            |topic: Topic| (0..self.engine.partitions(topic)).map(move |partition| TopicPartition { topic, partition });
        let partitions: BTreeSet<TopicPartition> = topics.iter().copied().flat_map(of).collect();
        Ok(Box::new(consumer::Member::join(&self.engine, group, partitions)))
    }
}

async fn read_within<E: Engine>(
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

impl WriteError {
    fn of_publish(self) -> LogError {
        let doing = "publishing".to_owned();
        match self {
            WriteError::Busy => LogError::Busy,
            WriteError::Aborted(cause) | WriteError::InDoubt(cause) => LogError::Transient { doing, cause },
            WriteError::Fatal(cause) => LogError::Fatal { doing, cause },
            WriteError::Lost(_) => LogError::Fatal { doing, cause: "fenced".to_owned() },
        }
    }

    fn of_commit(self) -> CommitError {
        match self {
            WriteError::Busy => CommitError::Aborted("the log's write queue is full".to_owned()),
            WriteError::Aborted(cause) => CommitError::Aborted(cause),
            WriteError::InDoubt(cause) => CommitError::InDoubt(cause),
            WriteError::Lost(partitions) => CommitError::Lost(partitions),
            WriteError::Fatal(cause) => CommitError::Fatal(cause),
        }
    }
}
