//! What SQLite's errors mean to who called.

use rusqlite::ErrorCode;

use crate::port::StoreError;

/// Adds what was being done, and tells what may pass from what will not.
pub fn at(doing: impl Into<String>) -> impl FnOnce(rusqlite::Error) -> StoreError {
    let doing = doing.into();
    move |error| {
        let cause = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                StoreError::Unavailable { doing, cause: format!("{cause}: free some space on the disk") }
            }
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::CannotOpen,
            ) => StoreError::Unavailable { doing, cause },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Fatal {
                doing,
                cause: format!(
                    "{cause}: the file is damaged or no store; restore a copy, or move it away and let the sink \
                     write it anew from the log"
                ),
            },
            _ => StoreError::Fatal { doing, cause },
        }
    }
}

/// A stored value that cannot be read back.
pub fn unreadable(what: &str, cause: impl std::fmt::Display) -> StoreError {
    StoreError::Fatal {
        doing: format!("reading {what} from the store"),
        cause: format!("{cause}: it was written by a newer version, or the file is damaged"),
    }
}
