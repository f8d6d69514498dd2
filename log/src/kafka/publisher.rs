//! Publishing plain records (L1): one idempotent producer, no future per record. A publish hands its records to
//! librdkafka and waits once, for the last delivery report.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{Producer as _, ProducerContext, ThreadedProducer};
use slipstream_schemas::{Cause, LogTime};
use tokio::sync::Notify;

use super::blocking::blocking;
use super::client::look_again;
use super::clock::BrokerClock;
use super::errors::{Right, advice, is_lasting, is_new_partition};
use super::names::Names;
use super::sending::{Delivered, in_order, to_send};
use crate::port::{Appended, LogError, Outgoing};

/// Producer of plain records.
pub(super) struct Publisher {
    config: ClientConfig,
    names: Names,
    clock: Arc<BrokerClock>,
    producer: Mutex<Option<ThreadedProducer<Reports>>>,
}

/// Where delivery reports go.
struct Reports {
    names: Names,
    clock: Arc<BrokerClock>,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        super::client::log_line(level as i32, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::info!(%error, reason, "librdkafka reports");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Arc<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Arc<Pending>) {
        match result {
            Ok(message) => {
                let time = LogTime(message.timestamp().to_millis().unwrap_or(0));
                self.clock.heard(message.timestamp());
                if let Some(place) = self.names.place(message.topic(), message.partition()) {
                    pending.delivered(Delivered { place, offset: message.offset(), time });
                }
            }
            Err((error, _)) => pending.failed(error.clone()),
        }
    }
}

/// A publish that waits for its reports.
struct Pending {
    state: Mutex<State>,
    done: Notify,
}

#[derive(Default)]
struct State {
    open: usize,
    /// In the order of the records that went to a partition, which is that of their offsets (idempotence).
    delivered: Vec<Delivered>,
    error: Option<KafkaError>,
}

impl Pending {
    fn new(records: usize) -> Arc<Pending> {
        let state = State { open: records, delivered: Vec::with_capacity(records), error: None };
        Arc::new(Pending { state: Mutex::new(state), done: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delivered(&self, delivered: Delivered) {
        let mut state = self.lock();
        state.delivered.push(delivered);
        self.close(state, 1);
    }

    fn failed(&self, error: KafkaError) {
        let mut state = self.lock();
        state.error.get_or_insert(error);
        self.close(state, 1);
    }

    fn close(&self, mut state: MutexGuard<'_, State>, records: usize) {
        state.open -= records;
        if state.open == 0 {
            drop(state);
            self.done.notify_one();
        }
    }
}

impl Publisher {
    pub(super) fn new(config: ClientConfig, names: Names, clock: Arc<BrokerClock>) -> Self {
        Publisher { config, names, clock, producer: Mutex::new(None) }
    }

    /// The producer; a new one if there is none, or the last one failed permanently.
    fn producer(&self) -> Result<ThreadedProducer<Reports>, LogError> {
        let mut slot = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = slot.as_ref().filter(|p| p.client().fatal_error().is_none()) {
            return Ok(producer.clone());
        }
        let producer: ThreadedProducer<Reports> = self
            .config
            .create_with_context(Reports { names: self.names.clone(), clock: Arc::clone(&self.clock) })
            .map_err(|e| LogError::Fatal { doing: "creating a Kafka producer".to_owned(), cause: Cause::of(e) })?;
        Ok(slot.insert(producer).clone())
    }

    /// Appends records whose partitions are chosen; resolves when all are durable, or one of them failed and the rest is
    /// settled.
    pub(super) async fn publish(&self, records: &[Outgoing]) -> Result<Vec<Appended>, LogError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let producer = self.producer()?;
        let pending = Pending::new(records.len());
        let send = |record| producer.send(to_send(&self.names, record, Arc::clone(&pending))).map_err(|(e, _)| e);
        let mut looked = false;
        for (i, record) in records.iter().enumerate() {
            let mut sent = send(record);
            if sent.as_ref().is_err_and(is_new_partition) && !std::mem::replace(&mut looked, true) {
                let (producer, topic) = (producer.clone(), self.names.of(record.topic).to_owned());
                blocking(move || look_again(producer.client(), &topic)).await;
                sent = send(record);
            }
            if let Err(error) = sent {
                // Records that were passed to librdkafka stay with it: the redelivery rule covers those that are sent
                // again.
                let mut state = pending.lock();
                state.error.get_or_insert(error);
                pending.close(state, records.len() - i);
                break;
            }
        }
        pending.done.notified().await;
        let mut state = pending.lock();
        match state.error.take() {
            Some(error) => Err(publish_error(&self.names, records, ended_by(&producer).unwrap_or(error))),
            None => Ok(in_order(records, &state.delivered)),
        }
    }

    /// Waits for records in flight; for the end of the process.
    pub(super) fn flush(&self, patience: Duration) {
        let producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(Err(error)) = producer.map(|p| p.flush(patience)) {
            tracing::warn!(%error, "records in flight were not acknowledged before the shutdown");
        }
    }
}

/// The error that ended a producer: the reports of its records say only that they were purged.
fn ended_by(producer: &ThreadedProducer<Reports>) -> Option<KafkaError> {
    let (code, text) = producer.client().fatal_error()?;
    tracing::debug!(%code, text, "a producer failed permanently");
    Some(KafkaError::MessageProduction(code))
}

fn publish_error(names: &Names, records: &[Outgoing], error: KafkaError) -> LogError {
    let doing = "publishing to Kafka".to_owned();
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => LogError::Busy,
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            let size = |r: &&Outgoing| r.key.as_ref().map_or(0, |k| k.len()) + r.value.as_ref().map_or(0, |v| v.len());
            let Some(largest) = records.iter().max_by_key(size) else { return LogError::Busy };
            let limit = crate::port::RECORD_LIMIT;
            LogError::TooLarge { topic: largest.topic, bytes: size(&largest), limit }
        }
        Some(code) if is_lasting(code) => {
            let cause = Cause::worded(format!("{error}; {}", advice(names, code, Right::Write)), error);
            LogError::Fatal { doing, cause }
        }
        _ => LogError::Transient { doing, cause: Cause::of(error) },
    }
}
