//! The place of a record, and the position of a group.

use slipstream_schemas::decode::Provenance;
use slipstream_schemas::{LogTime, Topic};

/// Index of a record in its partition, from 0.
pub type Offset = i64;

/// One partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Topic,
    /// Its partition, from 0.
    pub partition: u32,
}

impl TopicPartition {
    /// The place of one of its records, for what is said of it.
    pub fn provenance(self, offset: Offset) -> Provenance<'static> {
        Provenance { topic: self.topic.name(), partition: self.partition, offset }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// What tells a topic from another one of the same name, made after it was deleted: an offset is a place in one of them. It is
/// written as the cluster's own tools show it (`kafka-topics.sh --describe`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicId(String);

impl TopicId {
    /// An id that was written down.
    pub fn new(text: impl Into<String>) -> TopicId {
        TopicId(text.into())
    }

    /// Of plain base64, with or without padding.
    pub(crate) fn of_base64(text: &str) -> TopicId {
        TopicId(text.trim_end_matches('=').replace('+', "-").replace('/', "_"))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for TopicId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The position of a group in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Next offset to read.
    pub offset: Offset,
    /// Log time up to which the partition was read: every record at `offset` or later has at least this log time (L7).
    pub log_time: LogTime,
}
