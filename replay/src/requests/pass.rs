//! One pass over what is read again, by several threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
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

/// Sources that are read at the same time, unless each would remember what was before.
const READERS: usize = 4;
/// Most threads that look: each of them keeps what it has seen until the end.
const LOOKERS: usize = 4;
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
    /// Whether it looks at attributes.
    fn reads_attributes(&self) -> bool;

    /// One that counts.
    fn see(&mut self, seen: Seen<'_>);
}

/// Shows each event that is no copy to one of some lookers, each of which has a thread, and so many at most. `None` if it was told
/// to stop.
///
/// # Errors
/// When a source cannot be read.
pub fn pass<L: Looker>(
    Again { readers, firsts }: Again,
    threads: usize,
    looker: impl Fn() -> L,
    progress: &Progress,
) -> Result<Option<Vec<L>>, ReplayError> {
    progress.enter(Phase::Looking, None);
    let many = if matches!(firsts, Firsts::Remembered(_)) { 1 } else { READERS };
    let (send, parts) = sync_channel(WAITING);
    let parts = Arc::new(Mutex::new(parts));
    let reading =
        &Reading { readers: Mutex::new(readers.into_iter()), firsts, progress, failed: AtomicBool::new(false) };
    thread::scope(|scope| {
        let read = |send: SyncSender<Part>| scope.spawn(move || reading.run(&send));
        let readers: Vec<_> = (0..many).map(|_| read(send.clone())).collect();
        drop(send);
        // If all of them end early, nobody receives any more, and reading ends.
        let look = |looker| {
            let parts = Arc::clone(&parts);
            scope.spawn(move || reading.look(looker, &parts))
        };
        let looking: Vec<_> = (0..threads.clamp(1, LOOKERS)).map(|_| look(looker())).collect();
        drop(parts);
        // All of them, before any failure is told: one that panicked and is not asked would be told as another's.
        let lookers: Vec<_> = looking.into_iter().map(ScopedJoinHandle::join).collect();
        let read: Vec<_> = readers.into_iter().map(ScopedJoinHandle::join).collect();
        for read in read {
            read.map_err(|_| ReplayError::Thread("a reader"))??;
        }
        let lookers: Result<Vec<L>, _> = lookers.into_iter().collect();
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
        let _guard = FailIfPanicking(&self.failed);
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

    fn look<L: Looker>(&self, mut looker: L, parts: &Mutex<Receiver<Part>>) -> L {
        let _guard = FailIfPanicking(&self.failed);
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
}

/// If a thread panics, nothing more is read.
struct FailIfPanicking<'a>(&'a AtomicBool);

impl Drop for FailIfPanicking<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
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

fn records(looker: &mut impl Looker, batch: &Batch, rows: &[(u32, LogTime)]) {
    let attributes = if looker.reads_attributes() { Attributes::Read } else { Attributes::Skip };
    for (row, stamp) in rows {
        let Some(record) = batch.get(*row as usize) else { continue };
        let from = batch.partition.provenance(record.offset());
        if let Ok(event) = decode(record.value().unwrap_or_default(), &from, attributes) {
            looker.see(Seen { event: &event, log_time: record.log_time(), stamp: *stamp });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::collections::BTreeMap;

    use slipstream_log::TopicPartition;
    use slipstream_schemas::codec::encode;
    use slipstream_schemas::{EventTime, RequestEvent, Topic};

    use super::*;
    use crate::engine::Copies;

    /// Longer than the records take: what comes again is always recognised.
    const WINDOW_MS: i64 = 1_000_000;

    fn event(id: u32) -> RequestEvent {
        RequestEvent {
            event_id: id.to_string(),
            time: EventTime(1_700_000_000_000_000),
            service: "shop".to_owned(),
            environment: String::new(),
            endpoint: "/".to_owned(),
            method: "GET".to_owned(),
            status_code: 200,
            latency_ms: None,
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes: BTreeMap::new(),
        }
    }

    /// Blocks of a partition, three records each; `None` is no event.
    struct Given(TopicPartition, Vec<Option<u32>>, i64);

    impl Reader for Given {
        fn next(&mut self) -> Result<Option<Block>, ReplayError> {
            let Given(partition, rest, count_from) = self;
            if rest.is_empty() {
                return Ok(None);
            }
            let mut batch = Batch::new(*partition, 0);
            let first = 100 - rest.len() as i64;
            for (offset, id) in (first..).zip(rest.drain(..3.min(rest.len()))) {
                let value = id.map_or(b"no event".to_vec(), |id| encode(&event(id)));
                batch.push(offset, LogTime(offset * 10), None, Some(&value), []);
            }
            Ok(Some(Block::Records { batch, count_from: *count_from }))
        }
    }

    /// Ids with their stamps.
    #[derive(Default)]
    struct Ids(Vec<(String, i64)>);

    impl Looker for Ids {
        fn reads_attributes(&self) -> bool {
            false
        }

        fn see(&mut self, seen: Seen<'_>) {
            self.0.push((seen.event.event_id.to_string(), seen.stamp.0));
        }
    }

    fn seen(readers: Vec<Box<dyn Reader>>, firsts: Firsts, threads: usize) -> Vec<(String, i64)> {
        let lookers = pass(Again { readers, firsts }, threads, Ids::default, &Progress::default()).unwrap().unwrap();
        let mut seen: Vec<_> = lookers.into_iter().flat_map(|ids| ids.0).collect();
        seen.sort();
        seen
    }

    #[test]
    fn each_event_is_seen_once_whichever_way_copies_are_told() {
        let place = |partition| TopicPartition { topic: Topic::RequestEvents, partition };
        // Their last offset is 99. Offset 96 of the first and 98 of the second are copies; 94 of the first is before the range.
        let (one, two) = ([Some(1), Some(2), Some(1), None, Some(3), Some(4)], [Some(5), Some(5), Some(6)]);
        let readers = || -> Vec<Box<dyn Reader>> {
            vec![Box::new(Given(place(0), one.to_vec(), 95)), Box::new(Given(place(1), two.to_vec(), 0))]
        };
        let mut copies = Copies::default();
        copies.add(0, [96].into_iter());
        copies.add(1, [98].into_iter());
        let known = Firsts::Known(Arc::new(copies.known().unwrap()));
        let expected =
            [("2", 950), ("3", 980), ("4", 990), ("5", 970), ("6", 990)].map(|(id, stamp)| (id.to_owned(), stamp));
        for threads in [1, 3] {
            assert_eq!(seen(readers(), known.clone(), threads), expected);
            assert_eq!(seen(readers(), Firsts::Remembered(WINDOW_MS), threads), expected);
        }
    }

    fn place() -> TopicPartition {
        TopicPartition { topic: Topic::RequestEvents, partition: 0 }
    }

    #[test]
    fn who_is_told_to_stop_has_nothing() {
        let progress = Progress::default();
        progress.stop();
        let readers: Vec<Box<dyn Reader>> = vec![Box::new(Given(place(), vec![Some(1)], 0))];
        let again = Again { readers, firsts: Firsts::Known(Arc::default()) };
        assert!(pass(again, 2, Ids::default, &progress).unwrap().is_none());
    }

    /// Never ends.
    struct Endless;

    impl Reader for Endless {
        fn next(&mut self) -> Result<Option<Block>, ReplayError> {
            Given(place(), vec![Some(1); 3], 0).next()
        }
    }

    #[test]
    fn a_source_that_cannot_be_read_ends_the_others() {
        struct Failing;
        impl Reader for Failing {
            fn next(&mut self) -> Result<Option<Block>, ReplayError> {
                Err(ReplayError::Thread("a source"))
            }
        }
        let readers: Vec<Box<dyn Reader>> = vec![Box::new(Endless), Box::new(Failing)];
        let again = Again { readers, firsts: Firsts::Known(Arc::default()) };
        let failed = pass(again, 2, Ids::default, &Progress::default());
        assert!(matches!(failed, Err(ReplayError::Thread("a source"))));
    }

    #[test]
    fn a_thread_that_panics_ends_the_others() {
        struct Panicking;
        impl Looker for Panicking {
            fn reads_attributes(&self) -> bool {
                false
            }

            fn see(&mut self, _: Seen<'_>) {
                panic!("a test");
            }
        }
        impl Reader for Panicking {
            fn next(&mut self) -> Result<Option<Block>, ReplayError> {
                panic!("a test")
            }
        }
        let firsts = || Firsts::Known(Arc::default());
        let again = Again { readers: vec![Box::new(Endless)], firsts: firsts() };
        let failed = pass(again, 2, || Panicking, &Progress::default());
        assert!(matches!(failed, Err(ReplayError::Thread("a look"))));
        let again = Again { readers: vec![Box::new(Endless), Box::new(Panicking)], firsts: firsts() };
        let failed = pass(again, 2, Ids::default, &Progress::default());
        assert!(matches!(failed, Err(ReplayError::Thread("a reader"))));
    }
}
