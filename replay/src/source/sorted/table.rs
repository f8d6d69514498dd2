//! Records on disk, sorted by SQLite.

use rusqlite::{Connection, ErrorCode, params};

use crate::error::ReplayError;

/// Where a record is in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Event time, microseconds.
    pub time: i64,
    /// Partition of request-events.
    pub partition: u32,
    /// Offset there.
    pub offset: i64,
}

/// Records in a temporary file. It has no name any more once it is open, so nothing is left of it however the process ends.
pub struct Table {
    file: Connection,
}

/// Nothing of it outlives the process, so nothing has to be durable. The cache bounds memory, that of sorting, too.
const SETUP: &str = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA temp_store = FILE; PRAGMA cache_size = -65536;
    CREATE TABLE events (time INTEGER NOT NULL, partition INTEGER NOT NULL, \"offset\" INTEGER NOT NULL, value BLOB NOT NULL);
    BEGIN";

const ADD: &str = "INSERT INTO events (time, partition, \"offset\", value) VALUES (?1, ?2, ?3, ?4)";
const SORT: &str = "CREATE UNIQUE INDEX in_order ON events (time, partition, \"offset\"); COMMIT";
const READ: &str = "SELECT time, partition, \"offset\", value FROM events
    WHERE (time, partition, \"offset\") > (?1, ?2, ?3) ORDER BY time, partition, \"offset\" LIMIT ?4";

impl Table {
    /// Without records, in the folder for temporary files.
    pub fn new() -> Result<Table, ReplayError> {
        let folder = tempfile::Builder::new().prefix("slipstream-replay-").tempdir();
        let folder = folder.map_err(|error| failed(&error, true))?;
        let open = || {
            let file = Connection::open(folder.path().join("events.sqlite"))?;
            file.execute_batch(SETUP)?;
            Ok(file)
        };
        Ok(Table { file: open().map_err(of_sqlite)? })
    }

    /// Adds a record. Each place has one.
    pub fn add(&self, place: Place, value: &[u8]) -> Result<(), ReplayError> {
        let add = || {
            let mut add = self.file.prepare_cached(ADD)?;
            add.execute(params![place.time, place.partition, place.offset, value])
        };
        add().map(drop).map_err(of_sqlite)
    }

    /// Sorts them. Afterwards they are read.
    pub fn sort(&self) -> Result<(), ReplayError> {
        self.file.execute_batch(SORT).map_err(of_sqlite)
    }

    /// Gives out records in order, those behind a place, until `take` returns false, `limit` at most.
    pub fn read(
        &self,
        behind: Option<Place>,
        limit: usize,
        mut take: impl FnMut(Place, &[u8]) -> bool,
    ) -> Result<(), ReplayError> {
        let (time, partition, offset) =
            behind.map_or((i64::MIN, -1, -1), |place| (place.time, i64::from(place.partition), place.offset));
        let mut read = || {
            let mut read = self.file.prepare_cached(READ)?;
            let mut rows = read.query(params![time, partition, offset, limit as i64])?;
            while let Some(row) = rows.next()? {
                let place = Place { time: row.get(0)?, partition: row.get(1)?, offset: row.get(2)? };
                if !take(place, row.get_ref(3)?.as_blob()?) {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(of_sqlite)
    }
}

fn of_sqlite(error: rusqlite::Error) -> ReplayError {
    let room = matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure));
    failed(&error, room)
}

/// `room`: whether it may help to have more.
fn failed(error: &dyn std::error::Error, room: bool) -> ReplayError {
    let advice = if room { "; make room there, or name another folder in TMPDIR" } else { "" };
    ReplayError::Sorting(format!("a temporary file in {}: {error}{advice}", std::env::temp_dir().display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(time: i64, partition: u32, offset: i64) -> Place {
        Place { time, partition, offset }
    }

    #[test]
    fn records_come_by_time_partition_and_offset_in_pieces() {
        let table = Table::new().unwrap();
        let places = [place(5, 0, 0), place(1, 1, 3), place(5, 0, 1), place(1, 0, 9), place(3, 2, 2)];
        for at in places {
            table.add(at, &[at.offset as u8]).unwrap();
        }
        table.sort().unwrap();
        let (mut read, mut behind) = (Vec::new(), None);
        loop {
            let before = read.len();
            table
                .read(behind, 2, |at, value| {
                    assert_eq!(value, [at.offset as u8]);
                    read.push(at);
                    true
                })
                .unwrap();
            if read.len() == before {
                break;
            }
            behind = read.last().copied();
        }
        assert_eq!(read, [place(1, 0, 9), place(1, 1, 3), place(3, 2, 2), place(5, 0, 0), place(5, 0, 1)]);
    }

    #[test]
    fn a_full_disk_is_told_with_what_to_do() {
        let table = Table::new().unwrap();
        table.file.execute_batch("PRAGMA max_page_count = 20").unwrap();
        let filled = (0..200).try_for_each(|n| table.add(place(n, 0, n), &[7; 4_000]));
        let told = filled.unwrap_err().to_string();
        assert!(told.contains("temporary file in ") && told.contains("TMPDIR"), "{told}");
    }
}
