//! A log in memory with ten minutes of traffic, of which every record is known.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use slipstream_definitions::openslo::Loaded;
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, Outgoing};
use slipstream_replay::outcome::Outcome;
use slipstream_replay::{Asked, Sources, replay};
use slipstream_role::definitions::{SLO_KIND, ensure_settings, publish_changed};
use slipstream_schemas::records::{AlertTransition, Definition, Settings};
use slipstream_schemas::{EventTime, LogTime, RequestEvent, Topic, codec};

use crate::slos::slos;

/// 2026-01-05T00:00:00Z.
pub const START: i64 = 1_767_571_200;
/// How long there is traffic, seconds.
pub const SECONDS: i64 = 600;
/// Copies are recognised for so long.
pub const WINDOW_MS: i64 = 60_000;
/// Seconds in which the service `cart` fails and everybody is slow.
pub const BAD: [std::ops::Range<i64>; 2] = [100..130, 300..420];
/// Requests in a second.
const RATE: i64 = 12;

/// A record of request-events.
#[derive(Debug, Clone)]
pub struct Sent {
    pub partition: u32,
    pub at: LogTime,
    pub what: What,
}

/// What a record is.
#[derive(Debug, Clone)]
pub enum What {
    Event(RequestEvent),
    /// The same event as an earlier record.
    Copy(RequestEvent),
    /// No event.
    Invalid,
    /// No event either, of so many bytes.
    Padding(usize),
}

/// The log, and what is in it.
pub struct World {
    pub log: Arc<MemoryLog>,
    pub sent: Vec<Sent>,
    clock: ManualClock,
    partitions: u32,
}

/// So many seconds after the beginning.
pub fn second(after: i64) -> LogTime {
    LogTime((START + after) * 1_000)
}

impl World {
    /// Settings and the usual definitions, and no traffic.
    pub async fn empty(partitions: u32) -> World {
        World::with(partitions, &slos()).await
    }

    /// Settings and these definitions, and no traffic.
    pub async fn with(partitions: u32, slos: &Loaded) -> World {
        let clock = ManualClock::at((START - 10) * 1_000);
        let partitions_of = [(Topic::RequestEvents, partitions), (Topic::SliTallies, 1), (Topic::Alerts, 1)];
        let options = MemoryOptions { clock: Clock::Manual(clock.clone()), partitions: partitions_of.into() };
        let log = MemoryLog::new(options);
        let settings = Settings { redelivery_window_ms: WINDOW_MS, cut_delay_ms: 0 };
        ensure_settings(log.as_ref(), &settings).await.unwrap();
        let world = World { log, sent: Vec::new(), clock, partitions };
        world.define(LogTime((START - 10) * 1_000), slos).await;
        world
    }

    /// Publishes definitions at a log time.
    pub async fn define(&self, at: LogTime, slos: &Loaded) {
        let documents = slos.documents.iter().map(|document| (document.name.as_str(), Some(document.text.clone())));
        self.change(at, documents.collect()).await;
    }

    /// Deletes a definition at a log time.
    pub async fn delete(&self, at: LogTime, slo: &str) {
        self.change(at, vec![(slo, None)]).await;
    }

    async fn change(&self, at: LogTime, documents: Vec<(&str, Option<String>)>) {
        self.clock.set(at.0);
        let definition = |(name, document): (&str, Option<String>)| Definition {
            kind: SLO_KIND.to_owned(),
            name: name.to_owned(),
            document,
            author: "test".to_owned(),
        };
        publish_changed(self.log.as_ref(), documents.into_iter().map(definition).collect()).await.unwrap();
    }

    /// With all its traffic: of each second some events, one that is sent again within the redelivery window and beyond a
    /// minute, and a record that is none.
    pub async fn busy(partitions: u32) -> World {
        let mut world = World::empty(partitions).await;
        world.go_on(0..SECONDS).await;
        world
    }

    /// Adds that traffic for some seconds.
    pub async fn go_on(&mut self, seconds: Range<i64>) {
        for at in seconds {
            let mut records: Vec<(i64, What)> =
                (0..RATE).map(|number| (number, What::Event(event(at, number)))).collect();
            if let Some(before) = at.checked_sub(1 + at % 20).filter(|before| *before >= 0) {
                // From the same partition, as a producer that sends again does.
                records.push((3, What::Copy(event(before, 3))));
            }
            records.push((at, What::Invalid));
            self.publish(second(at), records).await;
        }
    }

    /// Adds records at a log time, each with a number that gives its partition.
    pub async fn publish(&mut self, at: LogTime, records: Vec<(i64, What)>) {
        self.clock.set(at.0);
        let partition = |number: i64| number.rem_euclid(i64::from(self.partitions)) as u32;
        let outgoing = |(number, what): &(i64, What)| Outgoing {
            topic: Topic::RequestEvents,
            partition: Some(partition(*number)),
            key: None,
            value: Some(Bytes::from(what.bytes())),
            headers: Vec::new(),
        };
        let appended = self.log.publish(records.iter().map(outgoing).collect()).await.unwrap();
        // A definition of the same moment comes a millisecond before.
        let is_then = |log_time: LogTime| (0..=1).contains(&(log_time.0 - at.0));
        assert!(appended.iter().all(|appended| is_then(appended.log_time)), "the clock is the test's");
        let sent = |(number, what)| Sent { partition: partition(number), at, what };
        self.sent.extend(records.into_iter().map(sent));
    }

    /// Writes the alerts that there were, as the alerter does.
    pub async fn tell(&self, transitions: &[AlertTransition]) {
        let outgoing = |transition: &AlertTransition| Outgoing {
            topic: Topic::Alerts,
            partition: Some(0),
            key: None,
            value: Some(Bytes::from(codec::encode(transition))),
            headers: Vec::new(),
        };
        self.log.publish(transitions.iter().map(outgoing).collect()).await.unwrap();
    }

    /// What a replay finds.
    pub async fn replay(&self, asked: Asked) -> Outcome {
        replay(&self.shared(), &asked, &Arc::default()).await.unwrap().told.outcome().clone()
    }

    /// The log, as anybody has it.
    pub fn shared(&self) -> Sources {
        Sources::of_log(self.log.clone())
    }

    /// Events, copies and records that are none, within a range of log time.
    pub fn counted(&self, from: LogTime, to: LogTime) -> (u64, u64, u64) {
        let within = self.sent.iter().filter(|sent| (from..to).contains(&sent.at));
        within.fold((0, 0, 0), |(events, copies, invalid), sent| match sent.what {
            What::Event(_) => (events + 1, copies, invalid),
            What::Copy(_) => (events, copies + 1, invalid),
            What::Invalid | What::Padding(_) => (events, copies, invalid + 1),
        })
    }

    /// Good ones and all, by service, within a range of log time.
    pub fn by_service(&self, from: LogTime, to: LogTime) -> BTreeMap<String, (i64, i64)> {
        let mut services: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for event in self.events(from, to) {
            let (good, total) = services.entry(event.service.clone()).or_default();
            let weight = i64::from(event.weight);
            (*good, *total) = (*good + weight * i64::from(event.status_code < 500), *total + weight);
        }
        services
    }

    /// The events, without copies, within a range of log time.
    pub fn events(&self, from: LogTime, to: LogTime) -> impl Iterator<Item = &RequestEvent> {
        let within = self.sent.iter().filter(move |sent| (from..to).contains(&sent.at));
        within.filter_map(|sent| match &sent.what {
            What::Event(event) => Some(event),
            What::Copy(_) | What::Invalid | What::Padding(_) => None,
        })
    }
}

impl What {
    /// The record's value.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            What::Event(event) | What::Copy(event) => codec::encode(event),
            What::Invalid => b"no request".to_vec(),
            What::Padding(bytes) => vec![b' '; *bytes],
        }
    }
}

/// The request of a number in a second.
fn event(at: i64, number: i64) -> RequestEvent {
    let service = ["cart", "pay", "ship"][(number % 3) as usize];
    let bad = BAD.iter().any(|bad| bad.contains(&at));
    let region = (number % 2 == 0).then(|| ("region".to_owned(), "eu".to_owned()));
    RequestEvent {
        event_id: format!("{at}-{number}"),
        // Some are told late: they count where they happened.
        time: EventTime((second(at).0 - if number == 5 { 7_000 } else { 20 * number }) * 1_000),
        service: service.to_owned(),
        environment: String::new(),
        endpoint: ["/orders", "/carts/{id}"][(number / 3 % 2) as usize].to_owned(),
        method: "GET".to_owned(),
        status_code: if bad && service == "cart" { 503 } else { 200 },
        latency_ms: Some(if bad { 250.0 } else { (number * 10) as f64 }),
        weight: 1 + (number % 4) as i32,
        trace_id: None,
        user_ref: None,
        attributes: region.into_iter().collect(),
    }
}
