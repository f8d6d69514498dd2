//! A gateway on a loopback socket over a log in memory, and what tests ask of both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{
    Appended, Batch, CommitError, Consumer, Fetch, Log, LogError, Offset, Outgoing, Position, SharedLog, TopicPartition,
};
use slipstream_producer::answer::Answer;
use slipstream_producer::gateway::{self, GatewayError, Limits};
use slipstream_runtime::{Health, Shutdown};
use slipstream_schemas::{LogTime, RequestEvent, Topic, codec};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// No test waits longer for what must come.
pub const SOON: Duration = Duration::from_secs(20);

pub struct House {
    pub address: SocketAddr,
    pub log: Arc<MemoryLog>,
    pub health: Health,
    pub http: reqwest::Client,
    pub shutdown: Shutdown,
    server: JoinSet<Result<(), GatewayError>>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub answer: Answer,
    pub headers: reqwest::header::HeaderMap,
}

pub async fn house(limits: Limits) -> House {
    let log = MemoryLog::new(MemoryOptions::default());
    house_on(log.clone(), log, limits).await
}

/// A house whose gateway writes to `seen`, which leads to `log`.
pub async fn house_on(seen: SharedLog, log: Arc<MemoryLog>, limits: Limits) -> House {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (health, shutdown) = (Health::default(), Shutdown::new());
    let mut server = JoinSet::new();
    server.spawn(gateway::serve(listener, seen, limits, health.clone(), shutdown.clone()));
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    House { address, log, health, http: reqwest::Client::new(), shutdown, server }
}

impl House {
    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("http://{}{path}", self.address))
    }

    /// Posts a body without a content type.
    pub async fn send(&self, query: &str, body: impl Into<reqwest::Body>) -> Reply {
        reply(self.post(&format!("/v1/events{query}")).body(body)).await
    }

    /// Everything in the log: keys and events.
    pub async fn stored(&self) -> Vec<RequestEvent> {
        let mut events = Vec::new();
        for partition in 0..self.log.partitions(Topic::RequestEvents).await.unwrap() {
            let partition = TopicPartition { topic: Topic::RequestEvents, partition };
            let (first, end) = self.log.bounds(partition).await.unwrap();
            let batch = self.log.read(partition, first, end, Fetch::default()).await.unwrap();
            for record in batch.iter() {
                let event: RequestEvent = codec::decode(record.value().unwrap()).unwrap();
                assert_eq!(record.key(), Some(event.event_id.as_bytes()), "keyed by event_id");
                events.push(event);
            }
        }
        events
    }

    pub async fn stored_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.stored().await.into_iter().map(|e| e.event_id).collect();
        ids.sort();
        ids
    }

    /// How the gateway ended.
    pub async fn ended(&mut self) -> Result<(), GatewayError> {
        timeout(SOON, self.server.join_next()).await.expect("the gateway ends").unwrap().unwrap()
    }
}

pub async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = timeout(SOON, request.send()).await.expect("answered in time").unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let answer = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{status} {text:?}: {e}"));
    Reply { status, answer, headers }
}

impl Reply {
    pub fn counts(&self) -> (u16, u64, u64) {
        (self.status, self.answer.inserted, self.answer.rejected)
    }

    pub fn code(&self) -> &str {
        self.answer.error.as_deref().unwrap_or_default()
    }
}

/// A good event.
pub fn event(id: &str) -> String {
    format!(
        r#"{{"event_id":"{id}","time":"2026-03-01T10:00:00.25Z","service":"pay","endpoint":"/pay","method":"POST","status_code":200}}"#
    )
}

/// An event whose status is none.
pub fn bad(id: &str) -> String {
    event(id).replace("200}", "42}")
}

pub fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// A log that publishes only what it is let to: each permit of `gate` is one publish.
pub struct Gated {
    pub inner: Arc<MemoryLog>,
    pub gate: Semaphore,
    pub arrived: Semaphore,
}

impl Gated {
    pub fn new() -> Arc<Self> {
        let inner = MemoryLog::new(MemoryOptions::default());
        Arc::new(Gated { inner, gate: Semaphore::new(0), arrived: Semaphore::new(0) })
    }

    /// Waits until a request has come this far.
    pub async fn one_waits(&self) {
        timeout(SOON, self.arrived.acquire()).await.expect("a publish begins").unwrap().forget();
    }
}

#[async_trait]
impl Log for Gated {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn total_order(&self) -> bool {
        self.inner.total_order()
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.inner.partitions(topic).await
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        self.arrived.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.inner.publish(records).await
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        self.inner.publish_atomically(writer, records).await
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.inner.bounds(partition).await
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        self.inner.read(partition, from, to, fetch).await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.inner.offset_at(partition, time).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.inner.committed(group, partition).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        self.inner.subscribe(group, topics).await
    }
}
