//! The writer: one batch, one transaction.

use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, Statement, Transaction, TransactionBehavior, params};
use slipstream_schemas::Topic;

use super::aggregates;
use super::error;
use super::topics::{self, EPOCH_SHIFT};
use super::write_history::{insert_burn_rates, insert_notifications, insert_transitions};
use crate::events::{Dimensions, EventRef, Events};
use crate::port::{PositionMove, StoreError, WriteBatch};
use crate::rollup::Rollup;

/// The writing connection and what it remembers of the tables.
pub struct Writer {
    connection: Connection,
    /// Ids of dimensions that are committed.
    ids: HashMap<Dimensions, i64>,
}

/// Tuples of dimensions to remember at most; beyond, they are looked up again.
const REMEMBERED: usize = 50_000;

type Done = Result<(), StoreError>;

impl Writer {
    /// Around an open connection.
    pub fn new(connection: Connection) -> Self {
        Writer { connection, ids: HashMap::new() }
    }

    /// For questions without a batch.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Folds the write-ahead log into the file and closes it.
    pub fn close(self) -> Done {
        // Readers of other processes may hold it back: then it stays, and is as durable.
        let folded = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        folded.map_err(error::at("folding the store's write-ahead log"))?;
        self.connection.close().map_err(|(_, cause)| error::at("closing the store")(cause))
    }

    /// Exactly once: rows and positions commit together, and a batch whose `from` is not what is stored leaves nothing.
    pub fn write(&mut self, batch: &WriteBatch) -> Done {
        if batch.positions.is_empty() {
            return Err(StoreError::Refused("a batch that moves no position could be written twice".to_owned()));
        }
        let transaction = self
            .connection
            // Immediate: a transaction that begins by reading could find the file locked when it first writes.
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(error::at("beginning a transaction in the store"))?;
        // First, so that a batch that another sink has stored costs nothing more.
        move_positions(&transaction, &batch.positions)?;
        let ids = dimension_ids(&transaction, &self.ids, batch.events.dimensions())
            .map_err(error::at("storing dimensions"))?;
        let epoch = topics::epoch(&transaction, Topic::RequestEvents).map_err(error::at("storing events"))?;
        insert_events(&transaction, &batch.events, &ids, epoch).map_err(error::at("storing events"))?;
        add_minutes(&transaction, &batch.events).map_err(error::at("counting events per minute"))?;
        add_rollups(&transaction, &batch.rollups, &ids).map_err(error::at("adding to rollups"))?;
        aggregates::touched(&transaction, batch.events.spread()).map_err(error::at("noting changed hours"))?;
        insert_burn_rates(&transaction, &batch.burn_rates)?;
        insert_transitions(&transaction, &batch.transitions)?;
        insert_notifications(&transaction, &batch.notifications)?;
        // A crash before this line leaves nothing, after it everything.
        transaction.commit().map_err(error::at("committing to the store"))?;
        // Only now: ids of a transaction that was rolled back do not exist.
        self.remember(batch.events.dimensions(), ids);
        Ok(())
    }

    fn remember(&mut self, dimensions: &[Dimensions], ids: Vec<i64>) {
        if self.ids.len() > REMEMBERED {
            self.ids.clear();
        }
        for (dimensions, id) in dimensions.iter().zip(ids) {
            if !self.ids.contains_key(dimensions) {
                self.ids.insert(dimensions.clone(), id);
            }
        }
    }
}

fn move_positions(transaction: &Transaction<'_>, moves: &[PositionMove]) -> Done {
    let doing = "moving the store's positions";
    let mut read = transaction
        .prepare_cached("SELECT next_offset FROM positions WHERE topic = ?1 AND partition = ?2")
        .map_err(error::at(doing))?;
    let mut write = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO positions (topic, partition, next_offset, log_time) VALUES (?1, ?2, ?3, ?4)",
        )
        .map_err(error::at(doing))?;
    for m in moves {
        let name = m.topic.name();
        let stored: Option<i64> =
            read.query_row(params![name, m.partition], |row| row.get(0)).optional().map_err(error::at(doing))?;
        if stored != m.from {
            return Err(StoreError::Moved { topic: m.topic, partition: m.partition, expected: m.from, stored });
        }
        write.execute(params![name, m.partition, m.to, m.log_time.0]).map_err(error::at(doing))?;
    }
    Ok(())
}

/// The id of each tuple, in their order; new ones are inserted.
fn dimension_ids(
    transaction: &Transaction<'_>,
    known: &HashMap<Dimensions, i64>,
    dimensions: &[Dimensions],
) -> rusqlite::Result<Vec<i64>> {
    let mut read = transaction.prepare_cached(
        "SELECT id FROM dimensions WHERE service = ?1 AND environment = ?2 AND endpoint = ?3 AND method = ?4",
    )?;
    let mut write = transaction.prepare_cached(
        "INSERT INTO dimensions (service, environment, endpoint, method) VALUES (?1, ?2, ?3, ?4) RETURNING id",
    )?;
    let mut ids = Vec::with_capacity(dimensions.len());
    for d in dimensions {
        if let Some(id) = known.get(d) {
            ids.push(*id);
            continue;
        }
        let values = (&d.service, &d.environment, &d.endpoint, &d.method);
        let stored: Option<i64> = read.query_row(values, |row| row.get(0)).optional()?;
        ids.push(match stored {
            Some(id) => id,
            None => write.query_row(values, |row| row.get(0))?,
        });
    }
    Ok(ids)
}

fn insert_events(transaction: &Transaction<'_>, events: &Events, ids: &[i64], epoch: i64) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO events (time, partition, \"offset\", log_time, dimensions, status_code, latency_ms, weight, event_id,
         trace_id, user_ref, attributes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    // In the table's own order: neighbours land on the same page.
    for event in events.by_time() {
        let partition = i64::from(event.partition()) | epoch << EPOCH_SHIFT;
        bind_event(&mut statement, event, partition, ids[event.dimensions_index()])?;
        statement.raw_execute()?;
    }
    Ok(())
}

fn bind_event(
    statement: &mut Statement<'_>,
    event: EventRef<'_>,
    partition: i64,
    dimensions: i64,
) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, event.time().0)?;
    statement.raw_bind_parameter(2, partition)?;
    statement.raw_bind_parameter(3, event.offset())?;
    statement.raw_bind_parameter(4, event.log_time().0)?;
    statement.raw_bind_parameter(5, dimensions)?;
    statement.raw_bind_parameter(6, event.status_code())?;
    statement.raw_bind_parameter(7, event.latency_ms())?;
    statement.raw_bind_parameter(8, event.weight())?;
    statement.raw_bind_parameter(9, event.event_id())?;
    statement.raw_bind_parameter(10, event.trace_id())?;
    statement.raw_bind_parameter(11, event.user_ref())?;
    statement.raw_bind_parameter(12, event.attributes_json())
}

fn add_minutes(transaction: &Transaction<'_>, events: &Events) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO minutes (minute, events, newest_log, oldest_log) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (minute) DO UPDATE SET events = events + excluded.events,
         newest_log = max(newest_log, excluded.newest_log),
         oldest_log = min(ifnull(oldest_log, excluded.oldest_log), excluded.oldest_log)",
    )?;
    for (minute, got) in events.spread().minutes() {
        statement.execute((minute, got.events as i64, got.newest_log.0, got.oldest_log.0))?;
    }
    Ok(())
}

fn add_rollups(transaction: &Transaction<'_>, rollups: &[Rollup], ids: &[i64]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO rollups (minute, dimensions, status_class, hits, errors, latency_count, latency_sum, latency_min,
         latency_max, sketch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (minute, dimensions, status_class) DO UPDATE SET
         hits = hits + excluded.hits, errors = errors + excluded.errors,
         latency_count = latency_count + excluded.latency_count, latency_sum = latency_sum + excluded.latency_sum,
         latency_min = min(ifnull(latency_min, excluded.latency_min), ifnull(excluded.latency_min, latency_min)),
         latency_max = max(ifnull(latency_max, excluded.latency_max), ifnull(excluded.latency_max, latency_max)),
         sketch = sketch_add(sketch, excluded.sketch)",
    )?;
    for r in rollups {
        let latency = &r.sums.latency;
        let measured = latency.count > 0;
        statement.execute(params![
            r.minute,
            ids[r.dimensions],
            r.status_class,
            r.sums.hits as i64,
            r.sums.errors as i64,
            latency.count as i64,
            latency.sum,
            measured.then_some(latency.min),
            measured.then_some(latency.max),
            measured.then(|| latency.sketch.encode()),
        ])?;
    }
    Ok(())
}
