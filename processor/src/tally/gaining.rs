//! Partitions that were gained and are not worked on yet: their redelivery memory is rebuilt from the log, while the
//! others are read, decided and committed.

use std::collections::BTreeMap;

use slipstream_log::{Log, LogError, Position, SharedLog, TopicPartition, redelivered};
use slipstream_slo::redelivery::Memory;
use tokio::task::JoinSet;

use crate::ProcessorError;

/// A gained partition, ready to be worked on.
pub(super) struct Gained {
    pub partition: TopicPartition,
    pub position: Position,
    pub memory: Memory,
}

/// Where a partition goes on, and what it remembers.
type Remembered = Result<(Position, Memory), LogError>;

/// Those that are on their way.
#[derive(Default)]
pub(super) struct Gaining {
    tasks: JoinSet<(u64, TopicPartition, Remembered)>,
    /// For which assignment: one that was lost and came again is another one.
    waited_for: BTreeMap<TopicPartition, u64>,
    assignments: u64,
}

impl Gaining {
    /// Begins to rebuild.
    pub(super) fn begin(
        &mut self,
        log: SharedLog,
        partition: TopicPartition,
        committed: Option<Position>,
        window_ms: i64,
    ) {
        self.assignments += 1;
        let assignment = self.assignments;
        self.waited_for.insert(partition, assignment);
        self.tasks.spawn(async move { (assignment, partition, remember(&log, partition, committed, window_ms).await) });
    }

    /// Somebody else's now.
    pub(super) fn forget(&mut self, partition: TopicPartition) {
        self.waited_for.remove(&partition);
    }

    /// The next that is ready, if there is one now.
    pub(super) fn ready(&mut self) -> Result<Option<Gained>, ProcessorError> {
        while let Some(done) = self.tasks.try_join_next() {
            let (assignment, partition, rebuilt) = done.map_err(|e| ProcessorError::BrokeOff(e.to_string()))?;
            if self.waited_for.get(&partition) == Some(&assignment) {
                self.waited_for.remove(&partition);
                let (position, memory) = rebuilt?;
                return Ok(Some(Gained { partition, position, memory }));
            }
        }
        Ok(None)
    }
}

async fn remember(
    log: &SharedLog,
    partition: TopicPartition,
    committed: Option<Position>,
    window_ms: i64,
) -> Remembered {
    let position = match committed {
        Some(position) => position,
        None => Position { offset: log.bounds(partition).await?.0, log_time: slipstream_schemas::LogTime(0) },
    };
    let memory = redelivered::rebuild(log.as_ref() as &dyn Log, partition, position, window_ms).await?;
    Ok((position, memory))
}
