//! Records of one partition between librdkafka and the caller that polls.

use slipstream_schemas::LogTime;

use super::native::Record;
use crate::batch::{Batch, RecordRef};
use crate::port::{Fetch, Offset, TopicPartition};

/// Records requested while their size is not known,
const UNSEEN: usize = 64;
/// and at most.
const MOST: usize = 4_096;

/// What was read and not yet delivered. Log time runs as a maximum over what was pushed.
#[derive(Debug)]
pub(super) struct Buffer {
    batch: Batch,
    /// Records of the batch that were delivered already.
    taken: usize,
    log_time: LogTime,
    /// Bytes and records of the previous batch: the next one is expected to be similar.
    before: (usize, usize),
    /// The records that carry their producers' times, until somebody has asked whether they may.
    producers_times: Option<ProducersTimes>,
}

/// Records that carry their producers' times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProducersTimes {
    pub first: Offset,
    pub last: Offset,
    /// The latest time of theirs.
    pub latest: LogTime,
}

impl Buffer {
    /// An empty buffer that starts at a position.
    pub(super) fn new(partition: TopicPartition, next: Offset, log_time: LogTime) -> Self {
        Buffer { batch: Batch::new(partition, next), taken: 0, log_time, before: (0, 0), producers_times: None }
    }

    /// No log time below this one is delivered.
    pub(super) fn raise(&mut self, log_time: LogTime) {
        self.log_time = self.log_time.max(log_time);
    }

    /// Takes a record in.
    pub(super) fn push(&mut self, record: &Record<'_>) {
        let time = LogTime(record.timestamp);
        if !record.by_broker {
            self.note_producers_time(record.offset, time);
        }
        self.log_time = self.log_time.max(time);
        if self.batch.is_empty() {
            self.batch.reserve(self.before.0, self.before.1);
        }
        let headers = record.headers.iter().map(|(name, value)| (name.as_ref(), *value));
        self.batch.push(record.offset, self.log_time, record.key, record.value, headers);
    }

    fn note_producers_time(&mut self, offset: Offset, time: LogTime) {
        let one = ProducersTimes { first: offset, last: offset, latest: time };
        let found = self.producers_times.get_or_insert(one);
        (found.last, found.latest) = (offset, found.latest.max(time));
    }

    /// What was pushed with its producers' times, while nobody knows whether it may.
    pub(super) fn producers_times(&self) -> Option<ProducersTimes> {
        self.producers_times
    }

    /// It may.
    pub(super) fn accept_producers_times(&mut self) {
        self.producers_times = None;
    }

    /// Below an offset there is nothing but what was pushed.
    pub(super) fn reached(&mut self, offset: Offset) {
        self.batch.next = self.batch.next.max(offset);
    }

    /// The offset after the record that was pushed last.
    pub(super) fn next(&self) -> Offset {
        self.batch.next
    }

    /// Records that wait.
    pub(super) fn len(&self) -> usize {
        self.batch.len() - self.taken
    }

    /// Bytes that wait, about.
    pub(super) fn bytes(&self) -> usize {
        self.batch.bytes()
    }

    /// Whether it holds a whole fetch.
    pub(super) fn fills(&self, fetch: Fetch) -> bool {
        self.len() >= fetch.records || self.bytes() >= fetch.bytes
    }

    /// About how many more records fill a whole fetch, by their size so far.
    pub(super) fn room(&self, fetch: Fetch) -> usize {
        let (records, bytes) = (fetch.records.saturating_sub(self.len()), fetch.bytes.saturating_sub(self.bytes()));
        match self.bytes() / self.len().max(1) {
            0 => records.clamp(1, UNSEEN),
            mean => records.min(bytes / mean + 1).clamp(1, MOST),
        }
    }

    /// The next records, as many as a fetch may bring; `None` if there are none.
    pub(super) fn take(&mut self, fetch: Fetch) -> Option<Batch> {
        if self.len() == 0 {
            return None;
        }
        if self.taken == 0 && self.batch.len() <= fetch.records && self.batch.bytes() <= fetch.bytes {
            self.before = (self.batch.bytes(), self.batch.len());
            let empty = Batch::new(self.batch.partition, self.batch.next);
            return Some(std::mem::replace(&mut self.batch, empty));
        }
        let mut part = Batch::new(self.batch.partition, 0);
        while let Some(record) = self.batch.get(self.taken) {
            if !part.is_empty() && (part.len() >= fetch.records || part.bytes() + size(&record) > fetch.bytes) {
                break;
            }
            part.push(record.offset(), record.log_time(), record.key(), record.value(), record.headers());
            self.taken += 1;
        }
        if self.len() == 0 {
            part.next = self.batch.next;
            (self.batch, self.taken) = (Batch::new(self.batch.partition, part.next), 0);
        }
        Some(part)
    }
}

fn size(record: &RecordRef<'_>) -> usize {
    record.key().map_or(0, <[u8]>::len) + record.value().map_or(0, <[u8]>::len)
}
