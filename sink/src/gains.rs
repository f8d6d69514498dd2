//! Partitions that were gained: where the store stands and what their redelivery memory has to remember is found out
//! beside the others, which are read and written meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use slipstream_log::{LogError, Offset, Position, SharedLog, TopicPartition, redelivered};
use slipstream_runtime::Shutdown;
use slipstream_runtime::health::Health;
use slipstream_schemas::{LogTime, Topic};
use slipstream_slo::redelivery::Memory;
use slipstream_store::{SharedStore, StoreError, StorePosition};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::{AbortHandle, JoinSet};

use crate::SinkError;
use crate::write::Patience;

/// Memories that are rebuilt at the same time: each reads a stretch of the log.
const REBUILDS: usize = 2;

/// What a partition's reading begins with.
pub struct Begin {
    /// The partition.
    pub partition: TopicPartition,
    /// The store's position; none: it has nothing of it.
    pub stored: Option<Offset>,
    /// Where reading begins.
    pub next: Offset,
    /// Of request-events: what was there before.
    pub memory: Option<Memory>,
}

/// Gained partitions that are not read yet.
pub struct Gains {
    finder: Finder,
    /// What still has rows on their way into the store: its position is not the last word.
    waiting: BTreeSet<TopicPartition>,
    /// What is being found out, each for one assignment: who loses the partition ends it.
    under_way: BTreeMap<TopicPartition, AbortHandle>,
    tasks: JoinSet<Result<Option<Begin>, SinkError>>,
}

/// What a task needs to know.
#[derive(Clone)]
struct Finder {
    log: SharedLog,
    store: SharedStore,
    window_ms: i64,
    health: Health,
    shutdown: Shutdown,
    rebuilds: Arc<Semaphore>,
}

/// The store's positions, asked for once by the tasks that begin together.
type Positions = Arc<OnceCell<Vec<StorePosition>>>;

impl Gains {
    /// None so far.
    pub fn new(log: SharedLog, store: SharedStore, window_ms: i64, health: Health, shutdown: Shutdown) -> Self {
        let rebuilds = Arc::new(Semaphore::new(REBUILDS));
        Gains {
            finder: Finder { log, store, window_ms, health, shutdown, rebuilds },
            waiting: BTreeSet::new(),
            under_way: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
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
            if let Some(task) = self.under_way.remove(partition) {
                task.abort();
            }
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
            let task = self.tasks.spawn(async move { finder.find(partition, &positions).await });
            self.under_way.insert(partition, task);
        }
    }

    /// One that can be read now.
    ///
    /// # Errors
    /// When log or store fail for good, or do not belong together.
    pub fn ready(&mut self) -> Result<Option<Begin>, SinkError> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            match ended {
                Err(cause) if cause.is_cancelled() => {}
                Err(cause) => return Err(SinkError::BrokeOff(cause.to_string())),
                Ok((id, found)) => {
                    let Some(begin) = found? else { continue };
                    let ours = self.under_way.get(&begin.partition).is_some_and(|task| task.id() == id);
                    if ours {
                        self.under_way.remove(&begin.partition);
                        return Ok(Some(begin));
                    }
                }
            }
        }
        Ok(None)
    }
}

impl Finder {
    /// None: shut down meanwhile.
    async fn find(self, partition: TopicPartition, positions: &Positions) -> Result<Option<Begin>, SinkError> {
        let mut patience = Patience::new(self.health.clone(), self.shutdown.clone());
        loop {
            let cause = match self.attempt(partition, positions).await {
                Ok(begin) => {
                    patience.succeeded();
                    return Ok(Some(begin));
                }
                // Retention may pass by between two looks at the log.
                Err(SinkError::Log(
                    error @ (LogError::Busy | LogError::Transient { .. } | LogError::OutOfRange { .. }),
                )) => error.to_string(),
                Err(SinkError::Store(error @ StoreError::Unavailable { .. })) => error.to_string(),
                Err(error) => return Err(error),
            };
            if !patience.wait(cause).await {
                return Ok(None);
            }
        }
    }

    async fn attempt(&self, partition: TopicPartition, positions: &Positions) -> Result<Begin, SinkError> {
        let positions = positions.get_or_try_init(|| self.store.positions()).await?;
        let stored = positions.iter().find(|p| p.topic == partition.topic && p.partition == partition.partition);
        let (first, end) = self.log.bounds(partition).await?;
        let (offset, log_time) = stored.map_or((first, LogTime(0)), |s| (s.offset, s.log_time));
        if offset > end {
            return Err(SinkError::StoreAhead { partition, stored: offset, end });
        }
        let next = offset.max(first);
        let position = Position { offset: next, log_time };
        let memory = self.memory(partition, position).await?;
        Ok(Begin { partition, stored: stored.map(|s| s.offset), next, memory })
    }

    async fn memory(&self, partition: TopicPartition, position: Position) -> Result<Option<Memory>, LogError> {
        if partition.topic != Topic::RequestEvents {
            return Ok(None);
        }
        // The semaphore is never closed; without a turn the rebuild would only be one of more.
        let _turn = self.rebuilds.acquire().await;
        redelivered::rebuild(self.log.as_ref(), partition, position, self.window_ms).await.map(Some)
    }
}
