//! KPIs and raw events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipstream_schemas::EventTime;
use slipstream_store::kpis::{KpiAnswer, KpiQuestion};
use slipstream_store::{EventQuestion, StoredEvent, text};

use super::History;
use crate::QueryError;

/// A page of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventAnswer {
    /// In the order that was asked for.
    pub events: Vec<EventRow>,
    /// Where the next page starts, as text; null at the end.
    pub next: Option<String>,
}

/// An event by the names of the schema, its time in RFC 3339, and when the log took it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema has them")]
pub struct EventRow {
    pub time: String,
    pub event_id: String,
    pub service: String,
    pub environment: String,
    pub endpoint: String,
    pub method: String,
    pub status_code: i32,
    pub latency_ms: Option<f64>,
    pub weight: i32,
    pub trace_id: Option<String>,
    pub user_ref: Option<String>,
    pub attributes: BTreeMap<String, String>,
    pub log_time: String,
}

impl History {
    /// Hits, errors and latencies. With a time by which events were logged, of exactly those.
    ///
    /// # Errors
    /// When the store cannot be read, lacks what was logged by then, or refuses the question.
    pub async fn kpis(&self, question: &KpiQuestion) -> Result<KpiAnswer, QueryError> {
        if let Some(at) = question.as_of() {
            self.require_stored(at).await?;
        }
        Ok(self.store.kpis(question).await?)
    }

    /// A page of events. With a time by which they were logged, of exactly those.
    ///
    /// # Errors
    /// As of [`History::kpis`].
    pub async fn events(&self, question: &EventQuestion) -> Result<EventAnswer, QueryError> {
        if let Some(at) = question.filter.logged_by {
            self.require_stored(at).await?;
        }
        let page = self.store.events(question).await?;
        let events = page.events.into_iter().map(EventRow::from).collect();
        Ok(EventAnswer { events, next: page.next.map(|cursor| cursor.to_string()) })
    }

    /// The event of an id: of several copies the first. Where its time is known, it is found quickly.
    ///
    /// # Errors
    /// `Unknown` if none is stored; when the store cannot be read.
    pub async fn event(&self, event_id: &str, time: Option<EventTime>) -> Result<EventRow, QueryError> {
        let found = self.store.event(event_id, time).await?.into_iter().next().map(EventRow::from);
        found.ok_or_else(|| QueryError::Unknown { what: "event", name: event_id.to_owned() })
    }
}

impl From<StoredEvent> for EventRow {
    fn from(StoredEvent { event: e, log_time, .. }: StoredEvent) -> Self {
        EventRow {
            time: text::micros(e.time),
            event_id: e.event_id,
            service: e.service,
            environment: e.environment,
            endpoint: e.endpoint,
            method: e.method,
            status_code: e.status_code,
            latency_ms: e.latency_ms,
            weight: e.weight,
            trace_id: e.trace_id,
            user_ref: e.user_ref,
            attributes: e.attributes,
            log_time: text::micros(EventTime(log_time.0.saturating_mul(1_000))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipstream_schemas::{LogTime, RequestEvent};

    #[test]
    fn an_event_reads_as_the_contract_has_it() {
        let event = RequestEvent {
            event_id: "e-1".into(),
            time: EventTime(1_500_000),
            service: "shop".into(),
            environment: String::new(),
            endpoint: "/pay".into(),
            method: "POST".into(),
            status_code: 503,
            latency_ms: Some(12.5),
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes: [("region".to_owned(), "eu".to_owned())].into(),
        };
        let stored = StoredEvent { event, log_time: LogTime(2_500), partition: 0, offset: 0 };
        let answer = EventAnswer { events: vec![stored.into()], next: None };
        let expected = concat!(
            r#"{"events":[{"time":"1970-01-01T00:00:01.500000Z","event_id":"e-1","service":"shop","environment":"","#,
            r#""endpoint":"/pay","method":"POST","status_code":503,"latency_ms":12.5,"weight":1,"trace_id":null,"#,
            r#""user_ref":null,"attributes":{"region":"eu"},"log_time":"1970-01-01T00:00:02.500000Z"}],"next":null}"#,
        );
        assert_eq!(serde_json::to_string(&answer).unwrap(), expected);
    }
}
