//! What the embedded logs, memory and SQLite, have in common: everything but how records are kept.

mod consumer;
mod engine;
mod error;
mod guard;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use slipstream_schemas::{Cause, LogTime, Topic};

use crate::batch::Batch;
use crate::port::{
    Appended, CommitError, Consumer, Fetch, Log, LogError, Offset, Outgoing, Position, Share, TopicId, TopicPartition,
};
use engine::{existing, place, read_within};

pub use engine::Engine;
pub use error::WriteError;
pub use guard::{Guard, Move};
pub(crate) use guard::{Holders, check_moves};

/// A log inside this process.
pub struct Embedded<E> {
    engine: Arc<E>,
    /// The session in which this handle holds a writer's name, or did.
    writers: Mutex<HashMap<String, u64>>,
    turn: AtomicU32,
}

/// Sessions of all handles: a newer one has a higher number.
static SESSIONS: AtomicU64 = AtomicU64::new(1);

fn new_session() -> u64 {
    SESSIONS.fetch_add(1, Ordering::Relaxed)
}

impl<E: Engine> Embedded<E> {
    pub(crate) fn over(engine: Arc<E>) -> Arc<Self> {
        Arc::new(Embedded { engine, writers: Mutex::default(), turn: AtomicU32::new(0) })
    }

    pub(crate) fn engine(&self) -> &E {
        &self.engine
    }

    /// A second handle to the same log, as another process would have it: it fences this one where both use the same
    /// writer name (L5).
    pub fn sibling(&self) -> Arc<Self> {
        Embedded::over(Arc::clone(&self.engine))
    }

    fn writers(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place_next(&self, records: Vec<Outgoing>) -> Result<Vec<Outgoing>, LogError> {
        place(self.engine(), self.turn.fetch_add(1, Ordering::Relaxed), records)
    }
}

#[async_trait]
impl<E: Engine> Log for Embedded<E> {
    fn describe(&self) -> String {
        self.engine.describe()
    }

    fn total_order(&self) -> bool {
        self.engine.total_order()
    }

    async fn topic_id(&self, _: Topic) -> Result<Option<TopicId>, LogError> {
        Ok(self.engine.id())
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        Ok(self.engine.partitions(topic))
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        let records = self.place_next(records)?;
        self.engine.write(records, Guard::None).await.map_err(WriteError::of_publish)
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        let records = self.place_next(records).map_err(|e| CommitError::Fatal(Cause::of(e)))?;
        let session = *self.writers().entry(writer.to_owned()).or_insert_with(new_session);
        let guard = Guard::Name { writer: writer.to_owned(), session };
        self.engine.write(records, guard).await.map_err(WriteError::of_commit)
    }

    async fn take_writer(&self, writer: &str) -> Result<(), CommitError> {
        let session = new_session();
        self.writers().insert(writer.to_owned(), session);
        let guard = Guard::Name { writer: writer.to_owned(), session };
        self.engine.write(Vec::new(), guard).await.map(drop).map_err(WriteError::of_commit)
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

    async fn subscribe(&self, group: &str, topics: &[Topic], share: Share) -> Result<Box<dyn Consumer>, LogError> {
        let of =
            |topic: Topic| (0..self.engine.partitions(topic)).map(move |partition| TopicPartition { topic, partition });
        let partitions: BTreeSet<TopicPartition> = topics.iter().copied().flat_map(of).collect();
        Ok(Box::new(consumer::Member::join(&self.engine, group, partitions, share)))
    }
}
