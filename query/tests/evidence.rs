//! What is known of the requests behind an alert, from a store in a directory and the log's definitions and markers.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, Outgoing};
use slipstream_query::History;
use slipstream_query::history::{Breakdown, Evidence, EvidenceQuestion};
use slipstream_schemas::records::{Exemplar, GroupLabel, Marker, MarkerKind};
use slipstream_schemas::{EventTime, EventView, LogTime, Topic, codec};
use slipstream_store::{
    Events, PositionMove, PostgresOptions, PostgresStore, Retention, SharedStore, SqliteStore, WriteBatch, rollup,
};
use slipstream_testkit::services;
use support::{define, settle, slo};
use tokio::time::Instant;

/// 2026-12-01T10:00:00Z, the beginning of a minute.
const TEN: i64 = 1_796_119_200;
const SECOND: i64 = 1_000_000;

struct Request {
    service: &'static str,
    endpoint: &'static str,
    status: u16,
    latency_ms: f64,
    upstream: Option<&'static str>,
}

/// A store in a directory, with requests.
async fn store(folder: &tempfile::TempDir, requests: impl IntoIterator<Item = Request>) -> SharedStore {
    let store: SharedStore = SqliteStore::open(folder.path(), Retention::default()).unwrap();
    fill(&store, requests).await;
    store
}

/// A request a tenth of a second, ending at ten o'clock and five minutes.
async fn fill(store: &SharedStore, requests: impl IntoIterator<Item = Request>) {
    let requests: Vec<Request> = requests.into_iter().collect();
    let mut events = Events::new();
    for (at, request) in requests.iter().enumerate() {
        let time = (TEN + 300) * SECOND - (requests.len() - at) as i64 * SECOND / 10;
        let attributes = request.upstream.iter().map(|value| ("upstream".into(), (*value).into())).collect();
        let event = EventView {
            event_id: format!("e-{at}").into(),
            time: EventTime(time),
            service: request.service.into(),
            environment: "".into(),
            endpoint: request.endpoint.into(),
            method: "POST".into(),
            status_code: request.status,
            latency_ms: Some(request.latency_ms),
            weight: 1,
            trace_id: Some(format!("{at:032x}").into()),
            user_ref: None,
            attributes,
        };
        events.push(0, at as i64, LogTime(time / 1_000), &event);
    }
    let rollups = rollup::fold(&events);
    let (to, log_time) = (requests.len() as i64, LogTime((TEN + 300) * 1_000));
    let positions = vec![PositionMove { topic: Topic::RequestEvents, partition: 0, from: None, to, log_time }];
    store.write(Arc::new(WriteBatch { events, rollups, positions, ..WriteBatch::default() })).await.unwrap();
}

async fn log(definitions: &[(&str, String)]) -> Arc<MemoryLog> {
    let log = MemoryLog::new(MemoryOptions::default());
    settle(log.as_ref()).await;
    for (name, document) in definitions {
        define(log.as_ref(), name, Some(document.clone())).await;
    }
    log
}

async fn mark(log: &MemoryLog, id: &str, service: &str, minute: i64) {
    let marker = Marker {
        id: id.to_owned(),
        kind: MarkerKind::Deploy,
        service: service.to_owned(),
        environment: String::new(),
        time: EventTime((TEN + minute * 60) * SECOND),
        until: None,
        version: None,
        text: String::new(),
        link: None,
        author: String::new(),
    };
    let (key, value) = (Some(Bytes::from(id.to_owned())), Some(Bytes::from(codec::encode(&marker))));
    let record = Outgoing { topic: Topic::Markers, partition: None, key, value, headers: Vec::new() };
    log.publish(vec![record]).await.unwrap();
}

/// About the last five minutes.
fn question(slo: &str, group: &[(&str, &str)]) -> EvidenceQuestion {
    let label = |(name, value): &(&str, &str)| GroupLabel { name: (*name).to_owned(), value: (*value).to_owned() };
    EvidenceQuestion {
        slo: slo.to_owned(),
        objective: "most".to_owned(),
        service: "shop".to_owned(),
        group: group.iter().map(label).collect(),
        exemplars: Vec::new(),
        from: EventTime(TEN * SECOND),
        to: EventTime((TEN + 300) * SECOND),
        began: EventTime((TEN + 290) * SECOND),
    }
}

async fn answer(log: &Arc<MemoryLog>, store: &SharedStore, question: &EvidenceQuestion) -> Evidence {
    let history = History::of(store.clone()).with_log(log.clone());
    history.evidence(question, Instant::now() + Duration::from_secs(20)).await.unwrap()
}

/// `dimension: value bad/total, ...`, of the sample marked with a star.
fn shown(breakdowns: &[Breakdown]) -> Vec<String> {
    let counts = |b: &Breakdown| {
        let values: Vec<String> = b.values.iter().map(|v| format!("{} {}/{}", v.value, v.bad, v.total)).collect();
        format!("{}{}: {}", if b.sampled { "*" } else { "" }, b.dimension, values.join(", "))
    };
    breakdowns.iter().map(counts).collect()
}

/// Of ten requests four are to pay, of which `/pay` fails, and six to cart; each calls the bank if it is a payment.
fn shop(count: usize) -> impl Iterator<Item = Request> {
    (0..count).map(|i| {
        let (service, endpoint, upstream) = match i % 10 {
            0 | 1 => ("pay", "/pay", Some("bank")),
            2 | 3 => ("pay", "/pay/{id}", None),
            _ => ("cart", "/cart", None),
        };
        let status = if endpoint == "/pay" { 503 } else { 200 };
        Request { service, endpoint, status, latency_ms: (i % 100) as f64, upstream }
    })
}

#[tokio::test]
async fn an_slo_of_one_service_is_explained_by_the_rollups_and_a_sample() {
    let folder = tempfile::tempdir().unwrap();
    one_service_is_explained(store(&folder, shop(1_000)).await).await;
}

#[tokio::test]
async fn an_slo_of_one_service_is_explained_on_postgresql() {
    let options = PostgresOptions::new(services::postgres().await.fresh_database().await);
    let store = PostgresStore::connect(options).await.unwrap();
    fill(&(store.clone() as SharedStore), shop(1_000)).await;
    one_service_is_explained(store.clone()).await;
    store.close().await;
}

async fn one_service_is_explained(store: SharedStore) {
    let log = log(&[("pay", slo("pay", "0.99", "'service == \"pay\"'"))]).await;
    for (id, service, minute) in [("own", "pay", 3), ("all", "", 2), ("other", "cart", 3), ("old", "pay", -30)] {
        mark(&log, id, service, minute).await;
    }
    let exemplars = vec![
        Exemplar { event_id: "e-long-ago".to_owned(), trace_id: None, time: (TEN - 1) * SECOND },
        Exemplar { event_id: "e-990".to_owned(), trace_id: None, time: (TEN + 299) * SECOND },
        Exemplar { event_id: "e-not-yet".to_owned(), trace_id: Some("t".to_owned()), time: (TEN + 299) * SECOND + 1 },
    ];
    let found = answer(&log, &store, &EvidenceQuestion { exemplars, ..question("pay", &[]) }).await;
    assert_eq!(
        shown(&found.breakdowns),
        [
            "service: pay 200/400",
            "endpoint: POST /pay 200/200, POST /pay/{id} 0/200",
            "status_class: 5xx 200/200, 2xx 0/200",
            "*attributes.upstream: bank 200/200,  0/200",
            "*status_code: 503 200/200, 200 0/200",
        ]
    );
    let sample = found.sample.unwrap();
    assert_eq!((sample.rows, sample.bad, sample.bad_with_errors), (400, 200, 200));
    let requests: Vec<(&str, Option<u16>)> =
        found.requests.iter().map(|r| (r.event_id.as_str(), r.told.as_ref().map(|told| told.status_code))).collect();
    let some = Some(503);
    let want = [("e-990", some), ("e-not-yet", None), ("e-991", some), ("e-981", some), ("e-980", some)];
    assert_eq!(requests, want, "those of the alert first, then the newest");
    let markers: Vec<&str> = found.markers.iter().map(|marker| marker.id.as_str()).collect();
    assert_eq!(markers, ["all", "own"]);
}

#[tokio::test]
async fn what_rollups_do_not_know_comes_from_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, shop(100)).await;
    let quick = slo("quick", "0.99", "'service == \"pay\"'").replace("status_code < 500", "latency_ms < 50");
    let banked = slo("banked", "0.99", "'attributes.upstream == \"bank\"'");
    let log = log(&[("quick", quick), ("banked", banked)]).await;
    let found = answer(&log, &store, &question("quick", &[])).await;
    let routes = |found: &Evidence| {
        shown(&found.breakdowns).into_iter().find(|line| line.contains("endpoint")).unwrap_or_default()
    };
    assert_eq!(routes(&found), "*endpoint: POST /pay 10/20, POST /pay/{id} 10/20", "decided by the latency");
    let found = answer(&log, &store, &question("banked", &[])).await;
    assert_eq!(routes(&found), "*endpoint: POST /pay 20/20", "it leaves requests out that rollups count");
}

#[tokio::test]
async fn a_group_is_looked_at_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, shop(100)).await;
    let by_service = slo("by-service", "0.99", "'true', groupBy: [service]");
    let by_upstream = slo("by-upstream", "0.99", "'true', groupBy: [attributes.upstream]");
    let log = log(&[("by-service", by_service), ("by-upstream", by_upstream)]).await;
    let found = answer(&log, &store, &question("by-service", &[("service", "pay")])).await;
    assert_eq!(shown(&found.breakdowns)[..2], ["service: pay 20/40", "endpoint: POST /pay 20/20, POST /pay/{id} 0/20"]);
    let found = answer(&log, &store, &question("by-upstream", &[("upstream", "")])).await;
    assert_eq!(found.sample.map(|sample| (sample.rows, sample.bad)), Some((80, 0)), "those without the attribute");
}

#[tokio::test]
async fn an_slo_that_is_gone_leaves_the_markers() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, shop(10)).await;
    let log = log(&[]).await;
    mark(&log, "all", "", 1).await;
    let found = answer(&log, &store, &question("gone", &[])).await;
    assert_eq!((found.markers.len(), found.breakdowns.len(), found.sample), (1, 0, None));
}

#[tokio::test]
async fn what_is_not_known_in_time_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder, shop(10)).await;
    let log = log(&[("pay", slo("pay", "0.99", "'service == \"pay\"'"))]).await;
    let history = History::of(store).with_log(log);
    let found = history.evidence(&question("pay", &[]), Instant::now()).await.unwrap();
    assert_eq!((found.requests.len(), found.breakdowns.len(), found.sample), (0, 0, None));
}

/// What it costs, for docs/benchmarks.md: `cargo test --release -p slipstream-query --test evidence cost -- --nocapture`.
#[tokio::test(flavor = "multi_thread")]
async fn cost_of_a_hundred_thousand_rows_is_bounded_by_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let count = 100_000;
    let store = store(&folder, shop(count)).await;
    let log = log(&[("all", slo("all", "0.99", "'true'"))]).await;
    let history = History::of(store).with_log(log);
    let all = EvidenceQuestion { from: EventTime(0), ..question("all", &[]) };
    for (name, patience) in [("cold, 220 ms", 220), ("220 ms", 220), ("without a bound", 20_000)] {
        let begun = Instant::now();
        let found = history.evidence(&all, begun + Duration::from_millis(patience)).await.unwrap();
        let rows = found.sample.as_ref().map_or(0, |sample| sample.rows);
        println!("{name}: {rows} rows in {:?}, {} breakdowns", begun.elapsed(), found.breakdowns.len());
        // Generous: what is measured is the machine, too. A notification waits no longer than it wants to.
        assert!(begun.elapsed() < Duration::from_millis(patience + 2_000));
        assert!(patience < 1_000 || rows == count);
    }
}
