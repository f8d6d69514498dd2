//! Taking over partitions: the state that a role needs for a partition before it reads it is rebuilt in its own task,
//! while the others are read, decided and committed.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use slipstream_log::TopicPartition;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// Tasks that have their turn at the same time: each reads a stretch of the log, and keeps some of it in memory.
const AT_A_TIME: usize = 2;

/// A task with much to read waits for its turn.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Semaphore>);

/// Had until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits for a turn.
    pub async fn next(&self) -> Turn {
        // Never closed.
        Turn { _permit: Arc::clone(&self.0).acquire_owned().await.ok() }
    }
}

/// The tasks, each for one assignment of its partition: losing the partition ends it (L6), and one that is lost and
/// gained again starts over.
#[derive(Debug)]
pub struct Takeovers<T> {
    tasks: JoinSet<(TopicPartition, T)>,
    under_way: BTreeMap<TopicPartition, AbortHandle>,
    turns: Turns,
}

impl<T> Default for Takeovers<T> {
    fn default() -> Self {
        let turns = Turns(Arc::new(Semaphore::new(AT_A_TIME)));
        Takeovers { tasks: JoinSet::new(), under_way: BTreeMap::new(), turns }
    }
}

impl<T: Send + 'static> Takeovers<T> {
    /// Begins with a partition; what was begun of it before does not count.
    pub fn begin(&mut self, partition: TopicPartition, work: impl Future<Output = T> + Send + 'static) {
        self.forget(partition);
        let task = self.tasks.spawn(async move { (partition, work.await) });
        self.under_way.insert(partition, task);
    }

    /// For the part of the work that is much.
    pub fn turns(&self) -> Turns {
        self.turns.clone()
    }

    /// Someone else's now, ready or not.
    pub fn forget(&mut self, partition: TopicPartition) {
        if let Some(task) = self.under_way.remove(&partition) {
            task.abort();
        }
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// The result of a partition that became ready since the last call.
    pub fn ready(&mut self) -> Option<(TopicPartition, T)> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            if let Some(gained) = self.take(ended) {
                return Some(gained);
            }
        }
        None
    }

    /// The next that becomes ready; `None` if nothing is under way.
    pub async fn next(&mut self) -> Option<(TopicPartition, T)> {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let Some(gained) = self.take(ended) {
                return Some(gained);
            }
        }
        None
    }

    /// A task's panic is the role's.
    fn take(&mut self, ended: Result<(Id, (TopicPartition, T)), JoinError>) -> Option<(TopicPartition, T)> {
        let (id, (partition, gained)) = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => return None,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        // It may have ended just before its partition was lost.
        self.under_way.get(&partition).filter(|task| task.id() == id)?;
        self.under_way.remove(&partition);
        Some((partition, gained))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use slipstream_schemas::Topic;
    use tokio::sync::{oneshot, watch};

    use super::*;

    const PARTITION: TopicPartition = TopicPartition { topic: Topic::RequestEvents, partition: 3 };

    #[tokio::test]
    async fn what_ended_for_an_assignment_that_was_lost_does_not_count() {
        let mut takeovers = Takeovers::default();
        let (ended, first) = oneshot::channel();
        takeovers.begin(PARTITION, async move {
            let _ = ended.send(());
            "first"
        });
        first.await.expect("the task ran");
        takeovers.forget(PARTITION);
        assert!(takeovers.is_empty());
        takeovers.begin(PARTITION, async { "second" });
        assert_eq!(takeovers.next().await, Some((PARTITION, "second")));
        assert_eq!(takeovers.next().await, None);
    }

    #[tokio::test]
    async fn only_work_that_takes_a_turn_waits_for_one() {
        let mut takeovers = Takeovers::default();
        let partition = |partition| TopicPartition { partition, ..PARTITION };
        let (go, held) = watch::channel(false);
        for much in 0..3 {
            let (turns, mut held) = (takeovers.turns(), held.clone());
            takeovers.begin(partition(much), async move {
                let _turn = turns.next().await;
                held.wait_for(|go| *go).await.map(|_| ()).map_err(|_| ())
            });
        }
        takeovers.begin(partition(3), async { Ok(()) });
        assert_eq!(takeovers.next().await, Some((partition(3), Ok(()))));
        assert_eq!(takeovers.turns.0.available_permits(), 0);
        takeovers.forget(partition(1));
        go.send(true).expect("the tasks wait");
        let others =
            [takeovers.next().await, takeovers.next().await].map(|gained| gained.map(|(partition, _)| partition));
        assert_eq!(BTreeSet::from(others), BTreeSet::from([Some(partition(0)), Some(partition(2))]));
        assert_eq!(takeovers.next().await, None);
    }

    #[tokio::test]
    async fn a_lost_partitions_work_is_ended() {
        let mut takeovers = Takeovers::default();
        let (held, ended) = oneshot::channel::<()>();
        takeovers.begin(PARTITION, async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        takeovers.forget(PARTITION);
        assert!(ended.await.is_err(), "the task was dropped");
        assert_eq!(takeovers.ready(), None);
    }
}
