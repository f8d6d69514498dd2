//! Positions as groups commit them on Kafka: the offset, and the log time in the commit's metadata.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Offset as At, TopicPartitionList};
use slipstream_schemas::LogTime;

use super::client::Reader;
use super::names::Names;
use crate::port::{Advance, Position, TopicPartition};

/// How long the coordinator may take; it answers only when no transaction is open on the positions.
const CALL: Duration = Duration::from_secs(10);

/// Where steps end, as a commit.
pub(super) fn list_of(names: &Names, advances: &[Advance]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(advances.len());
    for advance in advances {
        let (topic, partition) = (names.of(advance.partition.topic), advance.partition.partition as i32);
        list.add_partition_offset(topic, partition, At::Offset(advance.to.offset))?;
        if let Some(mut element) = list.find_partition(topic, partition) {
            element.set_metadata(metadata_of(advance.to.log_time));
        }
    }
    Ok(list)
}

/// Committed positions of partitions, in the name of the client's group; it blocks until no transaction is open on them.
pub(super) fn committed(
    reader: &Reader,
    names: &Names,
    partitions: &[TopicPartition],
) -> Result<Vec<(TopicPartition, Option<Position>)>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for p in partitions {
        list.add_partition(names.of(p.topic), p.partition as i32);
    }
    let answer = reader.committed_offsets(list, CALL)?;
    let mut positions = Vec::with_capacity(partitions.len());
    for element in answer.elements() {
        element.error()?;
        let Some(place) = names.place(element.topic(), element.partition()) else { continue };
        let position = match element.offset() {
            At::Offset(offset) => Some(Position { offset, log_time: log_time_of(element.metadata()) }),
            _ => None,
        };
        positions.push((place, position));
    }
    Ok(positions)
}

fn metadata_of(time: LogTime) -> String {
    format!("log_time={}", time.0)
}

/// Somebody else's commit (a tool that moved offsets) has none: nothing is known of its log time.
fn log_time_of(metadata: &str) -> LogTime {
    LogTime(metadata.strip_prefix("log_time=").and_then(|t| t.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_time_comes_back_from_metadata() {
        for time in [0, 1_700_000_000_123] {
            assert_eq!(log_time_of(&metadata_of(LogTime(time))), LogTime(time));
        }
        assert_eq!(log_time_of(""), LogTime(0));
        assert_eq!(log_time_of("moved by hand"), LogTime(0));
    }
}
