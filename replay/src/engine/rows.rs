//! Records of a block to columns.

use slipstream_log::{Batch, RecordRef};
use slipstream_schemas::decode::{Attributes, brief, decode};
use slipstream_schemas::event::EventView;
use slipstream_schemas::time::slot;
use slipstream_schemas::{EventTime, LogTime};
use slipstream_slo::redelivery::{Memory, TOGETHER, id_hash, id_hash_of_bytes};
use slipstream_slo::tally::columns::{Columns, Rows};
use slipstream_store::Events;

use super::dictionary::Dictionary;

/// The valid events of a block, copies not yet dropped.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Of the events that count, and of those before them that are remembered only.
    pub columns: Columns,
    /// Log time of each, ms.
    log_time: Vec<i64>,
    /// How many of them are remembered only.
    remembered: usize,
    /// Of records of the range that count but are no valid event: log time up to which the block is read with each, ms.
    pub invalid: Vec<i64>,
    /// The same of copies that were dropped from what counts.
    pub duplicates: Vec<i64>,
    /// Rows of all that were dropped from what counts, before the range, too.
    pub copies: Vec<u32>,
}

/// State of a partition that is passed from block to block.
#[derive(Debug)]
pub struct Known {
    memory: Memory,
    stamp: LogTime,
}

impl Known {
    /// Nothing is known, and nothing before `stamp` will come.
    pub fn new(window_ms: i64, stamp: LogTime) -> Known {
        Known { memory: Memory::new(window_ms), stamp }
    }
}

impl Known {
    /// Nothing before `until` will come. Returns up to where the partition is read.
    pub fn know(&mut self, until: LogTime) -> LogTime {
        self.stamp = self.stamp.max(until);
        self.stamp
    }
}

impl Decoded {
    /// Decodes a batch. Records below `count_from` are remembered only; invalid ones are noted from log time `range_from` on.
    pub fn of(batch: &Batch, count_from: i64, range_from: LogTime, dictionary: &mut Dictionary) -> Decoded {
        let mut decoded = Decoded::default();
        decoded.reserve(batch.len());
        for (row, record) in (0u32..).zip(batch.iter()) {
            let counts = record.offset() >= count_from;
            match found(batch, record, dictionary) {
                Some(event) => decoded.push(&event, record.log_time(), row),
                None if counts && record.log_time() >= range_from => decoded.invalid(record.log_time()),
                None => {}
            }
            if !counts {
                decoded.remembered = decoded.columns.len();
            }
        }
        decoded
    }

    fn invalid(&mut self, log_time: LogTime) {
        self.invalid.push(self.invalid.last().map_or(log_time.0, |last| log_time.0.max(*last)));
    }

    fn reserve(&mut self, events: usize) {
        reserve(&mut self.columns, events);
        self.log_time.reserve(events);
    }

    fn push(&mut self, event: &Found, log_time: LogTime, row: u32) {
        push(&mut self.columns, event, log_time, row);
        self.log_time.push(log_time.0);
    }

    /// Drops copies, and what is remembered only; blocks of a partition come one after the other. `last` is the log time of
    /// the last record, valid or not; copies are noted from log time `range_from` on. Returns the log time up to which the
    /// partition is read.
    pub fn deduplicate(&mut self, known: &mut Known, last: LogTime, range_from: LogTime) -> LogTime {
        let (before, mut kept) = (self.columns.len(), 0);
        for group in (0..before).step_by(TOGETHER) {
            let to = (group + TOGETHER).min(before);
            known.memory.foresee(&self.columns.id[group..to]);
            for at in group..to {
                let log_time = LogTime(self.log_time[at]);
                let first = known.memory.first_of_hash(self.columns.id[at], log_time);
                known.stamp = known.stamp.max(log_time);
                if at < self.remembered {
                    continue;
                }
                if first {
                    self.columns.stamp.push(known.stamp.0);
                    self.keep(at, kept);
                    kept += 1;
                } else {
                    self.copies.push(self.columns.row[at]);
                    if log_time >= range_from {
                        self.duplicates.push(known.stamp.0);
                    }
                }
            }
        }
        known.stamp = known.stamp.max(last);
        self.truncate(kept);
        known.stamp
    }

    fn keep(&mut self, at: usize, to: usize) {
        if at == to {
            return;
        }
        let Columns { id, tuple, slot, weight, latency, row, .. } = &mut self.columns;
        id[to] = id[at];
        tuple[to] = tuple[at];
        slot[to] = slot[at];
        weight[to] = weight[at];
        latency[to] = latency[at];
        row[to] = row[at];
    }

    fn truncate(&mut self, kept: usize) {
        let Columns { id, tuple, slot, weight, latency, row, .. } = &mut self.columns;
        id.truncate(kept);
        tuple.truncate(kept);
        slot.truncate(kept);
        weight.truncate(kept);
        latency.truncate(kept);
        row.truncate(kept);
    }
}

/// A batch and the dictionary of the thread that decoded it.
pub struct BatchRows<'a> {
    /// The records.
    pub batch: &'a Batch,
    /// Their tuples.
    pub dictionary: &'a Dictionary,
}

impl Rows for BatchRows<'_> {
    fn of_tuple(&self, tuple: u32) -> EventView<'_> {
        self.dictionary.tuple(tuple).event()
    }

    fn event(&self, row: u32) -> EventView<'_> {
        let decoded = self.batch.get(row as usize).and_then(|record| {
            let from = self.batch.partition.provenance(record.offset());
            decode(record.value().unwrap_or_default(), &from, Attributes::Read).ok()
        });
        // It was decoded before, so it can be decoded again.
        decoded.unwrap_or_else(|| self.dictionary.tuple(0).event())
    }
}

fn reserve(columns: &mut Columns, events: usize) {
    let Columns { id, tuple, stamp, slot, weight, latency, row } = columns;
    id.reserve(events);
    tuple.reserve(events);
    stamp.reserve(events);
    slot.reserve(events);
    weight.reserve(events);
    latency.reserve(events);
    row.reserve(events);
}

/// What sums are made of.
struct Found {
    id: u64,
    tuple: u32,
    time: EventTime,
    weight: u32,
    latency: f64,
}

impl Found {
    fn of(event: &EventView<'_>, tuple: u32) -> Found {
        let latency = event.latency_ms.unwrap_or(f64::NAN);
        Found { id: id_hash(&event.event_id), tuple, time: event.time, weight: event.weight, latency }
    }
}

/// The event of a record; `None` if it is not a valid one.
fn found(batch: &Batch, record: RecordRef<'_>, dictionary: &mut Dictionary) -> Option<Found> {
    let value = record.value().unwrap_or_default();
    let decoded = || decode(value, &batch.partition.provenance(record.offset()), Attributes::Skip).ok();
    let Some(brief) = brief(value) else {
        let event = decoded()?;
        return Some(Found::of(&event, dictionary.number(&event)));
    };
    let tuple = match dictionary.known(brief.dimensions) {
        Some(tuple) => tuple,
        None => dictionary.remember(brief.dimensions, &decoded()?),
    };
    let latency = brief.latency_ms.unwrap_or(f64::NAN);
    Some(Found { id: id_hash_of_bytes(brief.event_id), tuple, time: brief.time, weight: brief.weight, latency })
}

/// Adds what an event has but its stamp.
fn push(columns: &mut Columns, event: &Found, log_time: LogTime, number: u32) {
    let Columns { id, tuple, slot: slots, weight, latency, row, .. } = columns;
    id.push(event.id);
    tuple.push(event.tuple);
    slots.push(slot(event.time, log_time));
    weight.push(event.weight);
    latency.push(event.latency);
    row.push(number);
}

/// The columns of events that all count, by log time.
pub fn columns_of(events: &Events, dictionary: &mut Dictionary) -> Columns {
    let mut order: Vec<(LogTime, u32)> =
        (0u32..).zip(events.iter()).map(|(row, event)| (event.log_time(), row)).collect();
    order.sort_by_key(|(log_time, _)| *log_time);
    let mut columns = Columns::default();
    reserve(&mut columns, order.len());
    for (log_time, row) in order {
        let Some(event) = events.get(row) else { continue };
        let event = event.view();
        push(&mut columns, &Found::of(&event, dictionary.number(&event)), log_time, row);
        columns.stamp.push(log_time.0);
    }
    columns
}

/// Events and the dictionary of the thread that has them.
pub struct EventRows<'a> {
    /// The events.
    pub events: &'a Events,
    /// Their tuples.
    pub dictionary: &'a Dictionary,
}

impl Rows for EventRows<'_> {
    fn of_tuple(&self, tuple: u32) -> EventView<'_> {
        self.dictionary.tuple(tuple).event()
    }

    fn event(&self, row: u32) -> EventView<'_> {
        self.events.get(row).map_or_else(|| self.dictionary.tuple(0).event(), |event| event.view())
    }
}
