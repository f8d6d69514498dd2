//! Reading outside of a group: bounds, offsets by log time, and ranges.

mod client;
mod pool;
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
use super::native::Came;
use super::settings::{self, KafkaOptions};
use crate::batch::Batch;
use crate::port::{Fetch, LogError, Offset, TopicPartition};
use pool::Pool;
use reader::{RangeReader, Standing};

/// How long a request to the brokers may take.
const CALL: Duration = Duration::from_secs(10);
/// How long a range may stay silent although it has records.
const SILENCE: Duration = Duration::from_secs(20);
/// How long to wait for a range before checking for errors, milliseconds.
const GLANCE: i32 = 50;

/// Readers of ranges. All its methods block.
pub(super) struct Ranges {
    options: KafkaOptions,
    names: Names,
    asker: Mutex<Option<Arc<Reader>>>,
    /// Looks up the ends including uncommitted records.
    uncommitted: Mutex<Option<Arc<Reader>>>,
    pool: Pool,
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
        let pool = Pool::new(options, names.clone());
        Ranges { options: options.clone(), names, asker: Mutex::default(), uncommitted: Mutex::default(), pool }
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

    /// Ends of several partitions, by one request; those that are not known at the moment are left out.
    pub(super) fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<(TopicPartition, Offset)>, LogError> {
        let answer = self.by_time(partitions.iter().map(|p| (*p, At::End)))?;
        let found = answer.elements().into_iter().filter_map(|e| {
            let place = self.names.place(e.topic(), e.partition())?;
            let At::Offset(offset) = e.offset() else { return None };
            e.error().is_ok().then_some((place, offset))
        });
        Ok(found.collect())
    }

    /// [`Ranges::bounds`] of several partitions, in their order, by two requests to each broker.
    pub(super) fn all_bounds(&self, partitions: &[TopicPartition]) -> Result<Vec<(Offset, Offset)>, LogError> {
        let look = |at: At| self.offsets(&partitions.iter().map(|p| (*p, at)).collect::<Vec<_>>());
        // In this order, or retention could move the first one beyond the end.
        let (firsts, ends) = (look(At::Beginning)?, look(At::End)?);
        let both = partitions.iter().zip(firsts).zip(ends);
        let bounds = both.map(|((partition, first), end)| match (first, end) {
            (Some(first), Some(end)) => Ok((first, end)),
            _ => Err(LogError::Transient {
                doing: format!("looking up the bounds of {partition}"),
                cause: "the brokers do not know them at the moment".into(),
            }),
        });
        bounds.collect()
    }

    /// [`Ranges::offset_at`] of several partitions, each asked once, in their order: with the bounds, three requests to each
    /// broker.
    pub(super) fn all_offsets_at(&self, asked: &[(TopicPartition, LogTime)]) -> Result<Vec<Offset>, LogError> {
        let partitions: Vec<TopicPartition> = asked.iter().map(|(partition, _)| *partition).collect();
        let bounds = self.all_bounds(&partitions)?;
        let times: Vec<_> = asked.iter().map(|(partition, time)| (*partition, At::Offset(time.0.max(0)))).collect();
        let found = self.offsets(&times)?.into_iter().zip(bounds);
        Ok(found.map(|(found, (first, end))| found.map_or(end, |found| found.clamp(first, end))).collect())
    }

    /// The first offset whose log time is at least `time`.
    pub(super) fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        let found = self.all_offsets_at(&[(partition, time)])?;
        found.first().copied().ok_or_else(|| LogError::Transient {
            doing: format!("looking up a log time in {partition}"),
            cause: "the brokers did not answer".into(),
        })
    }

    /// What each partition has there, in their order; `None` if nothing.
    fn offsets(&self, asked: &[(TopicPartition, At)]) -> Result<Vec<Option<Offset>>, LogError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.by_time(asked.iter().copied())?;
        let found = asked.iter().map(|(partition, _)| {
            let Some(found) = answer.find_partition(self.names.of(partition.topic), partition.partition as i32) else {
                return Ok(None);
            };
            found.error().map_err(|e| log_error(&self.names, format!("looking up offsets of {partition}"), &e))?;
            Ok(match found.offset() {
                At::Offset(offset) => Some(offset),
                _ => None,
            })
        });
        found.collect()
    }

    fn by_time(&self, asked_for: impl Iterator<Item = (TopicPartition, At)>) -> Result<TopicPartitionList, LogError> {
        let (mut list, mut topics) = (TopicPartitionList::new(), BTreeSet::new());
        for (p, at) in asked_for {
            let topic = self.names.of(p.topic);
            topics.insert(topic);
            let added = list.add_partition_offset(topic, p.partition as i32, at);
            added.map_err(|e| log_error(&self.names, "naming partitions", &e))?;
        }
        let asker = self.asker()?;
        let answer = asked(&asker, topics, || asker.offsets_for_times(list.clone(), CALL));
        answer.map_err(|e| log_error(&self.names, "looking up offsets", &e))
    }

    /// Records of `[from, to)`.
    pub(super) fn read(
        &self,
        partition: TopicPartition,
        from: Offset,
        to: Offset,
        fetch: Fetch,
    ) -> Result<Read, LogError> {
        // Then bounds need not be looked up again: what retention has removed since, the brokers refuse to send.
        if let Some((reader, _)) = self.pool.continuing(partition, (from, to)) {
            return self.read_with(reader, to, fetch);
        }
        let (first, end) = self.bounds(partition)?;
        if from < first || from > end {
            return Err(LogError::OutOfRange { partition, offset: from, first, end });
        }
        if from >= to.min(end) {
            return Ok(Read::nothing(partition, from));
        }
        let mut reader = self.pool.reader(partition, Standing { next: from, end })?;
        reader.at.end = end;
        self.read_with(reader, to.min(end), fetch)
    }

    /// Reads on up to `to`, which exists.
    fn read_with(&self, mut reader: RangeReader, to: Offset, fetch: Fetch) -> Result<Read, LogError> {
        let read = match self.read_on(&mut reader, to, fetch) {
            Ok(read) => read,
            Err(error @ LogError::OutOfRange { .. }) => {
                self.pool.release(reader);
                return Err(error);
            }
            Err(error) => {
                self.pool.retire(reader);
                return Err(error);
            }
        };
        reader.at.next = read.batch.next;
        // Who looks at one record does not read on: nothing is to be fetched ahead for it.
        if reader.at.next < to && fetch.records > 1 {
            self.pool.leave(reader);
        } else {
            self.pool.release(reader);
        }
        Ok(read)
    }

    /// Reads until the fetch is full or everything below `to`, which exists, was seen.
    fn read_on(&self, reader: &mut RangeReader, to: Offset, fetch: Fetch) -> Result<Read, LogError> {
        let (partition, from) = (reader.partition, reader.at.next);
        let mut buffer = Buffer::new(partition, from, LogTime(i64::MIN));
        let (mut next, mut beyond) = (from, false);
        let mut heard = Instant::now();
        while next < to && !beyond && !buffer.fills(fetch) {
            let mut failed = reader.client.failure(&self.names, partition);
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
            for topic in topics {
                look_again(asker.client(), topic);
            }
            ask()
        }
        asked => asked,
    }
}

/// Whether it ends the reading of a range.
fn breaks(code: RDKafkaErrorCode) -> bool {
    code == RDKafkaErrorCode::AutoOffsetReset || is_lasting(code)
}
