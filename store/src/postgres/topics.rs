//! Which topics the positions are places in.

use slipstream_schemas::Topic;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::error;
use super::session::Session;
use crate::port::{Claim, StoreError};

/// What is being done here.
pub const DOING: &str = "noting a topic's id";

/// Names a topic, and drops the positions of another one of its name. Of two that name it at once one drops them, the other
/// finds it done.
pub async fn claim(session: &mut Session, topic: Topic, id: &str) -> Result<Claim, StoreError> {
    let transaction = session.begin(DOING).await?;
    let name = topic.name();
    let sql = "INSERT INTO topics (topic, id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let made = transaction.execute_typed(sql, &[(&name, Type::TEXT), (&id, Type::TEXT)]).await;
    if made.map_err(error::at(DOING))? > 0 {
        return commit(transaction, Claim::Same).await;
    }
    let sql = "SELECT id FROM topics WHERE topic = $1 FOR UPDATE";
    let row = transaction.query_typed_one(sql, &[(&name, Type::TEXT)]).await.map_err(error::at(DOING))?;
    let was: String = row.get(0);
    if was == id {
        return commit(transaction, Claim::Same).await;
    }
    let sql = "WITH named AS (UPDATE topics SET id = $2, since = now() WHERE topic = $1)
               DELETE FROM positions WHERE topic = $1";
    let dropped = transaction.execute_typed(sql, &[(&name, Type::TEXT), (&id, Type::TEXT)]).await;
    dropped.map_err(error::at(DOING))?;
    commit(transaction, Claim::Anew { was }).await
}

async fn commit(transaction: Transaction<'_>, claim: Claim) -> Result<Claim, StoreError> {
    transaction.commit().await.map_err(error::at(DOING))?;
    Ok(claim)
}

/// The topics that were named.
pub async fn claimed(asked: &Transaction<'_>) -> Result<Vec<(Topic, String)>, StoreError> {
    let sql = "SELECT topic, id FROM topics ORDER BY topic";
    let rows = asked.query_typed(sql, &[]).await.map_err(error::at("reading the ids of topics"))?;
    Ok(rows.iter().filter_map(|row| Some((Topic::from_name(row.get(0))?, row.get(1)))).collect())
}
