//! Partitions of burn that were gained and whose state is being rebuilt, each in a task of its own, while the others are
//! worked on.

use std::collections::BTreeMap;

use slipstream_log::{Position, SharedLog, TopicPartition};
use tokio::task::{AbortHandle, JoinError, JoinSet};

use crate::ProcessorError;
use crate::definitions::Definitions;
use crate::restore::{Restored, restore};

/// A partition whose state is there.
pub(crate) struct Gained {
    pub partition: TopicPartition,
    /// As committed.
    pub position: Position,
    pub restored: Restored,
}

/// Which assignment of a partition a task works for: a partition may be lost and gained again meanwhile.
type Assignment = u64;

/// What a task was begun for, and what came of it.
struct Ended {
    partition: TopicPartition,
    assignment: Assignment,
    position: Position,
    restored: Result<Restored, ProcessorError>,
}

/// The tasks.
pub(crate) struct Restoring {
    log: SharedLog,
    tasks: JoinSet<Ended>,
    expected: BTreeMap<TopicPartition, (Assignment, AbortHandle)>,
    assignments: Assignment,
}

impl Restoring {
    pub(crate) fn new(log: SharedLog) -> Self {
        Restoring { log, tasks: JoinSet::new(), expected: BTreeMap::new(), assignments: 0 }
    }

    /// Begins with a partition, anew if it was begun before. The task reads definitions on for itself.
    pub(crate) fn begin(&mut self, partition: TopicPartition, position: Position, mut definitions: Definitions) {
        self.forget(partition);
        self.assignments += 1;
        let (assignment, log) = (self.assignments, self.log.clone());
        let task = self.tasks.spawn(async move {
            let restored = restore(log.as_ref(), partition, position.offset, &mut definitions).await;
            Ended { partition, assignment, position, restored }
        });
        self.expected.insert(partition, (assignment, task));
    }

    /// L6: a lost partition's state goes, ready or not.
    pub(crate) fn forget(&mut self, partition: TopicPartition) {
        if let Some((_, task)) = self.expected.remove(&partition) {
            task.abort();
        }
    }

    /// How many partitions are waited for.
    /// A partition that became ready since this was asked last.
    ///
    /// # Errors
    /// Why one could not be restored.
    pub(crate) fn ready(&mut self) -> Result<Option<Gained>, ProcessorError> {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Some(gained) = self.take(ended)? {
                return Ok(Some(gained));
            }
        }
        Ok(None)
    }

    /// The next partition that becomes ready; none when no task is left.
    ///
    /// # Errors
    /// Why one could not be restored.
    pub(crate) async fn next(&mut self) -> Result<Option<Gained>, ProcessorError> {
        while let Some(ended) = self.tasks.join_next().await {
            if let Some(gained) = self.take(ended)? {
                return Ok(Some(gained));
            }
        }
        Ok(None)
    }

    fn take(&mut self, ended: Result<Ended, JoinError>) -> Result<Option<Gained>, ProcessorError> {
        let Ended { partition, assignment, position, restored } = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => return Ok(None),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        // What became of an assignment that ended concerns nobody.
        if self.expected.get(&partition).is_none_or(|(expected, _)| *expected != assignment) {
            return Ok(None);
        }
        self.expected.remove(&partition);
        Ok(Some(Gained { partition, position, restored: restored? }))
    }
}
