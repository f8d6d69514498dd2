//! The log in one SQLite file of the data directory: for one process, with no set-up.
//!
//! One writer thread takes what waits in a bounded queue, writes it as one database transaction (WAL, synchronous=FULL)
//! and answers after COMMIT. Readers have connections of their own and are woken when records become visible. See
//! `schema` for the tables, `housekeeping` for retention and compaction.

#[cfg(feature = "conformance")]
mod crash;
mod error;
mod frame;
mod housekeeping;
mod owner;
mod queue;
mod read_only;
mod reader;
mod schema;
mod shared;
mod transaction;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use slipstream_schemas::{Cause, LogTime, Topic};
use tokio::sync::{oneshot, watch};

use crate::batch::Batch;
use crate::clock::{Clock, Timeline};
use crate::embedded::{Embedded, Engine, Guard, Holders, WriteError};
use crate::faults::Faults;
use crate::groups::Groups;
use crate::port::{Appended, Fetch, Horizon, LogError, Offset, Outgoing, Position, TopicId, TopicPartition};
use crate::signal::Signal;
use frame::Frames;
use housekeeping::Housekeeping;
use owner::OwnerLock;
use queue::{Queue, Refused, Request, Write};
use reader::Readers;
use schema::Loaded;
use shared::Shared;
use writer::Writer;

pub use error::OpenError;
pub use owner::{LOCK_FILE, Owner};
pub use read_only::ReadOnlyLog;
pub use schema::LOG_FILE;

/// A log in a data directory.
pub type SqliteLog = Embedded<Sqlite>;

/// How a [`SqliteLog`] is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Where log time comes from.
    pub clock: Clock,
    /// Partitions of topics, where they differ from the table of topics. Counts are kept from the first time on; only
    /// request-events can grow.
    pub partitions: HashMap<Topic, u32>,
    /// Writes that may wait; more are refused as busy.
    pub queue_requests: usize,
    /// Bytes that may wait; more are refused as busy.
    pub queue_bytes: usize,
    /// Between two looks for records to remove (retention, compaction).
    pub housekeeping_every: Duration,
    /// Faults to come.
    #[cfg(feature = "conformance")]
    pub faults: Arc<Faults>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        SqliteOptions {
            clock: Clock::System,
            partitions: HashMap::new(),
            queue_requests: 1_024,
            queue_bytes: 64 << 20,
            housekeeping_every: Duration::from_secs(1),
            #[cfg(feature = "conformance")]
            faults: Arc::default(),
        }
    }
}

impl SqliteOptions {
    #[cfg(feature = "conformance")]
    fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults)
    }

    #[cfg(not(feature = "conformance"))]
    fn faults(&self) -> Arc<Faults> {
        Arc::default()
    }
}

/// The engine of a [`SqliteLog`].
pub struct Sqlite {
    dir: PathBuf,
    id: Option<TopicId>,
    counts: HashMap<Topic, u32>,
    shared: Arc<Shared>,
    groups: Arc<Groups>,
    queue: Queue,
    readers: Arc<Readers>,
    owned: Arc<Mutex<Option<Owned>>>,
}

/// What is given back when the log is closed.
struct Owned {
    writer: JoinHandle<()>,
    lock: OwnerLock,
}

impl SqliteLog {
    /// Opens the log of a data directory, or makes one, and owns the directory until closed or dropped.
    pub fn open(dir: &Path, options: SqliteOptions) -> Result<Arc<SqliteLog>, OpenError> {
        Ok(Embedded::over(Arc::new(Sqlite::open(dir, options)?)))
    }

    /// Opens the log of a data directory for reading, also while another process owns it.
    pub fn open_read_only(dir: &Path) -> Result<Arc<ReadOnlyLog>, OpenError> {
        ReadOnlyLog::open(dir)
    }

    /// Says, for whoever finds the directory in use, where the gateway of this process listens.
    ///
    /// # Errors
    /// When the lock file cannot be written.
    pub fn announce(&self, gateway: &str) -> std::io::Result<()> {
        match &*self.engine().owned.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(owned) => owned.lock.announce(gateway),
            None => Ok(()),
        }
    }

    /// Finishes what waits, stops the writer and gives the directory back. Later use is refused.
    pub async fn close(&self) {
        self.engine().stop(Request::Close).await;
    }

    /// As if every partition of the group had been with someone else for a moment: owners are told Revoked, then
    /// Assigned, and a step decided before is lost (L5).
    #[cfg(feature = "conformance")]
    pub fn expel(&self, group: &str) {
        self.engine().groups.expel(group);
    }

    /// Dies as by kill -9 and says where the files are as they were at that moment.
    #[cfg(feature = "conformance")]
    pub async fn crash(&self) -> PathBuf {
        let engine = self.engine();
        engine.stop(Request::Crash).await;
        crash::directory(&engine.dir.join(LOG_FILE))
    }
}

impl Sqlite {
    fn open(dir: &Path, options: SqliteOptions) -> Result<Sqlite, OpenError> {
        let failed = |cause: std::io::Error| OpenError::Directory { dir: dir.to_owned(), cause };
        std::fs::create_dir_all(dir).map_err(failed)?;
        let lock = OwnerLock::take(dir).map_err(|why| OpenError::not_taken(dir.to_owned(), why))?;
        let file = dir.join(LOG_FILE);
        let conn = schema::open_writer(&file)?;
        schema::ensure_partitions(&conn, &options.partitions, &file)?;
        let Loaded { partitions, positions, last, id } =
            schema::load(&conn).map_err(|e| OpenError::of(file.clone(), e))?;
        let mut counts = HashMap::new();
        for place in partitions.keys() {
            *counts.entry(place.topic).or_default() += 1;
        }
        let signal = Signal::new();
        let shared = Shared::new(partitions, Timeline::resume(options.clock.clone(), last), signal.clone());
        let (shared, groups) = (Arc::new(shared), Arc::new(Groups::new(signal)));
        let (queue, requests) = queue::queue(options.queue_requests, options.queue_bytes);
        let writer = Writer {
            conn,
            file: file.clone(),
            requests,
            shared: Arc::clone(&shared),
            groups: Arc::clone(&groups),
            positions,
            holders: Holders::default(),
            faults: options.faults(),
            housekeeping: Housekeeping::every(options.housekeeping_every),
        };
        let thread = std::thread::Builder::new().name("log-writer".to_owned());
        let writer = thread.spawn(move || writer.run()).map_err(failed)?;
        let owned = Arc::new(Mutex::new(Some(Owned { writer, lock })));
        let (dir, readers) = (dir.to_owned(), Arc::new(Readers::new(&file)));
        Ok(Sqlite { dir, id, counts, shared, groups, queue, readers, owned })
    }

    async fn stop(&self, last: Request) {
        let (queue, owned, readers) = (self.queue.clone(), Arc::clone(&self.owned), Arc::clone(&self.readers));
        let stopped = tokio::task::spawn_blocking(move || release(&queue, last, &owned, &readers)).await;
        if let Err(error) = stopped {
            tracing::error!(%error, "the log did not close cleanly");
        }
    }

    fn stopped() -> String {
        "the log is closed, or its writer has failed (see its log lines)".to_owned()
    }
}

/// Stops the writer behind what waits, then lets go of files and directory.
fn release(queue: &Queue, last: Request, owned: &Mutex<Option<Owned>>, readers: &Readers) {
    // Refused: it has stopped already.
    drop(queue.insist(last));
    let taken = owned.lock().unwrap_or_else(PoisonError::into_inner).take();
    readers.close();
    if let Some(Owned { writer, lock: _lock }) = taken
        && writer.join().is_err()
    {
        tracing::error!("the log's writer panicked");
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        release(&self.queue, Request::Close, &self.owned, &self.readers);
    }
}

/// More than this is encoded on a thread that may block: it takes milliseconds, which others would wait for.
const IN_PASSING: usize = 1 << 20;

async fn encoded(records: Vec<Outgoing>) -> Result<Frames, WriteError> {
    let size = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
    if records.iter().map(|record| size(&record.key) + size(&record.value)).sum::<usize>() <= IN_PASSING {
        return Ok(Frames::encode(&records));
    }
    let encoding = tokio::task::spawn_blocking(move || Frames::encode(&records));
    encoding.await.map_err(|e| WriteError::Aborted(Cause::of(e)))
}

#[async_trait]
impl Engine for Sqlite {
    fn describe(&self) -> String {
        format!("sqlite:{}", self.dir.display())
    }

    fn id(&self) -> Option<TopicId> {
        self.id.clone()
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.counts.get(&topic).copied().unwrap_or(0)
    }

    fn groups(&self) -> &Groups {
        &self.groups
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.signal.listen()
    }

    fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.shared.partition(partition).map(|p| (p.first, p.end))
    }

    fn horizon(&self, partition: TopicPartition) -> Result<Horizon, LogError> {
        Ok(self.shared.horizon(partition))
    }

    async fn write(&self, records: Vec<Outgoing>, guard: Guard) -> Result<Vec<Appended>, WriteError> {
        let frames = encoded(records).await?;
        let (answer, answered) = oneshot::channel();
        match self.queue.ask(Request::Write(Box::new(Write { frames, guard, answer }))) {
            Ok(()) => {}
            Err(Refused::Full) => return Err(WriteError::Busy),
            Err(Refused::Stopped) => return Err(WriteError::Fatal(Sqlite::stopped().into())),
        }
        answered.await.unwrap_or_else(|_| Err(WriteError::InDoubt("the log was closed meanwhile".into())))
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        let (answer, answered) = oneshot::channel();
        let stopped =
            || LogError::Fatal { doing: "reading a committed position".to_owned(), cause: Sqlite::stopped().into() };
        match self.queue.ask(Request::Committed { group: group.to_owned(), partition, answer }) {
            Ok(()) => answered.await.map_err(|_| stopped()),
            Err(Refused::Full) => Err(LogError::Busy),
            Err(Refused::Stopped) => Err(stopped()),
        }
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        let id = self.shared.partition(partition)?.id;
        let doing = || format!("reading {partition} at {from}");
        self.readers.run(doing, move |reader| reader.read(partition, id, (from, to), fetch)).await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        let found = self.shared.partition(partition)?;
        let doing = || format!("looking up {partition} at log time {}", time.0);
        self.readers.run(doing, move |reader| reader.offset_at(partition, found.id, time, found.end)).await
    }
}
