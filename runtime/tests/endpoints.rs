//! The operators' endpoints over real sockets, and the bounds of the server under them.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use slipstream_runtime::health::State;
use slipstream_runtime::http::{self, Limits};
use slipstream_runtime::{Health, Shutdown, metrics, ops};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Status and body of a GET on a connection of its own.
async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.expect("answered").unwrap();
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"));
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

#[tokio::test]
async fn readiness_follows_the_roles() {
    let (listener, address) = listener().await;
    let (health, shutdown) = (Health::default(), Shutdown::new());
    let mut server = JoinSet::new();
    server.spawn(ops::serve(listener, health.clone(), shutdown.clone()));

    assert_eq!(ask(address, "/healthz").await, (200, "ok\n".into()));
    assert_eq!(ask(address, "/readyz").await, (503, r#"{"ready":false,"roles":{}}"#.into()));
    health.announce("burn");
    health.set("sink", State::Ready);
    let (status, body) = ask(address, "/readyz").await;
    assert!(status == 503 && body.contains(r#""burn":{"state":"starting""#), "announced, and not begun: {body}");
    health.set("burn", State::Starting("restoring 3 chunks".into()));
    let body = r#"{"ready":false,"roles":{"burn":{"state":"starting","detail":"restoring 3 chunks"},"sink":{"state":"ready"}}}"#;
    assert_eq!(ask(address, "/readyz").await, (503, body.into()));
    health.set("burn", State::Ready);
    assert_eq!(ask(address, "/readyz").await.0, 200);
    health.set("sink", State::Waiting("the database is down".into()));
    let (status, body) = ask(address, "/readyz").await;
    assert!(status == 200 && body.contains(r#""sink":{"state":"waiting","detail":"the database is down"}"#), "{body}");
    assert_eq!(ask(address, "/nothing").await.0, 404);

    metrics::counter("slipstream_endpoint_test_total", "For this test.", &["kind"]).with_label_values(&["a"]).inc_by(3);
    let (status, body) = ask(address, "/metrics").await;
    assert!(status == 200 && body.contains("slipstream_endpoint_test_total{kind=\"a\"} 3"), "{body}");

    shutdown.cancel();
    timeout(SOON, server.join_all()).await.expect("ends");
}

/// A server whose one route answers when it is released.
async fn slow_server(
    limits: Limits,
) -> (SocketAddr, std::sync::Arc<(Notify, Notify)>, Shutdown, oneshot::Receiver<()>, JoinSet<()>) {
    let (listener, address) = listener().await;
    let gates = std::sync::Arc::new((Notify::new(), Notify::new()));
    let (entered, shutdown) = (gates.clone(), Shutdown::new());
    let route = get(async move || {
        entered.0.notify_one();
        entered.1.notified().await;
        "done\n"
    });
    let (ended, has_ended) = oneshot::channel();
    let server = http::serve(listener, Router::new().route("/slow", route), limits, shutdown.clone());
    let mut owner = JoinSet::new();
    owner.spawn(async move {
        server.await;
        let _ = ended.send(());
    });
    (address, gates, shutdown, has_ended, owner)
}

const LIMITS: Limits = Limits { connections: 2, header_timeout: Duration::from_millis(200) };

#[tokio::test]
async fn a_shutdown_answers_what_was_begun_and_takes_nothing_more() {
    let (address, gates, shutdown, mut has_ended, _owner) = slow_server(LIMITS).await;
    let mut asking = JoinSet::new();
    asking.spawn(ask(address, "/slow"));
    gates.0.notified().await;
    shutdown.cancel();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(has_ended.try_recv().is_err(), "it waits for the request");
    gates.1.notify_one();
    assert_eq!(asking.join_next().await.unwrap().unwrap(), (200, "done\n".into()));
    timeout(SOON, has_ended).await.expect("ends").unwrap();
}

#[tokio::test]
async fn a_client_that_sends_its_headers_too_slowly_is_cut_off_and_frees_its_slot() {
    let (address, gates, _shutdown, _ended, _owner) = slow_server(LIMITS).await;
    let mut slow = Vec::new();
    for _ in 0..LIMITS.connections {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /slow HT").await.unwrap();
        slow.push(stream);
    }
    // All slots are taken: this one is served only when they are free again.
    gates.1.notify_one();
    assert_eq!(ask(address, "/slow").await.0, 200);
    for mut stream in slow {
        let mut rest = Vec::new();
        timeout(SOON, stream.read_to_end(&mut rest)).await.expect("closed").ok();
    }
}
