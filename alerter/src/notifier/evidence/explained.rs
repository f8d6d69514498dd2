//! A transport that explains what fires: it gathers evidence before the first attempt, and hands on a copy with it.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use slipstream_definitions::definition::Severity;
use slipstream_query::history::Evidence;
use slipstream_runtime::event::Event;
use slipstream_schemas::records::AlertTransition;
use tokio::time::{Instant, timeout_at};

use super::annotations::{self, Told};
use super::hint;
use super::memory::{KEY, Memory};
use super::{EvidenceSource, MOST_ALERTS, PATIENCE};
use crate::notifier::dispatch::{Answer, Delivery, Part, Ticket};
use crate::notifier::identity::idempotency_key;
use crate::notifier::payload::{Alert, Message, Status};
use crate::notifier::transport::Transport;
use crate::telemetry::EvidenceGathered;

/// Alerts that are looked into at a time.
const AT_A_TIME: usize = 4;

/// The source is asked to answer so long before nobody waits any more.
const MARGIN: Duration = Duration::from_millis(30);

/// A way to a receiver, with evidence.
pub struct Explained {
    inner: Arc<dyn Transport>,
    source: Option<Arc<dyn EvidenceSource>>,
    receiver: String,
    trace_url: String,
    memory: Mutex<Memory>,
}

/// What became of the question about an alert.
enum Found {
    Evidence(Box<Evidence>),
    Late,
    Failed(String),
}

impl Explained {
    /// Over a way to a receiver. Without a source an alert says what it knows itself. `trace_url`: link of a trace, with
    /// `{trace_id}`; empty for none.
    pub fn new(
        inner: Arc<dyn Transport>,
        source: Option<Arc<dyn EvidenceSource>>,
        receiver: &str,
        trace_url: &str,
    ) -> Explained {
        let (receiver, trace_url) = (receiver.to_owned(), trace_url.to_owned());
        Explained { inner, source, receiver, trace_url, memory: Mutex::default() }
    }

    /// Decides what is added to the alerts that are news, once for each. A delivery that is sent again says the same.
    async fn explain(&self, delivery: &Delivery) {
        // After a restart nothing is remembered of what the receiver is reminded of.
        let reminded: Vec<Part> =
            delivery.reminder.iter().flat_map(|reminder| &reminder.of).map(|t| self.part(t)).collect();
        let reminded = &reminded;
        let mut news: Vec<&Part> = {
            let memory = self.memory();
            let parts = delivery.parts.iter().filter(|part| fires(part, &delivery.message));
            parts.chain(reminded).filter(|part| !memory.knows(&part.key)).collect()
        };
        if news.is_empty() {
            return;
        }
        news.sort_by_key(|part| Reverse(Severity::named(&part.transition.severity).rank));
        let found = self.gather(&news[..news.len().min(MOST_ALERTS)]).await;
        let of = |index: usize| match found.iter().find(|(at, _)| *at == index) {
            Some((_, Found::Evidence(evidence))) => Some(&**evidence),
            _ => None,
        };
        let told: Vec<Told<'_>> = news
            .iter()
            .enumerate()
            .map(|(index, part)| Told { transition: &part.transition, evidence: of(index) })
            .collect();
        let downstream = hint::downstream(&told);
        let mut memory = self.memory();
        for (part, told) in news.iter().zip(&told) {
            memory.remember(part.key.clone(), annotations::of(told, &downstream, &self.trace_url));
        }
    }

    /// Asks about alerts, several at a time; all within [`PATIENCE`]. By place in `news`.
    async fn gather(&self, news: &[&Part]) -> Vec<(usize, Found)> {
        let Some(source) = &self.source else { return Vec::new() };
        let begun = Instant::now();
        let until = begun + PATIENCE;
        // A source may use up the time that it is given: those that wait for their turn must have some left.
        let rounds = news.len().div_ceil(AT_A_TIME).max(1) as u32;
        let turn = (PATIENCE - MARGIN) / rounds;
        let questions = news.iter().enumerate().map(|(index, part)| async move {
            let by = (Instant::now() + turn).min(until - MARGIN);
            let found = match timeout_at(until, source.evidence(&part.transition, by)).await {
                Ok(Ok(evidence)) => Found::Evidence(Box::new(evidence)),
                Ok(Err(error)) => Found::Failed(error.to_string()),
                Err(_) => Found::Late,
            };
            (index, found)
        });
        // Boxed: else the compiler cannot see that the stream may be sent.
        let found: Vec<(usize, Found)> = stream::iter(questions).buffer_unordered(AT_A_TIME).boxed().collect().await;
        let failed = found.iter().filter_map(|(_, found)| match found {
            Found::Failed(error) => Some(error.as_str()),
            _ => None,
        });
        EvidenceGathered {
            receiver: &self.receiver,
            gathered: found.iter().filter(|(_, found)| matches!(found, Found::Evidence(_))).count(),
            late: found.iter().filter(|(_, found)| matches!(found, Found::Late)).count(),
            failed: &failed.collect::<Vec<_>>(),
            took: begun.elapsed(),
        }
        .emit();
        found
    }

    fn part(&self, t: &AlertTransition) -> Part {
        let key = idempotency_key(t, &self.receiver);
        let ticket = Ticket { partition: 0, offset: 0 };
        Part { alert_id: t.alert_id.clone(), ticket, key, transition: t.clone(), begins: false }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is told as an alert that fires: a severity that is another receiver's goes out as an end.
fn fires(part: &Part, message: &Message) -> bool {
    let is_it = |alert: &&Alert| alert.annotations.get(KEY) == Some(&part.key);
    message.alerts.iter().filter(is_it).any(|alert| alert.status == Status::Firing)
}

#[async_trait]
impl Transport for Explained {
    fn host(&self) -> &str {
        self.inner.host()
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        self.explain(delivery).await;
        let message = self.memory().annotate(delivery.message.clone());
        self.inner.attempt(&Delivery { message, ..delivery.clone() }).await
    }
}

#[cfg(test)]
mod tests;
