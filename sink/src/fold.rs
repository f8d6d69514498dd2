//! The decision: which rows the records of the log become. Pure; the loop around it is in [`crate::run`].

use std::collections::BTreeMap;

use slipstream_log::{Batch, Offset, Outgoing, RecordRef, TopicPartition};
use slipstream_role::dead_letters::dead_letter;
use slipstream_schemas::codec::{self, Wire};
use slipstream_schemas::decode::{Attributes, ErrorClass, EventError, decode};
use slipstream_schemas::records::BurnRates;
use slipstream_schemas::{LogTime, Topic};
use slipstream_slo::redelivery::Memory;
use slipstream_store::{Events, PositionMove, Refusal, StoredBurnRates, WriteBatch, rollup};

use crate::SinkError;

/// Events that a batch holds at most. The more there are, the fewer rollups are updated for each, and the less each
/// transaction weighs; beyond, nothing is gained.
pub const MOST_EVENTS: usize = 200_000;
/// Bytes that a batch holds at most, about. While the store is slow there are three batches: one that is written, one that
/// follows, one that grows.
pub const MOST_BYTES: usize = 40 << 20;

/// Records by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Events that became rows.
    pub events: u64,
    /// Redelivered copies that were dropped.
    pub duplicates: u64,
    /// Records of request-events that break a rule: tally puts them into dead-letters.
    pub invalid: u64,
    /// Right events that the store cannot hold: they become dead letters.
    pub refused: u64,
    /// Burn rates, transitions, delivery outcomes.
    pub others: u64,
}

/// What is to be done, as a value.
#[derive(Debug, Default)]
pub struct Decided {
    /// What goes into the store.
    pub batch: WriteBatch,
    /// What goes into dead-letters before that.
    pub dead: Vec<Outgoing>,
    /// What records became.
    pub counted: Counted,
}

/// What is known of the partitions that are read, and the batch that grows from them.
pub struct Fold {
    refusal: Refusal,
    places: BTreeMap<TopicPartition, Place>,
    batch: WriteBatch,
    dead: Vec<Outgoing>,
    moves: BTreeMap<TopicPartition, PositionMove>,
    counted: Counted,
    /// Bytes of invalid events.
    bytes: usize,
}

/// The progress of a partition.
struct Place {
    /// What the store will hold once everything decided so far is written.
    decided: Option<Offset>,
    next: Offset,
    /// Of request-events.
    memory: Option<Memory>,
}

impl Fold {
    /// With nothing read yet. `refusal` decides what the store cannot hold.
    pub fn new(refusal: Refusal) -> Self {
        Fold {
            refusal,
            places: BTreeMap::new(),
            batch: WriteBatch::default(),
            dead: Vec::new(),
            moves: BTreeMap::new(),
            counted: Counted::default(),
            bytes: 0,
        }
    }

    /// A partition is read from `next` on. `stored` is the store's position; `memory` has the events before, and only
    /// request-events need one.
    pub fn gain(&mut self, partition: TopicPartition, stored: Option<Offset>, next: Offset, memory: Option<Memory>) {
        self.places.insert(partition, Place { decided: stored, next, memory });
    }

    /// Partitions are read no more. What they have in the growing batch stays: its positions guard it.
    pub fn lose(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.places.remove(partition);
        }
    }

    /// Drops everything that was not written, and every partition; returns which were read.
    pub fn reset(&mut self) -> Vec<TopicPartition> {
        let read = self.places.keys().copied().collect();
        *self = Fold::new(self.refusal);
        read
    }

    /// Which partitions are read.
    pub fn partitions(&self) -> Vec<TopicPartition> {
        self.places.keys().copied().collect()
    }

    /// Whether the growing batch has something of a partition.
    pub fn touches(&self, partition: TopicPartition) -> bool {
        self.moves.contains_key(&partition)
    }

    /// How many records the growing batch covers.
    pub fn records(&self) -> usize {
        let Counted { events, duplicates, invalid, refused, others } = self.counted;
        (events + duplicates + invalid + refused + others) as usize
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    /// Whether the growing batch should take no more.
    pub fn is_full(&self) -> bool {
        self.batch.events.len() >= MOST_EVENTS || self.batch.events.bytes() + self.bytes >= MOST_BYTES
    }

    /// Adds records. Those of a partition that is not read are ignored.
    ///
    /// # Errors
    /// When a record of an internal topic cannot be read, or the log breaks L3.
    pub fn take(&mut self, records: &Batch) -> Result<(), SinkError> {
        let partition = records.partition;
        let Some(mut place) = self.places.remove(&partition) else { return Ok(()) };
        if let Some(first) = records.get(0).filter(|first| first.offset() < place.next) {
            return Err(SinkError::OutOfOrder { partition, offset: first.offset(), next: place.next });
        }
        for record in records.iter() {
            match partition.topic {
                Topic::RequestEvents => self.event(partition, &mut place.memory, record),
                _ => self.record(partition, record)?,
            }
        }
        let last = records.len().checked_sub(1).and_then(|i| records.get(i));
        if let Some(last) = last {
            self.advance(partition, &place, records.next, last.log_time());
        }
        place.next = records.next;
        place.decided = self.moves.get(&partition).map_or(place.decided, |m| Some(m.to));
        self.places.insert(partition, place);
        Ok(())
    }

    fn advance(&mut self, partition: TopicPartition, place: &Place, to: Offset, log_time: LogTime) {
        let (from, TopicPartition { topic, partition: number }) = (place.decided, partition);
        let begin = PositionMove { topic, partition: number, from, to, log_time };
        let whole = self.moves.entry(partition).or_insert(begin);
        (whole.to, whole.log_time) = (to, log_time);
    }

    fn event(&mut self, partition: TopicPartition, memory: &mut Option<Memory>, record: RecordRef<'_>) {
        let offset = record.offset();
        let Ok(event) = decode(record.value().unwrap_or_default(), &partition.provenance(offset), Attributes::Read)
        else {
            self.counted.invalid += 1;
            return;
        };
        if memory.as_mut().is_some_and(|memory| !memory.first(&event.event_id, record.log_time())) {
            self.counted.duplicates += 1;
            return;
        }
        // A copy of it would be dropped all the same: it is an event like others, only not for this store.
        if let Some(why) = (self.refusal)(&event) {
            self.bytes += record.value().map_or(0, <[u8]>::len);
            let error = EventError::whole(ErrorClass::RefusedByStore, why);
            self.dead.push(dead_letter(&record, partition, &error));
            self.counted.refused += 1;
            return;
        }
        self.batch.events.push(partition.partition, offset, record.log_time(), &event);
        self.counted.events += 1;
    }

    /// A record of an internal topic; history does not need tombstones.
    fn record(&mut self, partition: TopicPartition, record: RecordRef<'_>) -> Result<(), SinkError> {
        let Some(value) = record.value() else { return Ok(()) };
        let offset = record.offset();
        self.bytes += value.len();
        self.counted.others += 1;
        match partition.topic {
            Topic::BurnRates => {
                let rates: BurnRates = read(partition, offset, value)?;
                // Who asks the store for SLOs would take it for one.
                if rates.is_of_rule() {
                    return Ok(());
                }
                self.batch.burn_rates.push(StoredBurnRates { partition: partition.partition, offset, rates });
            }
            Topic::Alerts => self.batch.transitions.push(read(partition, offset, value)?),
            Topic::Notifications => self.batch.notifications.push(read(partition, offset, value)?),
            _ => self.counted.others -= 1,
        }
        Ok(())
    }

    /// The batch as a value, to be sent until it is settled; `None` if there is nothing to write. The next batch begins.
    pub fn decide(&mut self) -> Option<Decided> {
        if self.moves.is_empty() {
            return None;
        }
        let next = WriteBatch { events: Events::as_large_as(&self.batch.events), ..WriteBatch::default() };
        let mut batch = std::mem::replace(&mut self.batch, next);
        batch.events.arrange();
        batch.rollups = rollup::fold(&batch.events);
        batch.positions = std::mem::take(&mut self.moves).into_values().collect();
        self.bytes = 0;
        Some(Decided { batch, dead: std::mem::take(&mut self.dead), counted: std::mem::take(&mut self.counted) })
    }
}

fn read<T: Wire>(partition: TopicPartition, offset: Offset, value: &[u8]) -> Result<T, SinkError> {
    codec::decode(value).map_err(|cause| SinkError::Record { partition, offset, cause })
}
