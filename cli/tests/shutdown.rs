//! SIGTERM: not ready first, still serving for a while, then an orderly end, whatever clients do.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use slipstream_testkit::process::{Slipstream, get_status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const BINARY: &str = env!("CARGO_BIN_EXE_slipstream");
const SOON: Duration = Duration::from_secs(20);

fn host(url: &str) -> &str {
    url.strip_prefix("http://").unwrap()
}

/// Head and body of the answer to an event on a connection of its own.
async fn post(process: &Slipstream) -> std::io::Result<String> {
    let event = r#"{"time":1772359200250000,"service":"s","endpoint":"/","method":"GET","status_code":200}"#;
    let mut stream = TcpStream::connect(host(&process.gateway())).await?;
    let head = format!("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", event.len());
    stream.write_all((head + event).as_bytes()).await?;
    let mut answer = vec![0; 4_096];
    let read = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
}

async fn readyz(process: &Slipstream) -> u16 {
    get_status(host(&process.ops()), "/readyz").await.unwrap()
}

#[tokio::test]
async fn load_balancers_notice_before_anything_is_refused() {
    let drain = Duration::from_secs(3);
    let mut process = Slipstream::new(BINARY).unwrap().with(["--drain", "3s"]);
    process.start().await.unwrap();
    let answer = post(&process).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("connection: close"), "{answer}");

    let begun = Instant::now();
    process.terminate().await.unwrap();
    while readyz(&process).await != 503 {
        assert!(begun.elapsed() < drain / 2, "not ready at once");
    }
    while begun.elapsed() < drain / 2 {
        let answer = post(&process).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
        assert_eq!(readyz(&process).await, 503);
    }
    assert!(process.ended().await.unwrap().success(), "{}", process.stderr());
    assert!(begun.elapsed() >= drain, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn clients_that_hang_do_not_keep_it_from_ending_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slipstream.yaml");
    std::fs::write(&file, "shutdown_timeout: 1s\ndrain: 0s\n").unwrap();
    let mut process = Slipstream::new(BINARY).unwrap().with(["--config".as_ref(), file.as_os_str()]);
    process.start().await.unwrap();
    let mut hanging = Vec::new();
    for (address, said) in [
        (process.gateway(), ""),
        (process.gateway(), "POST /v1/ev"),
        (process.gateway(), "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n[1"),
        (process.ops(), "GET /met"),
    ] {
        let mut stream = TcpStream::connect(host(&address)).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        hanging.push(stream);
    }
    // Accepted in order: by now all of them are served.
    post(&process).await.unwrap();
    assert_eq!(readyz(&process).await, 200);
    closes_what_is_open(&mut process).await;
}

#[tokio::test]
async fn without_a_gateway_nobody_is_waited_for() {
    let mut process = Slipstream::new(BINARY).unwrap().with(["--roles", "tally,burn,sink", "--drain", "60s"]);
    process.start().await.unwrap();
    let begun = Instant::now();
    assert!(process.stop().await.unwrap().success());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_does_not_keep_it_from_ending_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slipstream.yaml");
    let patient = "gateway: {write_timeout: 120s, publish_timeout: 60s}\n";
    std::fs::write(&file, format!("shutdown_timeout: 2s\ndrain: 0s\n{patient}")).unwrap();
    let mut process = Slipstream::new(BINARY).unwrap().with(["--config".as_ref(), file.as_os_str()]);
    process = process.with(["--roles", "gateway"]);
    process.start().await.unwrap();
    // Events without an id are named in the answer: more than sockets hold.
    let event = r#"{"time":1772359200250000,"service":"s","endpoint":"/","method":"GET","status_code":200}"#;
    let body = format!("[{}]", vec![event; 50_000].join(","));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(host(&process.gateway()).parse().unwrap()).await.unwrap();
    let head = format!("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    tokio::time::timeout(3 * SOON, stream.readable()).await.expect("the answer begins").unwrap();

    closes_what_is_open(&mut process).await;
}

/// Stops it while a client holds a connection open.
async fn closes_what_is_open(process: &mut Slipstream) {
    let begun = Instant::now();
    assert!(process.stop().await.unwrap().success(), "{}", process.stderr());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let said = process.stderr();
    assert!(said.contains("closing connections that are still open"), "{said}");
    assert!(!said.contains("did not end in time"), "no role was left behind: {said}");
}
