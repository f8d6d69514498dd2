//! Which topics the positions are places in.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use slipstream_schemas::Topic;

use super::error;
use crate::port::{Claim, StoreError};

/// Names a topic, and drops the positions of another one of its name.
pub fn claim(connection: &mut Connection, topic: Topic, id: &str) -> Result<Claim, StoreError> {
    let failed = || error::at(format!("noting the id of {topic}"));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed())?;
    let name = topic.name();
    let was: Option<String> = transaction
        .query_row("SELECT id FROM topics WHERE topic = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(failed())?;
    let claim = match was {
        Some(was) if was == id => return Ok(Claim::Same),
        Some(was) => Claim::Anew { was },
        None => Claim::Same,
    };
    let sql = "INSERT OR REPLACE INTO topics (topic, id) VALUES (?1, ?2)";
    transaction.execute(sql, [name, id]).map_err(failed())?;
    if claim != Claim::Same {
        transaction.execute("DELETE FROM positions WHERE topic = ?1", [name]).map_err(failed())?;
    }
    transaction.commit().map_err(failed())?;
    Ok(claim)
}

/// The topics that were named.
pub fn claimed(reader: &Connection) -> Result<Vec<(Topic, String)>, StoreError> {
    let failed = || error::at("reading the ids of topics");
    let mut asked = reader.prepare_cached("SELECT topic, id FROM topics ORDER BY topic").map_err(failed())?;
    let rows = asked.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).map_err(failed())?;
    let mut topics = Vec::new();
    for row in rows {
        let (name, id) = row.map_err(failed())?;
        topics.extend(Topic::from_name(&name).map(|topic| (topic, id)));
    }
    Ok(topics)
}
