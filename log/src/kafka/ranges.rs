//! Reading outside of a group: bounds, offsets by log time, and ranges.

mod reader;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset as At, TopicPartitionList};
use slipstream_schemas::{Cause, LogTime};

use super::buffer::{Buffer, ProducersTimes};
use super::client::{ClientLog, Reader, look_again};
use super::errors::{is_lasting, is_new_partition, log_error, of_code};
use super::names::Names;
use super::native::{Came, Events, Records};
use super::settings::{self, KafkaOptions};
use crate::batch::Batch;
use crate::port::{Fetch, LogError, Offset, TopicPartition};
use reader::{RangeReader, Standing};

/// How long a request to the brokers may take.
const CALL: Duration = Duration::from_secs(10);
/// How long a range may stay silent although it has records.
const SILENCE: Duration = Duration::from_secs(20);
/// How long to wait for a range before checking for errors, milliseconds.
const GLANCE: i32 = 50;
/// How many idle readers are kept for further ranges: a replay has one for each partition, and a new client takes long.
const IDLE_READERS: usize = 16;

/// Readers of ranges. All its methods block.
pub(super) struct Ranges {
    options: KafkaOptions,
    names: Names,
    asker: Mutex<Option<Arc<Reader>>>,
    /// Looks up the ends including uncommitted records.
    uncommitted: Mutex<Option<Arc<Reader>>>,
    idle: Mutex<Vec<RangeReader>>,
}

/// The result of reading a range.
pub(super) struct Read {
    pub batch: Batch,
    /// Those of its records that carry their producers' times: nobody has asked yet whether they may.
    pub producers_times: Option<ProducersTimes>,
}

impl Read {
    fn nothing(partition: TopicPartition, next: Offset) -> Read {
        Read { batch: Batch::new(partition, next), producers_times: None }
    }
}

impl Ranges {
    pub(super) fn new(options: &KafkaOptions, names: Names) -> Self {
        Ranges {
            options: options.clone(),
            names,
            asker: Mutex::default(),
            uncommitted: Mutex::default(),
            idle: Mutex::default(),
        }
    }

    /// A client for lookups.
    pub(super) fn asker(&self) -> Result<Arc<Reader>, LogError> {
        self.client(&self.asker, settings::ranges)
    }

    fn client(
        &self,
        slot: &Mutex<Option<Arc<Reader>>>,
        config: fn(&KafkaOptions) -> rdkafka::ClientConfig,
    ) -> Result<Arc<Reader>, LogError> {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = slot.as_ref() {
            return Ok(Arc::clone(client));
        }
        let made = config(&self.options).create_with_context(ClientLog);
        let client: Reader = made.map_err(|e| log_error(&self.names, "creating a Kafka client", &e))?;
        Ok(Arc::clone(slot.insert(Arc::new(client))))
    }

    /// First retained offset and end offset, as a committed reader sees them.
    pub(super) fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.watermarks(self.asker()?.as_ref(), partition, "the bounds")
    }

    /// The end of what was written, including open transactions.
    pub(super) fn written(&self, partition: TopicPartition) -> Result<Offset, LogError> {
        let asker = self.client(&self.uncommitted, settings::uncommitted)?;
        Ok(self.watermarks(asker.as_ref(), partition, "the end")?.1)
    }

    fn watermarks(&self, asker: &Reader, partition: TopicPartition, what: &str) -> Result<(Offset, Offset), LogError> {
        let topic = self.names.of(partition.topic);
        let asked = asked(asker, [topic], || asker.fetch_watermarks(topic, partition.partition as i32, CALL));
        asked.map_err(|e| log_error(&self.names, format!("looking up {what} of {topic}/{}", partition.partition), &e))
    }

    /// Ends of several partitions, by one request.
    pub(super) fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<(TopicPartition, Offset)>, LogError> {
        let answer = self.by_time(partitions, At::End)?;
        let found = answer.elements().into_iter().filter_map(|e| {
            let place = self.names.place(e.topic(), e.partition())?;
            let At::Offset(offset) = e.offset() else { return None };
            e.error().is_ok().then_some((place, offset))
        });
        Ok(found.collect())
    }

    fn by_time(&self, partitions: &[TopicPartition], time: At) -> Result<TopicPartitionList, LogError> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for p in partitions {
            let added = list.add_partition_offset(self.names.of(p.topic), p.partition as i32, time);
            added.map_err(|e| log_error(&self.names, "naming partitions", &e))?;
        }
        let asker = self.asker()?;
        let topics: BTreeSet<&str> = partitions.iter().map(|p| self.names.of(p.topic)).collect();
        let answer = asked(&asker, topics, || asker.offsets_for_times(list.clone(), CALL));
        answer.map_err(|e| log_error(&self.names, "looking up offsets", &e))
    }

    /// The first offset whose log time is at least `time`.
    pub(super) fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        let (first, end) = self.bounds(partition)?;
        let answer = self.by_time(&[partition], At::Offset(time.0.max(0)))?;
        let found = answer.elements().first().map(|e| (e.offset(), e.error()));
        match found {
            Some((At::Offset(offset), Ok(()))) => Ok(offset.clamp(first, end)),
            Some((_, Err(e))) => Err(log_error(&self.names, format!("looking up a log time in {partition}"), &e)),
            _ => Ok(end),
        }
    }

    /// Records of `[from, to)`.
    pub(super) fn read(
        &self,
        partition: TopicPartition,
        from: Offset,
        to: Offset,
        fetch: Fetch,
    ) -> Result<Read, LogError> {
        if let Some((reader, end)) = self.continues(partition, from, to) {
            return self.read_with(reader, (partition, from, to), end, fetch);
        }
        let (first, end) = self.bounds(partition)?;
        if from < first || from > end {
            return Err(LogError::OutOfRange { partition, offset: from, first, end });
        }
        if from >= to.min(end) {
            return Ok(Read::nothing(partition, from));
        }
        let reader = self.reader(partition, from)?;
        self.read_with(reader, (partition, from, to.min(end)), end, fetch)
    }

    /// A reader that stands at `from`, with the end that it knows, if all of the range was there when that was looked up. Then
    /// bounds need not be looked up again: what retention has removed since, the brokers refuse to send.
    fn continues(&self, partition: TopicPartition, from: Offset, to: Offset) -> Option<(RangeReader, Offset)> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |(place, r): (usize, &RangeReader)| Some((place, r.knows(partition, (from, to))?));
        let (place, end) = idle.iter().enumerate().find_map(known)?;
        Some((idle.remove(place), end))
    }

    fn read_with(
        &self,
        mut reader: RangeReader,
        (partition, from, to): (TopicPartition, Offset, Offset),
        end: Offset,
        fetch: Fetch,
    ) -> Result<Read, LogError> {
        let read = self.read_on(&mut reader, partition, from, to, fetch)?;
        let next = read.batch.next;
        reader.stand_at(partition, (next < to).then_some(Standing { partition, next, end }));
        self.put_back(reader);
        Ok(read)
    }

    fn put_back(&self, reader: RangeReader) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= IDLE_READERS {
            idle.remove(0);
        }
        idle.push(reader);
    }

    /// A reader that is at an offset, or is moved there. One in the middle of another range is left there, while there are few.
    fn reader(&self, partition: TopicPartition, from: Offset) -> Result<RangeReader, LogError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let there = idle.iter().position(|r| r.stands_at(partition, from));
        let free = there.or_else(|| idle.iter().position(|r| r.at.is_none()));
        let found = free.or_else(|| (idle.len() >= IDLE_READERS).then_some(0)).map(|i| idle.remove(i));
        drop(idle);
        let mut reader = match found {
            Some(reader) => reader,
            None => self.open()?,
        };
        if !reader.stands_at(partition, from) {
            let (topic, number) = (self.names.of(partition.topic), partition.partition as i32);
            // The old one first: it may be the same queue.
            reader.records = None;
            reader.records = Records::of(&reader.consumer, topic, number, &Arc::default());
            let mut list = TopicPartitionList::with_capacity(1);
            list.add_partition_offset(topic, number, At::Offset(from))
                .and_then(|()| reader.consumer.assign(&list))
                .map_err(|e| log_error(&self.names, format!("reading {partition}"), &e))?;
            reader.at = None;
        }
        Ok(reader)
    }

    fn open(&self) -> Result<RangeReader, LogError> {
        let made = settings::ranges(&self.options).create_with_context(ClientLog);
        let consumer: Reader = made.map_err(|e| log_error(&self.names, "creating a Kafka client", &e))?;
        let consumer = Arc::new(consumer);
        let events = Events::of(&consumer).ok_or_else(|| LogError::Fatal {
            doing: "creating a Kafka client".to_owned(),
            cause: "it has no queue".into(),
        })?;
        Ok(RangeReader { records: None, events, consumer, at: None })
    }

    /// Reads until the fetch is full or everything below `to`, which exists, was seen.
    fn read_on(
        &self,
        reader: &mut RangeReader,
        partition: TopicPartition,
        from: Offset,
        to: Offset,
        fetch: Fetch,
    ) -> Result<Read, LogError> {
        let mut buffer = Buffer::new(partition, from, LogTime(i64::MIN));
        let (mut next, mut beyond) = (from, false);
        let mut heard = Instant::now();
        while next < to && !beyond && !buffer.fills(fetch) {
            let mut failed = reader.broken();
            let Some(records) = &mut reader.records else { return Err(self.lost(partition)) };
            let came = records.take(buffer.room(fetch), GLANCE, &mut |came| match came {
                Came::Record(record) if record.offset >= to => beyond = true,
                Came::Record(record) if record.offset >= next => {
                    buffer.push(&record);
                    next = record.offset + 1;
                }
                Came::Record(_) => {}
                Came::End(offset) => next = next.max(offset),
                Came::Error { code, text } if breaks(code) => failed = Some((code, text)),
                Came::Error { .. } => {}
            });
            if came > 0 {
                heard = Instant::now();
            }
            if let Some((code, text)) = failed {
                return Err(self.failed(partition, from, code, text));
            }
            if heard.elapsed() > SILENCE {
                let doing = format!("reading {partition} at offset {next}");
                return Err(LogError::Transient { doing, cause: "the brokers sent nothing in time".into() });
            }
        }
        let next = if beyond { to } else { next };
        buffer.reached(next);
        let producers_times = buffer.producers_times();
        let batch = buffer.take(Fetch { records: usize::MAX, bytes: usize::MAX });
        Ok(batch.map_or_else(|| Read::nothing(partition, next), |batch| Read { batch, producers_times }))
    }

    fn lost(&self, partition: TopicPartition) -> LogError {
        LogError::Fatal { doing: format!("reading {partition}"), cause: "it has no queue".into() }
    }

    fn failed(&self, partition: TopicPartition, from: Offset, code: RDKafkaErrorCode, text: String) -> LogError {
        if code == RDKafkaErrorCode::AutoOffsetReset
            && let Ok((first, end)) = self.bounds(partition)
        {
            return LogError::OutOfRange { partition, offset: from, first, end };
        }
        of_code(&self.names, format!("reading {partition}"), Some(code), Cause::worded(text, code))
    }
}

/// Looks up; for partitions that the client does not know, it retries after looking up their topics.
fn asked<'a, T>(
    asker: &Reader,
    topics: impl IntoIterator<Item = &'a str>,
    ask: impl Fn() -> KafkaResult<T>,
) -> KafkaResult<T> {
    match ask() {
        Err(error) if is_new_partition(&error) => {
            topics.into_iter().for_each(|topic| look_again(asker.client(), topic));
            ask()
        }
        asked => asked,
    }
}

/// Whether it ends the reading of a range.
fn breaks(code: RDKafkaErrorCode) -> bool {
    code == RDKafkaErrorCode::AutoOffsetReset || is_lasting(code)
}
