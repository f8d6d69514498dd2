//! Positions as groups commit them on Kafka: the offset, and in the commit's metadata the log time and the id of the topic
//! that the offset belongs to.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Offset as At, TopicPartitionList};
use slipstream_schemas::{Cause, LogTime, Topic};

use super::client::Reader;
use super::names::Names;
use crate::port::{Advance, LogError, Offset, Position, TopicId, TopicPartition};

/// How long the coordinator may take; it responds only when no transaction is open on the positions.
const CALL: Duration = Duration::from_secs(10);

/// Ids of topics, if known.
pub(super) type Ids = BTreeMap<Topic, TopicId>;

/// What a group has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Committed {
    Never,
    At(Position),
    /// A position in a deleted topic of the same name.
    Elsewhere {
        offset: Offset,
        was: TopicId,
        is: TopicId,
    },
}

/// A group's position is a place in a topic that was deleted: who reads in this group does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the group's offset {offset} belongs to the deleted topic (id {was}); the current id is {is}")]
pub struct OfDeletedTopic {
    /// The offset.
    pub offset: Offset,
    /// The id of the topic that it is a place in.
    pub was: TopicId,
    /// The id of the one that is there.
    pub is: TopicId,
}

impl Committed {
    /// The position, if it belongs to the existing topic.
    pub(super) fn position(&self, group: &str, place: TopicPartition) -> Result<Option<Position>, LogError> {
        match self {
            Committed::Never => Ok(None),
            Committed::At(position) => Ok(Some(*position)),
            Committed::Elsewhere { offset, was, is } => {
                let doing = format!("looking where {group} stands in {place}");
                let deleted = OfDeletedTopic { offset: *offset, was: was.clone(), is: is.clone() };
                let cause = Cause::of(deleted)
                    .and("; nothing was skipped; what to do: docs/operations-kafka.md, \"A topic that was recreated\"");
                Err(LogError::Fatal { doing, cause })
            }
        }
    }
}

/// The end positions of steps, as a commit.
pub(super) fn list_of(names: &Names, ids: &Ids, advances: &[Advance]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(advances.len());
    for advance in advances {
        let (topic, partition) = (names.of(advance.partition.topic), advance.partition.partition as i32);
        list.add_partition_offset(topic, partition, At::Offset(advance.to.offset))?;
        if let Some(mut element) = list.find_partition(topic, partition) {
            // The log time is committed with the offset, so a successor finds both or neither (L4).
            element.set_metadata(metadata_of(advance.to.log_time, ids.get(&advance.partition.topic)));
        }
    }
    Ok(list)
}

/// Committed positions of partitions in the client's group; blocks until no transaction is open on them.
pub(super) fn committed(
    reader: &Reader,
    names: &Names,
    ids: &Ids,
    partitions: &[TopicPartition],
) -> Result<Vec<(TopicPartition, Committed)>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for p in partitions {
        list.add_partition(names.of(p.topic), p.partition as i32);
    }
    let answer = reader.committed_offsets(list, CALL)?;
    let mut positions = Vec::with_capacity(partitions.len());
    for element in answer.elements() {
        element.error()?;
        let Some(place) = names.place(element.topic(), element.partition()) else { continue };
        let committed = match element.offset() {
            At::Offset(offset) => committed_of(offset, element.metadata(), ids.get(&place.topic)),
            _ => Committed::Never,
        };
        positions.push((place, committed));
    }
    Ok(positions)
}

/// Parses a commit. One of an older version, or of a tool that moved offsets, has no topic id and is accepted as it is.
fn committed_of(offset: Offset, metadata: &str, is: Option<&TopicId>) -> Committed {
    match (topic_of(metadata), is) {
        (Some(was), Some(is)) if was != *is => Committed::Elsewhere { offset, was, is: is.clone() },
        _ => Committed::At(Position { offset, log_time: log_time_of(metadata) }),
    }
}

fn metadata_of(time: LogTime, topic: Option<&TopicId>) -> String {
    let topic = topic.map(|id| format!(" topic={id}")).unwrap_or_default();
    format!("log_time={}{topic}", time.0)
}

fn value_of<'a>(metadata: &'a str, name: &str) -> Option<&'a str> {
    metadata.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// A commit by another program (a tool that moved offsets) has none: its log time is unknown.
fn log_time_of(metadata: &str) -> LogTime {
    LogTime(value_of(metadata, "log_time").and_then(|t| t.parse().ok()).unwrap_or(0))
}

fn topic_of(metadata: &str) -> Option<TopicId> {
    value_of(metadata, "topic").map(TopicId::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_time_comes_back_from_metadata() {
        for time in [0, 1_700_000_000_123] {
            assert_eq!(log_time_of(&metadata_of(LogTime(time), None)), LogTime(time));
            assert_eq!(log_time_of(&metadata_of(LogTime(time), Some(&TopicId::new("a-_b")))), LogTime(time));
        }
        assert_eq!(log_time_of(""), LogTime(0));
        assert_eq!(log_time_of("moved by hand"), LogTime(0));
    }

    #[test]
    fn a_place_in_another_topic_of_the_name_is_none_in_this_one() {
        let (a, b) = (TopicId::new("Aa1-_w"), TopicId::new("Bb"));
        let at = |log_time| Committed::At(Position { offset: 7, log_time: LogTime(log_time) });
        let elsewhere = Committed::Elsewhere { offset: 7, was: a.clone(), is: b.clone() };
        let written = metadata_of(LogTime(5), Some(&a));
        for (metadata, is, expected) in [
            (written.as_str(), Some(&a), at(5)),
            (&written, None, at(5)),
            (&written, Some(&b), elsewhere.clone()),
            ("log_time=5", Some(&b), at(5)),
            ("", Some(&b), at(0)),
        ] {
            assert_eq!(committed_of(7, metadata, is), expected, "{metadata}");
        }
        let place = TopicPartition { topic: Topic::Alerts, partition: 1 };
        assert_eq!(at(5).position("alerter", place).unwrap().map(|p| p.offset), Some(7));
        let said = elsewhere.position("alerter", place).unwrap_err().to_string();
        for part in
            ["alerts", "offset 7 belongs to the deleted topic (id Aa1-_w)", "id is Bb", "docs/operations-kafka.md"]
        {
            assert!(said.contains(part), "{said}");
        }
    }
}
