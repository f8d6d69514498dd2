//! What happened, from the store: KPIs, events, alerts.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_schemas::RequestEvent;
use slipstream_store::alerts::{AlertEpisode, AlertFilter};
use slipstream_store::kpis::{KpiAnswer, KpiQuestion};
use slipstream_store::{Cursor, EventFilter, SharedStore, StoreError, text};

/// A page of events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventAnswer {
    /// Oldest first.
    pub events: Vec<EventRow>,
    /// Where the next page starts, as text; null at the end.
    pub next: Option<String>,
}

/// An event by the names of the schema, its time in RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
}

/// Alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertAnswer {
    /// One for each episode, newest first.
    pub alerts: Vec<AlertEpisode>,
}

/// What a store holds, for questions.
#[derive(Clone)]
pub struct History {
    store: SharedStore,
}

impl History {
    /// For a store, which may be open for reading only.
    pub fn of(store: SharedStore) -> History {
        History { store }
    }

    /// Hits, errors and latencies.
    ///
    /// # Errors
    /// When the store cannot be read, or refuses the question.
    pub async fn kpis(&self, question: &KpiQuestion) -> Result<KpiAnswer, StoreError> {
        self.store.kpis(question).await
    }

    /// At most `limit` events, from `after` on.
    ///
    /// # Errors
    /// When the store cannot be read, or refuses the question.
    pub async fn events(
        &self,
        filter: &EventFilter,
        limit: usize,
        after: Option<Cursor>,
    ) -> Result<EventAnswer, StoreError> {
        let page = self.store.events(filter, limit, after).await?;
        let events = page.events.into_iter().map(EventRow::from).collect();
        Ok(EventAnswer { events, next: page.next.map(|cursor| cursor.to_string()) })
    }

    /// Alerts and their states.
    ///
    /// # Errors
    /// When the store cannot be read, or refuses the question.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<AlertAnswer, StoreError> {
        Ok(AlertAnswer { alerts: self.store.alerts(filter).await? })
    }
}

impl From<RequestEvent> for EventRow {
    fn from(e: RequestEvent) -> Self {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipstream_schemas::EventTime;

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
        let answer = EventAnswer { events: vec![event.into()], next: None };
        let expected = concat!(
            r#"{"events":[{"time":"1970-01-01T00:00:01.500000Z","event_id":"e-1","service":"shop","environment":"","#,
            r#""endpoint":"/pay","method":"POST","status_code":503,"latency_ms":12.5,"weight":1,"trace_id":null,"#,
            r#""user_ref":null,"attributes":{"region":"eu"}}],"next":null}"#,
        );
        assert_eq!(serde_json::to_string(&answer).unwrap(), expected);
    }
}
