//! A reader of ranges of one partition, which continues where its last range was left.

use std::sync::Arc;

use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset as At, TopicPartitionList};

use super::client::RangeClient;
use crate::kafka::errors::log_error;
use crate::kafka::names::Names;
use crate::kafka::native::Records;
use crate::port::{LogError, Offset, TopicPartition};

/// A partition that a client fetches, and the place in it that comes next.
pub(super) struct RangeReader {
    pub client: Arc<RangeClient>,
    pub partition: TopicPartition,
    /// `None` before it was assigned.
    pub records: Option<Records>,
    /// The partition, as the client knows it.
    list: TopicPartitionList,
    pub at: Standing,
}

/// A place in the middle of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub next: Offset,
    /// The end of the partition when it was looked up.
    pub end: Offset,
}

impl RangeReader {
    /// A reader of a partition that was taken for it.
    pub fn start(
        client: Arc<RangeClient>,
        names: &Names,
        partition: TopicPartition,
        at: Standing,
    ) -> Result<RangeReader, LogError> {
        let (topic, number) = (names.of(partition.topic), partition.partition as i32);
        let list = TopicPartitionList::with_capacity(1);
        // From here on the partition is given back however this ends.
        let mut reader = RangeReader { client, partition, records: None, list, at };
        reader.client.know(names, partition.topic);
        reader.records = Records::of(&reader.client.consumer, topic, number, &Arc::default());
        let failed = |e| log_error(names, format!("reading {partition}"), &e);
        reader.list.add_partition_offset(topic, number, At::Offset(at.next)).map_err(failed)?;
        reader.client.consumer.incremental_assign(&reader.list).map_err(failed)?;
        Ok(reader)
    }

    /// Whether it continues here without a seek.
    pub fn stands_at(&self, partition: TopicPartition, next: Offset) -> bool {
        (self.partition, self.at.next) == (partition, next)
    }

    /// The end of the partition that it knows, if it continues at `from` and the whole range lies before that end.
    pub fn knows(&self, partition: TopicPartition, (from, to): (Offset, Offset)) -> Option<Offset> {
        (self.stands_at(partition, from) && from < to && to <= self.at.end).then_some(self.at.end)
    }
}

impl Drop for RangeReader {
    /// Fetches nothing more.
    fn drop(&mut self) {
        if let Err(error) = self.client.consumer.incremental_unassign(&self.list) {
            tracing::debug!(%error, partition = %self.partition, "a reader could not release its partition");
        }
        // Before another reader takes the partition: it has the same queue.
        self.records = None;
        self.client.give_back(self.partition);
    }
}
