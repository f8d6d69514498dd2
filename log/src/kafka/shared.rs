//! What all handles of one log on Kafka share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::Consumer as _;
use slipstream_schemas::{Cause, LogTime, Topic};

use super::blocking::blocking;
use super::buffer::ProducersTimes;
use super::client::{ClientLog, Reader};
use super::clock::BrokerClock;
use super::errors::log_error;
use super::names::Names;
use super::native;
use super::positions::Ids;
use super::publisher::Publisher;
use super::ranges::Ranges;
use super::settings::{self, KafkaOptions};
use super::times::Times;
use crate::partitioner::partition_of;
use crate::port::{LogError, Outgoing, TopicPartition};

/// How long a request to the brokers may take.
const CALL: Duration = Duration::from_secs(10);
/// Maximum age of the known number of a topic's partitions.
const PARTITIONS_AGE: Duration = Duration::from_secs(5);
/// Maximum age of the known broker's clock, before a record is written to read it again.
const CLOCK_AGE: Duration = Duration::from_millis(200);
/// Key of the record that asks for the broker's clock: a tombstone in a compacted topic, which leaves nothing behind.
const CLOCK_KEY: &[u8] = b"clock";

pub(super) struct Shared {
    pub options: KafkaOptions,
    pub names: Names,
    /// Name of this process in transactions.
    pub identity: String,
    pub clock: Arc<BrokerClock>,
    pub publisher: Publisher,
    pub ranges: Ranges,
    /// Topics whose records may have their producers' timestamps.
    pub times: Times,
    members: Mutex<HashMap<String, u64>>,
    partitions: Mutex<HashMap<Topic, (u32, Instant)>>,
    onlookers: Mutex<HashMap<String, Arc<Reader>>>,
    turn: AtomicU64,
    dead: AtomicBool,
}

impl Shared {
    pub(super) fn new(options: KafkaOptions) -> Self {
        let names = Names::new(&options.prefix);
        let clock = Arc::new(BrokerClock::default());
        let identity = options.instance.clone().unwrap_or_else(|| format!("{:016x}", rand::random::<u64>()));
        Shared {
            publisher: Publisher::new(settings::publisher(&options), names.clone(), Arc::clone(&clock)),
            ranges: Ranges::new(&options, names.clone()),
            times: Times::new(options.clone()),
            names,
            identity,
            clock,
            members: Mutex::default(),
            partitions: Mutex::default(),
            onlookers: Mutex::default(),
            turn: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            options,
        }
    }

    /// Number of the next member of a group in this process, from 0.
    pub(super) fn next_member(&self, group: &str) -> u64 {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let n = members.entry(group.to_owned()).or_default();
        *n += 1;
        *n - 1
    }

    /// For tests: this process is dead.
    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    pub(super) fn alive(&self) -> Result<(), LogError> {
        match self.dead.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(LogError::Fatal { doing: "using the log".to_owned(), cause: "it was closed".into() }),
        }
    }

    /// How many partitions a topic has.
    pub(super) async fn partitions(self: &Arc<Self>, topic: Topic) -> Result<u32, LogError> {
        let known = self.partitions.lock().unwrap_or_else(PoisonError::into_inner).get(&topic).copied();
        if let Some((n, at)) = known
            && at.elapsed() < PARTITIONS_AGE
        {
            return Ok(n);
        }
        let shared = Arc::clone(self);
        let asked = blocking(move || shared.ask_partitions(topic)).await;
        let n = match (asked, known) {
            (Ok(n), _) => n,
            // The number only grows: the known partitions still exist.
            (Err(LogError::Transient { .. }), Some((n, _))) => n,
            (Err(error), _) => return Err(error),
        };
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).insert(topic, (n, Instant::now()));
        Ok(n)
    }

    fn ask_partitions(&self, topic: Topic) -> Result<u32, LogError> {
        let name = self.names.of(topic);
        let doing = || format!("looking up the partitions of {name}");
        let asked = self.ranges.asker()?.fetch_metadata(Some(name), Duration::from_secs(10));
        let metadata = asked.map_err(|e| log_error(&self.names, doing(), &e))?;
        let found = metadata.topics().iter().find(|t| t.name() == name);
        match found.map(|t| (t.error(), t.partitions().len())) {
            Some((None, n)) if n > 0 => Ok(n as u32),
            Some((Some(error), _)) => {
                let code = rdkafka::error::RDKafkaErrorCode::from(error);
                Err(super::errors::of_code(&self.names, doing(), Some(code), Cause::of(code)))
            }
            _ => Err(LogError::Transient { doing: doing(), cause: "the brokers do not know it yet".into() }),
        }
    }

    /// Whether records may be taken that carry their producers' times.
    ///
    /// # Errors
    /// `Fatal`, with what to do, if not; or when nobody answers.
    pub(super) async fn check_times(
        self: &Arc<Self>,
        partition: TopicPartition,
        found: ProducersTimes,
    ) -> Result<(), LogError> {
        if self.times.knows(partition, found)? {
            return Ok(());
        }
        let shared = Arc::clone(self);
        // Before the topic is looked at: what comes after the look may carry anything.
        let end = blocking(move || shared.ranges.written(partition)).await?;
        self.times.check(partition, found, end).await
    }

    /// Ids of topics; those that a cluster gives no ids are left out.
    ///
    /// # Errors
    /// When there is no response, or one of the topics is missing or hidden.
    pub(super) async fn topic_ids(self: &Arc<Self>, topics: &[Topic]) -> Result<Ids, LogError> {
        let (shared, topics) = (Arc::clone(self), topics.to_vec());
        blocking(move || {
            let names: Vec<&str> = topics.iter().map(|topic| shared.names.of(*topic)).collect();
            let failed = |code| {
                let doing = format!("looking up the ids of {}", names.join(", "));
                super::errors::of_code(&shared.names, doing, Some(code), Cause::of(code))
            };
            let found = native::topic_ids(shared.ranges.asker()?.as_ref(), &names, CALL).map_err(failed)?;
            let mut ids = Ids::new();
            for (name, id) in found {
                let place = shared.names.place(&name, 0);
                if let (Some(place), Some(id)) = (place, id.map_err(failed)?) {
                    ids.insert(place.topic, id);
                }
            }
            Ok(ids)
        })
        .await
    }

    /// Chooses the partition of each record and refuses records that can never be written. Records of one call without
    /// key and partition go to the next partition in turn, so that they share its batches.
    pub(super) async fn place(self: &Arc<Self>, records: &[Outgoing], turn: u32) -> Result<Vec<Outgoing>, LogError> {
        let mut placed = Vec::with_capacity(records.len());
        let mut counts: HashMap<Topic, u32> = HashMap::new();
        for record in records {
            record.check()?;
            let partition = match (record.partition, &record.key) {
                (Some(chosen), _) => chosen,
                (None, key) => {
                    let n = match counts.get(&record.topic) {
                        Some(n) => *n,
                        None => *counts.entry(record.topic).or_insert(self.partitions(record.topic).await?),
                    };
                    key.as_ref().map_or(turn % n.max(1), |key| partition_of(key, n))
                }
            };
            placed.push(Outgoing { partition: Some(partition), ..record.clone() });
        }
        Ok(placed)
    }

    pub(super) fn next_turn(&self) -> u32 {
        self.turn.fetch_add(1, Ordering::Relaxed) as u32
    }

    /// A client for lookups in a group.
    pub(super) fn onlooker(&self, group: &str) -> Result<Arc<Reader>, LogError> {
        let mut onlookers = self.onlookers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = onlookers.get(group) {
            return Ok(Arc::clone(reader));
        }
        let made = settings::onlooker(&self.options, group).create_with_context(ClientLog);
        let reader: Reader = made.map_err(|e| log_error(&self.names, "creating a Kafka client", &e))?;
        let reader = Arc::new(reader);
        onlookers.insert(group.to_owned(), Arc::clone(&reader));
        Ok(reader)
    }

    /// A lower bound of the broker's clock: every record that is written returns one. If nothing
    /// was written lately, a tombstone is.
    pub(super) async fn broker_clock(self: &Arc<Self>) -> Result<LogTime, LogError> {
        if let Some(time) = self.clock.within(CLOCK_AGE) {
            return Ok(time);
        }
        let question = Outgoing {
            topic: Topic::ImportPositions,
            partition: Some(0),
            key: Some(Bytes::from_static(CLOCK_KEY)),
            value: None,
            headers: Vec::new(),
        };
        self.publisher.publish(&[question]).await?;
        self.clock.within(Duration::MAX).ok_or_else(|| LogError::Fatal {
            doing: "reading the broker's clock".to_owned(),
            cause: format!(
                "{} keeps producers' timestamps: message.timestamp.type must be LogAppendTime (`slipstream doctor`)",
                self.names.of(Topic::ImportPositions)
            )
            .into(),
        })
    }
}
