//! A client that reads ranges of many partitions, each from its own queue: what one fetch brings is for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use slipstream_schemas::{Cause, Topic};

use super::breaks;
use crate::kafka::client::{ClientLog, Reader, look_again};
use crate::kafka::errors::log_error;
use crate::kafka::names::Names;
use crate::kafka::native::{Event, Events};
use crate::kafka::settings::{self, KafkaOptions};
use crate::port::{LogError, TopicPartition};

/// What ended a reading.
pub(super) type Failure = (RDKafkaErrorCode, String);

/// A client of its readers.
pub(super) struct RangeClient {
    pub consumer: Arc<Reader>,
    /// Topics whose brokers it knows.
    topics: Mutex<BTreeSet<Topic>>,
    state: Mutex<State>,
}

struct State {
    events: Events,
    /// Partitions that have a reader: the client can be at one place of each.
    taken: BTreeSet<TopicPartition>,
    /// What ends the reading of all partitions,
    broken: Option<Failure>,
    /// and of single ones, until their readers ask.
    failed: BTreeMap<TopicPartition, Failure>,
}

impl RangeClient {
    /// A client without readers.
    pub fn open(options: &KafkaOptions, names: &Names) -> Result<RangeClient, LogError> {
        let made = settings::ranges(options).create_with_context(ClientLog);
        let consumer: Reader = made.map_err(|e| log_error(names, "creating a Kafka client", &e))?;
        let consumer = Arc::new(consumer);
        let events = Events::of(&consumer).ok_or_else(|| LogError::Fatal {
            doing: "creating a Kafka client".to_owned(),
            cause: Cause::from("it has no queue"),
        })?;
        let (taken, failed) = (BTreeSet::new(), BTreeMap::new());
        Ok(RangeClient {
            consumer,
            topics: Mutex::default(),
            state: Mutex::new(State { events, taken, broken: None, failed }),
        })
    }

    /// Looks up the brokers of a topic, once. A client that is told to read what it does not know yet looks it up, too, but when
    /// its connection is not up in that moment, only with its next round a second later.
    pub fn know(&self, names: &Names, topic: Topic) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if !topics.contains(&topic) && look_again(self.consumer.client(), names.of(topic)) {
            topics.insert(topic);
        }
    }

    /// Takes a partition for a reader; false if it has one.
    pub fn take(&self, partition: TopicPartition) -> bool {
        let mut state = self.state();
        state.failed.remove(&partition);
        state.taken.insert(partition)
    }

    /// Its reader is gone.
    pub fn give_back(&self, partition: TopicPartition) {
        self.state().taken.remove(&partition);
    }

    /// Whether it has no reader.
    pub fn is_free(&self) -> bool {
        self.state().taken.is_empty()
    }

    /// An error that ends the reading of a partition.
    pub fn failure(&self, names: &Names, partition: TopicPartition) -> Option<Failure> {
        let mut state = self.state();
        let State { events, broken, failed, .. } = &mut *state;
        while events.next(0, &mut |event| {
            let Event::Error { code, text, fatal, place } = event else { return };
            match place.and_then(|(topic, partition)| names.place(&topic, partition)) {
                _ if !fatal && !breaks(code) => {}
                Some(place) if !fatal => drop(failed.insert(place, (code, text))),
                _ => *broken = Some((code, text)),
            }
        }) {}
        state.failed.remove(&partition).or_else(|| state.broken.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
