//! Clients that mean harm, a small one of each kind (`make bench-hostile` has many of each): none costs more than its
//! request, keeps a good request out, or holds up the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::sqlite::{SqliteLog, SqliteOptions};
use slipstream_producer::answer::ERRORS;
use slipstream_producer::gateway::Limits;
use slipstream_testkit::hooked::{Hooked, Hooks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::house::{Gated, House, SOON, event, gzip, house, house_on, reply};

/// A gateway with room for little.
const LITTLE: Limits = Limits {
    max_body: 256 << 10,
    max_events: 2_000,
    max_in_flight: 4 << 20,
    max_connections: 100,
    read_timeout: SOON,
    idle_timeout: SOON,
    write_timeout: Duration::from_millis(200),
    publish_timeout: SOON,
    finish: Duration::from_millis(200),
};

fn packed(house: &House, body: Vec<u8>) -> reqwest::RequestBuilder {
    house.post("/v1/events").header("Content-Encoding", "gzip").body(body)
}

/// The length of an answer as it is on the wire, and its counts of errors.
async fn errors_of(house: &House, body: String) -> (usize, usize, Option<u64>, u64) {
    let response = packed(house, gzip(body)).timeout(SOON).send().await.unwrap();
    let text = response.text().await.unwrap();
    let answer: slipstream_producer::answer::Answer = serde_json::from_str(&text).unwrap();
    (text.len(), answer.errors.len(), answer.errors_total, answer.rejected)
}

#[tokio::test]
async fn an_answer_is_short_however_much_is_wrong() {
    let house = house(Limits::default()).await;
    let long = "n".repeat(60_000);
    let escaped = "\\u0001".repeat(10_000);
    for (what, items) in [
        ("ones", vec!["1".to_owned(); 50_000]),
        ("long texts", vec![format!("\"{long}\""); 250]),
        ("long names", vec![format!("{{\"{long}\":1}}"); 250]),
        ("names to be escaped", vec![format!("{{\"{escaped}\":1}}"); 250]),
        ("long values", vec![format!("{{\"time\":\"{long}\"}}"); 250]),
        ("long attributes", vec![format!("{{\"attributes\":{{\"{long}\":1}}}}"); 250]),
        ("long ids", vec![format!("{{\"event_id\":\"{long}\",\"time\":0}}"); 250]),
    ] {
        let (length, errors, total, rejected) = errors_of(&house, format!("[{}]", items.join(","))).await;
        let all = items.len() as u64;
        assert_eq!((errors, total, rejected), (ERRORS, Some(all), all), "{what}");
        assert!(length < 120_000, "{what}: {length} bytes");
    }
    let few = format!("[{}]", vec!["1"; ERRORS].join(","));
    assert_eq!(errors_of(&house, few).await.1, ERRORS);
    let (_, _, total, _) = errors_of(&house, "[1,1]".to_owned()).await;
    assert_eq!(total, None, "they are all there");
}

#[tokio::test]
async fn what_is_large_only_when_decompressed_is_refused() {
    let house = house(LITTLE).await;
    let mut blocks = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    blocks.extend([0, 0, 0, 0xFF, 0xFF].repeat(50_000));
    for (what, body, status, code) in [
        ("a bomb", gzip(vec![b' '; 64 << 20]), 413, "body-too-large"),
        ("empty members", gzip("").repeat(10_000), 413, "too-many-gzip-members"),
        ("empty blocks", blocks, 400, "hollow-gzip"),
        ("zeros for ever", [gzip("[]"), vec![0; 200_000], vec![1]].concat(), 400, "not-gzip"),
    ] {
        let reply = reply(packed(&house, body)).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{what}: {:?}", reply.answer);
    }
    for (what, body) in [
        ("padding", [gzip(event("a")), vec![0; 4_000]].concat()),
        ("two members", [gzip("["), gzip(event("b") + "]")].concat()),
        (
            "many members",
            format!("[{}]", event("c")).as_bytes().iter().map(|b| gzip([*b])).collect::<Vec<_>>().concat(),
        ),
    ] {
        assert_eq!(reply(packed(&house, body)).await.counts(), (200, 1, 0), "{what}");
    }
}

/// A connection on which something was sent.
async fn sent(address: SocketAddr, head: &str, body: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // An answer that is not read is soon in the way.
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream
}

async fn announced(address: SocketAddr, length: usize, body: &[u8]) -> TcpStream {
    sent(address, &format!("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"), body)
        .await
}

#[tokio::test]
async fn half_bodies_hold_what_was_sent_and_leave_room_for_small_requests() {
    let house = house(LITTLE).await;
    let large = format!("[{}{}]", event("large"), " ".repeat(200 << 10));
    assert_eq!(house.send("", large.clone()).await.counts(), (200, 1, 0), "there is room");
    let mut waiting = Vec::new();
    for _ in 0..30 {
        waiting.push(announced(house.address, 250 << 10, &vec![b' '; 240 << 10]).await);
    }
    // They are read at some point, and then there is no room for one more.
    let deadline = Instant::now() + SOON;
    loop {
        let reply = house.send("", large.clone()).await;
        if reply.status == 503 {
            assert_eq!((reply.code(), reply.headers["retry-after"].to_str().unwrap()), ("busy", "1"));
            break;
        }
        assert!(Instant::now() < deadline, "{:?}", reply.answer);
    }
    for id in 0..20 {
        assert_eq!(house.send("", event(&format!("small-{id}"))).await.counts(), (200, 1, 0));
    }
    drop(waiting);
    while house.send("", large.clone()).await.status == 503 {
        assert!(Instant::now() < deadline, "the room comes back");
    }
}

#[tokio::test]
async fn announcing_a_body_holds_nothing() {
    let house = house(LITTLE).await;
    let mut waiting = Vec::new();
    for _ in 0..90 {
        waiting.push(announced(house.address, 250 << 10, b"[").await);
    }
    let large = format!("[{}{}]", event("large"), " ".repeat(200 << 10));
    assert_eq!(house.send("", large).await.counts(), (200, 1, 0));
}

/// Events without an id: each is named in the answer.
fn anonymous(events: usize) -> String {
    let event = event("x").replace("\"event_id\":\"x\",", "");
    format!("[{}]", vec![event; events].join(","))
}

#[tokio::test]
async fn an_answer_that_nobody_reads_holds_its_room_until_it_is_cut_off() {
    // Some answers fill the room, and are cut off only when that was seen.
    let write_timeout = Duration::from_secs(6);
    let limits = Limits { max_body: 8 << 20, max_events: 50_000, max_in_flight: 40 << 20, write_timeout, ..LITTLE };
    let (dir, log) = sqlite();
    let house = house_on(log, MemoryLog::new(MemoryOptions::default()), limits).await;
    let body = gzip(anonymous(50_000));
    assert_eq!(reply(packed(&house, body.clone())).await.counts(), (200, 50_000, 0), "there is room");
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut unread = Vec::new();
    for _ in 0..12 {
        let stream = sent(house.address, &head, &body).await;
        timeout(SOON, stream.readable()).await.expect("the answer begins").unwrap();
        unread.push(stream);
    }
    let refused = reply(packed(&house, body.clone())).await;
    assert_eq!((refused.status, refused.code()), (503, "busy"), "the answers hold the room");
    let deadline = Instant::now() + SOON;
    while reply(packed(&house, body.clone())).await.counts() != (200, 50_000, 0) {
        assert!(Instant::now() < deadline, "the room comes back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What sockets do not hold is cut off.
    let mut heard = Vec::new();
    let _ = timeout(SOON, unread[0].read_to_end(&mut heard)).await.expect("closed");
    let head = String::from_utf8_lossy(&heard[..heard.len().min(1_000)]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.unwrap_or_else(|| panic!("{head}"));
    assert!(heard.len() < length, "{} of {length} bytes", heard.len());
    drop(dir);
}

#[tokio::test]
async fn events_hold_their_room_until_the_log_has_them() {
    // SQLite's writer has a copy of its own, and the records are gone by then.
    let (dir, log) = sqlite();
    let slow = Arc::new(SlowToTell { told: Semaphore::new(0), arrived: Semaphore::new(0) });
    let limits = Limits { max_body: 2 << 20, max_in_flight: 16 << 20, ..LITTLE };
    let house = house_on(Hooked::over(log, &slow), MemoryLog::new(MemoryOptions::default()), limits).await;
    let attributes: Vec<String> = (0..32).map(|i| format!("\"k{i}\":\"{}\"", "v".repeat(250))).collect();
    let large = event("a").replacen('{', &format!("{{\"attributes\":{{{}}},", attributes.join(",")), 1);
    let body = format!("[{}]", vec![large; 100].join(","));
    let mut asking = JoinSet::new();
    let mut away = None;
    for _ in 0..40 {
        asking.spawn(reply(house.post("/v1/events").body(body.clone())));
        tokio::select! {
            answered = asking.join_next() => { away = answered; break }
            arrived = slow.arrived.acquire() => arrived.unwrap().forget(),
        }
    }
    let away = away.expect("the room is bounded").unwrap();
    assert_eq!((away.status, away.code()), (503, "busy"));
    assert!(asking.len() >= 2, "{}", asking.len());
    slow.told.add_permits(1_000);
    for reply in asking.join_all().await {
        assert_eq!(reply.counts(), (200, 100, 0));
    }
    drop(dir);
}

/// Holds up the news that events were published.
struct SlowToTell {
    told: Semaphore,
    arrived: Semaphore,
}

#[async_trait]
impl Hooks for SlowToTell {
    async fn published(&self) {
        self.arrived.add_permits(1);
        self.told.acquire().await.unwrap().forget();
    }
}

fn sqlite() -> (tempfile::TempDir, Arc<SqliteLog>) {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), SqliteOptions::default()).unwrap();
    (dir, log)
}

#[tokio::test]
async fn a_connection_too_many_is_answered_like_any_request() {
    let house = house(Limits { max_connections: 1, ..LITTLE }).await;
    let _held = sent(house.address, "POST /v1/ev", b"").await;
    // Accepted in order: by now there is no place.
    let mut heard = String::new();
    let mut stream = announced(house.address, 2, b"[]").await;
    timeout(SOON, stream.read_to_string(&mut heard)).await.expect("closed").unwrap();
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503") && head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    let answer: slipstream_producer::answer::Answer = serde_json::from_str(body).unwrap();
    assert_eq!((answer.inserted, answer.error.as_deref()), (0, Some("too-many-connections")));
}

#[tokio::test]
async fn what_hangs_at_shutdown_is_closed_and_the_gateway_ends_well() {
    let gated = Gated::new();
    let mut house = house_on(gated.seen.clone(), gated.log.clone(), LITTLE).await;
    let held = [
        sent(house.address, "POST /v1/ev", b"").await,
        announced(house.address, 1_000, b"[").await,
        announced(house.address, event("a").len(), event("a").as_bytes()).await,
    ];
    gated.gate.one_waits().await;
    house.shutdown.cancel();
    let begun = Instant::now();
    house.ended().await.expect("ends in order");
    assert!(begun.elapsed() < SOON / 2, "{:?}", begun.elapsed());
    for mut stream in held {
        let mut heard = Vec::new();
        let _ = timeout(SOON, stream.read_to_end(&mut heard)).await.expect("closed");
        assert!(heard.is_empty(), "{}", String::from_utf8_lossy(&heard));
    }
}

#[tokio::test]
async fn a_process_that_is_to_stop_serves_on_and_sends_clients_elsewhere() {
    let house = house(LITTLE).await;
    assert!(!house.send("", event("a")).await.headers.contains_key("connection"));
    house.health.set_stopping();
    for id in ["b", "c"] {
        let reply = house.send("", event(id)).await;
        assert_eq!(reply.counts(), (200, 1, 0));
        assert_eq!(reply.headers["connection"], "close");
    }
}
