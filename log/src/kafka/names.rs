//! Names of topics on the cluster, and back.

use slipstream_schemas::Topic;
use slipstream_schemas::topics::TOPICS;

use crate::port::TopicPartition;

/// The names of an installation's topics.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
    names: Vec<String>,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        let names = TOPICS.iter().map(|spec| format!("{prefix}{}", spec.name)).collect();
        Names { prefix: prefix.to_owned(), names }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of a topic.
    pub(super) fn of(&self, topic: Topic) -> &str {
        &self.names[topic as usize]
    }

    /// The partition of a name.
    pub(super) fn place(&self, topic: &str, partition: i32) -> Option<TopicPartition> {
        let topic = Topic::from_name(topic.strip_prefix(&self.prefix)?)?;
        Some(TopicPartition { topic, partition: u32::try_from(partition).ok()? })
    }
}
