//! Erasing a user from raw events: the field is overwritten, the rows stay.

use std::time::Duration;

use rusqlite::Connection;

use super::error;
use super::open::BUSY;
use crate::port::StoreError;

const DOING: &str = "erasing a user from raw events";

/// How long readers of the write-ahead log are waited for: the writer waits as well.
const PATIENCE: Duration = Duration::from_secs(2);

/// Overwrites `user_ref` where it is this one; returns how many rows had it.
///
/// # Errors
/// Also `Unavailable` when the rows are overwritten, but their former state is still in the write-ahead log.
pub fn user(connection: &mut Connection, user_ref: &str) -> Result<u64, StoreError> {
    let erased = || -> rusqlite::Result<(usize, bool)> {
        // Overwritten on the pages themselves, not only taken out of the tree.
        connection.execute_batch("PRAGMA secure_delete = ON")?;
        let rows = connection.execute("UPDATE events SET user_ref = NULL WHERE user_ref = ?1", [user_ref]);
        connection.execute_batch("PRAGMA secure_delete = OFF")?;
        let rows = rows?;
        // The write-ahead log has the pages as they were.
        connection.busy_timeout(PATIENCE)?;
        let is_busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        connection.busy_timeout(BUSY)?;
        Ok((rows, is_busy?))
    };
    match erased().map_err(error::at(DOING))? {
        (rows, false) => Ok(rows as u64),
        (_, true) => Err(StoreError::Unavailable {
            doing: DOING.to_owned(),
            cause: "no row names this user any more, but somebody reads the store, so its write-ahead log still does: erase again"
                .into(),
        }),
    }
}
