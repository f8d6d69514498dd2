//! The embedded log with what is in another one: each record in the same partition, at the same offset, under the same
//! log time.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::sqlite::{SqliteLog, SqliteOptions};
use slipstream_log::{Fetch, Log, Offset, Outgoing, RecordRef, TopicPartition};
use slipstream_schemas::topics::TOPICS;
use slipstream_schemas::{LogTime, Topic};
use slipstream_slo::tally::IDLE_STEP_MS;
use tempfile::TempDir;

use crate::crew::{Crew, Role};
use crate::partitions;
use crate::story::Story;

pub struct Replay {
    log: Arc<SqliteLog>,
    clock: ManualClock,
    _folder: TempDir,
}

/// What a log took at one log time.
type Moment = Vec<(TopicPartition, Offset, Outgoing)>;

impl Replay {
    /// Copies the input: request-events and slo-definitions.
    pub async fn of(other: &dyn Log) -> Replay {
        let moments = moments(other).await;
        let first = moments.first_key_value().map_or(0, |(time, _)| time.0);
        let (clock, folder) = (ManualClock::at(first), tempfile::tempdir().unwrap());
        let partitions = TOPICS.iter().map(|spec| (spec.topic, partitions(spec.topic))).collect();
        let options = SqliteOptions { clock: Clock::Manual(clock.clone()), partitions, ..SqliteOptions::default() };
        let log = SqliteLog::open(folder.path(), options).unwrap();
        for (time, records) in moments {
            clock.set(time.0);
            let wanted: Vec<_> = records.iter().map(|(place, offset, _)| (place.partition, *offset, time)).collect();
            let appended = log.publish(records.into_iter().map(|(_, _, record)| record).collect()).await.unwrap();
            let given: Vec<_> = appended.iter().map(|a| (a.partition, a.offset, a.log_time)).collect();
            assert_eq!(given, wanted, "not the same input");
        }
        Replay { log, clock, _folder: folder }
    }

    /// One member of each role works it off, up to a tick. Where the input ends time goes on, a second after the other.
    pub async fn story(&self, until: i64) -> Story {
        let mut crew = Crew::default();
        for role in [Role::Tally, Role::Burn, Role::Alerter] {
            crew.start(role, self.log.clone());
        }
        let evaluated = (until + 2) * 1_000;
        while self.clock.now() < evaluated {
            crew.known_up_to(self.log.as_ref(), self.clock.now() - IDLE_STEP_MS).await;
            self.clock.advance(1_000);
        }
        crew.worked_off(self.log.as_ref(), until).await;
        crew.stop().await;
        Story::told(self.log.as_ref(), until).await
    }
}

async fn moments(log: &dyn Log) -> BTreeMap<LogTime, Moment> {
    let mut moments: BTreeMap<LogTime, Moment> = BTreeMap::new();
    for topic in [Topic::SloDefinitions, Topic::RequestEvents] {
        for partition in 0..partitions(topic) {
            let place = TopicPartition { topic, partition };
            let (mut next, end) = log.bounds(place).await.unwrap();
            while next < end {
                let batch = log.read(place, next, end, Fetch::default()).await.unwrap();
                for record in batch.iter() {
                    let moment = moments.entry(record.log_time()).or_default();
                    moment.push((place, record.offset(), again(place, &record)));
                }
                next = batch.next;
            }
        }
    }
    moments
}

fn again(place: TopicPartition, record: &RecordRef<'_>) -> Outgoing {
    Outgoing {
        topic: place.topic,
        partition: Some(place.partition),
        key: record.key().map(Bytes::copy_from_slice),
        value: record.value().map(Bytes::copy_from_slice),
        headers: record.headers().map(|(name, value)| (name.to_owned(), value.map(Bytes::copy_from_slice))).collect(),
    }
}
