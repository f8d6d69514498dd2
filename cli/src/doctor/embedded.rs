//! The embedded log and store: who owns the directory, whether the files are whole, whether there is room.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use slipstream_log::kafka::admin::Finding;
use slipstream_log::sqlite::{LOCK_FILE, LOG_FILE, Owner, SqliteLog};
use slipstream_store::SqliteStore;

use super::disk;

/// The log in a directory.
pub fn log(dir: &Path) -> Vec<Finding> {
    if !dir.is_dir() {
        let message = format!("{}: no such directory", dir.display());
        return vec![Finding::error("log", message, "slipstream run --data DIR makes one; is --data right?")];
    }
    let mut findings = vec![owner(dir)];
    findings.push(match SqliteLog::open_read_only(dir) {
        Ok(_) => whole("log", &dir.join(LOG_FILE)),
        Err(error) => Finding::error("log", error.to_string(), "is --data right? What is damaged comes from a backup"),
    });
    findings.push(disk::room(dir));
    findings
}

/// The store in a directory.
pub fn store(dir: &Path) -> Vec<Finding> {
    let file = dir.join(slipstream_store::sqlite::FILE);
    if !file.exists() {
        let message = format!("{}: nothing was stored yet", file.display());
        return vec![Finding::warn("store", message, "slipstream run --roles sink, or give --store")];
    }
    let found = match SqliteStore::open_read_only(dir) {
        Ok(_) => whole("store", &file),
        Err(error) => {
            Finding::error("store", error.to_string(), "is --store right? What is damaged comes from a backup")
        }
    };
    vec![found]
}

fn owner(dir: &Path) -> Finding {
    let text = std::fs::read_to_string(dir.join(LOCK_FILE)).unwrap_or_default();
    // The lock is the kernel's; trying to take it could get in a starting process's way.
    let alive = |owner: &Owner| Path::new("/proc").join(owner.pid.to_string()).exists();
    match serde_json::from_str::<Owner>(&text).ok().filter(alive) {
        Some(Owner { pid, command, since, .. }) => {
            Finding::ok("owner", format!("process {pid} (`{command}`) since {since}"))
        }
        None => Finding::warn("owner", "no process works on this directory", "slipstream run --data DIR"),
    }
}

/// SQLite's own quick check, which reads all of the file.
fn whole(check: &str, file: &Path) -> Finding {
    let told = match quick_check(file) {
        Ok(told) if told == ["ok"] => return Finding::ok(check, format!("{} is whole", file.display())),
        Ok(told) => told.join("; "),
        Err(error) if is_damage(&error) => error.to_string(),
        Err(error) => {
            return Finding::error(check, format!("{}: {error}", file.display()), "can this user read it?");
        }
    };
    let message = format!("{} is damaged: {told}", file.display());
    Finding::error(check, message, "stop the process, keep a copy of the directory, restore a backup")
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn quick_check(file: &Path) -> rusqlite::Result<Vec<String>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    let mut statement = connection.prepare("PRAGMA quick_check(5)")?;
    statement.query_map([], |row| row.get(0))?.collect()
}
