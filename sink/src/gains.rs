//! Partitions that were gained: the store's positions and their redelivery memory are looked up
//! while the other partitions are read and written.

use std::collections::BTreeSet;
use std::sync::Arc;

use slipstream_log::{LogError, Offset, Position, SharedLog, TopicPartition};
use slipstream_role::redelivery;
use slipstream_role::takeover::{Takeovers, Turns};
use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::Health;
use slipstream_schemas::{LogTime, Topic};
use slipstream_slo::redelivery::Memory;
use slipstream_store::{Claim, SharedStore, StoreError, StorePosition};
use tokio::sync::OnceCell;

use crate::SinkError;
use crate::run::TOPICS;
use crate::telemetry::Recreated;
use crate::waiting::Waiting;

/// The state with which the reading of a partition starts.
pub struct Begin {
    /// The store's position; `None` if it has nothing of the partition.
    pub stored: Option<Offset>,
    /// Where reading starts.
    pub next: Offset,
    /// Of request-events: what was there before.
    pub memory: Option<Memory>,
}

/// Gained partitions that are not read yet.
pub struct Gains {
    finder: Finder,
    /// Partitions with rows on their way into the store: their stored position is about to move.
    waiting: BTreeSet<TopicPartition>,
    /// What is being read; `None` if it was shut down meanwhile.
    under_way: Takeovers<Result<Option<Begin>, SinkError>>,
}

/// What a task needs to know.
#[derive(Clone)]
struct Finder {
    log: SharedLog,
    store: SharedStore,
    window_ms: i64,
    /// For rebuilding memories.
    turns: Turns,
    health: Health,
    shutdown: Shutdown,
}

/// The store's positions, read once for all tasks that start together.
type Positions = Arc<OnceCell<Vec<StorePosition>>>;

impl Gains {
    /// None so far.
    pub fn new(log: SharedLog, store: SharedStore, window_ms: i64, health: Health, shutdown: Shutdown) -> Self {
        let under_way = Takeovers::default();
        let finder = Finder { log, store, window_ms, turns: under_way.turns(), health, shutdown };
        Gains { finder, waiting: BTreeSet::new(), under_way }
    }

    /// These are to be begun. What was found out for an earlier assignment of them does not count.
    pub fn add(&mut self, partitions: &[TopicPartition]) {
        self.forget(partitions);
        self.waiting.extend(partitions);
    }

    /// These are no longer ours.
    pub fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.waiting.remove(partition);
            self.under_way.forget(*partition);
        }
    }

    /// Whether all that was gained is read.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }

    /// Whether one waits of which something has still to be written.
    pub fn wait_for(&self, unwritten: impl Fn(TopicPartition) -> bool) -> bool {
        self.waiting.iter().any(|partition| unwritten(*partition))
    }

    /// Begins with those of which nothing is on its way into the store.
    pub fn start(&mut self, on_its_way: impl Fn(TopicPartition) -> bool) {
        let positions = Positions::default();
        for partition in self.waiting.extract_if(.., |partition| !on_its_way(*partition)) {
            let (finder, positions) = (self.finder.clone(), Arc::clone(&positions));
            self.under_way.begin(partition, async move { finder.find(partition, &positions).await });
        }
    }

    /// One that can be read now.
    ///
    /// # Errors
    /// When log or store fail permanently, or do not belong together.
    pub fn ready(&mut self) -> Result<Option<(TopicPartition, Begin)>, SinkError> {
        while let Some((partition, found)) = self.under_way.ready() {
            if let Some(begin) = found? {
                return Ok(Some((partition, begin)));
            }
        }
        Ok(None)
    }
}

impl Finder {
    /// `None` if it was shut down meanwhile.
    async fn find(self, partition: TopicPartition, positions: &Positions) -> Result<Option<Begin>, SinkError> {
        let mut waiting = Waiting::new(self.health.clone(), self.shutdown.clone());
        loop {
            let cause = match self.attempt(partition, positions).await {
                Ok(begin) => {
                    waiting.succeeded();
                    return Ok(Some(begin));
                }
                // Retention may move between two reads of the log.
                Err(SinkError::Log(error @ LogError::OutOfRange { .. })) => error.to_string(),
                Err(SinkError::Store(error @ StoreError::Unavailable { .. })) => error.to_string(),
                Err(error) => return Err(error),
            };
            if !waiting.wait(cause).await {
                return Ok(None);
            }
        }
    }

    async fn attempt(&self, partition: TopicPartition, positions: &Positions) -> Result<Begin, SinkError> {
        let positions = positions.get_or_try_init(|| self.positions()).await?;
        let stored = positions.iter().find(|p| p.topic == partition.topic && p.partition == partition.partition);
        let (first, end) = self.log.bounds(partition).await?;
        let (offset, log_time) = stored.map_or((first, LogTime(0)), |s| (s.offset, s.log_time));
        if offset > end {
            return Err(SinkError::StoreAhead { partition, stored: offset, end });
        }
        let next = offset.max(first);
        let position = Position { offset: next, log_time };
        let memory = self.memory(partition, position).await?;
        Ok(Begin { stored: stored.map(|s| s.offset), next, memory })
    }

    /// The store's positions in the existing topics. Positions in one that was deleted would skip as many records of
    /// the one that has its name.
    async fn positions(&self) -> Result<Vec<StorePosition>, SinkError> {
        for topic in TOPICS {
            let Some(is) = self.log.topic_id(topic).await? else { continue };
            if let Claim::Recreated { was } = self.store.claim_topic(topic, is.as_str()).await? {
                Recreated { topic, was, is }.emit();
            }
        }
        Ok(self.store.positions().await?)
    }

    async fn memory(&self, partition: TopicPartition, position: Position) -> Result<Option<Memory>, LogError> {
        if partition.topic != Topic::RequestEvents {
            return Ok(None);
        }
        let _turn = self.turns.next().await;
        redelivery::rebuild(self.log.as_ref(), partition, position, self.window_ms).await.map(Some)
    }
}
