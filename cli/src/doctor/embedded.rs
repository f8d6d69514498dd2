//! The embedded log and store: the owner of the directory, damage, free space.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use slipstream_log::kafka::admin::Finding;
use slipstream_log::sqlite::{LOCK_FILE, LOG_FILE, Owner, SqliteLog};
use slipstream_store::sqlite::VERSION;
use slipstream_store::{SharedStore, SqliteStore};

use super::disk;
use super::positions::Stored;

/// The log in a directory.
pub fn log(dir: &Path) -> Vec<Finding> {
    if let Some(finding) = no_directory("log", dir) {
        return vec![finding];
    }
    let mut findings = vec![owner(dir)];
    findings.push(match SqliteLog::open_read_only(dir) {
        Ok(_) => whole("log", &dir.join(LOG_FILE)),
        Err(error) => {
            Finding::error("log", error.to_string(), "is --data right? If the file is damaged, restore a backup")
        }
    });
    findings.push(disk::room(dir));
    findings
}

/// The positions of the store in a directory; `None` if there is none, or it cannot be read: [`store`] says why.
pub async fn stored(dir: &Path) -> Option<Stored> {
    let store: SharedStore = SqliteStore::open_read_only(dir).ok()?;
    Stored::of(&store).await.ok()
}

/// The store in a directory.
pub fn store(dir: &Path) -> Vec<Finding> {
    let file = dir.join(slipstream_store::sqlite::FILE);
    if let Some(finding) = no_directory("store", dir) {
        return vec![finding];
    }
    if file.try_exists().is_ok_and(|there| !there) {
        let message = format!("{}: nothing has been stored yet", file.display());
        return vec![Finding::warn("store", message, "run slipstream with the role sink, or pass --store")];
    }
    let found = match SqliteStore::open_read_only(dir).and_then(|store| store.version()) {
        Ok(version) if version < VERSION => {
            let message =
                format!("{} has tables of version {version}: the next sink upgrades it to {VERSION}", file.display());
            return vec![whole("store", &file), Finding::ok("store", message)];
        }
        Ok(_) => whole("store", &file),
        Err(error) => {
            Finding::error("store", error.to_string(), "is --store right? If the file is damaged, restore a backup")
        }
    };
    vec![found]
}

fn no_directory(check: &str, dir: &Path) -> Option<Finding> {
    let (what, todo) = match dir.metadata() {
        Ok(found) if found.is_dir() => return None,
        Ok(_) => ("a file, not a directory".to_owned(), "pass a directory to --data"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            ("no such directory".to_owned(), "is --data right? slipstream run --data DIR creates one")
        }
        Err(error) => (error.to_string(), "run this as a user that may read it"),
    };
    Some(Finding::error(check, format!("{}: {what}", dir.display()), todo))
}

fn owner(dir: &Path) -> Finding {
    let text = std::fs::read_to_string(dir.join(LOCK_FILE)).unwrap_or_default();
    // The lock is the kernel's; trying to take it could disturb a process that is starting.
    let alive = |owner: &Owner| Path::new("/proc").join(owner.pid.to_string()).exists();
    match serde_json::from_str::<Owner>(&text).ok().filter(alive) {
        Some(Owner { pid, command, since, .. }) => {
            Finding::ok("owner", format!("process {pid} (`{command}`) since {since}"))
        }
        None => Finding::warn("owner", "no process is using this directory", "slipstream run --data DIR"),
    }
}

/// SQLite's own quick check, which reads all of the file.
fn whole(check: &str, file: &Path) -> Finding {
    let told = match quick_check(file) {
        Ok(told) if told == ["ok"] => return Finding::ok(check, format!("{} is intact", file.display())),
        Ok(told) => told.join("; "),
        Err(error) if is_damage(&error) => error.to_string(),
        Err(error) => {
            return Finding::error(check, format!("{}: {error}", file.display()), "can this user read the file?");
        }
    };
    let message = format!("{} is damaged: {told}", file.display());
    Finding::error(check, message, "stop the process, keep a copy of the directory, and restore a backup")
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

#[cfg(test)]
mod tests {
    use slipstream_log::kafka::admin::Severity;
    use slipstream_store::Retention;

    use super::*;

    #[test]
    fn a_store_of_a_former_version_is_fine_until_the_next_sink() {
        let dir = tempfile::tempdir().unwrap();
        drop(SqliteStore::open(dir.path(), Retention::default()).unwrap());
        let file = Connection::open(dir.path().join(slipstream_store::sqlite::FILE)).unwrap();
        file.execute_batch("DROP TABLE topics; PRAGMA user_version = 1").unwrap();
        drop(file);
        let found = store(dir.path());
        assert!(found.iter().all(|f| f.severity == Severity::Ok), "{found:?}");
        assert!(
            found.iter().any(|f| f.message.contains(&format!("the next sink upgrades it to {VERSION}"))),
            "{found:?}"
        );
    }
}
