//! What the store holds, and what is read from the log for one question.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use slipstream_log::SharedLog;
use slipstream_query::history::{ContributorQuestion, HistoryQuestion, TopQuestion};
use slipstream_query::{History, QueryError};
use slipstream_role::markers::markers;
use slipstream_role::silences::silences;
use slipstream_schemas::{EventTime, LogTime, Topic};
use slipstream_slo::alerts::{SilenceState, Standing};
use slipstream_store::alerts::AlertFilter;
use slipstream_store::kpis::KpiQuestion;
use slipstream_store::notifications::NotificationQuestion;
use slipstream_store::{EventQuestion, SharedStore, text};
use tokio::time::timeout;

use super::AskError;
use super::answers::alerts::{AlertDetail, Alerts};
use super::answers::contributors::Contributors;
use super::answers::endpoints::Endpoints;
use super::answers::erasure::Erased;
use super::answers::events::{Event, Events};
use super::answers::health::StoreState;
use super::answers::history::History as Points;
use super::answers::kpis::KpiAnswer;
use super::answers::markers::Markers;
use super::answers::notifications::Notifications;
use super::answers::silences::{Silence, Silences};
use super::known::KnownUpTo;

/// A store that may not have been reached yet.
pub type StoreCell = Arc<OnceLock<SharedStore>>;

/// See the module.
#[derive(Clone)]
pub struct Past {
    store: StoreCell,
    log: SharedLog,
    /// Of both, once there is a store. It remembers what it found.
    history: Arc<OnceLock<History>>,
    known: Arc<KnownUpTo>,
}

/// How long the log may take to tell its ends, for a lag.
const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// Markers of an interval: those that touch it.
pub struct MarkerQuestion {
    /// That were not over then.
    pub from: EventTime,
    /// That had begun before.
    pub to: EventTime,
    /// Of this service, or of all.
    pub service: Option<String>,
    /// At most so many, the newest.
    pub limit: usize,
}

/// Silences of some states.
pub struct SilenceQuestion {
    /// One of these; empty: any.
    pub states: Vec<SilenceState>,
    /// At most so many, the newest.
    pub limit: usize,
}

impl Past {
    /// Of a store, once it is in its cell, and a log.
    pub fn of(store: StoreCell, log: SharedLog) -> Past {
        Past { store, log, history: Arc::default(), known: Arc::default() }
    }

    /// The store.
    pub(super) fn store(&self) -> Result<&SharedStore, AskError> {
        self.store.get().ok_or_else(|| AskError::NotYet("the store has not been reached yet; ask again".to_owned()))
    }

    /// Store and log together.
    pub(super) fn history(&self) -> Result<&History, AskError> {
        let store = self.store()?;
        Ok(self.history.get_or_init(|| History::of(store.clone()).with_log(self.log.clone())))
    }

    /// A page of events.
    pub async fn events(&self, question: &EventQuestion) -> Result<Events, AskError> {
        let as_of = self.known(question.filter.logged_by, Topic::RequestEvents).await?;
        let page = self.history()?.events(question).await?;
        Ok(Events { events: page.events.into_iter().map(Event::from).collect(), next: page.next, as_of })
    }

    /// One event.
    pub async fn event(&self, event_id: &str, time: Option<EventTime>) -> Result<Event, AskError> {
        Ok(self.history()?.event(event_id, time).await?.into())
    }

    /// Hits, errors and latencies.
    pub async fn kpis(&self, question: &KpiQuestion) -> Result<KpiAnswer, AskError> {
        let as_of = self.known(question.as_of(), Topic::RequestEvents).await?;
        Ok(KpiAnswer::new(self.history()?.kpis(question).await?, as_of))
    }

    /// The endpoints that stand out.
    pub async fn top(&self, question: &TopQuestion) -> Result<Endpoints, AskError> {
        let as_of = self.known(question.filter.logged_by, Topic::RequestEvents).await?;
        Ok(Endpoints::new(self.history()?.top(question).await?, as_of))
    }

    /// How an SLO stood. An end that is left open is that of what is stored.
    pub async fn points(&self, question: &HistoryQuestion) -> Result<Points, AskError> {
        let as_of = self.known(None, Topic::BurnRates).await?;
        Ok(Points::new(self.history()?.points(question).await?, as_of))
    }

    /// Who spent an SLO's budget.
    pub async fn contributors(&self, question: &ContributorQuestion) -> Result<Contributors, AskError> {
        let as_of = self.known(None, Topic::RequestEvents).await?;
        Ok(Contributors::new(self.history()?.contributors(question).await?, as_of))
    }

    /// Alerts, newest first; as they were known at `as_of`.
    pub async fn alerts(&self, filter: &AlertFilter, as_of: Option<LogTime>) -> Result<Alerts, AskError> {
        let known = self.known(as_of, Topic::Alerts).await?;
        let answer = self.history()?.alerts(filter, as_of).await?;
        Ok(Alerts { alerts: answer.alerts.into_iter().map(Into::into).collect(), as_of: known })
    }

    /// One alert, and what happened to it.
    pub async fn alert(&self, id: &str) -> Result<AlertDetail, AskError> {
        let as_of = self.known(None, Topic::Alerts).await?;
        let none = || AskError::NoSuch { what: "alert", name: id.to_owned() };
        AlertDetail::new(self.history()?.alert(id).await?, as_of).ok_or_else(none)
    }

    /// What became of notifications.
    pub async fn notifications(&self, question: &NotificationQuestion) -> Result<Notifications, AskError> {
        let as_of = self.known(None, Topic::Notifications).await?;
        Ok(Notifications::new(self.history()?.notifications(question).await?, as_of))
    }

    /// Markers, oldest first.
    pub async fn markers(&self, question: &MarkerQuestion) -> Result<Markers, AskError> {
        let mut found = markers(self.log.as_ref(), question.from, question.to).await?;
        let wanted = |service: &str| question.service.as_deref().is_none_or(|s| service == s || service.is_empty());
        found.retain(|marker| wanted(&marker.service));
        let markers_total = found.len();
        found.drain(..markers_total.saturating_sub(question.limit));
        Ok(Markers { markers_total, markers: found.into_iter().map(Into::into).collect() })
    }

    /// Silences, newest first, and where they stand now.
    pub async fn silences(&self, question: &SilenceQuestion, now: LogTime) -> Result<Silences, AskError> {
        let mut found = silences(self.log.as_ref()).await?;
        let LogTime(now) = now;
        let state = |silence: &_| Standing::of(silence, now).state;
        found.retain(|silence| question.states.is_empty() || question.states.contains(&state(silence)));
        found.sort_by(|a, b| (b.created_at, &a.id).cmp(&(a.created_at, &b.id)));
        let silences_total = found.len();
        found.truncate(question.limit);
        Ok(Silences { silences_total, silences: found.into_iter().map(|found| Silence::new(found, now)).collect() })
    }

    /// Overwrites a `user_ref` wherever the store has it.
    pub async fn erase(&self, user_ref: &str, now: LogTime) -> Result<Erased, AskError> {
        Ok(self.history()?.erase_user(user_ref, now).await?.into())
    }

    /// How the store is.
    pub async fn store_state(&self) -> Result<StoreState, AskError> {
        match timeout(LOG_PATIENCE, self.history()?.standing()).await {
            Err(_) | Ok(Err(QueryError::Log(_))) => {}
            Ok(standing) => return Ok(standing?.into()),
        }
        // The log is away: how far the store is behind it is not known then, and the rest is.
        Ok(History::of(self.store()?.clone()).standing().await?.into())
    }

    /// Up to when an answer is known: as it was asked, or log time up to which the store has everything of a topic; `None` if it
    /// has nothing yet.
    pub(super) async fn known(&self, asked: Option<LogTime>, topic: Topic) -> Result<Option<String>, AskError> {
        if let Some(asked) = asked {
            return Ok(Some(log_time(asked)));
        }
        Ok(self.known.of(self.history()?, topic).await?.map(log_time))
    }
}

/// RFC 3339.
pub(super) fn log_time(time: LogTime) -> String {
    text::micros(EventTime(time.0.saturating_mul(1_000)))
}
