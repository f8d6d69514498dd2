//! The operators' endpoints over real sockets, and the bounds of the server under them.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::routing::get;
use hyper::body::Frame;
use slipstream_runtime::health::State;
use slipstream_runtime::http::{self, Beyond, Limits};
use slipstream_runtime::metrics::{self, Page};
use slipstream_runtime::{Health, Shutdown, ops};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(10);

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Status and body of a GET on a connection of its own.
async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    ask_as(address, "localhost", path).await
}

/// The same, to a host.
async fn ask_as(address: SocketAddr, host: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
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
    server.spawn(ops::serve(listener, health.clone(), Page::default(), SOON, shutdown.clone()));

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

    health.set_stopping();
    let (status, body) = ask(address, "/readyz").await;
    assert!(status == 503 && body.starts_with(r#"{"ready":false,"stopping":true,"#), "{body}");
    assert_eq!(ask(address, "/healthz").await.0, 200, "it lives");

    shutdown.cancel();
    timeout(SOON, server.join_all()).await.expect("ends");
}

#[tokio::test]
async fn on_a_loopback_address_it_answers_only_to_names_of_the_loopback() {
    let (health, shutdown, mut server) = (Health::default(), Shutdown::new(), JoinSet::new());
    for (bound, by_another_name) in [("127.0.0.1:0", 403), ("0.0.0.0:0", 200)] {
        let listener = TcpListener::bind(bound).await.unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
        server.spawn(ops::serve(listener, health.clone(), Page::default(), SOON, shutdown.clone()));
        for (host, expected) in [
            (address.to_string(), 200),
            ("localhost".to_owned(), 200),
            ("rebound.example".to_owned(), by_another_name),
            (format!("metrics.example:{}", address.port()), by_another_name),
        ] {
            for path in ["/healthz", "/metrics"] {
                let (status, body) = ask_as(address, &host, path).await;
                assert_eq!(status, expected, "{bound} as {host}: {body}");
                assert_eq!(status == 403, body.contains("ask it as 127.0.0.1 or localhost"), "{body}");
            }
        }
    }
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
    let server = http::serve("test", listener, Router::new().route("/slow", route), limits, shutdown.clone());
    let mut owner = JoinSet::new();
    owner.spawn(async move {
        server.await;
        let _ = ended.send(());
    });
    (address, gates, shutdown, has_ended, owner)
}

const LIMITS: Limits = Limits {
    connections: 2,
    head_timeout: Duration::from_millis(200),
    idle_timeout: Duration::from_millis(300),
    write_timeout: Duration::from_millis(200),
    finish: SOON,
    beyond: Beyond::TEXT,
};

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

/// What comes on a connection until it is closed.
async fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    // It may be reset.
    let _ = timeout(SOON, stream.read_to_end(&mut rest)).await.expect("closed");
    String::from_utf8_lossy(&rest).into_owned()
}

async fn open(address: SocketAddr, said: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(said).await.unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_sends_its_head_too_slowly_is_cut_off_and_frees_its_slot() {
    for said in [&b""[..], b"GET /slow HT"] {
        let (address, gates, _shutdown, _ended, _owner) = slow_server(LIMITS).await;
        let slow = [open(address, said).await, open(address, said).await];
        for stream in slow {
            assert_eq!(rest(stream).await, "");
        }
        gates.1.notify_one();
        // The slot is free a moment after the client knows.
        while ask(address, "/slow").await.0 != 200 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_wins_no_time() {
    let (address, _gates, _shutdown, _ended, _owner) = slow_server(LIMITS).await;
    let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
    let drip = async {
        while to.write_all(b"X").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut heard = Vec::new();
    tokio::select! {
        () = drip => {}
        closed = timeout(SOON, from.read_to_end(&mut heard)) => drop(closed.expect("closed")),
    }
    assert!(heard.is_empty(), "{heard:?}");
}

#[tokio::test]
async fn a_connection_is_kept_for_a_while_between_requests() {
    let limits = Limits { head_timeout: SOON, ..LIMITS };
    let (address, gates, _shutdown, _ended, _owner) = slow_server(limits).await;
    let mut stream = open(address, b"").await;
    for _ in 0..2 {
        gates.1.notify_one();
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"done\n") {
            assert_ne!(timeout(SOON, stream.read_buf(&mut answer)).await.expect("answered").unwrap(), 0, "it is kept");
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
    let answered = Instant::now();
    assert_eq!(rest(stream).await, "");
    // Our clock begins a little later than the server's.
    let kept = answered.elapsed();
    assert!(kept >= limits.idle_timeout.mul_f64(0.9) && kept < SOON / 2, "{kept:?}");
}

#[tokio::test]
async fn a_request_that_takes_long_is_not_cut_off() {
    let (address, gates, _shutdown, _ended, _owner) = slow_server(LIMITS).await;
    let mut asking = JoinSet::new();
    asking.spawn(ask(address, "/slow"));
    gates.0.notified().await;
    // Longer than every time-out there is.
    tokio::time::sleep(2 * LIMITS.idle_timeout).await;
    gates.1.notify_one();
    assert_eq!(asking.join_next().await.unwrap().unwrap(), (200, "done\n".into()));
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let (address, _gates, _shutdown, _ended, _owner) = slow_server(Limits { head_timeout: SOON, ..LIMITS }).await;
    let head = format!("GET /slow HTTP/1.1\r\nX: {}", "x".repeat(http::HEAD_BYTES));
    let answer = rest(open(address, head.as_bytes()).await).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_at_once() {
    let (address, gates, _shutdown, _ended, _owner) = slow_server(Limits { head_timeout: SOON, ..LIMITS }).await;
    let held = [open(address, b"GET /slow HT").await, open(address, b"GET /slow HT").await];
    // Accepted in order: by now both have their slots.
    for _ in 0..3 {
        let answer = rest(open(address, b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("too-many-connections"), "{answer}");
        assert!(answer.contains("Retry-After: 1\r\n"), "{answer}");
    }
    let refused = r#"slipstream_http_connections_refused_total{server="test"}"#;
    assert!(metrics::render().lines().any(|line| line.starts_with(refused)));
    drop(held);
    gates.1.notify_one();
    while ask(address, "/slow").await.0 != 200 {
        tokio::task::yield_now().await;
    }
}

/// A server that answers with more than sockets hold.
async fn wordy_server() -> (SocketAddr, Shutdown, JoinSet<()>) {
    let (listener, address) = listener().await;
    let (shutdown, mut owner) = (Shutdown::new(), JoinSet::new());
    let router = Router::new().route("/", get(async || vec![b' '; 24 << 20]));
    let limits = Limits { write_timeout: Duration::from_secs(2), ..LIMITS };
    owner.spawn(http::serve("wordy", listener, router, limits, shutdown.clone()));
    (address, shutdown, owner)
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let (address, shutdown, owner) = wordy_server().await;
    let stream = open(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let cut_off = r#"slipstream_http_connections_cut_off_total{reason="timeout",server="wordy"} 1"#;
    timeout(SOON, async {
        while !metrics::render().contains(cut_off) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("cut off");
    // One that reads gets all of it.
    let answer = rest(open(address, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await).await;
    assert!(answer.len() > 24 << 20, "{}", answer.len());
    drop(stream);
    shutdown.cancel();
    timeout(SOON, owner.join_all()).await.expect("ends");
}

#[tokio::test]
async fn an_answer_that_is_being_read_at_shutdown_is_read_to_its_end() {
    let (address, shutdown, owner) = wordy_server().await;
    let mut stream = open(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut answer = vec![0; 1 << 20];
    timeout(SOON, stream.read_exact(&mut answer)).await.expect("it begins").unwrap();
    shutdown.cancel();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // Longer than a connection may rest.
    tokio::time::sleep(LIMITS.idle_timeout + LIMITS.idle_timeout / 2).await;
    timeout(SOON, stream.read_to_end(&mut answer)).await.expect("closed").unwrap();
    assert!(answer.len() > 24 << 20, "{}", answer.len());
    timeout(SOON, owner.join_all()).await.expect("ends");
}

/// A body that comes in parts.
struct Parts(UnboundedReceiver<&'static str>);

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))))
    }
}

#[tokio::test]
async fn an_answer_in_parts_is_not_at_its_end_while_more_comes() {
    let (listener, address) = listener().await;
    let (shutdown, mut owner) = (Shutdown::new(), JoinSet::new());
    let (more, next) = unbounded_channel();
    let parts = std::sync::Arc::new(std::sync::Mutex::new(Some(Parts(next))));
    let route = get(async move || Body::new(parts.lock().unwrap().take().unwrap()));
    let router = Router::new().route("/", route);
    owner.spawn(http::serve("parts", listener, router, LIMITS, shutdown.clone()));
    let mut stream = open(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut answer = Vec::new();
    for (part, sent) in [("first", false), ("second", true)] {
        more.send(part).unwrap();
        while !answer.ends_with(format!("{part}\r\n").as_bytes()) {
            assert_ne!(timeout(SOON, stream.read_buf(&mut answer)).await.expect("it comes").unwrap(), 0, "{part}");
        }
        if !sent {
            // What was written so far is flushed, and yet there is more.
            tokio::time::sleep(LIMITS.idle_timeout + LIMITS.idle_timeout / 2).await;
            shutdown.cancel();
        }
    }
    drop(more);
    timeout(SOON, stream.read_to_end(&mut answer)).await.expect("closed").unwrap();
    assert!(answer.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&answer));
    timeout(SOON, owner.join_all()).await.expect("ends");
}

#[tokio::test]
async fn the_endpoint_ends_within_its_stage_whatever_its_clients_do() {
    let stage = Duration::from_millis(500);
    let (listener, address) = listener().await;
    let (shutdown, mut owner) = (Shutdown::new(), JoinSet::new());
    owner.spawn(ops::serve(listener, Health::default(), Page::default(), stage, shutdown.clone()));
    let stream = open(address, b"GET /metrics HT").await;
    assert_eq!(ask(address, "/healthz").await.0, 200, "the one before it is served, too");
    shutdown.cancel();
    timeout(stage, owner.join_all()).await.expect("ends in time");
    drop(stream);
}

#[tokio::test]
async fn clients_that_send_nothing_are_counted() {
    let (listener, address) = listener().await;
    let (shutdown, mut owner) = (Shutdown::new(), JoinSet::new());
    owner.spawn(http::serve("silent", listener, Router::new(), LIMITS, shutdown.clone()));
    assert_eq!(rest(open(address, b"").await).await, "");
    let cut_off = r#"slipstream_http_connections_cut_off_total{reason="timeout",server="silent"} 1"#;
    timeout(SOON, async {
        while !metrics::render().contains(cut_off) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("counted");
}

#[tokio::test]
async fn what_hangs_at_shutdown_is_closed_after_a_while_and_what_is_silent_at_once() {
    let patient = Limits { connections: 9, head_timeout: 2 * SOON, idle_timeout: 2 * SOON, ..LIMITS };
    for (said, finish) in [
        (&b"GET /slow HT"[..], Duration::from_millis(100)),
        (b"GET /slow HTTP/1.1\r\n\r\n", Duration::from_millis(100)),
        (b"", SOON),
    ] {
        let (address, _gates, shutdown, ended, _owner) = slow_server(Limits { finish, ..patient }).await;
        let stream = open(address, said).await;
        // It is served when a later one is.
        drop(open(address, b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n").await.readable().await);
        shutdown.cancel();
        timeout(SOON / 2, ended).await.expect("ends").unwrap();
        drop(stream);
    }
}

#[tokio::test]
async fn an_answer_that_nobody_reads_does_not_hold_up_a_shutdown() {
    let (listener, address) = listener().await;
    let (shutdown, mut owner) = (Shutdown::new(), JoinSet::new());
    let router = Router::new().route("/", get(async || vec![b' '; 24 << 20]));
    // Patient with clients, until it is to end.
    let limits = Limits { write_timeout: 2 * SOON, finish: Duration::from_millis(100), ..LIMITS };
    owner.spawn(http::serve("unread", listener, router, limits, shutdown.clone()));
    let stream = open(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    timeout(SOON, stream.readable()).await.expect("it begins").unwrap();
    shutdown.cancel();
    timeout(SOON / 2, owner.join_all()).await.expect("ends");
    let heard = rest(stream).await.len();
    assert!(heard < 24 << 20, "{heard} bytes: all of it fits into sockets, and nothing was tested");
}
