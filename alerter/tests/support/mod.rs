//! What the stories share: a log in memory, notifiers as tasks that can be stopped and killed, and a real HTTP receiver
//! that accepts, fails, is slow, or is gone.
#![allow(dead_code)] // Each test binary uses its part.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use slipstream_alerter::notifier::payload::{Message, Status};
use slipstream_alerter::{AlerterError, Links, ReceiverConfig, notifier};
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{
    Advance, Appended, Batch, CommitError, Consumer, Fetch, Log, LogError, Offset, Outgoing, Polled, Position, Share,
    SharedLog, Step, TopicId, TopicPartition,
};
use slipstream_runtime::Shutdown;
use slipstream_runtime::health::Health;
use slipstream_schemas::codec::{self, Wire};
use slipstream_schemas::records::{AlertTransition, GroupLabel, Notification, Outcome, TransitionKind};
use slipstream_schemas::{LogTime, Topic};
use tokio::task::JoinSet;

/// Nothing in a test takes longer.
const DEADLINE: Duration = Duration::from_secs(20);

/// When the clock of [`log`] begins.
pub const BEGIN_MS: i64 = 1_769_940_000_000;

/// Waits until `found` finds something.
pub async fn eventually<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = found().await {
            return value;
        }
        assert!(begun.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A log with two partitions of everything that is partitioned, and its clock.
pub fn log() -> (Arc<MemoryLog>, ManualClock) {
    let clock = ManualClock::at(BEGIN_MS);
    let partitions: HashMap<Topic, u32> =
        [Topic::BurnRates, Topic::Alerts, Topic::Notifications].map(|t| (t, 2)).into();
    (MemoryLog::new(MemoryOptions { clock: Clock::Manual(clock.clone()), partitions }), clock)
}

pub async fn publish<T: Wire>(log: &MemoryLog, topic: Topic, key: &str, record: &T) {
    let key = Some(bytes::Bytes::copy_from_slice(key.as_bytes()));
    let value = Some(bytes::Bytes::from(codec::encode(record)));
    log.publish(vec![Outgoing { topic, partition: None, key, value, headers: Vec::new() }]).await.unwrap();
}

/// Publishes what need not be read; returns when the log took it.
pub async fn publish_bytes(log: &MemoryLog, topic: Topic, key: &'static str, value: &'static str) -> i64 {
    let (key, value) = (Some(bytes::Bytes::from(key)), Some(bytes::Bytes::from(value)));
    let appended =
        log.publish(vec![Outgoing { topic, partition: None, key, value, headers: Vec::new() }]).await.unwrap();
    appended[0].log_time.0
}

/// A role commits that it has read all partitions of a topic to their ends, up to a log time.
pub async fn stands(log: &Arc<MemoryLog>, role: &str, topic: Topic, at: i64) {
    let mut member = log.subscribe(role, &[topic], Share::Divided).await.unwrap();
    let Polled::Assigned(gained) = member.poll(Fetch::default(), Duration::ZERO).await.unwrap() else {
        panic!("{role} is there already")
    };
    let mut positions = Vec::new();
    for (partition, from) in gained {
        let (_, offset) = log.bounds(partition).await.unwrap();
        let to = Position { offset, log_time: LogTime(at) };
        positions.push(Advance { partition, from: from.unwrap_or_default(), to });
    }
    member.commit(&Step { outputs: Vec::new(), positions }).await.unwrap();
}

/// Every record of a topic, in the order of log time.
pub async fn all<T: Wire>(log: &MemoryLog, topic: Topic) -> Vec<T> {
    let mut found: Vec<(LogTime, i64, T)> = Vec::new();
    for partition in 0..log.partitions(topic).await.unwrap() {
        let partition = TopicPartition { topic, partition };
        let (first, end) = log.bounds(partition).await.unwrap();
        let batch = log.read(partition, first, end, Fetch::default()).await.unwrap();
        found.extend(batch.iter().map(|r| (r.log_time(), r.offset(), codec::decode(r.value().unwrap()).unwrap())));
    }
    found.sort_by_key(|(time, offset, _)| (*time, *offset));
    found.into_iter().map(|(_, _, record)| record).collect()
}

/// A transition of the alert with this id; its endpoint is the id too, so that a receiver can tell alerts apart.
pub fn transition(id: &str, episode: i64, seq: i32, kind: TransitionKind) -> AlertTransition {
    let severity = match kind {
        TransitionKind::Pending => "",
        TransitionKind::Severity => "ticket",
        _ => "page",
    };
    AlertTransition {
        alert_id: id.to_owned(),
        episode,
        seq,
        slo: "checkout".to_owned(),
        service: "payments".to_owned(),
        objective: "availability".to_owned(),
        group: vec![GroupLabel { name: "endpoint".to_owned(), value: id.to_owned() }],
        rule_set: "burn".to_owned(),
        rule: "1h/5m".to_owned(),
        severity: severity.to_owned(),
        kind,
        tick: episode + i64::from(seq),
        fired_at: (kind != TransitionKind::Pending).then_some(episode),
        values: Vec::new(),
        generation: 0,
        complete: true,
        labels: Vec::new(),
        annotations: Vec::new(),
        exemplars: Vec::new(),
        rule_kind: "burnrate".to_owned(),
        withdrawn: false,
        holds_since: None,
    }
}

/// Publishes a transition as the alerter does.
pub async fn happens(log: &MemoryLog, id: &str, episode: i64, seq: i32, kind: TransitionKind) {
    publish(log, Topic::Alerts, id, &transition(id, episode, seq, kind)).await;
}

/// Outcomes of a receiver: alert, seq, outcome; by alert, in order. Attempts that failed are none: what they were about goes on.
pub async fn outcomes(log: &MemoryLog, receiver: &str) -> Vec<(String, i32, Outcome)> {
    let all: Vec<Notification> = all(log, Topic::Notifications).await;
    let mine = all.into_iter().filter(|n| n.receiver == receiver && n.outcome != Outcome::Failed);
    let mut found: Vec<(String, i32, Outcome)> = mine.map(|n| (n.alert_id, n.seq, n.outcome)).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Waits until so many outcomes of a receiver are recorded.
pub async fn recorded(log: &MemoryLog, receiver: &str, count: usize) -> Vec<(String, i32, Outcome)> {
    eventually(&format!("{count} outcomes at {receiver}"), async || {
        let found = outcomes(log, receiver).await;
        (found.len() >= count).then_some(found)
    })
    .await
}

/// How the receiver answers.
#[derive(Debug, Clone)]
pub enum Mode {
    /// With this status.
    Status(u16),
    /// With this status and Retry-After in seconds.
    RetryAfter(u16, u64),
    /// It takes the notification, and its answer comes too late.
    Slow,
}

/// A notification as it came in.
#[derive(Debug, Clone)]
pub struct Got {
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub message: Message,
    /// Whether the answer was 2xx.
    pub took: bool,
}

#[derive(Default)]
struct Desk {
    /// Answers to come; then 200.
    script: VecDeque<Mode>,
    got: Vec<Got>,
}

/// A webhook receiver on loopback.
pub struct Hook {
    desk: Arc<Mutex<Desk>>,
    server: JoinSet<()>,
    pub address: SocketAddr,
}

impl Hook {
    /// A receiver that answers by the script, then with 200.
    pub async fn open(script: impl IntoIterator<Item = Mode>) -> Hook {
        let desk = Arc::new(Mutex::new(Desk { script: script.into_iter().collect(), got: Vec::new() }));
        let mut hook = Hook { desk, server: JoinSet::new(), address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        hook.serve().await;
        hook
    }

    /// Opens the door, at the same place where it was.
    pub async fn serve(&mut self) {
        let listener = tokio::net::TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let app = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&self.desk));
        self.server.spawn(async move { axum::serve(listener, app).await.unwrap() });
    }

    /// Closes the door: connections are refused.
    pub async fn close(&mut self) {
        self.server.shutdown().await;
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?token=s3cr3t", self.address)
    }

    pub fn got(&self) -> Vec<Got> {
        self.desk.lock().unwrap().got.clone()
    }

    /// What was taken, notification by notification: endpoint, severity, status.
    pub fn took(&self) -> Vec<Vec<(String, String, Status)>> {
        let alert = |a: &slipstream_alerter::notifier::payload::Alert| {
            (a.labels["endpoint"].clone(), a.labels["severity"].clone(), a.status)
        };
        self.got().iter().filter(|g| g.took).map(|g| g.message.alerts.iter().map(alert).collect()).collect()
    }

    /// Waits until so many notifications came in.
    pub async fn received(&self, count: usize) -> Vec<Got> {
        eventually(&format!("{count} notifications"), async || Some(self.got()).filter(|g| g.len() >= count)).await
    }
}

async fn receive(State(desk): State<Arc<Mutex<Desk>>>, headers: HeaderMap, body: Bytes) -> Response {
    let mode = desk.lock().unwrap().script.pop_front().unwrap_or(Mode::Status(200));
    let took = matches!(mode, Mode::Status(200..=299));
    let message = serde_json::from_slice(&body).unwrap();
    desk.lock().unwrap().got.push(Got { at: Instant::now(), headers, body: body.to_vec(), message, took });
    match mode {
        Mode::Status(status) => (StatusCode::from_u16(status).unwrap(), "said the receiver").into_response(),
        Mode::RetryAfter(status, seconds) => {
            (StatusCode::from_u16(status).unwrap(), [("Retry-After", seconds.to_string())]).into_response()
        }
        Mode::Slow => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        }
    }
}

/// A receiver's configuration that is quick enough for a test.
pub fn config(name: &str, url: &str) -> ReceiverConfig {
    ReceiverConfig {
        group_interval: Duration::from_millis(20),
        timeout: Duration::from_millis(300),
        ..ReceiverConfig::webhook(name, url)
    }
}

/// A notifier that runs.
pub struct Running {
    tasks: JoinSet<Result<(), AlerterError>>,
    shutdown: Shutdown,
    pub health: Health,
}

impl Running {
    pub fn notifier(log: &Arc<MemoryLog>, config: ReceiverConfig) -> Running {
        Running::with_links(log, config, "http://grafana.test")
    }

    /// A notifier whose messages lead to `external`.
    pub fn with_links(log: &Arc<MemoryLog>, config: ReceiverConfig, external: &str) -> Running {
        Running::on(Arc::clone(log) as _, config, external, Shutdown::new())
    }

    /// A notifier whose log commits steps, but answers what is published only by a failure, when the notifier is to stop.
    pub fn with_deaf_log(log: &Arc<MemoryLog>, config: ReceiverConfig) -> Running {
        let shutdown = Shutdown::new();
        let deaf = DeafLog { log: Arc::clone(log), until: shutdown.clone() };
        Running::on(Arc::new(deaf), config, "", shutdown)
    }

    fn on(log: SharedLog, config: ReceiverConfig, external: &str, shutdown: Shutdown) -> Running {
        // The first of the tests in this process installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let health = Health::default();
        let mut tasks = JoinSet::new();
        let links = Links { external: external.to_owned(), alert: String::new() };
        tasks.spawn(notifier::run(log, config, links, health.clone(), shutdown.clone()));
        Running { tasks, shutdown, health }
    }

    pub fn alerter(log: &Arc<MemoryLog>) -> Running {
        let (shutdown, health) = (Shutdown::new(), Health::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(slipstream_alerter::run(Arc::clone(log) as _, health.clone(), shutdown.clone()));
        Running { tasks, shutdown, health }
    }

    /// Stops it in order.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        self.ended().await.unwrap();
    }

    /// Fails the test with its error if it has ended.
    pub fn runs(&mut self) {
        if let Some(ended) = self.tasks.try_join_next() {
            panic!("it ended: {:?}", ended.unwrap());
        }
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Result<(), AlerterError> {
        let ended = tokio::time::timeout(DEADLINE, self.tasks.join_next()).await.expect("it does not end");
        ended.unwrap().unwrap()
    }

    /// Kills it where it stands.
    pub async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

/// A log that takes steps, and answers what is published only by a failure, when `until` is cancelled.
struct DeafLog {
    log: Arc<MemoryLog>,
    until: Shutdown,
}

#[async_trait]
impl Log for DeafLog {
    fn describe(&self) -> String {
        self.log.describe()
    }

    fn total_order(&self) -> bool {
        self.log.total_order()
    }

    async fn topic_id(&self, topic: Topic) -> Result<Option<TopicId>, LogError> {
        self.log.topic_id(topic).await
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.log.partitions(topic).await
    }

    async fn publish(&self, _: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        self.until.cancelled().await;
        Err(LogError::Fatal { doing: "publishing".to_owned(), cause: "it is deaf".into() })
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        self.log.publish_atomically(writer, records).await
    }

    async fn take_writer(&self, writer: &str) -> Result<(), CommitError> {
        self.log.take_writer(writer).await
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.log.bounds(partition).await
    }

    async fn settled_bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.log.settled_bounds(partition).await
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        self.log.read(partition, from, to, fetch).await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.log.offset_at(partition, time).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.log.committed(group, partition).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic], share: Share) -> Result<Box<dyn Consumer>, LogError> {
        self.log.subscribe(group, topics, share).await
    }
}
