//! The store in one SQLite file, `store.db` in a data directory: WAL, synchronous=FULL, one writing connection, and
//! readers beside it that see the last committed transaction.

mod aggregates;
mod asking;
mod conditions;
mod erase;
mod error;
mod functions;
mod open;
#[cfg(test)]
mod raw_tests;
mod read;
mod read_events;
mod read_kpis;
mod read_notifications;
mod read_raw;
#[cfg(test)]
mod tests;
mod topics;
mod trim;
mod write;
mod write_history;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::Connection;
use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_schemas::{Cause, EventTime, LogTime, Retention, Topic};

use crate::aggregates::{AggregateState, Refreshed};
use crate::alerts::{AlertEpisode, AlertFilter};
use crate::cached::Days;
use crate::kpis::{KpiAnswer, KpiQuestion};
use crate::notifications::{NotificationPage, NotificationQuestion};
use crate::page::{EventPage, EventQuestion, StoredEvent};
use crate::port::{
    BurnQuestion, Claim, Claimed, Counts, RawBounds, RawCursor, RawPage, RawWindow, Store, StoreError, StorePosition,
    WholeFrom, WriteBatch,
};
use asking::{GivenUp, Turns, broken_off_when};
pub use open::{FILE, VERSION};
use write::Writer;

/// The store.
///
/// ```
/// use std::sync::Arc;
///
/// use slipstream_schemas::decode::{Attributes, Provenance, decode};
/// use slipstream_schemas::{LogTime, Topic};
/// use slipstream_store::kpis::{KpiAnswer, KpiQuestion};
/// use slipstream_store::rollup;
/// use slipstream_store::{EventFilter, EventQuestion, Events, PositionMove, Retention, SqliteStore, Store, WriteBatch};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let store = SqliteStore::open(folder.path(), Retention::default())?;
///
/// // What came from offset 0 of a partition of request-events, and that it came, are one transaction.
/// let value = br#"{"event_id":"e-1","time":"2026-01-31T09:30:00Z","service":"payment","endpoint":"/pay",
///     "method":"POST","status_code":503}"#;
/// let from = Provenance { topic: "request-events", partition: 0, offset: 0 };
/// let log_time = LogTime(1_769_851_800_500);
/// let mut events = Events::new();
/// events.push(0, 0, log_time, &decode(value, &from, Attributes::Read)?);
/// let moved = PositionMove { topic: Topic::RequestEvents, partition: 0, from: None, to: 1, log_time };
/// let batch = WriteBatch { rollups: rollup::fold(&events), events, positions: vec![moved], ..WriteBatch::default() };
/// let batch = Arc::new(batch);
/// store.write(Arc::clone(&batch)).await?;
/// assert!(store.write(batch).await.is_err(), "once: the position is no longer where the batch begins");
///
/// let errors = EventFilter { errors_only: true, ..EventFilter::default() };
/// let page = store.events(&EventQuestion::oldest(errors, 10, None)).await?;
/// assert_eq!(page.events[0].event.event_id, "e-1");
/// let KpiAnswer::Total(total) = store.kpis(&KpiQuestion::default()).await? else { panic!("one row was asked for") };
/// assert_eq!((total.hits, total.errors), (1, 1));
/// # Ok(())
/// # }
/// ```
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    retention: Retention,
    /// `None` if it is open for reading only, or closed.
    writer: Mutex<Option<Writer>>,
    /// Idle readers; one more is opened when all are busy.
    readers: Mutex<Vec<Connection>>,
    /// So many questions are worked on at a time. A turn ends with the work, not with who asked.
    turns: Turns,
    days: Days,
}

impl SqliteStore {
    /// Opens the store in a directory, creating file and tables if they are missing. Blocks on the disk.
    ///
    /// # Errors
    /// When the file is damaged, newer, no store, or cannot be used.
    pub fn open(dir: &Path, retention: Retention) -> Result<Arc<Self>, StoreError> {
        let writer = Writer::new(open::for_writing(dir)?);
        Ok(Self::with(dir, retention, Some(writer)))
    }

    /// Opens the store for questions, also while another process owns the directory. Blocks on the disk.
    ///
    /// # Errors
    /// When there is no store, or as with [`SqliteStore::open`].
    pub fn open_read_only(dir: &Path) -> Result<Arc<Self>, StoreError> {
        let reader = open::for_reading(dir)?;
        let store = Self::with(dir, Retention::default(), None);
        store.inner.give_back(reader);
        Ok(store)
    }

    /// The version of its tables: at most [`VERSION`], which the next writer makes of them. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn version(&self) -> Result<i64, StoreError> {
        let reader = self.inner.take_reader()?;
        let version = reader.query_row("PRAGMA user_version", [], |row| row.get(0));
        self.inner.give_back(reader);
        version.map_err(error::at("reading the version of the store's tables"))
    }

    fn with(dir: &Path, retention: Retention, writer: Option<Writer>) -> Arc<Self> {
        let (writer, readers) = (Mutex::new(writer), Mutex::new(Vec::new()));
        let (turns, days) = (Turns::default(), Days::default());
        let inner = Inner { dir: dir.to_owned(), retention, writer, readers, turns, days };
        Arc::new(SqliteStore { inner: Arc::new(inner) })
    }

    /// Folds the write-ahead log into the file and ends the writer; later writes are refused. Not needed for anything
    /// that was written: that is durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn close(&self) -> Result<(), StoreError> {
        let inner = self.inner.clone();
        blocking("closing the store", move || {
            inner.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let writer = inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
            writer.map_or(Ok(()), Writer::close)
        })
        .await
    }

    /// Runs a question on a reader, off the async threads. It is broken off when it takes longer than its asker waits, and when
    /// nobody waits for it any more.
    async fn ask<T: Send + 'static>(
        &self,
        doing: &'static str,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        let turn = inner.turns.take().await;
        let waiting = GivenUp::default();
        let is_over = waiting.is_over();
        let answer = blocking(doing, move || {
            let _turn = turn;
            let mut reader = inner.take_reader()?;
            let answer = broken_off_when(is_over, &mut reader, doing, question);
            inner.give_back(reader);
            answer
        })
        .await;
        drop(waiting);
        answer
    }

    /// Runs something on the writer, off the async threads.
    async fn change<T: Send + 'static>(
        &self,
        doing: &'static str,
        change: impl FnOnce(&mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        blocking(doing, move || match &mut *inner.writer.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(writer) => change(writer),
            None => Err(StoreError::Fatal {
                doing: doing.to_owned(),
                cause: format!("{} is closed, or was opened for reading only", inner.dir.join(FILE).display()).into(),
            }),
        })
        .await
    }
}

impl Inner {
    fn take_reader(&self) -> Result<Connection, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open::for_reading(&self.dir), Ok)
    }

    fn give_back(&self, reader: Connection) {
        const KEPT: usize = 4;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < KEPT {
            readers.push(reader);
        }
    }
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|failure| {
        Err(StoreError::Fatal {
            doing: doing.to_owned(),
            cause: Cause::worded(format!("the work broke off: {failure}"), failure),
        })
    })
}

#[async_trait]
impl Store for SqliteStore {
    fn describe(&self) -> String {
        format!("sqlite:{}", self.inner.dir.display())
    }

    async fn positions(&self) -> Result<Vec<StorePosition>, StoreError> {
        self.ask("reading the store's positions", read::positions).await
    }

    async fn claim_topic(&self, topic: Topic, id: &str) -> Result<Claim, StoreError> {
        let id = id.to_owned();
        self.change("recording a topic's id", move |writer| topics::claim(writer.connection(), topic, &id)).await
    }

    async fn claimed_topics(&self) -> Result<Vec<Claimed>, StoreError> {
        self.ask("reading the ids of topics", topics::claimed).await
    }

    async fn write(&self, batch: Arc<WriteBatch>) -> Result<(), StoreError> {
        self.change("writing to the store", move |writer| writer.write(&batch)).await
    }

    async fn trim(&self, now: LogTime) -> Result<u64, StoreError> {
        let retention = self.inner.retention;
        self.change("removing what is past retention", move |writer| trim::slice(writer.connection(), retention, now))
            .await
    }

    async fn refresh(&self, now: LogTime) -> Result<Refreshed, StoreError> {
        self.change("making aggregates anew", move |writer| aggregates::refresh(writer.connection(), now)).await
    }

    async fn aggregates(&self) -> Result<AggregateState, StoreError> {
        self.ask("reading how far the aggregates are", aggregates::state).await
    }

    async fn erase_user(&self, user_ref: &str) -> Result<u64, StoreError> {
        let user_ref = user_ref.to_owned();
        self.change("erasing a user from raw events", move |writer| erase::user(writer.connection(), &user_ref)).await
    }

    async fn kpis(&self, question: &KpiQuestion) -> Result<KpiAnswer, StoreError> {
        let question = question.clone();
        let inner = self.inner.clone();
        self.ask("computing KPIs", move |reader| read_kpis::answer(reader, &question, &inner.days)).await
    }

    async fn events(&self, question: &EventQuestion) -> Result<EventPage, StoreError> {
        let question = question.clone();
        self.ask("reading events", move |reader| read_events::page(reader, &question)).await
    }

    async fn event(&self, event_id: &str, time: Option<EventTime>) -> Result<Vec<StoredEvent>, StoreError> {
        let event_id = event_id.to_owned();
        self.ask("looking for an event", move |reader| read_events::single(reader, &event_id, time)).await
    }

    async fn raw_bounds(&self) -> Result<Vec<RawBounds>, StoreError> {
        self.ask(read_raw::BOUNDS, read_raw::bounds).await
    }

    async fn raw_events(
        &self,
        window: &RawWindow,
        limit: usize,
        after: Option<RawCursor>,
    ) -> Result<RawPage, StoreError> {
        let window = window.clone();
        self.ask(read_raw::EVENTS, move |reader| read_raw::events(reader, &window, limit, after)).await
    }

    async fn slo_states(&self, until: Option<i64>) -> Result<Vec<BurnRates>, StoreError> {
        self.ask("reading the state of SLOs", move |reader| read::slo_states(reader, until)).await
    }

    async fn whole_from(&self) -> Result<WholeFrom, StoreError> {
        self.ask("reading what retention has left", read::whole_from).await
    }

    async fn burn_history(&self, question: &BurnQuestion) -> Result<Vec<BurnRates>, StoreError> {
        let question = question.clone();
        self.ask("reading burn-rate history", move |reader| read::burn_history(reader, &question)).await
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertEpisode>, StoreError> {
        let filter = filter.clone();
        self.ask("reading alerts", move |reader| read::alerts(reader, &filter)).await
    }

    async fn transitions(&self, alert_id: &str) -> Result<Vec<AlertTransition>, StoreError> {
        let alert_id = alert_id.to_owned();
        self.ask("reading an alert's transitions", move |reader| read::transitions(reader, &alert_id)).await
    }

    async fn notifications(&self, question: &NotificationQuestion) -> Result<NotificationPage, StoreError> {
        let question = question.clone();
        self.ask("reading notifications", move |reader| read_notifications::page(reader, &question)).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.ask("counting", read::counts).await
    }
}
