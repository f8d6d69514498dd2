//! What can go wrong with the database file, and what to do about it.

use std::path::PathBuf;

use rusqlite::{Error, ErrorCode};
use slipstream_schemas::{Cause, Topic};

use super::owner::{NotTaken, Owner};
use crate::embedded::WriteError;
use crate::port::LogError;

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or written.
    #[error("data directory {}: {cause}; check that it exists and that this user may write to it", dir.display())]
    Directory {
        /// Which.
        dir: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Another process has it.
    #[error(
        "data directory {} is in use by {}; stop that process, or use another directory with --data DIR",
        dir.display(), who(owner)
    )]
    Owned {
        /// Which.
        dir: PathBuf,
        /// Who; `None` if its entry cannot be read.
        owner: Option<Owner>,
    },
    /// There is no log (reading only).
    #[error("{} does not exist, so this directory has no log; check --data DIR", file.display())]
    Missing {
        /// Which.
        file: PathBuf,
    },
    /// A file of something else.
    #[error("{} is not a log of Slipstream; move it away or use another directory with --data DIR", file.display())]
    Foreign {
        /// Which.
        file: PathBuf,
    },
    /// Written by a later version.
    #[error(
        "{} was written by a newer Slipstream (layout {found}, this one supports up to {known}); upgrade this program",
        file.display()
    )]
    Newer {
        /// Which.
        file: PathBuf,
        /// Its layout.
        found: i64,
        /// Newest known.
        known: i64,
    },
    /// The file is broken.
    #[error("{} is damaged ({cause}); restore it from a backup, or move it away to start over", file.display())]
    Damaged {
        /// Which.
        file: PathBuf,
        /// What SQLite says.
        #[source]
        cause: Cause,
    },
    /// Asked for a count of partitions that the log does not have.
    #[error("{topic} has {stored} partitions, {wanted} were requested: only request-events can grow, none can shrink")]
    Partitions {
        /// Which topic.
        topic: Topic,
        /// Partitions it has.
        stored: u32,
        /// Partitions asked for.
        wanted: u32,
    },
    /// Anything else.
    #[error("{}: {cause}", file.display())]
    Failed {
        /// Which.
        file: PathBuf,
        /// What SQLite says.
        #[source]
        cause: Cause,
    },
}

fn who(owner: &Option<Owner>) -> String {
    match owner {
        Some(o) => format!("process {} ({}) since {}", o.pid, o.command, o.since),
        None => "another process".to_owned(),
    }
}

impl OpenError {
    pub(super) fn not_taken(dir: PathBuf, why: NotTaken) -> OpenError {
        match why {
            NotTaken::Owned(owner) => OpenError::Owned { dir, owner },
            NotTaken::Unusable(cause) => OpenError::Directory { dir, cause },
        }
    }

    pub(super) fn of(file: PathBuf, error: Error) -> OpenError {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::Foreign { file },
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { file, cause: Cause::of(error) },
            _ => OpenError::Failed { file, cause: Cause::of(error) },
        }
    }
}

/// Whether it may be temporary, such as a full disk.
fn may_pass(error: &Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, SystemIoFailure};
    let code = error.sqlite_error_code();
    code.is_some_and(|c| matches!(c, DiskFull | SystemIoFailure | DatabaseBusy | DatabaseLocked | OutOfMemory))
}

/// An error in its own words, with what to do.
fn advised(error: Error) -> Cause {
    let text = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            format!("{error}: free space on the data directory's disk; work then continues automatically")
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            format!("{error}: restore log.db from a backup, or move it away to start over")
        }
        _ => error.to_string(),
    };
    Cause::worded(text, error)
}

/// A write that failed before its COMMIT: nothing of it is there.
pub(super) fn before_commit(error: Error) -> WriteError {
    if may_pass(&error) { WriteError::Aborted(advised(error)) } else { WriteError::Fatal(advised(error)) }
}

/// A COMMIT that failed: what reached the disk is not known.
pub(super) fn at_commit(error: Error) -> WriteError {
    if may_pass(&error) { WriteError::InDoubt(advised(error)) } else { WriteError::Fatal(advised(error)) }
}

/// A read that failed.
pub(super) fn reading(doing: String, error: Error) -> LogError {
    let passes = may_pass(&error);
    let cause = advised(error);
    if passes { LogError::Transient { doing, cause } } else { LogError::Fatal { doing, cause } }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;
    use slipstream_schemas::cause;

    use super::*;

    #[test]
    fn a_file_that_cannot_be_opened_keeps_what_sqlite_said() {
        let disk = "database disk image is malformed";
        let damaged = format!("f is damaged ({disk}); restore it from a backup, or move it away to start over");
        for (code, line) in
            [(ffi::SQLITE_CORRUPT, damaged.as_str()), (ffi::SQLITE_CANTOPEN, "f: unable to open the file")]
        {
            let said = line.contains("unable").then(|| "unable to open the file".to_owned());
            let error =
                OpenError::of("f".into(), Error::SqliteFailure(ffi::Error::new(code), said.or(Some(disk.into()))));
            assert_eq!(cause::chain(&error), line);
            assert!(cause::find::<Error>(&error).is_some(), "{line}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_a_failed_commit_is_in_doubt() {
        for (code, passes, says) in [
            (ffi::SQLITE_FULL, true, "free space"),
            (ffi::SQLITE_IOERR_FSYNC, true, "I/O"),
            (ffi::SQLITE_BUSY, true, ""),
            (ffi::SQLITE_CORRUPT, false, "backup"),
            (ffi::SQLITE_READONLY, false, ""),
        ] {
            let error = || Error::SqliteFailure(ffi::Error::new(code), None);
            let read = reading("x".to_owned(), error());
            assert!(cause::find::<Error>(&read).is_some(), "{code}");
            match (before_commit(error()), at_commit(error()), reading("x".to_owned(), error())) {
                (WriteError::Aborted(cause), WriteError::InDoubt(_), LogError::Transient { .. }) if passes => {
                    assert!(cause.text().contains(says), "{code}: {cause}");
                }
                (WriteError::Fatal(cause), WriteError::Fatal(_), LogError::Fatal { .. }) if !passes => {
                    assert!(cause.text().contains(says), "{code}: {cause}");
                }
                other => panic!("{code}: {other:?}"),
            }
        }
    }
}
