//! What SQLite's errors mean to the caller.

use rusqlite::{Error, ErrorCode};
use slipstream_schemas::Cause;

use crate::patience::LESS;
use crate::port::StoreError;

/// Adds what was being done, and separates temporary from permanent errors.
pub fn at(doing: impl Into<String>) -> impl FnOnce(Error) -> StoreError {
    let doing = doing.into();
    move |error| {
        let error = match ours(error) {
            Ok(ours) => return ours,
            Err(error) => error,
        };
        let code = error.sqlite_error_code();
        let cause = Cause::of(error);
        match code {
            Some(ErrorCode::DiskFull) => {
                StoreError::Unavailable { doing, cause: cause.and(": free some space on the disk") }
            }
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::CannotOpen,
            ) => StoreError::Unavailable { doing, cause },
            // Nothing else interrupts a question.
            Some(ErrorCode::OperationInterrupted) => StoreError::Refused(format!("{doing} takes too long: {LESS}")),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Fatal {
                doing,
                cause: cause.and(
                    ": the file is damaged or no store; restore a copy; where there is none, move it aside and keep it: a \
                     new one gets what the log still has",
                ),
            },
            _ => StoreError::Fatal { doing, cause },
        }
    }
}

/// Breaks off a question for a reason of our own, which [`at`] gives back.
pub fn broken_off(why: StoreError) -> Error {
    Error::UserFunctionError(Box::new(why))
}

fn ours(error: Error) -> Result<StoreError, Error> {
    match error {
        Error::UserFunctionError(why) => why.downcast::<StoreError>().map(|why| *why).map_err(Error::UserFunctionError),
        other => Err(other),
    }
}

/// A stored value that cannot be read back.
pub fn unreadable(what: &str, cause: impl Into<Cause>) -> StoreError {
    StoreError::Fatal {
        doing: format!("reading {what} from the store"),
        cause: cause.into().and(": it was written by a newer version, or the file is damaged"),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;
    use slipstream_schemas::cause;

    use super::*;

    #[test]
    fn each_failure_says_what_to_do_and_keeps_what_sqlite_said() {
        let damaged = "writing: said: the file is damaged or no store; restore a copy; where there is none, move it aside \
                       and keep it: a new one gets what the log still has";
        for (code, line) in [
            (ffi::SQLITE_FULL, "writing: said: free some space on the disk"),
            (ffi::SQLITE_BUSY, "writing: said"),
            (ffi::SQLITE_CORRUPT, damaged),
            (ffi::SQLITE_MISUSE, "writing: said"),
        ] {
            let error = at("writing")(Error::SqliteFailure(ffi::Error::new(code), Some("said".to_owned())));
            assert_eq!(cause::chain(&error), line);
            assert!(cause::find::<Error>(&error).is_some(), "{line}");
        }
        let error = unreadable("an alert", "odd");
        let line = "reading an alert from the store: odd: it was written by a newer version, or the file is damaged";
        assert_eq!(error.to_string(), line);
    }
}
