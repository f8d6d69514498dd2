//! A reader of ranges: one client, which continues where its last range was left.

use std::sync::Arc;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;

use super::breaks;
use crate::kafka::client::Reader;
use crate::kafka::native::{Event, Events, Records};
use crate::port::{Offset, TopicPartition};

/// A client, and the place in a partition that it is at.
pub(super) struct RangeReader {
    /// Of the partition that it read last.
    pub records: Option<Records>,
    pub events: Events,
    pub consumer: Arc<Reader>,
    /// Where it continues without a seek.
    pub at: Option<Standing>,
}

/// A place in the middle of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub partition: TopicPartition,
    pub next: Offset,
    /// The end of the partition when it was looked up.
    pub end: Offset,
}

impl RangeReader {
    /// An error of the client that ends the reading.
    pub fn broken(&mut self) -> Option<(RDKafkaErrorCode, String)> {
        let mut failed = None;
        while self.events.next(0, &mut |event| {
            if let Event::Error { code, text, fatal, .. } = event
                && (fatal || breaks(code))
            {
                failed = Some((code, text));
            }
        }) {}
        failed
    }

    /// Remembers where it continues without a seek. A reader that has its range fetches nothing more.
    pub fn stand_at(&mut self, partition: TopicPartition, at: Option<Standing>) {
        self.at = at;
        if self.at.is_none()
            && let Err(error) = self.consumer.unassign()
        {
            tracing::debug!(%error, %partition, "a reader could not release its partition");
        }
    }

    /// Whether it continues here.
    pub fn stands_at(&self, partition: TopicPartition, next: Offset) -> bool {
        self.at.is_some_and(|at| (at.partition, at.next) == (partition, next))
    }

    /// The end of the partition that it knows, if it continues at `from` and the whole range lies before that end.
    pub fn knows(&self, partition: TopicPartition, (from, to): (Offset, Offset)) -> Option<Offset> {
        let at = self.at.filter(|at| (at.partition, at.next) == (partition, from))?;
        (from < to && to <= at.end).then_some(at.end)
    }
}
