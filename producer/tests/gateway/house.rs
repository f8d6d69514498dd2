//! A gateway on a loopback socket over a log in memory, and what tests ask of both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Fetch, Log, SharedLog, TopicPartition};
use slipstream_producer::answer::Answer;
use slipstream_producer::gateway::{self, GatewayError, Limits};
use slipstream_runtime::access::Access;
use slipstream_runtime::config::RateLimits;
use slipstream_runtime::http::{Listening, Tls};
use slipstream_runtime::{Health, Shutdown};
use slipstream_schemas::{RequestEvent, Topic, codec};
use slipstream_testkit::hooked::{Hooked, Hooks};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// No test waits longer for what must come.
pub const SOON: Duration = Duration::from_secs(20);

pub struct House {
    pub address: SocketAddr,
    pub log: Arc<MemoryLog>,
    pub access: Access,
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
    house_behind(None, seen, log, limits).await
}

/// The same, with a certificate.
pub async fn house_behind(tls: Option<Tls>, seen: SharedLog, log: Arc<MemoryLog>, limits: Limits) -> House {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (health, shutdown, access) = (Health::default(), Shutdown::new(), Access::new(RateLimits::default()));
    let (mut server, listening) = (JoinSet::new(), Listening::with(listener, tls));
    server.spawn(gateway::serve(listening, seen, access.clone(), limits, health.clone(), shutdown.clone()));
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    House { address, log, access, health, http: reqwest::Client::new(), shutdown, server }
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

/// A log that publishes only what it is let to.
pub struct Gated {
    pub log: Arc<MemoryLog>,
    /// What the gateway writes to.
    pub seen: SharedLog,
    pub gate: Arc<Gate>,
}

/// Each permit is one publish.
pub struct Gate {
    permits: Semaphore,
    arrived: Semaphore,
}

impl Gated {
    pub fn new() -> Self {
        let log = MemoryLog::new(MemoryOptions::default());
        let gate = Arc::new(Gate { permits: Semaphore::new(0), arrived: Semaphore::new(0) });
        Gated { seen: Hooked::over(log.clone(), &gate), log, gate }
    }
}

impl Gate {
    /// Lets so many publishes pass.
    pub fn open(&self, publishes: usize) {
        self.permits.add_permits(publishes);
    }

    /// Waits until a request has come this far.
    pub async fn one_waits(&self) {
        timeout(SOON, self.arrived.acquire()).await.expect("a publish begins").unwrap().forget();
    }
}

#[async_trait]
impl Hooks for Gate {
    async fn publishing(&self) {
        self.arrived.add_permits(1);
        self.permits.acquire().await.unwrap().forget();
    }
}
