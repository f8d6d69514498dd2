//! Reading rows: on connections of their own, so that reading never waits for the writer nor the writer for reading.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use slipstream_schemas::{Cause, LogTime};
use tokio::sync::Semaphore;

use super::error::reading;
use super::frame::Row;
use super::schema;
use crate::batch::Batch;
use crate::port::{Fetch, LogError, Offset, TopicPartition};

/// Reads at a time; more wait.
const CONNECTIONS: usize = 4;

/// Read-only connections to one file.
#[derive(Debug)]
pub(super) struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Reader>>,
    permits: Semaphore,
}

/// One connection, and the buffer rows are decompressed into.
#[derive(Debug)]
pub(super) struct Reader {
    conn: Connection,
    scratch: Vec<u8>,
}

impl Readers {
    pub(super) fn new(file: &Path) -> Self {
        Readers { file: file.to_owned(), idle: Mutex::default(), permits: Semaphore::new(CONNECTIONS) }
    }

    /// Runs a read on a blocking thread. What it returns within is one consistent state of the file.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        doing: impl Fn() -> String,
        read: impl FnOnce(&mut Reader) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let closed = |cause: Cause| LogError::Fatal { doing: doing(), cause };
        let _permit = self.permits.acquire().await.map_err(|_| closed("the log is closed".into()))?;
        let pool = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || {
            let mut reader = pool.take()?;
            let result = read(&mut reader);
            pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            result
        });
        work.await.map_err(|e| closed(Cause::of(e)))?
    }

    /// Refuses further reads and lets go of the file.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self) -> Result<Reader, LogError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(reader) => Ok(reader),
            None => {
                let conn = schema::open_reader(&self.file).map_err(|e| LogError::Transient {
                    doing: "opening the log for reading".to_owned(),
                    cause: Cause::of(e),
                })?;
                conn.set_prepared_statement_cache_capacity(8);
                Ok(Reader { conn, scratch: Vec::new() })
            }
        }
    }
}

impl Reader {
    pub(super) fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Records of `[from, to)`, as many as `fetch` allows.
    pub(super) fn read(
        &mut self,
        partition: TopicPartition,
        id: i64,
        (from, to): (Offset, Offset),
        fetch: Fetch,
    ) -> Result<Batch, LogError> {
        let failed = |e: rusqlite::Error| reading(format!("reading {partition} at {from}"), e);
        let Reader { conn, scratch } = self;
        let tx = conn.unchecked_transaction().map_err(&failed)?;
        let (first, end) = schema::bounds(&tx, id).map_err(&failed)?;
        if from < first {
            return Err(LogError::OutOfRange { partition, offset: from, first, end });
        }
        let mut batch = Batch::new(partition, from);
        let full = deliver(&tx, &mut batch, id, (from, to), fetch, scratch).map_err(&failed)?;
        if !full {
            batch.next = to;
        }
        Ok(batch)
    }

    /// The first offset whose log time is at least `time`; `end` when there is none.
    pub(super) fn offset_at(
        &self,
        partition: TopicPartition,
        id: i64,
        time: LogTime,
        end: Offset,
    ) -> Result<Offset, LogError> {
        let sql = "SELECT base FROM batches WHERE place = ?1 AND log_time >= ?2 ORDER BY log_time, base LIMIT 1";
        let query = || {
            let mut found = self.conn.prepare_cached(sql)?;
            let mut rows = found.query((id, time.0))?;
            rows.next()?.map(|row| row.get::<_, Offset>(0)).transpose()
        };
        match query() {
            Ok(found) => Ok(found.unwrap_or(end).min(end)),
            Err(e) => Err(reading(format!("looking up {partition} at log time {}", time.0), e)),
        }
    }
}

/// Fills the batch; true: it is full and there may be more below `to`.
fn deliver(
    conn: &Connection,
    batch: &mut Batch,
    id: i64,
    (from, to): (Offset, Offset),
    fetch: Fetch,
    scratch: &mut Vec<u8>,
) -> rusqlite::Result<bool> {
    // The row that holds `from` may begin below it.
    let sql = "SELECT base, log_time, compressed, raw, data, count FROM batches WHERE place = ?1 AND base < ?3
               AND base >= coalesce((SELECT max(base) FROM batches WHERE place = ?1 AND base <= ?2), ?2) ORDER BY base";
    let mut query = conn.prepare_cached(sql)?;
    let mut rows = query.query((id, from, to))?;
    while let Some(row) = rows.next()? {
        let found = Row {
            base: row.get(0)?,
            log_time: LogTime(row.get(1)?),
            compressed: row.get(2)?,
            raw: row.get::<_, u32>(3)? as usize,
            data: row.get_ref(4)?.as_blob()?,
        };
        if batch.is_empty() {
            make_room(batch, (found.raw, row.get::<_, u32>(5)? as usize), (from, to), fetch);
        }
        match found.deliver(batch, (from, to), fetch, scratch) {
            Ok(true) => {}
            Ok(false) => return Ok(true),
            Err(_) => return Err(corrupt(found.base)),
        }
    }
    Ok(false)
}

/// Room for what a fetch brings if all rows are like this one of so many bytes and records: a batch that grows is copied each time.
fn make_room(batch: &mut Batch, (bytes, records): (usize, usize), (from, to): (Offset, Offset), fetch: Fetch) {
    let (bytes, records) = (bytes.max(1), records.max(1));
    let there = usize::try_from(to - from).unwrap_or(0).min(fetch.records);
    let wanted = there.min(fetch.bytes.saturating_mul(records) / bytes);
    batch.reserve(wanted.saturating_mul(bytes) / records, wanted);
}

fn corrupt(base: Offset) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(format!("the row at offset {base} cannot be decoded")))
}
