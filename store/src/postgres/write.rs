//! The writer: one batch, one transaction, a handful of statements however many rows.

use std::collections::BTreeMap;

use hashbrown::HashSet;
use slipstream_schemas::{LogTime, Retention, Topic};
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

use super::events_table;
use super::ids::Ids;
use super::layout::Layout;
use super::options::Target;
use super::session::{DEADLINE, Session, within};
use super::stamp::{self, Day, Stamp};
use super::write_rollups::add_rollups;
use super::{aggregates, copy, error, migrate, read, topics, trim, write_history};
use crate::events::Events;
use crate::port::{Claim, PositionMove, StoreError, StorePosition, WriteBatch};
use crate::rollup::MINUTE_US;

type Done = Result<(), StoreError>;

/// The writing connection and what is known of the tables. A connection that failed is replaced by the next attempt.
pub struct Writer {
    target: Target,
    session: Option<Session>,
    layout: Layout,
    ids: Ids,
    /// Days of log time whose partitions are there.
    days: HashSet<Day>,
}

impl Writer {
    /// Connects and brings the tables up to date.
    ///
    /// # Errors
    /// When connecting fails, or the tables cannot be created.
    pub async fn open(target: Target) -> Result<Self, StoreError> {
        let (session, layout) = migrate::migrate(&target).await?;
        Ok(Writer { target, session: Some(session), layout, ids: Ids::default(), days: HashSet::new() })
    }

    /// Exactly once: rows and positions commit together, and a batch whose `from` is not what is stored leaves nothing.
    ///
    /// # Errors
    /// As the port has them.
    pub async fn write(&mut self, batch: &WriteBatch) -> Done {
        if batch.positions.is_empty() {
            return Err(StoreError::Refused("a batch that moves no position could be written twice".to_owned()));
        }
        let mut session = self.take_session().await?;
        let answer = within(DEADLINE, "writing to the store", self.write_on(&mut session, batch)).await;
        self.give_back(session, &answer);
        answer
    }

    /// Removes some of the rows past retention.
    ///
    /// # Errors
    /// As the port has them.
    pub async fn trim(&mut self, retention: Retention, now: LogTime) -> Result<u64, StoreError> {
        let mut session = self.take_session().await?;
        let slice = trim::slice(&mut session, retention, now);
        let answer = within(DEADLINE, trim::DOING, slice).await;
        self.give_back(session, &answer);
        answer
    }

    /// Names the topic that positions are places in.
    ///
    /// # Errors
    /// As the port has them.
    pub async fn claim(&mut self, topic: Topic, id: &str) -> Result<Claim, StoreError> {
        let mut session = self.take_session().await?;
        let answer = within(DEADLINE, topics::DOING, topics::claim(&mut session, topic, id)).await;
        self.give_back(session, &answer);
        answer
    }

    /// Ends the connection.
    pub fn close(&mut self) {
        self.session = None;
    }

    /// The connection, or a new one. A call that is dropped half way leaves none.
    async fn take_session(&mut self) -> Result<Session, StoreError> {
        match self.session.take().filter(|session| !session.is_closed()) {
            Some(session) => Ok(session),
            None => Session::open(&self.target).await,
        }
    }

    /// One that failed may be in any state: it is not used again.
    fn give_back<T>(&mut self, session: Session, answer: &Result<T, StoreError>) {
        if matches!(answer, Ok(_) | Err(StoreError::Moved { .. } | StoreError::Refused(_))) {
            self.session = Some(session);
        } else {
            // Whatever is not as we knew it is looked up again.
            self.days.clear();
            self.ids.forget();
        }
    }

    async fn write_on(&mut self, session: &mut Session, batch: &WriteBatch) -> Done {
        self.make_partitions(session, &batch.events).await?;
        // Ids are committed separately: one that no row uses does no harm, and no writer waits for another one's.
        let dimensions = self.ids.dimensions(session, batch.events.dimensions()).await?;
        let series = self.ids.series(session, &batch.burn_rates).await?;
        let doing = "writing to the store";
        let transaction = session.begin(doing).await?;
        let Some(epoch) = move_positions(&transaction, &batch.positions).await? else {
            transaction.rollback().await.map_err(error::at(doing))?;
            return Err(moved(session, &batch.positions).await?);
        };
        // Rows that other sinks write as well come last, so that waiting for them takes only the rest of a transaction.
        insert_events(&transaction, &batch.events, &dimensions, epoch).await?;
        write_history::insert(&transaction, batch, &series).await?;
        add_days(&transaction, &batch.events).await?;
        add_minutes(&transaction, &batch.events).await?;
        add_rollups(&transaction, &batch.rollups, &dimensions).await?;
        aggregates::touched(&transaction, batch.events.spread()).await?;
        // A crash before this line leaves nothing, after it everything; in between, the positions decide.
        transaction.commit().await.map_err(error::at("committing to the store"))
    }

    async fn make_partitions(&mut self, session: &mut Session, events: &Events) -> Done {
        if self.layout.events {
            return Ok(());
        }
        let missing: Vec<Day> =
            events_table::days(events.spread()).into_iter().filter(|day| !self.days.contains(day)).collect();
        if !missing.is_empty() {
            self.layout = events_table::ensure(session, &missing).await?;
            self.days.extend(missing);
        }
        Ok(())
    }
}

/// Which position was not at the start of the batch.
async fn moved(session: &mut Session, moves: &[PositionMove]) -> Result<StoreError, StoreError> {
    let stored = read::positions(&session.begin_reading("reading the store's positions").await?).await?;
    let at = |m: &PositionMove| {
        stored.iter().find(|p: &&StorePosition| p.topic == m.topic && p.partition == m.partition).map(|p| p.offset)
    };
    let moved = moves.iter().find(|m| at(m) != m.from).map(|m| StoreError::Moved {
        topic: m.topic,
        partition: m.partition,
        expected: m.from,
        stored: at(m),
    });
    Ok(moved.unwrap_or_else(|| StoreError::Unavailable {
        doing: "moving the store's positions".to_owned(),
        cause: "they were moved away and back".into(),
    }))
}

/// Moves every position from the value the writer read, and returns the epoch of request-events; `None` if one was elsewhere.
/// Rows that another writer is moving are waited for.
async fn move_positions(transaction: &Transaction<'_>, moves: &[PositionMove]) -> Result<Option<i32>, StoreError> {
    let doing = "moving the store's positions";
    let topics: Vec<&str> = moves.iter().map(|m| m.topic.name()).collect();
    let partitions: Vec<i32> = moves.iter().map(|m| m.partition as i32).collect();
    let from: Vec<Option<i64>> = moves.iter().map(|m| m.from).collect();
    let to: Vec<i64> = moves.iter().map(|m| m.to).collect();
    let log_times: Vec<Stamp> = moves.iter().map(|m| Stamp::log(m.log_time)).collect();
    let sql = "WITH wanted AS (
                 SELECT * FROM unnest($1, $2, $3, $4, $5) AS w (topic, partition, begins, ends, log_time)
               ), moved AS (
                 UPDATE positions p SET next_offset = w.ends, log_time = w.log_time FROM wanted w
                 WHERE p.topic = w.topic AND p.partition = w.partition AND p.next_offset = w.begins RETURNING 1
               ), made AS (
                 INSERT INTO positions (topic, partition, next_offset, log_time)
                 SELECT topic, partition, ends, log_time FROM wanted WHERE begins IS NULL
                 ON CONFLICT DO NOTHING RETURNING 1
               ) SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM made),
               (SELECT coalesce(max(epoch), 0) FROM topics WHERE topic = $6)";
    let row = transaction
        .query_typed_one(
            sql,
            &[
                (&topics, Type::TEXT_ARRAY),
                (&partitions, Type::INT4_ARRAY),
                (&from, Type::INT8_ARRAY),
                (&to, Type::INT8_ARRAY),
                (&log_times, Type::TIMESTAMPTZ_ARRAY),
                (&Topic::RequestEvents.name(), Type::TEXT),
            ],
        )
        .await
        .map_err(error::at(doing))?;
    Ok((row.get::<_, i64>(0) == moves.len() as i64).then(|| row.get(1)))
}

async fn insert_events(transaction: &Transaction<'_>, events: &Events, ids: &[i32], epoch: i32) -> Done {
    let doing = "storing events";
    if events.is_empty() {
        return Ok(());
    }
    let sink = transaction.copy_in(copy::STATEMENT).await.map_err(error::at(doing))?;
    copy::send(sink, events, ids, epoch).await.map(drop).map_err(error::at(doing))
}

async fn add_days(transaction: &Transaction<'_>, events: &Events) -> Done {
    let mut counts: BTreeMap<(Day, i32), i64> = BTreeMap::new();
    for (begin, partition, events) in events.spread().days() {
        *counts.entry((stamp::day(begin), partition as i32)).or_default() += events as i64;
    }
    if counts.is_empty() {
        return Ok(());
    }
    let days: Vec<i32> = counts.keys().map(|(day, _)| day.0).collect();
    let partitions: Vec<i32> = counts.keys().map(|(_, partition)| *partition).collect();
    let events: Vec<i64> = counts.into_values().collect();
    let sql = "INSERT INTO days AS d (day, partition, events)
               SELECT date '1970-01-01' + n.day, n.partition, n.events FROM unnest($1, $2, $3) AS n (day, partition, events)
               ORDER BY 1, 2 ON CONFLICT (day, partition) DO UPDATE SET events = d.events + excluded.events";
    let values: [(&(dyn ToSql + Sync), Type); 3] =
        [(&days, Type::INT4_ARRAY), (&partitions, Type::INT4_ARRAY), (&events, Type::INT8_ARRAY)];
    transaction.execute_typed(sql, &values).await.map(drop).map_err(error::at("counting events per day"))
}

/// Before the rollups, as in retention: a lock on a minute's row covers its rollups.
async fn add_minutes(transaction: &Transaction<'_>, events: &Events) -> Done {
    let written = || events.spread().minutes();
    if written().len() == 0 {
        return Ok(());
    }
    let minutes: Vec<Stamp> = written().map(|(minute, _)| Stamp(minute * MINUTE_US)).collect();
    let oldest: Vec<Stamp> = written().map(|(_, got)| Stamp::log(got.oldest_log)).collect();
    let newest: Vec<Stamp> = written().map(|(_, got)| Stamp::log(got.newest_log)).collect();
    let sql = "INSERT INTO minutes AS m (minute, oldest_log, newest_log)
               SELECT * FROM unnest($1, $2, $3) AS n (minute, oldest, newest) ORDER BY 1
               ON CONFLICT (minute) DO UPDATE SET oldest_log = least(m.oldest_log, excluded.oldest_log),
               newest_log = greatest(m.newest_log, excluded.newest_log)";
    let values: [(&(dyn ToSql + Sync), Type); 3] =
        [(&minutes, Type::TIMESTAMPTZ_ARRAY), (&oldest, Type::TIMESTAMPTZ_ARRAY), (&newest, Type::TIMESTAMPTZ_ARRAY)];
    transaction.execute_typed(sql, &values).await.map(drop).map_err(error::at("counting events per minute"))
}
