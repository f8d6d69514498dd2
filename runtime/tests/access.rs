//! The guard over real sockets: what a refusal costs, what it says, and who is let through.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use slipstream_runtime::access::{Access, Denied, NewToken, Principal, Scope};
use slipstream_runtime::config::RateLimits;
use slipstream_runtime::http::{self, Beyond, Limits};
use slipstream_runtime::{Shutdown, metrics};
use slipstream_schemas::EventTime;
use slipstream_schemas::records::Token;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(10);
const MIB: usize = 1 << 20;

const LIMITS: Limits = Limits {
    connections: 20,
    head_timeout: SOON,
    idle_timeout: SOON,
    write_timeout: SOON,
    finish: SOON,
    beyond: Beyond::TEXT,
};

fn refuse(denied: &Denied, _headers: &HeaderMap) -> Response {
    (denied.status(), denied.code()).into_response()
}

/// A guarded server.
struct House {
    address: SocketAddr,
    access: Access,
    /// Bodies that were read.
    taken: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

async fn house(limits: RateLimits) -> House {
    let (access, taken) = (Access::new(limits), Arc::new(AtomicUsize::new(0)));
    let counted = taken.clone();
    let take = async move |body: Bytes| {
        counted.fetch_add(1, Ordering::SeqCst);
        format!("{} bytes\n", body.len())
    };
    let ingest = Router::new().route("/take", post(take)).layer(access.layer(Scope::Ingest, refuse));
    let who = get(async |Extension(who): Extension<Principal>| who.to_string());
    let read = Router::new().route("/who/{id}", who).layer(access.layer(Scope::Read, refuse));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(http::serve("guarded", listener, ingest.merge(read), LIMITS, Shutdown::new()));
    House { address, access, taken, _server: server }
}

impl House {
    /// A new token's text.
    fn token(&self, name: &str, scopes: &[Scope]) -> String {
        let new = NewToken::generate().unwrap();
        let token = Token {
            id: new.id().to_owned(),
            name: name.to_owned(),
            hash: new.hash(),
            scopes: scopes.into(),
            created_at: EventTime(1),
            created_by: String::new(),
            expires_at: None,
            revoked_at: None,
            revoked_by: None,
        };
        self.access.learn([(token.id.clone(), Some(token))]);
        new.text().reveal().to_owned()
    }

    async fn open(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// Head and body of the answer to a request with these headers.
    async fn ask(&self, line: &str, headers: &str) -> (String, String) {
        let stream = self.open(&format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")).await;
        let answer = rest(stream).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        (head.to_owned(), body.to_owned())
    }
}

/// What comes until the connection is closed, or reset.
async fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut rest)).await.expect("closed");
    String::from_utf8_lossy(&rest).into_owned()
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

fn bearer(token: &str) -> String {
    format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n")
}

#[tokio::test]
async fn a_refused_body_is_not_read_however_long_it_takes_and_the_connection_is_closed() {
    let house = house(RateLimits::default()).await;
    house.token("ci", &[Scope::Ingest]);
    let length = 1_000 * MIB;
    let head = format!("POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    let (mut from, mut to) = house.open(&head).await.into_split();
    // Slowly at first, then as much as is taken.
    let sending = async {
        for _ in 0..5 {
            to.write_all(b"x").await.ok()?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut sent = 0;
        while let Ok(n @ 1..) = to.write(&[b'x'; 64 << 10]).await {
            sent += n;
        }
        Some(sent)
    };
    let begun = Instant::now();
    let mut answer = Vec::new();
    let hearing = async {
        let _ = timeout(SOON, from.read_to_end(&mut answer)).await.expect("closed");
        begun.elapsed()
    };
    let (sent, took) = tokio::join!(timeout(SOON, sending), hearing);
    let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 401") && answer.contains("connection: close"), "{answer}");
    assert!(took < Duration::from_secs(1), "at once, not after {took:?}");
    // What the sockets hold on both sides.
    let sent = sent.expect("the connection breaks").unwrap_or_default();
    assert!(sent < 16 * MIB, "{sent} bytes were taken");
    assert_eq!(house.taken.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn who_waits_for_100_continue_is_refused_without_it() {
    let house = house(RateLimits::default()).await;
    let token = house.token("ci", &[Scope::Ingest]);
    let head = |more: &str| {
        format!("POST /take HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n{more}\r\n")
    };
    let answer = rest(house.open(&head("Host: localhost\r\n")).await).await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("100 Continue"), "{answer}");
    let mut stream = house.open(&head(&bearer(&token))).await;
    let mut line = [0; 25];
    timeout(SOON, stream.read_exact(&mut line)).await.expect("told").unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").await.unwrap();
    assert!(rest(stream).await.ends_with("3 bytes\n"));
}

#[tokio::test]
async fn each_refusal_says_what_it_is_in_status_and_headers() {
    let house = house(RateLimits::default()).await;
    let (head, body) = house.ask("GET /who/1", "Host: localhost\r\n").await;
    assert_eq!((status(&head), body.as_str()), ("200", "127.0.0.1"), "without tokens");
    let (head, body) = house.ask("GET /who/1", "Host: evil.example\r\n").await;
    assert_eq!((status(&head), body.as_str()), ("403", "not-loopback"));
    let token = house.token("ci", &[Scope::Read]);
    let (head, body) = house.ask("GET /who/1", &bearer(&token)).await;
    let id = &token[4..20];
    assert_eq!((status(&head), body), ("200", format!("ci ({id})")));
    let unknown = NewToken::generate().unwrap().text().reveal().to_owned();
    for (line, headers, expected, code, challenge) in [
        ("GET /who/1", "Host: localhost\r\n".to_owned(), "401", "token-missing", "Bearer"),
        ("GET /who/1", bearer("x"), "401", "token-malformed", "Bearer error=\"invalid_request\""),
        ("GET /who/1", bearer(&unknown), "401", "token-unknown", "Bearer error=\"invalid_token\""),
        ("POST /take", bearer(&token), "403", "scope-missing", "Bearer error=\"insufficient_scope\", scope=\"ingest\""),
    ] {
        let (head, body) = house.ask(line, &headers).await;
        assert_eq!((status(&head), body.as_str()), (expected, code), "{head}");
        let challenge = format!("www-authenticate: {challenge}").to_ascii_lowercase();
        assert!(head.to_ascii_lowercase().lines().any(|line| line == challenge), "{challenge}: {head}");
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again() {
    let limits = RateLimits { ingest: None, read: NonZeroU32::new(1), operate: None };
    let house = house(limits).await;
    let (token, other) = (house.token("a", &[Scope::Read]), house.token("b", &[Scope::Read]));
    let mut statuses = Vec::new();
    let refused = loop {
        let (head, body) = house.ask("GET /who/1", &bearer(&token)).await;
        statuses.push(status(&head).to_owned());
        if statuses.last().is_some_and(|status| status != "200") || statuses.len() > 100 {
            break (head, body);
        }
    };
    assert!(statuses.len() > 2 && refused.1 == "too-many-requests", "{statuses:?} {refused:?}");
    assert!(refused.0.contains("429") && refused.0.to_ascii_lowercase().contains("retry-after: 1"), "{refused:?}");
    assert_eq!(status(&house.ask("GET /who/1", &bearer(&other)).await.0), "200", "another one may");
}

#[tokio::test]
async fn a_page_of_another_site_gets_nothing_and_no_answer_ever_allows_one() {
    let house = house(RateLimits::default()).await;
    let host = format!("Host: {}\r\n", house.address);
    let preflight = "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n";
    let mut heads = Vec::new();
    for (line, headers, expected) in [
        ("GET /who/1", host.clone(), "200"),
        ("GET /who/1", format!("{host}Origin: http://{}\r\n", house.address), "200"),
        ("GET /who/1", format!("{host}Origin: http://evil.example\r\n"), "403"),
        ("POST /take", format!("{host}Origin: null\r\nContent-Length: 0\r\n"), "403"),
        ("OPTIONS /take", format!("{host}{preflight}"), "403"),
        ("GET /who/1", "Host: rebound.example\r\nOrigin: http://rebound.example\r\n".to_owned(), "403"),
        ("GET /who/1", format!("{host}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"), "403"),
        ("GET /who/1", format!("{host}X-Forwarded-For: 192.0.2.1\r\n"), "403"),
    ] {
        let (head, _) = house.ask(line, &headers).await;
        assert_eq!(status(&head), expected, "{headers}");
        heads.push(head);
    }
    let token = house.token("page", &Scope::ALL);
    let (head, _) = house.ask("GET /who/1", &format!("{}Origin: http://evil.example\r\n", bearer(&token))).await;
    assert_eq!(status(&head), "200", "it has a token; its browser keeps the answer from it");
    heads.push(head);
    heads.push(house.ask("OPTIONS /take", &format!("{}{preflight}", bearer(&token))).await.0);
    assert_eq!(house.taken.load(Ordering::SeqCst), 0);
    let heads: Vec<String> = heads.iter().map(|head| head.to_ascii_lowercase()).collect();
    assert!(heads.iter().all(|head| !head.contains("access-control")), "{heads:?}");
    assert!(heads.iter().all(|head| head.contains("x-content-type-options: nosniff")), "{heads:?}");
}

#[tokio::test]
async fn every_request_is_counted_by_scope_and_outcome() {
    let counted = |scope: &str, outcome: &str| {
        let name = format!("slipstream_access_requests_total{{outcome=\"{outcome}\",scope=\"{scope}\"}} ");
        let metrics = metrics::render();
        metrics.lines().find_map(|line| line.strip_prefix(name.as_str())?.parse::<u64>().ok()).unwrap_or_default()
    };
    let house = house(RateLimits::default()).await;
    let token = house.token("ci", &[Scope::Ingest]);
    // Others of this file ask for the same things meanwhile, but not for these.
    let before = (counted("read", "scope-missing"), counted("ingest", "405"));
    house.ask("GET /who/1", &bearer(&token)).await;
    house.ask("GET /take", &bearer(&token)).await;
    assert_eq!((counted("read", "scope-missing"), counted("ingest", "405")), (before.0 + 1, before.1 + 1));
    let metrics = metrics::render();
    assert!(!metrics.contains(&token[21..]), "no secret");
}
