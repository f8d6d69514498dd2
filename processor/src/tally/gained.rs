//! What tally must know of a gained partition before it is worked on.

use slipstream_log::{LogError, Position, SharedLog, TopicPartition};
use slipstream_role::redelivery;
use slipstream_role::takeover::Turns;
use slipstream_schemas::LogTime;
use slipstream_slo::redelivery::Memory;

/// Where a partition goes on, and what it remembers.
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
        None => Position { offset: log.bounds(partition).await?.0, log_time: LogTime(0) },
    };
    let memory = redelivery::rebuild(log.as_ref(), partition, position, window_ms).await?;
    Ok(Gained { position, memory })
}
