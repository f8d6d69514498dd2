//! One write transaction: what waits is put together, checked in order, and stored at once.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use slipstream_schemas::LogTime;
use tokio::sync::oneshot;

use super::frame::{Frame, Frames, ROW_BYTES, compacted, pack};
use super::schema::{Partition, Positions};
use crate::embedded::WriteError;
use crate::port::{Appended, Offset, Position, TopicPartition};

/// Rows and positions to be stored, and the answers to be given when they are.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) log_time: LogTime,
    tails: BTreeMap<TopicPartition, Tail>,
    rows: Vec<NewRow>,
    pub(super) positions: Positions,
}

/// The growing end of a partition.
#[derive(Debug, Clone, Copy)]
struct Tail {
    id: i64,
    end: Offset,
    /// The row that takes more records.
    open: Option<usize>,
}

#[derive(Debug)]
struct NewRow {
    place: i64,
    base: Offset,
    frame: Frame,
}

/// An answer that waits for the transaction.
#[derive(Debug)]
pub(super) enum Answer {
    Written(oneshot::Sender<Result<Vec<Appended>, WriteError>>, Result<Vec<Appended>, WriteError>),
    Committed(oneshot::Sender<Option<Position>>, String, TopicPartition),
}

impl Transaction {
    pub(super) fn new(log_time: LogTime) -> Self {
        Transaction { log_time, tails: BTreeMap::new(), rows: Vec::new(), positions: Positions::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.positions.is_empty()
    }

    /// New ends of the partitions written.
    pub(super) fn ends(&self) -> Vec<(TopicPartition, Offset)> {
        self.tails.iter().map(|(place, tail)| (*place, tail.end)).collect()
    }

    /// Appends the records of one write and says where they went.
    pub(super) fn append(&mut self, frames: Frames, known: impl Fn(TopicPartition) -> Partition) -> Vec<Appended> {
        let Frames { frames, frame_of } = frames;
        let mut next: Vec<(u32, Offset)> = Vec::with_capacity(frames.len());
        for frame in frames {
            let place = frame.place;
            let begin = || {
                let Partition { id, end, .. } = known(place);
                Tail { id, end, open: None }
            };
            let tail = self.tails.entry(place).or_insert_with(begin);
            next.push((place.partition, tail.end));
            push(&mut self.rows, tail, frame);
        }
        let appended = frame_of.iter().map(|frame| {
            let (partition, offset) = &mut next[*frame as usize];
            *offset += 1;
            Appended { partition: *partition, offset: *offset - 1, log_time: self.log_time }
        });
        appended.collect()
    }

    /// Writes rows, ends and positions; the commit is the caller's.
    pub(super) fn put(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut scratch = Vec::new();
        let mut row = conn.prepare_cached(
            "INSERT INTO batches (place, base, count, log_time, key, tombstone, compressed, raw, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        for NewRow { place, base, frame } in &self.rows {
            let (compressed, data) = pack(&frame.data, &mut scratch);
            let key = frame.key.as_deref();
            let (count, raw) = (frame.count, frame.data.len() as u32);
            row.execute(params![place, base, count, self.log_time.0, key, frame.tombstone, compressed, raw, data])?;
        }
        let mut end = conn.prepare_cached("UPDATE partitions SET next = ?2, log_time = ?3 WHERE id = ?1")?;
        for tail in self.tails.values() {
            end.execute((tail.id, tail.end, self.log_time.0))?;
        }
        let mut position = conn.prepare_cached(
            "INSERT INTO positions (consumer_group, topic, partition, offset, log_time) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET offset = excluded.offset, log_time = excluded.log_time",
        )?;
        for ((group, place), at) in &self.positions {
            position.execute(params![group, place.topic.name(), place.partition, at.offset, at.log_time.0])?;
        }
        Ok(())
    }
}

/// Adds a frame after a partition's end: to the open row while that is small, else as a new row.
fn push(rows: &mut Vec<NewRow>, tail: &mut Tail, frame: Frame) {
    let (base, count) = (tail.end, Offset::from(frame.count));
    tail.end += count;
    let open = tail.open.and_then(|i| rows.get_mut(i)).filter(|r| r.frame.data.len() + frame.data.len() <= ROW_BYTES);
    match open {
        Some(row) => {
            row.frame.data.extend_from_slice(&frame.data);
            row.frame.count += frame.count;
        }
        None => {
            // Compaction deletes rows by their key, so in a compacted topic a row is a record.
            tail.open = (!compacted(frame.place.topic)).then_some(rows.len());
            rows.push(NewRow { place: tail.id, base, frame });
        }
    }
}
