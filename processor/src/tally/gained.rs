//! The state that tally needs for a gained partition before it is processed.

use slipstream_log::{Fetch, Log, LogError, Offset, Position, SharedLog, TopicPartition};
use slipstream_role::redelivery;
use slipstream_role::takeover::Turns;
use slipstream_schemas::records::TallyBatch;
use slipstream_schemas::{LogTime, Topic, codec};
use slipstream_slo::redelivery::Memory;

use super::ROLE;

/// Where a partition continues, and its redelivery memory.
pub(super) struct Gained {
    pub position: Position,
    pub memory: Memory,
}

/// Rebuilt from the log; without a committed position it begins at the first record.
pub(super) async fn gained(
    turns: Turns,
    log: SharedLog,
    partition: TopicPartition,
    committed: Option<Position>,
    window_ms: i64,
) -> Result<Gained, LogError> {
    let _turn = turns.next().await;
    let position = match committed {
        Some(position) => position,
        None => beginning(log.as_ref(), partition).await?,
    };
    let memory = redelivery::rebuild(log.as_ref(), partition, position, window_ms).await?;
    Ok(Gained { position, memory })
}

/// Records of sli-tallies that are searched for a batch of a source: every source writes several per second.
const LAST: Offset = 500;

/// Where a partition without a position begins. A position and the sums up to it are one step (L2). If sli-tallies has sums
/// of a partition that has no position, the group's positions or the topic were deleted: counting from its first record
/// would count twice, and burn would stop (P1).
async fn beginning(log: &dyn Log, partition: TopicPartition) -> Result<Position, LogError> {
    let Some(to) = sums_up_to(log, partition).await? else {
        return Ok(Position { offset: log.bounds(partition).await?.0, log_time: LogTime(0) });
    };
    // The owner before may have made its first step since the position was asked for.
    if let Some(position) = log.committed(ROLE, partition).await? {
        return Ok(position);
    }
    let cause = format!(
        "the group has no position in it, but sli-tallies has its sums up to offset {to}: the topic was deleted and recreated, \
         or the group's positions were deleted or expired; nothing was read or written; what to do: docs/operations-kafka.md, \
         \"A topic that was recreated\""
    );
    Err(LogError::Fatal { doing: format!("taking over {partition}"), cause: cause.into() })
}

/// The end of the newest of a partition's sums; `None` if there are none.
async fn sums_up_to(log: &dyn Log, partition: TopicPartition) -> Result<Option<Offset>, LogError> {
    let sums = TopicPartition { topic: Topic::SliTallies, partition: 0 };
    let (first, end) = log.bounds(sums).await?;
    let (mut next, mut told) = (first.max(end - LAST), None);
    while next < end {
        let batch = log.read(sums, next, end, Fetch::default()).await?;
        let of_it = batch.iter().filter_map(|record| codec::decode::<TallyBatch>(record.value()?).ok());
        told = of_it.filter(|tally| tally.source == partition.partition as i32).last().map(|tally| tally.to).or(told);
        next = batch.next;
    }
    Ok(told)
}
