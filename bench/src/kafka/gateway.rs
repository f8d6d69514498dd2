//! The gateway: events over HTTP until the log has them, with connections that stay open, from a loader in this process.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::fill::fill;
use super::options::Options;
use super::place::{Place, wait};
use super::role::Role;
use super::traffic::now;
use crate::table::Row;

const PARTITIONS: u32 = 4;
/// Events in a request, and connections that send one after the other.
const LOADS: [(usize, usize); 2] = [(1, 256), (100, 32)];
const FOR: Duration = Duration::from_secs(8);
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Eight seconds each, against an idempotent producer that writes the same number of events alone.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    let place = Place::new(&options.brokers, &options.program()?, "gateway", PARTITIONS)?;
    let mut rows = Vec::new();
    for (batch, connections) in LOADS {
        let mut gateway = Role::start(&place, "gateway", &[])?;
        gateway.ready(READY_WITHIN)?;
        let (sent, took) = wait(load(gateway.gateway(), batch, connections))??;
        let usage = gateway.usage()?;
        gateway.end()?;
        let filled = fill(&place, sent)?;
        let (ours, theirs) = (sent as f64 / took.as_secs_f64(), sent as f64 / filled.took.as_secs_f64());
        let figure = format!(
            "{ours:.0} events/s in {:.0} requests/s, {:.2} CPU s/M, {} MiB",
            ours / batch as f64,
            usage.cpu.as_secs_f64() * 1e6 / sent as f64,
            usage.peak >> 20
        );
        let what = format!("gateway, {batch} event(s) per request, {connections} connections");
        let row = Row::new(what, figure, "");
        rows.push(row.against(format!("producer of rdkafka alone: {theirs:.0} events/s"), ours / theirs));
    }
    place.remove()?;
    Ok(rows)
}

/// Sends for a while; returns how many events were acknowledged, and in which time.
async fn load(address: SocketAddr, batch: usize, connections: usize) -> Result<(u64, Duration)> {
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for n in 0..connections {
        senders.spawn(one_after_the_other(address, batch, n, began + FOR));
    }
    let mut sent = 0;
    while let Some(done) = senders.join_next().await {
        sent += done.context("a sender ended")??;
    }
    Ok((sent, began.elapsed()))
}

async fn one_after_the_other(address: SocketAddr, batch: usize, connection: usize, until: Instant) -> Result<u64> {
    let mut stream = TcpStream::connect(address).await.context("connecting to the gateway")?;
    stream.set_nodelay(true).context("connecting to the gateway")?;
    let (mut sent, mut answer, mut body) = (0, Vec::new(), String::new());
    while Instant::now() < until {
        write_body(&mut body, batch, connection, sent);
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.context("sending events")?;
        answered(&mut stream, &mut answer).await?;
        sent += batch as u64;
    }
    Ok(sent)
}

fn write_body(body: &mut String, batch: usize, connection: usize, first: u64) {
    body.clear();
    body.push('[');
    let time = now();
    for n in first..first + batch as u64 {
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            "{}{{\"event_id\":\"{time:016x}-{connection:04x}-{n:014x}\",\"time\":{time},\"service\":\"service-{:02}\",\
             \"environment\":\"prod\",\"endpoint\":\"/v1/items/{{id}}\",\"method\":\"GET\",\"status_code\":200,\
             \"latency_ms\":{}.25}}",
            if n == first { "" } else { "," },
            n % 20,
            n % 97
        );
    }
    body.push(']');
}

/// Reads a response to its end; it must be a 200.
async fn answered(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<()> {
    answer.clear();
    loop {
        ensure!(
            stream.read_buf(answer).await.context("reading from the gateway")? > 0,
            "the gateway closed a connection"
        );
        let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&answer[..head]);
        ensure!(text.starts_with("HTTP/1.1 200"), "the gateway refused: {}", String::from_utf8_lossy(answer));
        let length = text
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        if answer.len() >= head + 4 + length.unwrap_or(0usize) {
            return Ok(());
        }
    }
}
