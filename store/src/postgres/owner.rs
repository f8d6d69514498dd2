//! Who owns what is made: whoever owns the tables that are there. A superuser may upgrade or move them for their owner, whose sink has to
//! write what they made.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::error;
use crate::port::StoreError;

const DOING: &str = "acting as the owner of the tables";

/// Until the end of the transaction, or `RESET ROLE`, what is made belongs to the owner of a table. Who may not act as the owner is
/// refused by the server what it does.
///
/// # Errors
/// When the database does not answer.
pub async fn act_as(transaction: &Transaction<'_>, table: &str) -> Result<(), StoreError> {
    let sql = "SELECT format('SET LOCAL ROLE %I', pg_get_userbyid(relowner)) FROM pg_class
               WHERE oid = to_regclass($1) AND relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
               AND pg_has_role(relowner, 'MEMBER')";
    let found = transaction.query_typed(sql, &[(&table, Type::TEXT)]).await.map_err(error::at(DOING))?;
    match found.first() {
        Some(row) => transaction.batch_execute(row.get(0)).await.map_err(error::at(DOING)),
        None => Ok(()),
    }
}
