//! Which topics the positions are places in.

use slipstream_schemas::Topic;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::error;
use super::session::Session;
use crate::port::{Claim, Claimed, StoreError};

/// What is being done here.
pub const DOING: &str = "recording a topic's id";

/// Names a topic, and drops the positions of another one of its name. Of two that name it at once one drops them, the other
/// finds it done.
pub async fn claim(session: &mut Session, topic: Topic, id: &str) -> Result<Claim, StoreError> {
    let transaction = session.begin(DOING).await?;
    let name = topic.name();
    let sql = "INSERT INTO topics (topic, id, epoch) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING";
    let first = transaction.execute_typed(sql, &[(&name, Type::TEXT), (&id, Type::TEXT)]).await;
    if first.map_err(error::at(DOING))? > 0 {
        return commit(transaction, Claim::Same).await;
    }
    // One at a time; only the statement after it sees what was waited for.
    let sql = "SELECT FROM topics WHERE topic = $1 AND epoch = 0 FOR UPDATE";
    transaction.query_typed(sql, &[(&name, Type::TEXT)]).await.map_err(error::at(DOING))?;
    let sql = "SELECT id FROM topics WHERE topic = $1 ORDER BY epoch";
    let rows = transaction.query_typed(sql, &[(&name, Type::TEXT)]).await.map_err(error::at(DOING))?;
    let former: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let claim = Claim::of(topic, id, &former)?;
    if claim == Claim::Same {
        return commit(transaction, claim).await;
    }
    let epoch = former.len() as i32;
    let sql = "WITH named AS (INSERT INTO topics (topic, id, epoch) VALUES ($1, $2, $3))
               DELETE FROM positions WHERE topic = $1";
    let values = [(&name as _, Type::TEXT), (&id as _, Type::TEXT), (&epoch as _, Type::INT4)];
    transaction.execute_typed(sql, &values).await.map_err(error::at(DOING))?;
    commit(transaction, claim).await
}

async fn commit(transaction: Transaction<'_>, claim: Claim) -> Result<Claim, StoreError> {
    transaction.commit().await.map_err(error::at(DOING))?;
    Ok(claim)
}

/// The topics that were named.
pub async fn claimed(asked: &Transaction<'_>) -> Result<Vec<Claimed>, StoreError> {
    let sql = "SELECT topic, id FROM topics ORDER BY topic, epoch";
    let rows = asked.query_typed(sql, &[]).await.map_err(error::at("reading the ids of topics"))?;
    Ok(Claimed::of(rows.iter().map(|row| (row.get(0), row.get(1))).collect()))
}
