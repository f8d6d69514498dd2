//! One pass over what is read again, by several threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::vec::IntoIter;

use slipstream_log::{Batch, RecordRef};
use slipstream_schemas::LogTime;
use slipstream_schemas::decode::{Attributes, decode};
use slipstream_slo::redelivery::{Memory, id_hash};
use slipstream_store::Events;

use super::Seen;
use crate::engine::{KnownCopies, Phase, Progress};
use crate::error::ReplayError;
use crate::source::{Block, Reader};

/// Sources that are read at the same time.
const READERS: usize = 4;
/// Blocks that wait for a thread.
const WAITING: usize = 1;

/// What brings events once more.
pub struct Again {
    /// One for each part of the sources.
    pub readers: Vec<Box<dyn Reader>>,
    /// How copies among them are recognised.
    pub firsts: Firsts,
}

/// What tells an event from its copies.
#[derive(Debug, Clone)]
pub enum Firsts {
    /// Copies are known.
    Known(Arc<KnownCopies>),
    /// What was before is remembered for so long, milliseconds.
    Remembered(i64),
}

/// Sees requests, in no order. What several of them have seen is put together at the end.
pub trait Looker: Send {
    /// One that counts.
    fn see(&mut self, seen: Seen<'_>);
}

/// Shows each event that is no copy to one of the lookers, each of which has a thread. `None` if it was told to stop.
///
/// # Errors
/// When a source cannot be read.
pub fn pass<L: Looker>(
    Again { readers, firsts }: Again,
    lookers: Vec<L>,
    progress: &Progress,
) -> Result<Option<Vec<L>>, ReplayError> {
    progress.enter(Phase::Looking, None);
    let (send, parts) = sync_channel(WAITING);
    let parts = Arc::new(Mutex::new(parts));
    let reading =
        &Reading { readers: Mutex::new(readers.into_iter()), firsts, progress, failed: AtomicBool::new(false) };
    thread::scope(|scope| {
        let read = |send: SyncSender<Part>| scope.spawn(move || reading.run(&send));
        let reading: Vec<_> = (0..READERS).map(|_| read(send.clone())).collect();
        drop(send);
        // If all of them end early, nobody receives any more, and reading ends.
        let look = |looker| {
            let parts = Arc::clone(&parts);
            scope.spawn(move || look(looker, &parts))
        };
        let looking: Vec<_> = lookers.into_iter().map(look).collect();
        drop(parts);
        let lookers: Result<Vec<L>, _> = looking.into_iter().map(thread::ScopedJoinHandle::join).collect();
        for read in reading {
            read.join().map_err(|_| ReplayError::Thread("a reader"))??;
        }
        let lookers = lookers.map_err(|_| ReplayError::Thread("a look"))?;
        // A reader that is told to stop ends as if there was nothing more.
        Ok((!progress.is_stopped()).then_some(lookers))
    })
}

/// What the threads that read share.
struct Reading<'a> {
    readers: Mutex<IntoIter<Box<dyn Reader>>>,
    firsts: Firsts,
    progress: &'a Progress,
    failed: AtomicBool,
}

/// Events of a block.
enum Part {
    /// These rows of it, each with the log time up to which its source was read.
    Records(Batch, Vec<(u32, LogTime)>),
    /// All of them.
    Events(Events),
}

impl Reading<'_> {
    fn run(&self, parts: &SyncSender<Part>) -> Result<(), ReplayError> {
        let next = || self.readers.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(reader) = next() {
            let read = self.read(reader, parts);
            if !matches!(read, Ok(true)) {
                self.failed.store(true, Ordering::Relaxed);
                return read.map(drop);
            }
        }
        Ok(())
    }

    /// Returns whether the next one is wanted.
    fn read(&self, mut reader: Box<dyn Reader>, parts: &SyncSender<Part>) -> Result<bool, ReplayError> {
        let mut sift = Sift::new(&self.firsts);
        while let Some(block) = reader.next()? {
            if self.progress.is_stopped() || self.failed.load(Ordering::Relaxed) {
                return Ok(false);
            }
            self.progress.add(block.len(), LogTime(0));
            let part = match block {
                Block::Records { batch, count_from } => {
                    let rows = sift.rows(&batch, count_from);
                    Part::Records(batch, rows)
                }
                Block::Events { events, .. } => Part::Events(events),
            };
            if parts.send(part).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Leaves out what is no event that counts, as far as that is seen from outside of it.
struct Sift<'a> {
    copies: Copies<'a>,
    stamp: LogTime,
}

enum Copies<'a> {
    Known(&'a KnownCopies),
    Remembered(Box<Memory>),
}

impl<'a> Sift<'a> {
    fn new(firsts: &'a Firsts) -> Sift<'a> {
        let copies = match firsts {
            Firsts::Known(copies) => Copies::Known(copies),
            Firsts::Remembered(window_ms) => Copies::Remembered(Box::new(Memory::new(*window_ms))),
        };
        Sift { copies, stamp: LogTime(i64::MIN) }
    }

    fn rows(&mut self, batch: &Batch, count_from: i64) -> Vec<(u32, LogTime)> {
        let begin = batch.get(0).map_or(0, |record| record.offset());
        let mut known = match &self.copies {
            Copies::Known(copies) => copies.of(batch.partition.partition, begin).iter().peekable(),
            Copies::Remembered(_) => [].iter().peekable(),
        };
        let mut rows = Vec::with_capacity(batch.len());
        for (row, record) in (0u32..).zip(batch.iter()) {
            let (offset, log_time) = (record.offset(), record.log_time());
            self.stamp = self.stamp.max(log_time);
            let first = match &mut self.copies {
                Copies::Known(_) => {
                    while known.next_if(|copy| **copy < offset).is_some() {}
                    known.peek() != Some(&&offset)
                }
                Copies::Remembered(memory) => id(batch, record).is_some_and(|id| memory.first_of_hash(id, log_time)),
            };
            if first && offset >= count_from {
                rows.push((row, self.stamp));
            }
        }
        rows
    }
}

/// The hash of an event's id; `None` if it is not a valid one.
fn id(batch: &Batch, record: RecordRef<'_>) -> Option<u64> {
    let event =
        decode(record.value().unwrap_or_default(), &batch.partition.provenance(record.offset()), Attributes::Skip)
            .ok()?;
    Some(id_hash(&event.event_id))
}

fn look<L: Looker>(mut looker: L, parts: &Mutex<Receiver<Part>>) -> L {
    loop {
        let next = parts.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(Part::Records(batch, rows)) => records(&mut looker, &batch, &rows),
            Ok(Part::Events(events)) => {
                for event in events.iter() {
                    let log_time = event.log_time();
                    looker.see(Seen { event: &event.view(), log_time, stamp: log_time });
                }
            }
            Err(_) => return looker,
        }
    }
}

fn records(looker: &mut impl Looker, batch: &Batch, rows: &[(u32, LogTime)]) {
    for (row, stamp) in rows {
        let Some(record) = batch.get(*row as usize) else { continue };
        let from = batch.partition.provenance(record.offset());
        if let Ok(event) = decode(record.value().unwrap_or_default(), &from, Attributes::Read) {
            looker.see(Seen { event: &event, log_time: record.log_time(), stamp: *stamp });
        }
    }
}
