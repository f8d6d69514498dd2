//! What the store holds, and what is read from the log for one question.

use std::sync::{Arc, OnceLock};

use slipstream_log::{SharedLog, TopicPartition};
use slipstream_query::History;
use slipstream_role::markers::markers;
use slipstream_schemas::{EventTime, LogTime, Topic};
use slipstream_store::alerts::{AlertEpisode, AlertFilter};
use slipstream_store::kpis::{self, Field, FieldValue, KpiQuestion};
use slipstream_store::{SharedStore, Store, StorePosition, text};

use super::answers::alerts::{AlertDetail, Alerts};
use super::answers::erasure::Erased;
use super::answers::events::{Event, Events};
use super::answers::health::{Position, StoreState};
use super::answers::kpis::{Endpoints, Key, KpiAnswer, KpiRow, KpiRows, KpiTotal, Kpis};
use super::answers::markers::Markers;
use super::answers::notifications::Notifications;
use super::answers::past_slos::{Contributors, History as SloHistory};
use super::questions::{
    AlertsQuestion, BucketsQuestion, ContributorsQuestion, EventQuestion, EventsQuestion, Grain, HistoryQuestion,
    KpisQuestion, MarkersQuestion, NotificationsQuestion, TopQuestion,
};
use super::{AskError, scan, slo};

/// A store that may not have been reached yet.
pub type StoreCell = Arc<OnceLock<SharedStore>>;

/// See the module.
#[derive(Clone)]
pub struct Past {
    store: StoreCell,
    log: SharedLog,
}

/// What this version cannot answer.
fn not_in_this_version(what: &str) -> AskError {
    AskError::Unanswerable(format!("{what}: this version cannot answer that yet"))
}

impl Past {
    /// Of a store, once it is in its cell, and a log.
    pub fn of(store: StoreCell, log: SharedLog) -> Past {
        Past { store, log }
    }

    fn store(&self) -> Result<&dyn Store, AskError> {
        self.shared().map(|store| store.as_ref())
    }

    fn shared(&self) -> Result<&SharedStore, AskError> {
        self.store.get().ok_or_else(|| AskError::NotYet("the store has not been reached yet; ask again".to_owned()))
    }

    fn history(&self) -> Result<History, AskError> {
        Ok(History::of(self.shared()?.clone()))
    }

    /// A page of events.
    pub async fn events(&self, question: &EventsQuestion) -> Result<Events, AskError> {
        if question.as_of.is_some() {
            return Err(not_in_this_version("as_of"));
        }
        let as_of = self.stored_up_to(Topic::RequestEvents).await?;
        let (events, next) = match scan::as_store_filter(&question.filter, question.order) {
            Some(filter) => {
                let page = self.history()?.events(&filter, question.limit, question.after).await?;
                (page.events.into_iter().map(Event::from).collect(), page.next)
            }
            None => scan::page(&self.history()?, question).await?,
        };
        Ok(Events { events, next, as_of })
    }

    /// One event.
    pub async fn event(&self, question: &EventQuestion) -> Result<Event, AskError> {
        let found = scan::by_id(&self.history()?, question).await?;
        found.ok_or_else(|| AskError::NoSuch { what: "event", name: question.event_id.clone() })
    }

    /// Hits, errors and latencies.
    pub async fn kpis(&self, question: &KpisQuestion) -> Result<KpiAnswer, AskError> {
        if question.as_of.is_some() || question.source.is_some() || question.by.len() > 1 {
            return Err(not_in_this_version("as_of, source, and two fields"));
        }
        let Some(filter) = scan::as_store_filter(&question.filter, Default::default()) else {
            return Err(not_in_this_version("filters of single events"));
        };
        let as_of = self.stored_up_to(Topic::RequestEvents).await?;
        let asked = KpiQuestion { filter, by: question.by.first().copied(), step: question.step };
        Ok(match self.history()?.kpis(&asked).await? {
            kpis::KpiAnswer::Total(total) => KpiAnswer::Total(KpiTotal { kpis: total.into(), as_of }),
            kpis::KpiAnswer::Rows { rows } => {
                KpiAnswer::Rows(KpiRows { rows: rows.into_iter().map(KpiRow::from).collect(), as_of })
            }
        })
    }

    /// Hours or days.
    pub async fn buckets(&self, question: &BucketsQuestion) -> Result<KpiRows, AskError> {
        let step = match question.grain {
            Grain::Hour => 3_600,
            Grain::Day => 86_400,
        };
        let BucketsQuestion { filter, by, .. } = question.clone();
        let question = KpisQuestion { filter, by, step: Some(step), source: None, as_of: None };
        Ok(self.kpis(&question).await?.into_rows())
    }

    /// The endpoints that matter.
    pub async fn top(&self, _: &TopQuestion) -> Result<Endpoints, AskError> {
        self.store()?;
        Err(not_in_this_version("endpoints/top"))
    }

    /// How an SLO stood.
    pub async fn slo_history(&self, question: &HistoryQuestion) -> Result<SloHistory, AskError> {
        let as_of = self.stored_up_to(Topic::BurnRates).await?;
        slo::history(self.store()?, question, as_of).await
    }

    /// Who spent an SLO's budget.
    pub async fn contributors(&self, _: &ContributorsQuestion) -> Result<Contributors, AskError> {
        self.store()?;
        Err(not_in_this_version("contributors"))
    }

    /// Alerts, newest first.
    pub async fn alerts(&self, question: &AlertsQuestion) -> Result<Alerts, AskError> {
        if question.as_of.is_some() {
            return Err(not_in_this_version("as_of"));
        }
        let as_of = self.stored_up_to(Topic::Alerts).await?;
        let filter = AlertFilter {
            slo: question.slo.clone(),
            service: question.service.clone(),
            severity: question.severity.clone(),
            states: question.states.clone(),
            from: question.from,
            to: question.to,
            limit: Some(question.limit),
        };
        let answer = self.history()?.alerts(&filter).await?;
        Ok(Alerts { alerts: answer.alerts.into_iter().map(Into::into).collect(), as_of })
    }

    /// One alert, and what happened to it.
    pub async fn alert(&self, id: &str) -> Result<AlertDetail, AskError> {
        let as_of = self.stored_up_to(Topic::Alerts).await?;
        let transitions = self.store()?.transitions(id).await?;
        let Some(last) = transitions.last() else {
            return Err(AskError::NoSuch { what: "alert", name: id.to_owned() });
        };
        let alert = AlertEpisode::new(last).into();
        let transitions = transitions.iter().map(Into::into).collect();
        Ok(AlertDetail { alert, transitions, notifications: Vec::new(), as_of })
    }

    /// What became of notifications.
    pub async fn notifications(&self, _: &NotificationsQuestion) -> Result<Notifications, AskError> {
        self.store()?;
        Err(not_in_this_version("notifications"))
    }

    /// Markers, oldest first.
    pub async fn markers(&self, question: &MarkersQuestion) -> Result<Markers, AskError> {
        let (from, to) = (question.from.unwrap_or(EventTime::MIN), question.to.unwrap_or(EventTime::MAX));
        let mut found = markers(self.log.as_ref(), from, to).await?;
        let wanted = |service: &str| question.service.as_deref().is_none_or(|s| service == s || service.is_empty());
        found.retain(|marker| wanted(&marker.service));
        Ok(Markers { markers: found.into_iter().map(Into::into).collect() })
    }

    /// Overwrites a `user_ref` wherever the store has it.
    pub async fn erase(&self, _user_ref: &str) -> Result<Erased, AskError> {
        self.store()?;
        Err(not_in_this_version("erasures"))
    }

    /// Log time up to which the store has everything of a topic; `None` if it has nothing yet.
    async fn stored_up_to(&self, topic: Topic) -> Result<Option<String>, AskError> {
        let positions = self.store()?.positions().await?;
        let least = positions.iter().filter(|p| p.topic == topic).map(|p| p.log_time).min();
        Ok(least.map(log_time))
    }

    /// How far the store is.
    pub async fn store_state(&self) -> StoreState {
        match self.positions().await {
            Ok(positions) => {
                let lag = positions.iter().map(|p| p.lag).sum();
                StoreState { answers: true, detail: None, positions, lag }
            }
            Err(error) => {
                StoreState { answers: false, detail: Some(error.to_string()), positions: Vec::new(), lag: None }
            }
        }
    }

    async fn positions(&self) -> Result<Vec<Position>, AskError> {
        let stored = self.store()?.positions().await?;
        let of = |p: &StorePosition| TopicPartition { topic: p.topic, partition: p.partition };
        let bounds = self.log.all_bounds(&stored.iter().map(of).collect::<Vec<_>>()).await;
        let lag = |i: usize, position: &StorePosition| {
            let (_, end) = bounds.as_ref().ok()?.get(i)?;
            Some((end - position.offset).max(0))
        };
        let position = |(i, position): (usize, &StorePosition)| Position {
            topic: position.topic.name().to_owned(),
            partition: position.partition,
            offset: position.offset,
            lag: lag(i, position),
            log_time: log_time(position.log_time),
        };
        Ok(stored.iter().enumerate().map(position).collect())
    }
}

/// RFC 3339 with milliseconds.
fn log_time(time: LogTime) -> String {
    text::micros(EventTime(time.0.saturating_mul(1_000)))
}

impl From<kpis::Kpis> for Kpis {
    fn from(of: kpis::Kpis) -> Self {
        let seconds = of.from.as_deref().zip(of.to.as_deref()).and_then(|(from, to)| {
            let (from, to): (jiff::Timestamp, jiff::Timestamp) = (from.parse().ok()?, to.parse().ok()?);
            Some(to.duration_since(from).as_secs_f64())
        });
        Kpis {
            throughput: seconds.filter(|seconds| *seconds > 0.0).map(|seconds| of.hits as f64 / seconds),
            from: of.from,
            to: of.to,
            hits: of.hits,
            errors: of.errors,
            error_rate: of.error_rate,
            avg_latency_ms: of.avg_latency_ms,
            p50_latency_ms: of.p50_latency_ms,
            p95_latency_ms: of.p95_latency_ms,
            p99_latency_ms: of.p99_latency_ms,
            max_latency_ms: of.max_latency_ms,
            source: of.source.to_owned(),
        }
    }
}

impl From<kpis::KpiRow> for KpiRow {
    fn from(row: kpis::KpiRow) -> Self {
        let mut key = Key::default();
        for (name, value) in row.key {
            match (Field::ALL.into_iter().find(|field| field.name() == name), value) {
                (Some(Field::Service), FieldValue::Text(text)) => key.service = Some(text),
                (Some(Field::Environment), FieldValue::Text(text)) => key.environment = Some(text),
                (Some(Field::Endpoint), FieldValue::Text(text)) => key.endpoint = Some(text),
                (Some(Field::Method), FieldValue::Text(text)) => key.method = Some(text),
                (Some(Field::StatusCode), FieldValue::Number(number)) => key.status_code = Some(number),
                (Some(Field::StatusClass), FieldValue::Number(number)) => key.status_class = Some(number),
                (None, FieldValue::Text(text)) => key.start = Some(text),
                _ => {}
            }
        }
        KpiRow { key, kpis: row.kpis.into() }
    }
}
