//! Erasing a user from raw events: the field is overwritten, the rows stay.

use tokio_postgres::types::Type;

use super::error;
use super::move_tables;
use super::options::Target;
use super::session::Session;
use crate::port::StoreError;

const DOING: &str = "erasing a user from raw events";

/// Overwrites `user_ref` where it is this one; returns how many rows had it. Compressed chunks are decompressed where they have
/// such rows, and compressed again by their policy. On a connection of its own: it takes as long as reading all rows does, and
/// batches are not to wait for it.
pub async fn user(target: &Target, user_ref: &str) -> Result<u64, StoreError> {
    if user_ref.contains('\0') {
        return Ok(0);
    }
    let mut session = Session::open(target).await?;
    let transaction = session.begin(DOING).await?;
    // It reads every row that is kept: longer than a question may take.
    transaction.batch_execute("SET LOCAL statement_timeout TO 0").await.map_err(error::at(DOING))?;
    // The copy of a migration in progress has them, too, and gets no more meanwhile.
    transaction.batch_execute(move_tables::LOCK).await.map_err(error::at(DOING))?;
    let copy = if move_tables::is_copying_events(&transaction).await? { Some("events_moving") } else { None };
    let mut rows = 0;
    for table in copy.into_iter().chain(["events"]) {
        let sql = format!("UPDATE {table} SET user_ref = NULL WHERE user_ref = $1");
        rows = transaction.execute_typed(&sql, &[(&user_ref, Type::TEXT)]).await.map_err(error::at(DOING))?;
    }
    transaction.commit().await.map_err(error::at(DOING))?;
    Ok(rows)
}
