//! Erasing a user from raw events: the field is overwritten, the rows stay.

use rusqlite::Connection;

use super::error;
use crate::port::StoreError;

/// Overwrites `user_ref` where it is this one; returns how many rows had it.
pub fn user(connection: &mut Connection, user_ref: &str) -> Result<u64, StoreError> {
    let erased = || -> rusqlite::Result<usize> {
        // Overwritten on the pages themselves, not only taken out of the tree.
        connection.execute_batch("PRAGMA secure_delete = ON")?;
        let rows = connection.execute("UPDATE events SET user_ref = NULL WHERE user_ref = ?1", [user_ref]);
        connection.execute_batch("PRAGMA secure_delete = OFF")?;
        let rows = rows?;
        // The write-ahead log has the pages as they were.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(rows)
    };
    let doing = "erasing a user from raw events";
    erased().map(|rows| rows as u64).map_err(error::at(doing))
}
