//! The log on Kafka: rdkafka behind the port.
//!
//! librdkafka's properties are in [`settings`]; a member of a group in `member`, its atomic steps in `transactions`,
//! plain publishing in `publisher`, reading outside of groups in `ranges`. Log time is LogAppendTime, which `topics
//! ensure` and the doctor (`admin`) ensure.

pub mod admin;
mod blocking;
mod buffer;
mod client;
mod clock;
mod errors;
mod member;
mod names;
mod native;
mod positions;
mod publisher;
mod ranges;
mod sending;
pub mod settings;
mod shared;
mod times;
mod transactions;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use slipstream_schemas::{Cause, LogTime, Topic};

pub use positions::OfDeletedTopic;
pub use settings::{KafkaOptions, PropertyError, check_properties};

use crate::batch::Batch;
use crate::faults::PublishFault;
use crate::port::{
    Appended, CommitError, Consumer, Fetch, Log, LogError, Offset, Outgoing, Position, Share, TopicId, TopicPartition,
};
use blocking::blocking;
use errors::log_error;
use ranges::Read;
use shared::Shared;
use transactions::{Failure, Transactions};

/// How long to wait for records in flight at shutdown.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often the end is checked while transactions are open below it.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long to try to resolve an atomic publish in doubt.
const DECIDE: Duration = Duration::from_secs(60);

/// Keeps OpenSSL usable until the process has ended. Call it before the first client is made.
///
/// By default OpenSSL frees its state in an exit handler. librdkafka uses OpenSSL in its own threads and in those that
/// call it, and each of them that ends after the handler reads what was freed: one in a hundred processes with TLS
/// crashed at exit.
pub fn keep_openssl() {
    openssl_sys::init();
}

/// A log on a Kafka cluster.
pub struct KafkaLog {
    shared: Arc<Shared>,
    writers: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Writer>>>>,
}

/// Writers of atomic publishes, by name.
struct Writer {
    transactions: Transactions,
    fenced: bool,
}

impl KafkaLog {
    /// The log of a cluster that need not be reachable yet.
    pub fn new(options: KafkaOptions) -> Arc<Self> {
        Arc::new(KafkaLog { shared: Arc::new(Shared::new(options)), writers: Mutex::default() })
    }

    /// The log of a cluster that responds and has the topics with the right settings.
    ///
    /// # Errors
    /// When no broker responds, topics are missing, or one has wrong settings: each with what to do.
    pub async fn connect(options: KafkaOptions) -> Result<Arc<Self>, LogError> {
        admin::require(&options).await?;
        Ok(KafkaLog::new(options))
    }

    /// Waits for records in flight. Call it when no role is left.
    pub async fn close(&self) {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.publisher.flush(LAST_WORDS)).await;
    }

    /// For tests: users of this handle find it closed, as after the death of the process.
    pub fn kill(&self) {
        self.shared.kill();
    }

    fn writer(&self, name: &str) -> Arc<tokio::sync::Mutex<Writer>> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let id = format!("{}writer-{name}", self.shared.options.prefix);
            let config = settings::transactional(&self.shared.options, &id);
            let (names, clock) = (self.shared.names.clone(), Arc::clone(&self.shared.clock));
            let transactions = Transactions::new(config, names, clock);
            Arc::new(tokio::sync::Mutex::new(Writer { transactions, fenced: false }))
        };
        Arc::clone(writers.entry(name.to_owned()).or_insert_with(make))
    }
}

fn target(record: &Outgoing) -> TopicPartition {
    TopicPartition { topic: record.topic, partition: record.partition.unwrap_or_default() }
}

#[async_trait]
impl Log for KafkaLog {
    fn describe(&self) -> String {
        format!("kafka://{} (topics {}*)", self.shared.options.brokers, self.shared.options.prefix)
    }

    fn total_order(&self) -> bool {
        false
    }

    async fn topic_id(&self, topic: Topic) -> Result<Option<TopicId>, LogError> {
        self.shared.alive()?;
        Ok(self.shared.topic_ids(&[topic]).await?.remove(&topic))
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.shared.alive()?;
        self.shared.partitions(topic).await
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        self.shared.alive()?;
        match self.shared.options.faults.next_publish() {
            Some(PublishFault::Busy) => return Err(LogError::Busy),
            Some(PublishFault::Transient) => {
                let (doing, cause) = ("publishing".to_owned(), "an injected fault".into());
                return Err(LogError::Transient { doing, cause });
            }
            None => {}
        }
        let placed = self.shared.place(&records, self.shared.next_turn()).await?;
        self.shared.publisher.publish(&placed).await
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        self.shared.alive().map_err(|e| CommitError::Fatal(Cause::of(e)))?;
        let placed = self.shared.place(&records, self.shared.next_turn()).await.map_err(|e| match e {
            LogError::Transient { .. } | LogError::Busy => CommitError::Aborted(Cause::of(e)),
            _ => CommitError::Fatal(Cause::of(e)),
        })?;
        let fault = self.shared.options.faults.next_atomic_publish(writer);
        let partitions: Vec<TopicPartition> = placed.iter().map(target).collect();
        let mut state = self.writer(writer).lock_owned().await;
        if state.fenced {
            return Err(CommitError::Lost(partitions));
        }
        // The thread has the lock: a caller that goes away leaves nothing half done to the next one.
        let result = blocking(move || {
            let result = state.transactions.run(&placed, None, fault);
            match &result {
                // Whoever is in doubt reads what he has written: by then it has to be decided.
                Err(Failure::InDoubt(_)) => state.transactions.decide(DECIDE),
                Err(Failure::Fenced(_)) => state.fenced = true,
                _ => {}
            }
            result
        });
        result.await.map_err(|failure| match failure {
            Failure::Aborted(cause) | Failure::NotAMember(cause) => CommitError::Aborted(cause),
            Failure::InDoubt(cause) => CommitError::InDoubt(cause),
            Failure::Fatal(cause) => CommitError::Fatal(cause),
            Failure::Fenced(_) => CommitError::Lost(partitions),
        })
    }

    /// A new producer of the name takes a new epoch, by which the broker fences every older one.
    async fn take_writer(&self, writer: &str) -> Result<(), CommitError> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner).remove(writer);
        self.publish_atomically(writer, Vec::new()).await.map(drop)
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.shared.alive()?;
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.ranges.bounds(partition)).await
    }

    async fn all_bounds(&self, partitions: &[TopicPartition]) -> Result<Vec<(Offset, Offset)>, LogError> {
        self.shared.alive()?;
        let (shared, partitions) = (Arc::clone(&self.shared), partitions.to_vec());
        blocking(move || shared.ranges.all_bounds(&partitions)).await
    }

    async fn settled_bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.shared.alive()?;
        let shared = Arc::clone(&self.shared);
        let written = blocking(move || shared.ranges.written(partition)).await?;
        loop {
            let (first, end) = self.bounds(partition).await?;
            if end >= written {
                return Ok((first, end));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        self.shared.alive()?;
        let shared = Arc::clone(&self.shared);
        let Read { batch, producers_times } = blocking(move || shared.ranges.read(partition, from, to, fetch)).await?;
        if let Some(found) = producers_times {
            self.shared.check_times(partition, found).await?;
        }
        Ok(batch)
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.shared.alive()?;
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.ranges.offset_at(partition, time)).await
    }

    async fn all_offsets_at(&self, asked: &[(TopicPartition, LogTime)]) -> Result<Vec<Offset>, LogError> {
        self.shared.alive()?;
        let (shared, asked) = (Arc::clone(&self.shared), asked.to_vec());
        blocking(move || shared.ranges.all_offsets_at(&asked)).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.shared.alive()?;
        let (shared, group) = (Arc::clone(&self.shared), group.to_owned());
        let ids = self.shared.topic_ids(&[partition.topic]).await?;
        blocking(move || {
            let reader = shared.onlooker(&group)?;
            let found = positions::committed(&reader, &shared.names, &ids, &[partition]).map_err(|e| {
                log_error(&shared.names, format!("looking up the position of {group} in {partition}"), &e)
            })?;
            let found = found.into_iter().find(|(p, _)| *p == partition);
            found.map_or(Ok(None), |(place, committed)| committed.position(&group, place))
        })
        .await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic], share: Share) -> Result<Box<dyn Consumer>, LogError> {
        self.shared.alive()?;
        Ok(Box::new(member::Member::join(&self.shared, group, topics, share).await?))
    }
}
