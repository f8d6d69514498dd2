//! What the sink's tests share: a memory log with a clock, a store that can fail, a sink that can be killed.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

pub mod watched;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Fetch, Log, Outgoing, SharedLog, TopicPartition};
use slipstream_runtime::{Health, Shutdown};
use slipstream_schemas::codec::{self, Wire};
use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_schemas::{EventTime, LogTime, RequestEvent, Topic};
use slipstream_sink::SinkError;
use slipstream_store::aggregates::{AggregateState, Refreshed};
use slipstream_store::alerts::{AlertEpisode, AlertFilter};
use slipstream_store::kpis::{KpiAnswer, KpiQuestion};
use slipstream_store::notifications::{NotificationPage, NotificationQuestion};
use slipstream_store::{
    BurnQuestion, Claim, Claimed, Counts, EventFilter, EventPage, EventQuestion, EventRef, RawBounds, RawCursor,
    RawPage, RawWindow, Refusal, SharedStore, SqliteStore, Store, StoreError, StorePosition, StoredEvent, WholeFrom,
    WriteBatch,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Redelivery window in these tests.
pub const WINDOW_MS: i64 = 1_000;

/// A log, a store directory, and time in the test's hands.
pub struct Rig {
    pub log: Arc<MemoryLog>,
    pub clock: ManualClock,
    pub dir: TempDir,
}

impl Rig {
    /// request-events with so many partitions.
    pub fn new(partitions: u32) -> Self {
        let clock = ManualClock::at(1_700_000_000_000);
        let options = MemoryOptions {
            clock: Clock::Manual(clock.clone()),
            partitions: [(Topic::RequestEvents, partitions)].into(),
        };
        Rig { log: MemoryLog::new(options), clock, dir: TempDir::new().unwrap() }
    }

    /// The store, as a process that starts finds it.
    pub fn store(&self) -> SharedStore {
        SqliteStore::open(self.dir.path(), Default::default()).unwrap()
    }

    /// Publishes values to a partition in one transaction.
    pub async fn publish(&self, topic: Topic, partition: u32, values: Vec<Option<Vec<u8>>>) {
        let outgoing = |(i, value): (usize, Option<Vec<u8>>)| Outgoing {
            topic,
            partition: Some(partition),
            key: Some(Bytes::from(format!("key-{i}"))),
            value: value.map(Bytes::from),
            headers: Vec::new(),
        };
        self.log.publish(values.into_iter().enumerate().map(outgoing).collect()).await.unwrap();
    }

    /// Publishes events.
    pub async fn events(&self, partition: u32, events: &[RequestEvent]) {
        self.publish(Topic::RequestEvents, partition, encoded(events)).await;
    }

    /// Publishes records of an internal topic.
    pub async fn records<T: Wire>(&self, topic: Topic, records: &[T]) {
        self.publish(topic, 0, encoded(records)).await;
    }

    /// Runs a sink on the log.
    pub fn sink(&self, store: SharedStore) -> Running {
        Running::start(self.log.clone(), store)
    }
}

pub fn encoded<T: Wire>(records: &[T]) -> Vec<Option<Vec<u8>>> {
    records.iter().map(|record| Some(codec::encode(record))).collect()
}

/// Event number `i`: id and content follow from it.
pub fn event(i: usize) -> RequestEvent {
    RequestEvent {
        event_id: format!("event-{i}"),
        time: EventTime(1_690_000_000_000_000 + (i as i64 * 7_919_000) % 600_000_000),
        service: format!("service-{}", i % 3),
        environment: String::new(),
        endpoint: format!("/endpoint/{}", i % 5),
        method: "GET".to_owned(),
        status_code: if i.is_multiple_of(10) { 503 } else { 200 },
        latency_ms: (!i.is_multiple_of(7)).then_some(i as f64 / 8.0),
        weight: 1 + (i % 2) as i32,
        trace_id: Some(format!("{i:032x}")),
        user_ref: None,
        attributes: BTreeMap::from([("region".to_owned(), format!("r{}", i % 2))]),
    }
}

pub fn events(range: std::ops::Range<usize>) -> Vec<RequestEvent> {
    range.map(event).collect()
}

/// Everything the store holds, by event_id.
pub async fn stored(store: &SharedStore) -> BTreeMap<String, Vec<RequestEvent>> {
    let mut all: BTreeMap<String, Vec<RequestEvent>> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = store.events(&EventQuestion::oldest(EventFilter::default(), 10_000, after)).await.unwrap();
        for StoredEvent { event, .. } in page.events {
            all.entry(event.event_id.clone()).or_default().push(event);
        }
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// What is in dead-letters: the event_id, and the header of a name.
pub async fn letters(log: &MemoryLog, header: &str) -> Vec<(String, String)> {
    let mut letters = Vec::new();
    for partition in 0..log.partitions(Topic::DeadLetters).await.unwrap() {
        let partition = TopicPartition { topic: Topic::DeadLetters, partition };
        let (first, end) = log.bounds(partition).await.unwrap();
        if first == end {
            continue;
        }
        for record in log.read(partition, first, end, Fetch::default()).await.unwrap().iter() {
            let event: RequestEvent = codec::decode(record.value().unwrap()).unwrap();
            let value = record.header(header).unwrap();
            letters.push((event.event_id, String::from_utf8(value.to_vec()).unwrap()));
        }
    }
    letters.sort();
    letters
}

/// The store holds exactly these events, each once, and its rollups say the same.
pub async fn assert_stored_once(store: &SharedStore, expected: &[RequestEvent]) {
    let found = stored(store).await;
    assert_eq!(found.len(), expected.len(), "distinct events");
    for event in expected {
        assert_eq!(found.get(&event.event_id), Some(&vec![event.clone()]), "{}", event.event_id);
    }
    assert_eq!(store.counts().await.unwrap().events, expected.len() as u64);
    let KpiAnswer::Total(kpis) = store.kpis(&KpiQuestion::default()).await.unwrap() else {
        panic!("no rows asked for")
    };
    let errors = expected.iter().filter(|e| e.status_code >= 500);
    assert_eq!(kpis.source, "rollup");
    assert_eq!(kpis.hits, expected.iter().map(|e| e.weight as u64).sum::<u64>());
    assert_eq!(kpis.errors, errors.map(|e| e.weight as u64).sum::<u64>());
}

/// Waits until the store is at these offsets of request-events.
pub async fn reached(store: &SharedStore, topic: Topic, offsets: &[i64]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let positions = store.positions().await.unwrap_or_default();
        let at = |p: u32| positions.iter().find(|s| s.topic == topic && s.partition == p).map_or(0, |s| s.offset);
        let now: Vec<i64> = (0..offsets.len() as u32).map(at).collect();
        if now == offsets {
            return;
        }
        assert!(Instant::now() < deadline, "the store is at {now:?}, not at {offsets:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A sink at work.
pub struct Running {
    pub health: Health,
    shutdown: Shutdown,
    task: JoinSet<Result<(), SinkError>>,
}

impl Running {
    pub fn start(log: SharedLog, store: SharedStore) -> Self {
        let (health, shutdown) = (Health::default(), Shutdown::new());
        let mut task = JoinSet::new();
        task.spawn(slipstream_sink::run(log, store, WINDOW_MS, health.clone(), shutdown.clone()));
        Running { health, shutdown, task }
    }

    /// Ends it in order.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        self.ended().await.unwrap();
    }

    /// It dies where it is.
    pub async fn kill(mut self) {
        self.task.shutdown().await;
    }

    /// How it ended by itself.
    pub async fn ended(&mut self) -> Result<(), SinkError> {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task.join_next());
        ended.await.expect("the sink ends").expect("it ran").expect("it did not panic")
    }
}

/// How a write goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Nothing is written.
    Before,
    /// It is written, but the answer is lost.
    After,
}

/// A store whose writes fail as planned; then it works, but for events that it cannot hold.
pub struct Faulty {
    inner: SharedStore,
    /// What it says beforehand that it cannot hold.
    declared: Refusal,
    /// What it cannot hold, said or not.
    refused: fn(EventRef<'_>) -> bool,
    pub plan: Mutex<VecDeque<Fault>>,
    pub attempts: AtomicUsize,
}

impl Faulty {
    pub fn new(inner: SharedStore, plan: impl IntoIterator<Item = Fault>) -> Arc<Self> {
        let faulty = Faulty::picky(inner, |_| None, |_| false);
        faulty.plan.lock().unwrap().extend(plan);
        faulty
    }

    pub fn picky(inner: SharedStore, declared: Refusal, refused: fn(EventRef<'_>) -> bool) -> Arc<Self> {
        let (plan, attempts) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Faulty { inner, declared, refused, plan, attempts })
    }
}

#[async_trait]
impl Store for Faulty {
    fn describe(&self) -> String {
        "faulty".to_owned()
    }

    fn refusal(&self) -> Refusal {
        self.declared
    }

    async fn write(&self, batch: Arc<WriteBatch>) -> Result<(), StoreError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if batch.events.iter().any(self.refused) {
            return Err(StoreError::Refused("invalid byte sequence".to_owned()));
        }
        let fault = self.plan.lock().unwrap().pop_front();
        let failed = StoreError::Unavailable { doing: "writing".to_owned(), cause: "planned".into() };
        match fault {
            None => self.inner.write(batch).await,
            Some(Fault::Before) => Err(failed),
            Some(Fault::After) => {
                self.inner.write(batch).await?;
                Err(failed)
            }
        }
    }

    async fn claim_topic(&self, topic: Topic, id: &str) -> Result<Claim, StoreError> {
        self.inner.claim_topic(topic, id).await
    }

    async fn claimed_topics(&self) -> Result<Vec<Claimed>, StoreError> {
        self.inner.claimed_topics().await
    }

    async fn positions(&self) -> Result<Vec<StorePosition>, StoreError> {
        self.inner.positions().await
    }

    async fn trim(&self, now: LogTime) -> Result<u64, StoreError> {
        self.inner.trim(now).await
    }

    async fn kpis(&self, question: &KpiQuestion) -> Result<KpiAnswer, StoreError> {
        self.inner.kpis(question).await
    }

    async fn refresh(&self, now: LogTime) -> Result<Refreshed, StoreError> {
        self.inner.refresh(now).await
    }

    async fn aggregates(&self) -> Result<AggregateState, StoreError> {
        self.inner.aggregates().await
    }

    async fn erase_user(&self, user_ref: &str) -> Result<u64, StoreError> {
        self.inner.erase_user(user_ref).await
    }

    async fn events(&self, question: &EventQuestion) -> Result<EventPage, StoreError> {
        self.inner.events(question).await
    }

    async fn event(&self, id: &str, time: Option<EventTime>) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.event(id, time).await
    }

    async fn notifications(&self, question: &NotificationQuestion) -> Result<NotificationPage, StoreError> {
        self.inner.notifications(question).await
    }

    async fn raw_bounds(&self) -> Result<Vec<RawBounds>, StoreError> {
        self.inner.raw_bounds().await
    }

    async fn raw_events(&self, w: &RawWindow, limit: usize, after: Option<RawCursor>) -> Result<RawPage, StoreError> {
        self.inner.raw_events(w, limit, after).await
    }

    async fn slo_states(&self, until: Option<i64>) -> Result<Vec<BurnRates>, StoreError> {
        self.inner.slo_states(until).await
    }

    async fn whole_from(&self) -> Result<WholeFrom, StoreError> {
        self.inner.whole_from().await
    }

    async fn burn_history(&self, question: &BurnQuestion) -> Result<Vec<BurnRates>, StoreError> {
        self.inner.burn_history(question).await
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertEpisode>, StoreError> {
        self.inner.alerts(filter).await
    }

    async fn transitions(&self, alert_id: &str) -> Result<Vec<AlertTransition>, StoreError> {
        self.inner.transitions(alert_id).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.inner.counts().await
    }
}
