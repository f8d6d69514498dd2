//! Partitions that were gained and are not read yet: what a role must know first is found out for each in a task of its
//! own, while the others are read, decided and committed.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::port::TopicPartition;

/// Tasks that work at the same time: each reads a stretch of the log, and keeps some of it in memory.
const AT_A_TIME: usize = 2;

/// The tasks, each for one assignment of its partition: who loses the partition ends it (L6), and one that is lost and
/// gained again begins anew.
#[derive(Debug)]
pub struct Gaining<T> {
    tasks: JoinSet<(TopicPartition, T)>,
    under_way: BTreeMap<TopicPartition, AbortHandle>,
    turns: Arc<Semaphore>,
}

impl<T> Default for Gaining<T> {
    fn default() -> Self {
        Gaining { tasks: JoinSet::new(), under_way: BTreeMap::new(), turns: Arc::new(Semaphore::new(AT_A_TIME)) }
    }
}

impl<T: Send + 'static> Gaining<T> {
    /// Begins with a partition; what was begun of it before does not count.
    pub fn begin(&mut self, partition: TopicPartition, work: impl Future<Output = T> + Send + 'static) {
        self.forget(partition);
        let turns = Arc::clone(&self.turns);
        let task = self.tasks.spawn(async move {
            // Never closed.
            let _turn = turns.acquire_owned().await;
            (partition, work.await)
        });
        self.under_way.insert(partition, task);
    }

    /// Somebody else's now, ready or not.
    pub fn forget(&mut self, partition: TopicPartition) {
        if let Some(task) = self.under_way.remove(&partition) {
            task.abort();
        }
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// What came of a partition that became ready since this was asked last.
    pub fn ready(&mut self) -> Option<(TopicPartition, T)> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            if let Some(gained) = self.take(ended) {
                return Some(gained);
            }
        }
        None
    }

    /// The next that becomes ready; none: nothing is under way.
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
    use slipstream_schemas::Topic;
    use tokio::sync::oneshot;

    use super::*;

    const PARTITION: TopicPartition = TopicPartition { topic: Topic::RequestEvents, partition: 3 };

    #[tokio::test]
    async fn what_ended_for_an_assignment_that_was_lost_does_not_count() {
        let mut gaining = Gaining::default();
        let (ended, first) = oneshot::channel();
        gaining.begin(PARTITION, async move {
            let _ = ended.send(());
            "first"
        });
        first.await.expect("the task ran");
        gaining.forget(PARTITION);
        assert!(gaining.is_empty());
        gaining.begin(PARTITION, async { "second" });
        assert_eq!(gaining.next().await, Some((PARTITION, "second")));
        assert_eq!(gaining.next().await, None);
    }

    #[tokio::test]
    async fn a_lost_partitions_work_is_ended() {
        let mut gaining = Gaining::default();
        let (held, ended) = oneshot::channel::<()>();
        gaining.begin(PARTITION, async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        gaining.forget(PARTITION);
        assert!(ended.await.is_err(), "the task was dropped");
        assert_eq!(gaining.ready(), None);
    }
}
