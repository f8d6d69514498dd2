//! Retention and compaction, by the writer, in slices small enough that other writes do not wait long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};
use slipstream_schemas::LogTime;
use slipstream_schemas::retention::DAY;
use slipstream_schemas::topics::Kept;

use super::schema::Partition;
use super::shared::Shared;
use crate::port::{Offset, TopicPartition};

/// Rows that one slice removes or looks at, at most.
const SLICE: u32 = 64;

/// Tombstones stay this long (or the topic's floor, if longer), for readers that come late to learn of them.
const TOMBSTONES_STAY: Duration = DAY;

/// A write-ahead log beyond this is brought back into the database even if readers must be waited for.
const WAL_LIMIT: u64 = 256 << 20;

/// Between two slices of work that is known to wait.
pub(super) const NEXT_SLICE: Duration = Duration::from_millis(20);

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Housekeeping {
    /// Between two looks, when nothing is known to wait.
    pub(super) every: Duration,
    turn: usize,
}

/// Whether more waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Left,
    Done,
}

impl Housekeeping {
    pub(super) fn every(every: Duration) -> Self {
        Housekeeping { every, turn: 0 }
    }

    /// One slice: the first partition in turn that has something to remove.
    pub(super) fn slice(&mut self, conn: &Connection, shared: &Shared, file: &Path) -> rusqlite::Result<Work> {
        bound_wal(conn, file)?;
        let (partitions, now) = (shared.partitions(), shared.now());
        for _ in 0..partitions.len() {
            let (place, partition) = partitions[self.turn % partitions.len()];
            let work = match place.topic.spec().kept {
                Kept::Forever => Work::Done,
                Kept::For(time) => expire(conn, shared, place, partition, before(now, time))?,
                Kept::Compacted { floor } => compact(conn, partition, now, floor)?,
            };
            if work == Work::Left {
                return Ok(work);
            }
            self.turn = (self.turn + 1) % partitions.len();
        }
        Ok(Work::Done)
    }
}

fn before(now: LogTime, time: Duration) -> LogTime {
    LogTime(now.0.saturating_sub(time.as_millis() as i64))
}

/// Removes the oldest rows whose log time is before `limit`. L1 ends here: the partition's first offset moves up in
/// the same database transaction.
fn expire(
    conn: &Connection,
    shared: &Shared,
    place: TopicPartition,
    partition: Partition,
    limit: LogTime,
) -> rusqlite::Result<Work> {
    let select =
        "SELECT id, base + count FROM batches WHERE place = ?1 AND log_time < ?2 ORDER BY log_time, base LIMIT ?3";
    let old = pairs(conn, select, params![partition.id, limit.0, SLICE])?;
    let Some((_, first)) = old.last().copied() else { return Ok(Work::Done) };
    let tx = conn.unchecked_transaction()?;
    for (id, _) in &old {
        tx.prepare_cached("DELETE FROM batches WHERE id = ?1")?.execute([id])?;
    }
    tx.execute("UPDATE partitions SET first = ?2 WHERE id = ?1", (partition.id, first))?;
    tx.commit()?;
    shared.retained_from(place, first);
    Ok(left(old.len() as u32))
}

/// Removes records that a newer one of the same key has replaced for longer than `floor`, then tombstones that have
/// stood long enough. Offsets stay as they are; there are gaps.
fn compact(conn: &Connection, partition: Partition, now: LogTime, floor: Duration) -> rusqlite::Result<Work> {
    let cleaned: Offset =
        conn.query_row("SELECT cleaned FROM partitions WHERE id = ?1", [partition.id], |row| row.get(0))?;
    let select =
        "SELECT id, base FROM batches WHERE place = ?1 AND base >= ?2 AND log_time <= ?3 ORDER BY base LIMIT ?4";
    let newer = pairs(conn, select, params![partition.id, cleaned, before(now, floor).0, SLICE])?;
    let Some((_, last)) = newer.last().copied() else {
        return bury(conn, partition, cleaned, before(now, floor.max(TOMBSTONES_STAY)));
    };
    let tx = conn.unchecked_transaction()?;
    for (id, base) in &newer {
        let replaced = "DELETE FROM batches WHERE place = ?1 AND base < ?3
                        AND key = (SELECT key FROM batches WHERE id = ?2)";
        tx.prepare_cached(replaced)?.execute((partition.id, id, base))?;
    }
    tx.execute("UPDATE partitions SET cleaned = ?2 WHERE id = ?1", (partition.id, last + 1))?;
    tx.commit()?;
    Ok(left(newer.len() as u32))
}

fn bury(conn: &Connection, partition: Partition, cleaned: Offset, limit: LogTime) -> rusqlite::Result<Work> {
    let sql = "DELETE FROM batches WHERE id IN (SELECT id FROM batches WHERE place = ?1 AND tombstone = 1
               AND base < ?2 AND log_time < ?3 ORDER BY base LIMIT ?4)";
    conn.prepare_cached(sql)?.execute(params![partition.id, cleaned, limit.0, SLICE]).map(|n| left(n as u32))
}

fn left(done: u32) -> Work {
    if done < SLICE { Work::Done } else { Work::Left }
}

fn pairs(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<(i64, Offset)>> {
    let mut query = conn.prepare_cached(sql)?;
    query.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn bound_wal(conn: &Connection, file: &Path) -> rusqlite::Result<()> {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    let size = std::fs::metadata(PathBuf::from(wal)).map_or(0, |m| m.len());
    if size > WAL_LIMIT {
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}
