//! The file `log.db`: its tables, its version, and what of it is held in memory.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use slipstream_schemas::topics::TOPICS;
use slipstream_schemas::{Cause, LogTime, Topic};

use super::error::OpenError;
use crate::port::{Offset, Position, TopicId, TopicPartition};

/// Name of the database in the data directory.
pub const LOG_FILE: &str = "log.db";

/// `SLPL`: distinguishes our files from other SQLite databases.
const APPLICATION: i64 = 0x534c_504c;

/// Layout of the tables, in `user_version`.
const LAYOUT: i64 = 1;

/// Records are rows of many (one on compacted topics, where rows go one by one): base is the offset of the first, all of
/// a row have its log time. A partition's rows begin at `first`; offsets below are gone. `cleaned` is how far compaction
/// came. Space that retention frees is used again by later rows; the file does not shrink.
const TABLES: &str = "
    CREATE TABLE partitions (
        id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
        first INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0,
        log_time INTEGER NOT NULL DEFAULT 0, cleaned INTEGER NOT NULL DEFAULT 0,
        UNIQUE (topic, partition)
    ) STRICT;
    CREATE TABLE batches (
        id INTEGER PRIMARY KEY, place INTEGER NOT NULL REFERENCES partitions,
        base INTEGER NOT NULL, count INTEGER NOT NULL, log_time INTEGER NOT NULL,
        key BLOB, tombstone INTEGER NOT NULL,
        compressed INTEGER NOT NULL, raw INTEGER NOT NULL, data BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX batches_by_offset ON batches (place, base);
    CREATE INDEX batches_by_time ON batches (place, log_time, base);
    CREATE INDEX batches_by_key ON batches (place, key, base) WHERE key IS NOT NULL;
    CREATE INDEX batches_tombstones ON batches (place, base) WHERE tombstone = 1;
    CREATE TABLE positions (
        consumer_group TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
        offset INTEGER NOT NULL, log_time INTEGER NOT NULL,
        PRIMARY KEY (consumer_group, topic, partition)
    ) STRICT, WITHOUT ROWID;
";

/// Tells this file from another one in its place: offsets are places in one of them. Files of older versions get it when they are
/// opened; those versions do not look at it.
const IDENTITY: &str = "CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL) STRICT;";

/// A partition as the writer and the readers know it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) id: i64,
    pub(super) first: Offset,
    pub(super) end: Offset,
}

pub(super) type Positions = HashMap<(String, TopicPartition), Position>;

/// What the file says when it is opened.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) partitions: BTreeMap<TopicPartition, Partition>,
    pub(super) positions: Positions,
    /// Greatest log time of any record or committed position: the floor of what comes (L7).
    pub(super) last: LogTime,
    /// The id of its topics.
    pub(super) id: Option<TopicId>,
}

/// Opens the file for its owner: makes it, or checks that it is ours and of a layout we know.
pub(super) fn open_writer(file: &Path) -> Result<Connection, OpenError> {
    let failed = |e: rusqlite::Error| OpenError::of(file.to_owned(), e);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags).map_err(failed)?;
    let fresh = check_layout(&conn, file)?;
    let set_up = || -> rusqlite::Result<()> {
        conn.pragma_update(None, "page_size", 8192)?;
        conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        conn.pragma_update(None, "synchronous", "full")?;
        conn.pragma_update(None, "wal_autocheckpoint", 4096)?;
        conn.pragma_update(None, "cache_size", -8192)?;
        conn.busy_timeout(std::time::Duration::from_secs(1))?;
        conn.set_prepared_statement_cache_capacity(32);
        if fresh {
            let tx = conn.unchecked_transaction()?;
            tx.execute_batch(TABLES)?;
            tx.pragma_update(None, "application_id", APPLICATION)?;
            tx.pragma_update(None, "user_version", LAYOUT)?;
            tx.commit()?;
        }
        conn.execute_batch(IDENTITY)?;
        let id = format!("{:032x}", rand::random::<u128>());
        conn.execute("INSERT INTO identity (id) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM identity)", [id])?;
        Ok(())
    };
    set_up().map_err(failed)?;
    Ok(conn)
}

/// Opens the file for reading only.
pub(super) fn open_reader(file: &Path) -> Result<Connection, OpenError> {
    let failed = |e: rusqlite::Error| OpenError::of(file.to_owned(), e);
    // Not opened to find out: closing a file ends every lock that this process has on it (POSIX), and whoever opened it next would
    // fold and remove the write-ahead log that our writer still appends to (L1).
    let refused = |cause: Cause| OpenError::Failed {
        file: file.to_owned(),
        cause: cause.and("; run this as a user who may read it"),
    };
    file.metadata().map_err(|error| match error.kind() {
        ErrorKind::NotFound => OpenError::Missing { file: file.to_owned() },
        _ => refused(Cause::of(error)),
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags).map_err(|error| match error.sqlite_error_code() {
        // All that SQLite says of it is "unable to open database file".
        Some(ErrorCode::CannotOpen) => refused(Cause::of(error)),
        _ => failed(error),
    })?;
    conn.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed)?;
    if check_layout(&conn, file)? {
        return Err(OpenError::Missing { file: file.to_owned() });
    }
    Ok(conn)
}

/// True: the file is empty. Error: it is not ours, or of a layout that is not known.
fn check_layout(conn: &Connection, file: &Path) -> Result<bool, OpenError> {
    let failed = |e: rusqlite::Error| OpenError::of(file.to_owned(), e);
    let number = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).map_err(failed)?;
    let (application, layout) = (number("application_id").map_err(failed)?, number("user_version").map_err(failed)?);
    match (application, layout) {
        (0, 0) if tables == 0 => Ok(true),
        (APPLICATION, LAYOUT) => Ok(false),
        (APPLICATION, found) if found > LAYOUT => Err(OpenError::Newer { file: file.to_owned(), found, known: LAYOUT }),
        _ => Err(OpenError::Foreign { file: file.to_owned() }),
    }
}

/// Makes the partitions that are not there yet. Counts are kept from the first time on; request-events alone can grow.
pub(super) fn ensure_partitions(conn: &Connection, wanted: &HashMap<Topic, u32>, file: &Path) -> Result<(), OpenError> {
    let failed = |e: rusqlite::Error| OpenError::of(file.to_owned(), e);
    for spec in &TOPICS {
        let count = "SELECT count(*) FROM partitions WHERE topic = ?1";
        let stored: u32 = conn.query_row(count, [spec.name], |r| r.get(0)).map_err(failed)?;
        let want = match (wanted.get(&spec.topic), stored) {
            (Some(n), _) => *n,
            (None, 0) => spec.embedded_partitions,
            (None, stored) => stored,
        };
        if want < stored || (stored > 0 && want > stored && spec.topic != Topic::RequestEvents) || want == 0 {
            return Err(OpenError::Partitions { topic: spec.topic, stored, wanted: want });
        }
        for partition in stored..want {
            let make = "INSERT INTO partitions (topic, partition) VALUES (?1, ?2)";
            conn.execute(make, params![spec.name, partition]).map_err(failed)?;
        }
    }
    Ok(())
}

/// Reads what is held in memory.
pub(super) fn load(conn: &Connection) -> rusqlite::Result<Loaded> {
    let (partitions, records) = partitions(conn)?;
    let positions = positions(conn)?;
    let committed = positions.values().map(|p| p.log_time).max().unwrap_or_default();
    Ok(Loaded { partitions, positions, last: records.max(committed), id: identity(conn)? })
}

/// The id of the file, if it has one.
pub(super) fn identity(conn: &Connection) -> rusqlite::Result<Option<TopicId>> {
    let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'identity')";
    if !conn.query_row(there, [], |row| row.get(0))? {
        return Ok(None);
    }
    conn.query_row("SELECT id FROM identity", [], |row| Ok(TopicId::new(row.get::<_, String>(0)?))).optional()
}

/// All partitions, and the greatest log time of a record.
pub(super) fn partitions(conn: &Connection) -> rusqlite::Result<(BTreeMap<TopicPartition, Partition>, LogTime)> {
    let mut all = conn.prepare("SELECT topic, partition, id, first, next, log_time FROM partitions")?;
    let mut rows = all.query([])?;
    let (mut found, mut last) = (BTreeMap::new(), LogTime::default());
    while let Some(row) = rows.next()? {
        let Some(topic) = Topic::from_name(row.get_ref(0)?.as_str()?) else { continue };
        let place = TopicPartition { topic, partition: row.get(1)? };
        found.insert(place, Partition { id: row.get(2)?, first: row.get(3)?, end: row.get(4)? });
        last = last.max(LogTime(row.get(5)?));
    }
    Ok((found, last))
}

pub(super) fn positions(conn: &Connection) -> rusqlite::Result<Positions> {
    let mut all = conn.prepare("SELECT consumer_group, topic, partition, offset, log_time FROM positions")?;
    let mut rows = all.query([])?;
    let mut found = Positions::new();
    while let Some(row) = rows.next()? {
        let Some(topic) = Topic::from_name(row.get_ref(1)?.as_str()?) else { continue };
        let place = TopicPartition { topic, partition: row.get(2)? };
        found.insert((row.get(0)?, place), Position { offset: row.get(3)?, log_time: LogTime(row.get(4)?) });
    }
    Ok(found)
}

/// Bounds of one partition, by its id.
pub(super) fn bounds(conn: &Connection, id: i64) -> rusqlite::Result<(Offset, Offset)> {
    let sql = "SELECT first, next FROM partitions WHERE id = ?1";
    let found = conn.prepare_cached(sql)?.query_row([id], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    Ok(found.unwrap_or((0, 0)))
}
