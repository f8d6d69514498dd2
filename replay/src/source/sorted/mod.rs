//! Events by event time, as if an imported log had been live.
//!
//! Copies are decided in the order of the log, before anything is sorted. Sorting spills to disk, so its memory is bounded.

mod table;

use slipstream_log::{Batch, TopicPartition};
use slipstream_schemas::decode::{Attributes, decode};
use slipstream_schemas::event::EventView;
use slipstream_schemas::{EventTime, LogTime, Topic, codec};
use slipstream_slo::redelivery::Memory;
use slipstream_store::Events;

use super::{Block, Reader, Span};
use crate::engine::{Phase, Progress};
use crate::error::ReplayError;
use table::{Place, Table};

/// Bytes of records in a block; it has a bounded number of events, too.
const BLOCK_BYTES: usize = 6 << 20;
const BLOCK_EVENTS: usize = 32_768;

/// Events that are kept, and what became of the others.
pub struct Sorted {
    table: Table,
    kept: Span,
    /// Copies are counted from here on, by event time.
    from: LogTime,
    /// Event times of the first event that counts and of the last one, whether it is kept or not; `None` if there is none.
    pub all: Option<(EventTime, EventTime)>,
    /// Copies of events that were dropped.
    pub duplicates: u64,
    /// Records that are no valid event; they have no event time.
    pub invalid: u64,
}

impl Sorted {
    /// Reads all that the sources bring. Events of which the event time lies in `kept`, milliseconds, are kept; copies are
    /// counted from `from` on. Blocks; if the replay is stopped, it ends early with nothing.
    ///
    /// # Errors
    /// When a source cannot be read, or the disk is full.
    pub fn gather(
        readers: Vec<Box<dyn Reader>>,
        window_ms: i64,
        (kept, from): (Span, LogTime),
        progress: &Progress,
    ) -> Result<Sorted, ReplayError> {
        progress.enter(Phase::Sorting, None);
        let mut sorted = Sorted { table: Table::new()?, kept, from, all: None, duplicates: 0, invalid: 0 };
        for mut reader in readers {
            let mut memory = Memory::new(window_ms);
            while let Some(block) = reader.next()?.filter(|_| !progress.is_stopped()) {
                progress.add(block.len(), LogTime(0));
                match block {
                    Block::Records { batch, count_from } => sorted.records(&batch, count_from, &mut memory)?,
                    Block::Events { events, .. } => sorted.events(&events)?,
                }
            }
        }
        if progress.is_stopped() {
            // A part of the log is no part of the history, and it takes long to sort.
            sorted.table = Table::new()?;
        }
        sorted.table.sort()?;
        Ok(sorted)
    }

    /// Whether there are events before those that are kept.
    pub fn has_earlier(&self) -> bool {
        self.all.is_some_and(|(first, _)| first.millis() < self.kept.from.0)
    }

    fn records(&mut self, batch: &Batch, count_from: i64, memory: &mut Memory) -> Result<(), ReplayError> {
        for record in batch.iter() {
            let value = record.value().unwrap_or_default();
            let counts = record.offset() >= count_from;
            let Ok(event) = decode(value, &batch.partition.provenance(record.offset()), Attributes::Skip) else {
                self.invalid += u64::from(counts);
                continue;
            };
            let first = memory.first(&event.event_id, record.log_time());
            if counts && first {
                let (partition, offset) = (batch.partition.partition, record.offset());
                self.add(Place { time: event.time.0, partition, offset }, || value)?;
            } else if counts && self.keeps(event.time) {
                self.duplicates += u64::from(event.time.millis() >= self.from.0);
            }
        }
        Ok(())
    }

    fn events(&mut self, events: &Events) -> Result<(), ReplayError> {
        for event in events.iter() {
            let place = Place { time: event.time().0, partition: event.partition(), offset: event.offset() };
            self.add(place, || codec::encode(&event.to_event()))?;
        }
        Ok(())
    }

    /// Adds one that counts, if it is to be kept.
    fn add<T: AsRef<[u8]>>(&mut self, place: Place, value: impl FnOnce() -> T) -> Result<(), ReplayError> {
        let time = EventTime(place.time);
        let (first, last) = self.all.unwrap_or((time, time));
        self.all = Some((first.min(time), last.max(time)));
        if self.keeps(time) { self.table.add(place, value().as_ref()) } else { Ok(()) }
    }

    fn keeps(&self, time: EventTime) -> bool {
        (self.kept.from.0..self.kept.to.0).contains(&time.millis())
    }
}

/// Reads events in the order of their event times, partitions and offsets. The log time of each is its event time.
pub struct SortedReader {
    table: Table,
    behind: Option<Place>,
}

impl SortedReader {
    /// From the first one on.
    pub fn new(sorted: Sorted) -> SortedReader {
        SortedReader { table: sorted.table, behind: None }
    }
}

impl Reader for SortedReader {
    fn next(&mut self) -> Result<Option<Block>, ReplayError> {
        let (mut events, mut bytes) = (Events::new(), 0);
        let mut last = None;
        self.table.read(self.behind, BLOCK_EVENTS, |place, value| {
            last = Some(place);
            bytes += value.len();
            if let Some(event) = place.event(value) {
                events.push(place.partition, place.offset, LogTime(event.time.millis()), &event);
            }
            bytes < BLOCK_BYTES
        })?;
        let Some(last) = last else { return Ok(None) };
        self.behind = Some(last);
        Ok(Some(Block::Events { events, until: LogTime(EventTime(last.time).millis()) }))
    }
}

impl Place {
    /// The event of a value. It was decoded before, so it can be decoded again.
    fn event(self, value: &[u8]) -> Option<EventView<'_>> {
        let partition = TopicPartition { topic: Topic::RequestEvents, partition: self.partition };
        decode(value, &partition.provenance(self.offset), Attributes::Read).ok()
    }
}
