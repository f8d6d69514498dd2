//! Atomic steps (L2, L5, L6): a transactional producer, used by one thread at a time, and the meaning of its errors.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext, PurgeConfig};
use rdkafka::{ClientConfig, TopicPartitionList};
use slipstream_schemas::{Cause, LogTime};

use super::client::look_again;
use super::clock::BrokerClock;
use super::errors::{Right, advice, is_lasting, is_new_partition};
use super::names::Names;
use super::sending::{Delivered, in_order, to_send};
use crate::faults::CommitFault;
use crate::port::{Appended, Outgoing};

/// How long one call to the broker may take; librdkafka keeps trying within it.
const CALL: Duration = Duration::from_secs(5);
/// How long a transaction is retried; the broker aborts it after `transaction.timeout.ms`.
const WHOLE: Duration = Duration::from_secs(15);

/// How often delivery reports are checked.
const REPORTS: Duration = Duration::from_micros(500);

/// How a transaction failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of it is or will be visible.
    Aborted(Cause),
    /// It may be visible, or become so; a new producer of the same name resolves it.
    InDoubt(Cause),
    /// Aborted, because we are no longer a member of the group: all partitions are lost.
    NotAMember(Cause),
    /// Aborted, because a newer producer has the name.
    Fenced(Cause),
    /// Aborted permanently.
    Fatal(Cause),
}

/// A producer of transactions, made when it is first needed, and again after an error that ends it.
pub(super) struct Transactions {
    config: ClientConfig,
    names: Names,
    clock: Arc<BrokerClock>,
    producer: Option<BaseProducer<Reports>>,
}

/// Offsets that a transaction moves, and the member that moves them.
pub(super) struct Moves {
    pub offsets: TopicPartitionList,
    pub group: ConsumerGroupMetadata,
}

struct Reports {
    names: Names,
    clock: Arc<BrokerClock>,
    received: Mutex<DeliveryReports>,
}

/// The outcome of the records of a transaction.
#[derive(Default)]
struct DeliveryReports {
    delivered: Vec<Delivered>,
    error: Option<KafkaError>,
}

impl Reports {
    fn received(&self) -> MutexGuard<'_, DeliveryReports> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                self.clock.heard(message.timestamp());
                let time = LogTime(message.timestamp().to_millis().unwrap_or(0));
                if let Some(place) = self.names.place(message.topic(), message.partition()) {
                    self.received().delivered.push(Delivered { place, offset: message.offset(), time });
                }
            }
            // The first error is the reason; the following records are purged because of it.
            Err((error, _)) => {
                self.received().error.get_or_insert(error.clone());
            }
        }
    }
}

impl Transactions {
    pub(super) fn new(config: ClientConfig, names: Names, clock: Arc<BrokerClock>) -> Self {
        Transactions { config, names, clock, producer: None }
    }

    /// Creates a producer if there is none. That resolves what an older one of the same name left behind: a transaction
    /// that was being committed is completed, any other is aborted.
    pub(super) fn ready(&mut self) -> Result<(), Failure> {
        if self.producer.is_some() {
            return Ok(());
        }
        let reports = Reports { names: self.names.clone(), clock: Arc::clone(&self.clock), received: Mutex::default() };
        let producer: BaseProducer<Reports> =
            self.config.create_with_context(reports).map_err(|e| Failure::Fatal(Cause::of(e)))?;
        producer.init_transactions(WHOLE).map_err(|e| match e.rdkafka_error_code() {
            Some(code) if is_lasting(code) => self.fatal(e, code),
            _ => Failure::Aborted(Cause::worded(format!("cannot begin a transaction: {e}"), e)),
        })?;
        self.producer = Some(producer);
        Ok(())
    }

    /// Tries to be ready, for at most `patience`.
    pub(super) fn decide(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while let Err(failure) = self.ready() {
            tracing::warn!(?failure, "a transaction in doubt is not resolved yet");
            if Instant::now() >= deadline || matches!(failure, Failure::Fatal(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn fatal(&self, error: KafkaError, code: RDKafkaErrorCode) -> Failure {
        Failure::Fatal(Cause::worded(format!("{error}; {}", advice(&self.names, code, Right::Write)), error))
    }

    /// One transaction. It blocks.
    pub(super) fn run(
        &mut self,
        outputs: &[Outgoing],
        moves: Option<&Moves>,
        fault: Option<CommitFault>,
    ) -> Result<Vec<Appended>, Failure> {
        self.ready()?;
        // Put back only after a commit or a clean abort: a producer in an unknown state must not be used again.
        let Some(producer) = self.producer.take() else { return Err(Failure::Aborted("no producer".into())) };
        *producer.reports() = DeliveryReports::default();
        let deadline = Instant::now() + WHOLE;
        let prepared = self.prepare(&producer, outputs, moves, deadline);
        if let Err(error) = prepared {
            return Err(self.give_up(producer, error));
        }
        if let Some(CommitFault::Aborted | CommitFault::InDoubtNot) = fault {
            let gave_up = self.give_up(producer, KafkaError::Canceled);
            return Err(match fault {
                Some(CommitFault::InDoubtNot) => Failure::InDoubt("an injected fault".into()),
                _ => gave_up,
            });
        }
        self.commit(producer, deadline, outputs, fault)
    }

    /// Everything but the commit.
    fn prepare(
        &self,
        producer: &BaseProducer<Reports>,
        outputs: &[Outgoing],
        moves: Option<&Moves>,
        deadline: Instant,
    ) -> Result<(), KafkaError> {
        producer.begin_transaction()?;
        for record in outputs {
            self.send(producer, record, deadline)?;
        }
        if let Some(moves) = moves {
            producer.send_offsets_to_transaction(&moves.offsets, &moves.group, CALL)?;
        }
        delivered(producer, deadline)?;
        match producer.reports().error.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn send(&self, producer: &BaseProducer<Reports>, record: &Outgoing, deadline: Instant) -> Result<(), KafkaError> {
        let mut looked = false;
        loop {
            match producer.send(to_send(&self.names, record, ())) {
                Ok(()) => return Ok(()),
                Err((error, _)) if is_new_partition(&error) && !looked => {
                    look_again(producer.client(), self.names.of(record.topic));
                    looked = true;
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if Instant::now() < deadline => {
                    producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    fn commit(
        &mut self,
        producer: BaseProducer<Reports>,
        deadline: Instant,
        outputs: &[Outgoing],
        fault: Option<CommitFault>,
    ) -> Result<Vec<Appended>, Failure> {
        loop {
            match producer.commit_transaction(CALL) {
                Ok(()) => break,
                // On a retry, librdkafka continues with the same commit.
                Err(KafkaError::Transaction(e)) if e.is_retriable() && Instant::now() < deadline => {}
                Err(KafkaError::Transaction(e)) if e.txn_requires_abort() => {
                    return Err(self.give_up(producer, KafkaError::Transaction(e)));
                }
                // Jepsen found torn writes in a client that continued with its producer here. Ours ends.
                Err(error) => return Err(Failure::InDoubt(Cause::of(error))),
            }
        }
        let appended = in_order(outputs, &producer.reports().delivered);
        self.producer = Some(producer);
        match fault {
            Some(CommitFault::InDoubtDone) => Err(Failure::InDoubt("an injected fault".into())),
            _ => Ok(appended),
        }
    }

    /// Aborts; if that fails, the producer is dropped, and its successor fences what it left.
    fn give_up(&mut self, producer: BaseProducer<Reports>, error: KafkaError) -> Failure {
        use RDKafkaErrorCode as E;
        let reported = producer.reports().error.take();
        let fatal = producer.client().fatal_error();
        // A producer with a fatal error cannot abort; its successor, or the broker's timeout, does.
        if fatal.is_none() {
            // Wait for reports of records in flight first: aborting waits for them too, and nothing would read them.
            producer.purge(PurgeConfig::default().queue());
            let _ = delivered(&producer, Instant::now() + CALL);
            match producer.abort_transaction(WHOLE) {
                Ok(()) => self.producer = Some(producer),
                Err(error) => tracing::warn!(%error, "a transaction could not be aborted; its producer ends"),
            }
        }
        let code = fatal.map(|(code, _)| code).or(error.rdkafka_error_code());
        let code = reported.as_ref().and_then(KafkaError::rdkafka_error_code).or(code);
        match code {
            Some(E::UnknownMemberId | E::FencedInstanceId) => Failure::NotAMember(Cause::of(error)),
            Some(E::Fenced | E::ProducerFenced | E::InvalidProducerEpoch) => Failure::Fenced(Cause::of(error)),
            Some(E::MessageSizeTooLarge) => {
                let text = format!("{error}: raise max.message.bytes of the topics (see `slipstream topics ensure`)");
                Failure::Fatal(Cause::worded(text, error))
            }
            Some(code) if is_lasting(code) => self.fatal(error, code),
            _ => Failure::Aborted(Cause::of(error)),
        }
    }
}

/// Waits until nothing is in flight any more. The crate's `flush` checks for reports every tenth of a second, however
/// soon they arrive, so every step would take that long. Its `poll` spins through the last millisecond of its time.
fn delivered(producer: &BaseProducer<Reports>, deadline: Instant) -> Result<(), KafkaError> {
    while producer.in_flight_count() > 0 {
        if Instant::now() >= deadline {
            return Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut));
        }
        producer.poll(Duration::ZERO);
        std::thread::sleep(REPORTS);
    }
    Ok(())
}

/// Reports of a producer.
trait Reporting {
    fn reports(&self) -> MutexGuard<'_, DeliveryReports>;
}

impl Reporting for BaseProducer<Reports> {
    fn reports(&self) -> MutexGuard<'_, DeliveryReports> {
        self.client().context().received()
    }
}
