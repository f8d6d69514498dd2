//! What these tests share: an installation with every role in this process, and a client of its API.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use slipstream_api::{Parts, Role, StoreCell};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, Outgoing, SharedLog};
use slipstream_processor::{burn, tally};
use slipstream_role::definitions::{SLO_KIND, ensure_settings, publish_changed};
use slipstream_runtime::access::Access;
use slipstream_runtime::config::RateLimits;
use slipstream_runtime::metrics::Source;
use slipstream_runtime::{Health, Shutdown};
use slipstream_schemas::records::{Definition, Marker, MarkerKind, Settings};
use slipstream_schemas::{EventTime, RequestEvent, Topic, codec};
use slipstream_store::{SharedStore, SqliteStore};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// What is waited for comes within this time.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Redelivery window in these tests.
const WINDOW_MS: i64 = 2_000;

/// An installation in this process.
pub struct World {
    pub log: Arc<MemoryLog>,
    pub store: SharedStore,
    pub cell: StoreCell,
    pub health: Health,
    pub access: Access,
    pub api: Client,
    /// How the SLOs stand, as metrics.
    pub metrics: Arc<dyn Source>,
    pub shutdown: Shutdown,
    /// Ends the sink alone.
    pub sink: Shutdown,
    /// Ends the alerter alone.
    pub alerter: Shutdown,
    tasks: JoinSet<()>,
    _dir: TempDir,
}

impl World {
    /// With the SLOs `all` (99.5 % good over 28 d) and `by-endpoint`, its roles, and its API.
    pub async fn new() -> World {
        World::with(|log| log, true).await
    }

    /// The API reads another log than the roles: one that can be held up. Its store is there, or not yet.
    pub async fn with(of_api: impl FnOnce(SharedLog) -> SharedLog, has_store: bool) -> World {
        let log = MemoryLog::new(MemoryOptions::default());
        let settings = Settings { redelivery_window_ms: WINDOW_MS, cut_delay_ms: 0 };
        ensure_settings(log.as_ref(), &settings).await.unwrap();
        define(log.as_ref(), "all", Some(slo("all", "'true'"))).await;
        define(log.as_ref(), "by-endpoint", Some(slo("by-endpoint", "'true', groupBy: [endpoint]"))).await;
        let dir = tempfile::tempdir().unwrap();
        let store: SharedStore = SqliteStore::open(dir.path(), Default::default()).unwrap();
        let (health, shutdown, mut tasks) = (Health::default(), Shutdown::new(), JoinSet::new());
        let (sink, alerter) = (Shutdown::new(), Shutdown::new());
        roles(&mut tasks, log.clone(), store.clone(), &shutdown, [&sink, &alerter]);
        let cell = StoreCell::default();
        if has_store {
            let _ = cell.set(store.clone());
        }
        let access = Access::new(RateLimits::default());
        let parts =
            Parts { log: of_api(log.clone()), store: cell.clone(), health: health.clone(), access: access.clone() };
        let (api, metrics) = served(&mut tasks, parts, &shutdown).await;
        World { log, store, cell, health, access, api, metrics, shutdown, sink, alerter, tasks, _dir: dir }
    }

    /// Another process with the API, which has seen nothing yet.
    pub async fn another_api(&mut self) -> Client {
        let (cell, health) = (self.cell.clone(), Health::default());
        let parts = Parts { log: self.log.clone(), store: cell, health, access: self.access.clone() };
        served(&mut self.tasks, parts, &self.shutdown).await.0
    }

    /// Publishes events, and waits until they are stored, and known in the SLOs.
    pub async fn take(&self, events: &[RequestEvent]) {
        publish(self.log.as_ref(), events).await;
        let stored = async || self.store.counts().await.unwrap().events;
        let (before, began) = (stored().await, Instant::now());
        until("events are stored", async || stored().await >= before.max(events.len() as u64)).await;
        let weight: i64 = events.iter().map(|event| i64::from(event.weight)).sum();
        until("the SLOs know them", async || self.total("all").await >= weight).await;
        assert!(began.elapsed() < DEADLINE);
    }

    /// How many events an SLO knows.
    async fn total(&self, slo: &str) -> i64 {
        let answer = self.api.get(&format!("/slos?name={slo}")).await;
        answer.json()["slos"][0]["total"].as_i64().unwrap_or(-1)
    }

    /// Ends the installation, in order.
    pub async fn end(mut self) {
        self.shutdown.cancel();
        self.sink.cancel();
        self.alerter.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

async fn served(tasks: &mut JoinSet<()>, parts: Parts, shutdown: &Shutdown) -> (Client, Arc<dyn Source>) {
    let role = Role::of(parts);
    let metrics = role.metrics(100);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = Client::of(listener.local_addr().unwrap());
    let (follow, serve) = (role.follow(shutdown.clone()), role.serve(listener.into(), DEADLINE, shutdown.clone()));
    tasks.spawn(async { follow.await.unwrap() });
    tasks.spawn(async { serve.await.unwrap() });
    (api, metrics)
}

fn roles(
    tasks: &mut JoinSet<()>,
    log: Arc<MemoryLog>,
    store: SharedStore,
    shutdown: &Shutdown,
    [sink, alerter]: [&Shutdown; 2],
) {
    let log: SharedLog = log;
    let health = Health::default;
    let tally = tally::run(log.clone(), tally::Thread::alone(), health(), shutdown.clone());
    let burn = burn::run(log.clone(), health(), shutdown.clone());
    let alerter = slipstream_alerter::run(log.clone(), health(), alerter.clone());
    let sink = slipstream_sink::run(log, store, WINDOW_MS, health(), sink.clone());
    tasks.spawn(async { tally.await.unwrap() });
    tasks.spawn(async { burn.await.unwrap() });
    tasks.spawn(async { alerter.await.unwrap() });
    tasks.spawn(async { sink.await.unwrap() });
}

/// Publishes a definition; `None` withdraws it.
pub async fn define(log: &dyn Log, name: &str, document: Option<String>) {
    let definition =
        Definition { kind: SLO_KIND.to_owned(), name: name.to_owned(), document, author: "test".to_owned() };
    publish_changed(log, vec![definition]).await.unwrap();
}

/// An SLO of which everything below 500 is good; `total` is its filter, and what follows it.
pub fn slo(name: &str, total: &str) -> String {
    format!(
        r#"apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  service: shop
  indicator:
    metadata: {{name: {name}-sli}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: slipstream, spec: {{filter: 'status_code < 500'}}}}}}
        total: {{metricSource: {{type: slipstream, spec: {{filter: {total}}}}}}}
  timeWindow: [{{duration: 28d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives:
    - {{displayName: most, target: 0.995}}
"#
    )
}

/// Event number `i`, of a moment ago: one in ten failed.
pub fn event(i: usize) -> RequestEvent {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as i64;
    RequestEvent {
        event_id: format!("event-{i}"),
        time: EventTime(now - 1_000_000 + i as i64 * 1_000),
        service: ["pay", "cart"][i % 2].to_owned(),
        environment: "prod".to_owned(),
        endpoint: format!("/endpoint/{}", i % 3),
        method: "GET".to_owned(),
        status_code: if i.is_multiple_of(10) { 503 } else { 200 },
        latency_ms: Some(i as f64),
        weight: 1,
        trace_id: Some(format!("{i:032x}")),
        user_ref: Some(format!("user-{}", i % 4)),
        attributes: BTreeMap::from([("region".to_owned(), format!("r{}", i % 2))]),
    }
}

pub fn events(range: std::ops::Range<usize>) -> Vec<RequestEvent> {
    range.map(event).collect()
}

pub async fn publish(log: &dyn Log, events: &[RequestEvent]) {
    let record = |event: &RequestEvent| Outgoing {
        topic: Topic::RequestEvents,
        partition: None,
        key: Some(Bytes::copy_from_slice(event.event_id.as_bytes())),
        value: Some(Bytes::from(codec::encode(event))),
        headers: Vec::new(),
    };
    log.publish(events.iter().map(record).collect()).await.unwrap();
}

/// Records a note.
pub async fn mark(log: &dyn Log, id: &str) {
    let marker = Marker {
        id: id.to_owned(),
        kind: MarkerKind::Note,
        service: String::new(),
        environment: String::new(),
        time: EventTime(1_000_000),
        until: None,
        version: None,
        text: String::new(),
        link: None,
        author: String::new(),
    };
    let record = Outgoing {
        topic: Topic::Markers,
        partition: None,
        key: Some(Bytes::copy_from_slice(id.as_bytes())),
        value: Some(Bytes::from(codec::encode(&marker))),
        headers: Vec::new(),
    };
    log.publish(vec![record]).await.unwrap();
}

/// Waits for a condition.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !so().await {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A client of the API.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    pub base: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    pub fn of(address: SocketAddr) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Client { http, base: format!("http://{address}") }
    }

    /// A request for a path below /api/v1.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// With a header.
    pub async fn get_with(&self, path: &str, name: &str, value: &str) -> Answer {
        answer(self.request(Method::GET, path).header(name, value)).await
    }
}

pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.bytes().await.unwrap() }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// An answer with status 200, as JSON.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }
}
