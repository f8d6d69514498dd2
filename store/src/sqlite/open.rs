//! Opening `store.db`: pragmas, identity, migrations.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use slipstream_schemas::Cause;

use super::{error, functions};
use crate::port::StoreError;

/// Name of the file in a data directory.
pub const FILE: &str = "store.db";

/// "SLST": marks the file as ours.
const APPLICATION_ID: i64 = 0x534C_5354;

/// Migrations in order; `user_version` counts those that were applied.
const MIGRATIONS: [&str; 5] = [
    include_str!("schema_v1.sql"),
    include_str!("schema_v2.sql"),
    include_str!("schema_v3.sql"),
    include_str!("schema_v4.sql"),
    include_str!("schema_v5.sql"),
];

/// The version of the tables that this build makes.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// The oldest version that questions can be asked of: what came since is written, or missed by those who read it.
const OLDEST_READ: i64 = 1;

/// How long others are waited for.
pub const BUSY: Duration = Duration::from_secs(10);

/// Opens, creates or migrates the store for its writer.
pub fn for_writing(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(FILE);
    let doing = format!("opening {}", path.display());
    let cannot = || error::at(doing.clone());
    std::fs::create_dir_all(dir).map_err(|e| StoreError::Fatal {
        doing: doing.clone(),
        cause: Cause::worded(format!("{}: {e}", dir.display()), e),
    })?;
    let mut connection = Connection::open(&path).map_err(cannot())?;
    connection.busy_timeout(BUSY).map_err(cannot())?;
    let version = identify(&connection, &doing)?;
    connection
        .execute_batch(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA foreign_keys = OFF;",
        )
        .map_err(cannot())?;
    migrate(&mut connection, version).map_err(error::at(format!("{doing}: migrating from version {version}")))?;
    functions::register(&connection).map_err(cannot())?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens the store for queries. A read-only directory works as long as no process writes.
pub fn for_reading(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(FILE);
    let doing = format!("opening {} for reading", path.display());
    if let Err(cause) = is_there(&path) {
        return Err(StoreError::Fatal { doing, cause });
    }
    let connection = match read_only(&path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
        Ok(connection) => connection,
        // Without the right to create the WAL's index next to it, an unowned file can still be read as it is.
        Err(cause) if !dir.join(format!("{FILE}-wal")).exists() => {
            let uri =
                format!("file:{}?immutable=1", path.display().to_string().replace('%', "%25").replace('?', "%3f"));
            read_only(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
                .map_err(|_| error::at(doing.clone())(cause))?
        }
        // All that SQLite says of it is "unable to open database file".
        Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
            let cause = Cause::of(cause).and("; run this as a user who may read it");
            return Err(StoreError::Fatal { doing, cause });
        }
        Err(cause) => return Err(error::at(doing)(cause)),
    };
    let version = identify(&connection, &doing)?;
    if version < OLDEST_READ {
        let why = "the file is empty: nothing has been stored in this directory yet (see --data and --store)";
        return Err(StoreError::Fatal { doing, cause: why.into() });
    }
    functions::register(&connection).map_err(error::at(doing))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Whether there is a file. It is not opened to find out: closing a file ends every lock that this process has on it (POSIX), and
/// whoever opened it next would fold and remove the write-ahead log that our writer still appends to (L1).
fn is_there(path: &Path) -> Result<(), Cause> {
    match path.metadata() {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err("it is not a file (see --data and --store)".into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err("the file does not exist: nothing has been stored in this directory yet (see --data and --store)"
                .into())
        }
        Err(error) => Err(Cause::of(error).and("; run this as a user who may read it")),
    }
}

fn read_only(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    connection.execute_batch("PRAGMA cache_size = -8192;")?;
    Ok(connection)
}

/// The version of the tables; 0: an empty file.
fn identify(connection: &Connection, doing: &str) -> Result<i64, StoreError> {
    let pragma = |name: &str| {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
            .map_err(error::at(doing.to_owned()))
    };
    let (id, version, tables) = (pragma("application_id")?, pragma("user_version")?, count_tables(connection, doing)?);
    let refuse = |why: String| Err(StoreError::Fatal { doing: doing.to_owned(), cause: why.into() });
    if id != APPLICATION_ID && tables > 0 {
        return refuse("it is a SQLite file, but not a store of Slipstream: use another directory".to_owned());
    }
    if version > VERSION {
        return refuse(format!(
            "its tables have version {version}, this build knows up to {VERSION}: upgrade slipstream"
        ));
    }
    Ok(version)
}

fn count_tables(connection: &Connection, doing: &str) -> Result<i64, StoreError> {
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(error::at(doing.to_owned()))
}

fn migrate(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    for (done, migration) in MIGRATIONS.iter().enumerate().skip(version as usize) {
        // One transaction each: a crash leaves the version before it or the one after.
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let present: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if present > done as i64 {
            continue;
        }
        transaction.execute_batch(migration)?;
        transaction
            .execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", done + 1))?;
        transaction.commit()?;
    }
    Ok(())
}
