//! Which topics the positions are places in.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use slipstream_schemas::Topic;

use super::error;
use crate::port::{Claim, Claimed, StoreError};

/// Above the partition of an event is the epoch of its topic: the same events, sent again into a recreated topic, may have the
/// times and offsets that they had before, and both are there.
pub const EPOCH_SHIFT: u32 = 32;

/// Names a topic, and drops the positions of another one of its name.
pub fn claim(connection: &mut Connection, topic: Topic, id: &str) -> Result<Claim, StoreError> {
    let failed = || error::at(format!("noting the id of {topic}"));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed())?;
    let name = topic.name();
    let former = ids(&transaction, name).map_err(failed())?;
    let claim = Claim::of(topic, id, &former)?;
    if former.last().is_some_and(|current| current == id) {
        return Ok(claim);
    }
    let sql = "INSERT INTO topics (topic, id, epoch) VALUES (?1, ?2, ?3)";
    transaction.execute(sql, (name, id, former.len() as i64)).map_err(failed())?;
    if claim != Claim::Same {
        transaction.execute("DELETE FROM positions WHERE topic = ?1", [name]).map_err(failed())?;
    }
    transaction.commit().map_err(failed())?;
    Ok(claim)
}

/// The topics of a name, oldest first.
fn ids(connection: &Connection, name: &str) -> rusqlite::Result<Vec<String>> {
    let mut asked = connection.prepare_cached("SELECT id FROM topics WHERE topic = ?1 ORDER BY epoch")?;
    asked.query_map([name], |row| row.get(0))?.collect()
}

/// How many topics of the name there were before the one that is stored from now.
pub fn epoch(connection: &Connection, topic: Topic) -> rusqlite::Result<i64> {
    let mut asked = connection.prepare_cached("SELECT max(epoch) FROM topics WHERE topic = ?1")?;
    asked.query_row([topic.name()], |row| row.get::<_, Option<i64>>(0)).map(Option::unwrap_or_default)
}

/// Whether ids are known: tables of version 1 know none.
pub fn are_known(reader: &Connection) -> rusqlite::Result<bool> {
    let known = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'topics'";
    Ok(reader.query_row(known, [], |_| Ok(())).optional()?.is_some())
}

/// The topics that were named.
pub fn claimed(reader: &Connection) -> Result<Vec<Claimed>, StoreError> {
    let failed = || error::at("reading the ids of topics");
    if !are_known(reader).map_err(failed())? {
        return Ok(Vec::new());
    }
    let mut asked = reader.prepare_cached("SELECT topic, id FROM topics ORDER BY topic, epoch").map_err(failed())?;
    let rows = asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed())?;
    let rows: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>().map_err(failed())?;
    Ok(Claimed::of(rows))
}
