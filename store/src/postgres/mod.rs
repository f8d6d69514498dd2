//! The store in a schema of a PostgreSQL database, with TimescaleDB's hypertables if it is installed.
//!
//! One connection writes, up to four run queries. Positions are rows that move in the transaction that writes the rest,
//! so they resolve a commit in doubt. Failures of the database are `Unavailable` and end the connection; the next
//! attempt opens another. Tables and views: `sql/`, and comments in the database itself.

mod aggregates;
mod brought;
mod cancel;
mod compression;
mod conditions;
mod continuous;
mod copy;
mod erase;
mod error;
mod events_table;
mod grants;
mod ids;
mod inspect;
mod layout;
mod migrate;
mod move_tables;
mod options;
mod owner;
mod read;
mod read_events;
mod read_kpis;
mod read_notifications;
mod read_raw;
mod refresh;
mod refuse;
mod session;
mod sketch;
mod stamp;
mod tls;
mod topics;
mod trim;
mod write;
mod write_history;
mod write_rollups;

use std::sync::Arc;

use async_trait::async_trait;
use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_schemas::{EventTime, LogTime, Retention, Topic};
use tokio::sync::Mutex;

use crate::aggregates::{AggregateState, Refreshed};
use crate::alerts::{AlertEpisode, AlertFilter};
use crate::cached::Days;
use crate::kpis::{KpiAnswer, KpiQuestion};
use crate::notifications::{NotificationPage, NotificationQuestion};
use crate::page::{EventPage, EventQuestion, StoredEvent};
use crate::port::{
    BurnQuestion, Claim, Claimed, Counts, RawBounds, RawCursor, RawPage, RawWindow, Refusal, Store, StoreError,
    StorePosition, WholeFrom, WriteBatch,
};
pub use grants::grant;
pub use inspect::{Inspection, inspect};
pub use layout::Layout;
pub use move_tables::{Progress, to_hypertables};
use options::Target;
pub use options::{PostgresOptions, SCHEMA};
use session::Readers;
use write::Writer;

/// The store.
pub struct PostgresStore {
    target: Target,
    retention: Retention,
    /// `None` if opened for reading only, or closed.
    writer: Mutex<Option<Writer>>,
    readers: Readers,
    days: Arc<Days>,
}

impl PostgresStore {
    /// Connects and brings the tables up to date.
    ///
    /// # Errors
    /// `Unavailable` if the database may recover; `Fatal` if it refuses the login, or has tables that this build cannot use.
    pub async fn connect(options: PostgresOptions) -> Result<Arc<Self>, StoreError> {
        let target = Target::new(&options)?;
        let writer = Writer::open(target.clone()).await?;
        Ok(Self::with(target, options.retention, Some(writer)))
    }

    /// Connects for questions; changes nothing.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`], and if the tables are missing or older.
    pub async fn connect_read_only(options: PostgresOptions) -> Result<Arc<Self>, StoreError> {
        let target = Target::new(&options)?;
        migrate::check(&target).await?;
        Ok(Self::with(target, options.retention, None))
    }

    fn with(target: Target, retention: Retention, writer: Option<Writer>) -> Arc<Self> {
        let readers = Readers::new(target.clone());
        Arc::new(PostgresStore { target, retention, writer: Mutex::new(writer), readers, days: Arc::default() })
    }

    /// Ends every connection; later work is refused. Not needed for anything that was written: that is durable.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(mut writer) = self.writer.lock().await.take() {
            writer.close();
        }
    }

    fn no_writer(&self, doing: &str) -> StoreError {
        let cause = format!("{} is closed, or was opened for reading only", self.target.place);
        StoreError::Fatal { doing: doing.to_owned(), cause: cause.into() }
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn describe(&self) -> String {
        self.target.place.clone()
    }

    fn refusal(&self) -> Refusal {
        refuse::refusal
    }

    async fn positions(&self) -> Result<Vec<StorePosition>, StoreError> {
        self.readers.ask("reading the store's positions", |asked| Box::pin(read::positions(asked))).await
    }

    async fn claim_topic(&self, topic: Topic, id: &str) -> Result<Claim, StoreError> {
        let mut writer = self.writer.lock().await;
        writer.as_mut().ok_or_else(|| self.no_writer(topics::DOING))?.claim(topic, id).await
    }

    async fn claimed_topics(&self) -> Result<Vec<Claimed>, StoreError> {
        self.readers.ask("reading the ids of topics", |asked| Box::pin(topics::claimed(asked))).await
    }

    async fn write(&self, batch: Arc<WriteBatch>) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        writer.as_mut().ok_or_else(|| self.no_writer("writing to the store"))?.write(&batch).await
    }

    async fn trim(&self, now: LogTime) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await;
        writer.as_mut().ok_or_else(|| self.no_writer(trim::DOING))?.trim(self.retention, now).await
    }

    async fn refresh(&self, now: LogTime) -> Result<Refreshed, StoreError> {
        refresh::refresh(&self.target, now).await
    }

    async fn aggregates(&self) -> Result<AggregateState, StoreError> {
        self.readers.ask("reading how far the aggregates are", |asked| Box::pin(aggregates::state(asked))).await
    }

    async fn erase_user(&self, user_ref: &str) -> Result<u64, StoreError> {
        erase::user(&self.target, user_ref).await
    }

    async fn kpis(&self, question: &KpiQuestion) -> Result<KpiAnswer, StoreError> {
        let question = question.clone();
        let days = &self.days;
        self.readers
            .ask("computing KPIs", |asked| {
                let (question, days) = (question.clone(), days.clone());
                Box::pin(async move { read_kpis::answer(asked, question, &days).await })
            })
            .await
    }

    async fn events(&self, question: &EventQuestion) -> Result<EventPage, StoreError> {
        let question = question.clone();
        self.readers.ask("reading events", |asked| Box::pin(read_events::page(asked, question.clone()))).await
    }

    async fn event(&self, event_id: &str, time: Option<EventTime>) -> Result<Vec<StoredEvent>, StoreError> {
        let id = event_id.to_owned();
        self.readers.ask("looking for an event", |asked| Box::pin(read_events::single(asked, id.clone(), time))).await
    }

    async fn raw_bounds(&self) -> Result<Vec<RawBounds>, StoreError> {
        self.readers.ask(read_raw::BOUNDS, |asked| Box::pin(read_raw::bounds(asked))).await
    }

    async fn raw_events(
        &self,
        window: &RawWindow,
        limit: usize,
        after: Option<RawCursor>,
    ) -> Result<RawPage, StoreError> {
        let window = window.clone();
        let doing = read_raw::EVENTS;
        self.readers.ask(doing, |asked| Box::pin(read_raw::events(asked, window.clone(), limit, after))).await
    }

    async fn slo_states(&self, until: Option<i64>) -> Result<Vec<BurnRates>, StoreError> {
        self.readers.ask("reading the state of SLOs", |asked| Box::pin(read::slo_states(asked, until))).await
    }

    async fn whole_from(&self) -> Result<WholeFrom, StoreError> {
        self.readers.ask("reading what retention has left", |asked| Box::pin(read::whole_from(asked))).await
    }

    async fn burn_history(&self, question: &BurnQuestion) -> Result<Vec<BurnRates>, StoreError> {
        let question = question.clone();
        let doing = "reading burn-rate history";
        self.readers.ask(doing, |asked| Box::pin(read::burn_history(asked, question.clone()))).await
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertEpisode>, StoreError> {
        let filter = filter.clone();
        self.readers.ask("reading alerts", |asked| Box::pin(read::alerts(asked, filter.clone()))).await
    }

    async fn transitions(&self, alert_id: &str) -> Result<Vec<AlertTransition>, StoreError> {
        let alert = alert_id.to_owned();
        let doing = "reading an alert's transitions";
        self.readers.ask(doing, |asked| Box::pin(read::transitions(asked, alert.clone()))).await
    }

    async fn notifications(&self, question: &NotificationQuestion) -> Result<NotificationPage, StoreError> {
        let question = question.clone();
        self.readers
            .ask("reading notifications", |asked| Box::pin(read_notifications::page(asked, question.clone())))
            .await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.readers.ask("counting", |asked| Box::pin(read::counts(asked))).await
    }
}
