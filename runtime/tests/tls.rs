//! Servers with TLS: the bounds are those of any server, and the certificate's files may change.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::get;
use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, version};
use slipstream_runtime::http::{self, Beyond, Limits, Listening, Tls, TlsError};
use slipstream_runtime::{Shutdown, metrics};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const SOON: Duration = Duration::from_secs(10);

const LIMITS: Limits = Limits {
    connections: 2,
    head_timeout: Duration::from_millis(300),
    idle_timeout: Duration::from_millis(300),
    write_timeout: Duration::from_millis(500),
    finish: SOON,
    beyond: Beyond::TEXT,
};

fn pair() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn write(folder: &Path, pair: &CertifiedKey<KeyPair>) {
    std::fs::write(folder.join("tls.crt"), pair.cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
}

fn load(folder: &Path) -> Result<Tls, TlsError> {
    Tls::load(&folder.join("tls.crt"), &folder.join("tls.key"))
}

struct House {
    address: SocketAddr,
    folder: TempDir,
    shutdown: Shutdown,
    server: JoinSet<()>,
}

/// A server whose answers may be larger than sockets hold.
async fn house(name: &'static str, limits: Limits, pair: &CertifiedKey<KeyPair>) -> House {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), pair);
    let tls = load(folder.path()).unwrap();
    serve(name, limits, tls, folder).await
}

async fn serve(name: &'static str, limits: Limits, tls: Tls, folder: TempDir) -> House {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, mut server) = (Shutdown::new(), JoinSet::new());
    let router = Router::new().route("/", get(async || "hello\n")).route("/much", get(async || vec![b' '; 24 << 20]));
    let listening = Listening::with(listener, Some(tls.clone()));
    server.spawn(http::serve(name, listening, router, limits, shutdown.clone()));
    let following = tls.follow(shutdown.clone());
    server.spawn(async move {
        let _ = following.await;
    });
    House { address, folder, shutdown, server }
}

/// What a client presents after a handshake in which it trusts only this certificate.
async fn connect(address: SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    timeout(SOON, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.expect("a handshake, or none")
}

async fn ask(mut stream: TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(stream).await
}

async fn rest(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut rest = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut rest)).await.expect("closed");
    String::from_utf8_lossy(&rest).into_owned()
}

async fn until(what: impl Fn() -> bool) {
    let come = async {
        while !what() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, come).await.expect("it comes");
}

fn cut_off(server: &str, reason: &str) -> bool {
    let line = format!("slipstream_http_connections_cut_off_total{{reason=\"{reason}\",server=\"{server}\"}} 1");
    metrics::render().contains(&line)
}

#[tokio::test]
async fn clients_are_served_and_large_answers_come_whole() {
    let pair = pair();
    let mut house = house("tls", LIMITS, &pair).await;
    let stream = connect(house.address, pair.cert.der()).await.unwrap();
    let answer = ask(stream, "/").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello\n"), "{answer}");
    let much = ask(connect(house.address, pair.cert.der()).await.unwrap(), "/much").await;
    assert!(much.len() > 24 << 20, "{}", much.len());
    house.shutdown.cancel();
    timeout(SOON, async { while house.server.join_next().await.is_some() {} }).await.expect("ends");
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_and_closed_when_it_rests() {
    let pair = pair();
    let house = house("tls-kept", LIMITS, &pair).await;
    let mut stream = connect(house.address, pair.cert.der()).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello\n") {
            assert_ne!(timeout(SOON, stream.read_buf(&mut answer)).await.expect("answered").unwrap(), 0, "it is kept");
        }
    }
    let answered = Instant::now();
    assert_eq!(rest(stream).await, "");
    assert!(answered.elapsed() < SOON / 2);
    assert!(!cut_off("tls-kept", "timeout") && !cut_off("tls-kept", "error"), "that is as it should be");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for_and_frees_its_slot() {
    let pair = pair();
    for (name, said) in [("tls-silent", &b""[..]), ("tls-half", b"\x16\x03\x01\x02\x00\x01")] {
        let house = house(name, LIMITS, &pair).await;
        let mut slow = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(house.address).await.unwrap();
            stream.write_all(said).await.unwrap();
            slow.push(stream);
        }
        let begun = Instant::now();
        for stream in slow {
            assert_eq!(rest(stream).await, "", "{name}");
        }
        assert!(begun.elapsed() < 5 * LIMITS.head_timeout, "{name}: {:?}", begun.elapsed());
        // The slots are free a moment after the clients know.
        until(|| metrics::render().contains(&format!("slipstream_http_connections{{server=\"{name}\"}} 0"))).await;
        let answer = ask(connect(house.address, pair.cert.der()).await.unwrap(), "/").await;
        assert!(answer.ends_with("hello\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_by_tls() {
    let pair = pair();
    let limits = Limits { head_timeout: SOON, ..LIMITS };
    let house = house("tls-full", limits, &pair).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(connect(house.address, pair.cert.der()).await.unwrap());
    }
    let answer = rest(connect(house.address, pair.cert.der()).await.unwrap()).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("too-many-connections"), "{answer}");
    drop(held);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_cut_off() {
    let pair = pair();
    let house = house("tls-unread", LIMITS, &pair).await;
    let mut stream = connect(house.address, pair.cert.der()).await.unwrap();
    stream.write_all(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    until(|| cut_off("tls-unread", "timeout")).await;
    drop(stream);
}

#[tokio::test]
async fn who_speaks_http_to_tls_is_told_and_who_speaks_tls_to_http_is_closed() {
    let pair = pair();
    let house = house("tls-mistaken", LIMITS, &pair).await;
    let mut plain = TcpStream::connect(house.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let answer = rest(plain).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.ends_with("use https\n"), "{answer}");
    until(|| cut_off("tls-mistaken", "no-tls")).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(http::serve("plain-mistaken", listener, Router::new(), LIMITS, Shutdown::new()));
    let begun = Instant::now();
    assert!(connect(address, pair.cert.der()).await.is_err());
    assert!(begun.elapsed() < LIMITS.head_timeout, "at once, not after {:?}", begun.elapsed());
    until(|| cut_off("plain-mistaken", "tls")).await;
}

#[tokio::test]
async fn at_shutdown_who_has_asked_nothing_is_closed_at_once() {
    let pair = pair();
    let patient = Limits { head_timeout: 2 * SOON, idle_timeout: 2 * SOON, ..LIMITS };
    let mut house = house("tls-stopping", patient, &pair).await;
    let shaken = connect(house.address, pair.cert.der()).await.unwrap();
    let silent = TcpStream::connect(house.address).await.unwrap();
    until(|| metrics::render().contains("slipstream_http_connections{server=\"tls-stopping\"} 2")).await;
    house.shutdown.cancel();
    timeout(SOON / 2, async { while house.server.join_next().await.is_some() {} }).await.expect("ends");
    drop((shaken, silent));
}

/// Which of these certificates the server presents.
async fn presented(address: SocketAddr, pairs: &[&CertifiedKey<KeyPair>]) -> Option<usize> {
    for (i, pair) in pairs.iter().enumerate() {
        if connect(address, pair.cert.der()).await.is_ok() {
            return Some(i);
        }
    }
    None
}

async fn until_presented(address: SocketAddr, pairs: &[&CertifiedKey<KeyPair>], expected: usize) {
    let come = async {
        while presented(address, pairs).await != Some(expected) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, come).await.expect("the new certificate is presented");
}

fn reloads(outcome: &str) -> u64 {
    let name = format!("slipstream_tls_reloads_total{{outcome=\"{outcome}\"}} ");
    let metrics = metrics::render();
    metrics.lines().find_map(|line| line.strip_prefix(name.as_str())?.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn what_the_files_hold_is_used_within_seconds_and_what_is_broken_is_not() {
    let (first, second) = (pair(), pair());
    let limits = Limits { connections: 50, ..LIMITS };
    let house = house("tls-renewed", limits, &first).await;
    write(house.folder.path(), &second);
    until_presented(house.address, &[&first, &second], 1).await;

    let kept = reloads("kept");
    for (file, text) in [("tls.key", first.signing_key.serialize_pem()), ("tls.crt", "broken".to_owned())] {
        std::fs::write(house.folder.path().join(file), text).unwrap();
        let before = reloads("kept");
        until(|| reloads("kept") > before).await;
        assert_eq!(presented(house.address, &[&first, &second]).await, Some(1), "{file}: the one before it stays");
    }
    std::fs::remove_file(house.folder.path().join("tls.crt")).unwrap();
    let before = reloads("kept");
    until(|| reloads("kept") > before).await;
    assert!(reloads("kept") >= kept + 3);
    write(house.folder.path(), &first);
    until_presented(house.address, &[&first, &second], 0).await;
}

/// A pair that is valid from and to so many seconds from now.
fn pair_of(from: i64, to: i64) -> CertifiedKey<KeyPair> {
    let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let at = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(now.saturating_add_signed(seconds));
    (parameters.not_before, parameters.not_after) = (at(from), at(to));
    let signing_key = KeyPair::generate().unwrap();
    CertifiedKey { cert: parameters.self_signed(&signing_key).unwrap(), signing_key }
}

#[tokio::test]
async fn a_pair_that_is_not_valid_now_is_not_used_until_it_is() {
    let (first, expired, next) = (pair(), pair_of(-7_200, -3_600), pair_of(5, 3_600));
    let house = house("tls-dates", Limits { connections: 50, ..LIMITS }, &first).await;
    until(|| metrics::render().contains("slipstream_tls_not_after_seconds 6")).await;
    let before = reloads("kept");
    write(house.folder.path(), &expired);
    until(|| reloads("kept") > before).await;
    assert_eq!(presented(house.address, &[&first]).await, Some(0), "the one before it stays");
    let before = reloads("kept");
    write(house.folder.path(), &next);
    until(|| reloads("kept") > before).await;
    until_presented(house.address, &[&first, &next], 1).await;
}

#[tokio::test]
async fn files_behind_links_that_are_swapped_are_followed() {
    // As Kubernetes mounts a Secret: tls.crt -> ..data/tls.crt, ..data -> a folder with a new name for each version.
    let (first, second) = (pair(), pair());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    for (name, pair) in [("..v1", &first), ("..v2", &second)] {
        std::fs::create_dir(at(name)).unwrap();
        write(&at(name), pair);
    }
    symlink("..v1", at("..data")).unwrap();
    symlink("..data/tls.crt", at("tls.crt")).unwrap();
    symlink("..data/tls.key", at("tls.key")).unwrap();
    let tls = load(folder.path()).unwrap();
    let limits = Limits { connections: 50, ..LIMITS };
    let (v1, data, next) = (at("..v1"), at("..data"), at("..data_tmp"));
    let house = serve("tls-swapped", limits, tls, folder).await;
    assert_eq!(presented(house.address, &[&first, &second]).await, Some(0));
    symlink("..v2", &next).unwrap();
    std::fs::rename(&next, &data).unwrap();
    std::fs::remove_dir_all(v1).unwrap();
    until_presented(house.address, &[&first, &second], 1).await;
}

#[test]
fn files_that_are_wrong_are_told_apart() {
    let (right, other) = (pair(), pair());
    let certificate = right.cert.pem();
    let key = right.signing_key.serialize_pem();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let torn = &certificate[..certificate.len() / 2];
    let not_one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, expected) in [
        (&certificate[..], &key[..], ""),
        ("", &key, "tls.crt: it holds no certificate (PEM); it is empty"),
        ("hello", &key, "tls.crt: it holds no certificate (PEM)"),
        (&key, &key, "tls.crt: it holds no certificate (PEM); it holds a private key"),
        (torn, &key, "tls.crt: it is no PEM"),
        (not_one, &key, "tls.crt: the certificate cannot be used: "),
        (&certificate, "", "tls.key: it holds no private key (PEM); it is empty"),
        (&certificate, &certificate, "tls.key: it holds no private key (PEM); it holds a certificate"),
        (&certificate, &encrypted, "tls.key: the key is encrypted"),
        (&certificate, &other.signing_key.serialize_pem(), "tls.key is not the key of the certificate in "),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tls.crt"), certificate).unwrap();
        std::fs::write(folder.path().join("tls.key"), key).unwrap();
        let said = load(folder.path()).err().map(|e| e.to_string()).unwrap_or_default();
        let place = format!("{}/", folder.path().display());
        assert!(said.replace(&place, "").starts_with(expected), "{said}, not {expected}");
        assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
        let secret = key.lines().nth(1).unwrap_or("no secret");
        assert!(!said.contains(secret), "{said}");
    }
    let nowhere = Tls::load(Path::new("/nowhere/tls.crt"), Path::new("/nowhere/tls.key")).unwrap_err().to_string();
    assert!(nowhere.starts_with("reading /nowhere/tls.crt: "), "{nowhere}");
}
