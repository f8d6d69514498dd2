//! What the sink costs against the least there is: bare binary COPY of the same rows into the same table, on one
//! connection. Events come from memory, so that only the sink and the database are measured.
//!
//! `cargo run --release -p slipstream-sink --example against_copy [EVENTS]`, with the services of the testkit.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement: it ends where something fails")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, TryStreamExt};
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, Outgoing};
use slipstream_runtime::{Health, Shutdown};
use slipstream_schemas::{EventTime, RequestEvent, Topic, codec};
use slipstream_store::{PostgresOptions, PostgresStore, SharedStore, Store};
use slipstream_testkit::services;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

const PARTITIONS: u32 = 4;
/// Log time passes by one millisecond in so many events: 50,000 a second.
const PER_MS: u64 = 50;
const RUNS: usize = 3;
const WINDOW_MS: i64 = 120_000;

#[tokio::main]
async fn main() {
    let events: u64 = std::env::args().nth(1).map_or(1_000_000, |n| n.parse().unwrap());
    let log = filled(events).await;
    let url = services::postgres().await.fresh_database().await;
    let asking = Asking::open(&url).await;
    let (mut sinks, mut copies) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let schema = format!("run_{run}");
        let options = PostgresOptions { schema: schema.clone(), ..PostgresOptions::new(&url) };
        let store = PostgresStore::connect(options).await.unwrap();
        let (backends, own) = (asking.backends().await, own_cpu());
        let took = sink(log.clone(), store.clone(), events).await;
        let backend = asking.cpu_since(&backends).await;
        report("sink", events, took, own_cpu() - own, backend);
        sinks.push(took);
        store.close().await;
        asking.client.batch_execute(&format!("SET search_path TO {schema}; CHECKPOINT")).await.unwrap();
        if run == 0 {
            asking.sizes(events).await;
        }
        let rows = asking.dump().await;
        asking.client.batch_execute("TRUNCATE events; CHECKPOINT").await.unwrap();
        let (backends, own) = (asking.backends().await, own_cpu());
        let took = asking.copy(&rows).await;
        report("copy", events, took, own_cpu() - own, asking.cpu_since(&backends).await);
        copies.push(took);
        asking.client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE; CHECKPOINT")).await.unwrap();
    }
    let (sink, copy) = (median(sinks), median(copies));
    println!("sink / copy, medians: {:.2}", copy.as_secs_f64() / sink.as_secs_f64());
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn report(what: &str, events: u64, took: Duration, own: f64, backend: f64) {
    let millions = events as f64 / 1e6;
    println!(
        "{what}: {:>9.0} rows/s, {:.2} s of this process and {:.2} s of the server a million rows",
        events as f64 / took.as_secs_f64(),
        own / millions,
        backend / millions
    );
}

async fn filled(events: u64) -> Arc<MemoryLog> {
    let clock = ManualClock::at(1_700_000_000_000);
    let options =
        MemoryOptions { clock: Clock::Manual(clock.clone()), partitions: [(Topic::RequestEvents, PARTITIONS)].into() };
    let log = MemoryLog::new(options);
    let at_a_time = 10 * PER_MS;
    for first in (0..events).step_by(at_a_time as usize) {
        let now = 1_700_000_000_000 + (first / PER_MS) as i64;
        clock.set(now);
        let last = events.min(first + at_a_time);
        log.publish((first..last).map(|i| outgoing(i, now)).collect()).await.unwrap();
    }
    log
}

/// Any bits from a number (SplitMix64).
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

fn outgoing(i: u64, now: i64) -> Outgoing {
    let bits = mixed(i);
    let (service, endpoint) = (bits % 40, (bits >> 8) % 5);
    let normal = (0..4).map(|k| ((mixed(bits ^ k) >> 11) as f64) / (1u64 << 53) as f64).sum::<f64>() - 2.0;
    let event = RequestEvent {
        event_id: format!("{bits:016x}{i:016x}"),
        time: EventTime(now * 1_000 - (bits >> 16) as i64 % 1_000_000),
        service: format!("service-{service:02}"),
        environment: "production".to_owned(),
        endpoint: format!("/api/v1/resource-{endpoint}/{{id}}"),
        method: if bits & 1 == 0 { "GET" } else { "POST" }.to_owned(),
        status_code: if (bits >> 20).is_multiple_of(200) { 503 } else { 200 },
        latency_ms: Some((normal * 1.5 + 3.0).exp()),
        weight: 1,
        trace_id: Some(format!("{:032x}", u128::from(bits) << 64 | u128::from(i))),
        user_ref: None,
        attributes: BTreeMap::from([("region".to_owned(), format!("eu-{}", bits % 3))]),
    };
    Outgoing {
        topic: Topic::RequestEvents,
        partition: Some((i % u64::from(PARTITIONS)) as u32),
        key: None,
        value: Some(Bytes::from(codec::encode(&event))),
        headers: Vec::new(),
    }
}

async fn sink(log: Arc<MemoryLog>, store: Arc<PostgresStore>, events: u64) -> Duration {
    let (began, shutdown) = (Instant::now(), Shutdown::new());
    let (shared, mut task): (SharedStore, _) = (store.clone(), JoinSet::new());
    task.spawn(slipstream_sink::run(log, shared, WINDOW_MS, Health::default(), shutdown.clone()));
    let took = loop {
        let stored: i64 = store.positions().await.unwrap().iter().map(|p| p.offset).sum();
        if stored as u64 == events {
            break began.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some(ended) = task.try_join_next() {
            panic!("the sink ended: {ended:?}");
        }
    };
    shutdown.cancel();
    task.join_next().await.unwrap().unwrap().unwrap();
    took
}

/// A connection in addition to the sink's.
struct Asking {
    client: Client,
    _driver: JoinSet<()>,
}

impl Asking {
    async fn open(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(async move { connection.await.unwrap() });
        Asking { client, _driver: driver }
    }

    async fn dump(&self) -> Vec<Bytes> {
        let sql = "COPY (SELECT * FROM events) TO STDOUT BINARY";
        let pieces = self.client.copy_out(sql).await.unwrap();
        let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
        let mut larger = vec![BytesMut::new()];
        for piece in pieces {
            if larger.last().unwrap().len() > 256 << 10 {
                larger.push(BytesMut::new());
            }
            larger.last_mut().unwrap().extend_from_slice(&piece);
        }
        larger.into_iter().map(BytesMut::freeze).collect()
    }

    async fn copy(&self, pieces: &[Bytes]) -> Duration {
        let began = Instant::now();
        let sink = self.client.copy_in("COPY events FROM STDIN BINARY").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        for piece in pieces {
            sink.send(piece.clone()).await.unwrap();
        }
        sink.finish().await.unwrap();
        began.elapsed()
    }

    async fn sizes(&self, events: u64) {
        let sql = "SELECT sum(pg_relation_size(inhrelid))::bigint, sum(pg_indexes_size(inhrelid))::bigint,
                   pg_total_relation_size('rollups')::bigint, (SELECT count(*) FROM rollups)
                   FROM pg_inherits WHERE inhparent = 'events'::regclass";
        let row = self.client.query_one(sql, &[]).await.unwrap();
        let each = |column: usize| row.get::<_, i64>(column) as f64 / events as f64;
        let (heap, index, rollups) = (each(0), each(1), row.get::<_, i64>(2));
        println!(
            "bytes an event: heap {heap:.1}, index {index:.1}; rollups {rollups} bytes in {} rows",
            row.get::<_, i64>(3)
        );
    }

    /// CPU seconds of the server's processes of this database so far.
    async fn backends(&self) -> BTreeMap<i32, f64> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()";
        let rows = self.client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), cpu(&row.get::<_, i32>(0).to_string()))).collect()
    }

    async fn cpu_since(&self, before: &BTreeMap<i32, f64>) -> f64 {
        self.backends().await.iter().map(|(pid, cpu)| cpu - before.get(pid).unwrap_or(&0.0)).sum()
    }
}

fn own_cpu() -> f64 {
    cpu("self")
}

/// User and system time of a process in seconds; 0 if it is not visible from here.
fn cpu(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let field = |i: usize| behind_name.split_whitespace().nth(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (field(11) + field(12)) / 100.0
}
