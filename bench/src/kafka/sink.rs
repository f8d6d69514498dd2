//! The sink into PostgreSQL, against bare binary COPY of the same rows into the same table: same schema, same index, one
//! connection, one transaction.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use futures::{SinkExt, TryStreamExt};
use tokio_postgres::{Client, NoTls};

use super::fill::fill;
use super::options::Options;
use super::place::{Place, wait};
use super::role::Role;
use super::usage::Usage;
use crate::table::Row;

const PARTITIONS: u32 = 4;
const WITHIN: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes that go to the server at a time, about; as the sink sends them.
const PIECE: usize = 256 << 10;
const STORED: (&str, &str) = ("slipstream_sink_records_total", "outcome=\"stored\"");

/// A sixth of `--events`; the run of which the ratio is the middle one.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    let Some(server) = &options.postgres else { return Ok(vec![Row::new("sink", "no --postgres".to_owned(), "0.8")]) };
    let events = options.fewer();
    let mut place = Place::new(&options.brokers, &options.program()?, "sink", PARTITIONS)?;
    fill(&place, events)?;
    let mut runs = Vec::new();
    for n in 0..options.runs.max(1) {
        place.forget("sink")?;
        let database = Database::make(server, n)?;
        place.store = Some(database.url.clone());
        let (sink, usage) = stored(&place, events)?;
        let copy = wait(copied(&database.url))??;
        ensure!(copy.rows == events, "only {} of {events} events were stored", copy.rows);
        database.remove()?;
        runs.push((sink, usage, copy.took));
    }
    place.remove()?;
    runs.sort_by(|a, b| (a.0.as_secs_f64() / a.2.as_secs_f64()).total_cmp(&(b.0.as_secs_f64() / b.2.as_secs_f64())));
    let (sink, usage, copy) = runs[runs.len() / 2];
    let rate = |took: Duration| events as f64 / took.as_secs_f64();
    let figure = format!(
        "{:.0} rows/s from its first commit, {:.2} CPU s/M, {} MiB",
        rate(sink),
        usage.cpu.as_secs_f64() * 1e6 / events as f64,
        usage.peak >> 20
    );
    let what = format!("sink into PostgreSQL, {:.1} M events, with rollups and redelivery", events as f64 / 1e6);
    let reference = format!("COPY BINARY of the same rows: {:.0} rows/s", rate(copy));
    Ok(vec![Row::new(what, figure, "0.8").against(reference, copy.as_secs_f64() / sink.as_secs_f64())])
}

/// Lets the sink store all there is. The time is what all of it takes at the rate after the first commit.
fn stored(place: &Place, events: u64) -> Result<(Duration, Usage)> {
    let began = Instant::now();
    let mut role = Role::start(place, "sink", &[])?;
    let (mut first, mut done) = (None, 0);
    while done < events {
        role.runs()?;
        ensure!(began.elapsed() < WITHIN, "the sink stored only {done} of {events} events within {WITHIN:?}");
        std::thread::sleep(LOOK_EVERY);
        done = role.metric(STORED.0, STORED.1).unwrap_or(0.0) as u64;
        if done > 0 {
            first.get_or_insert((Instant::now(), done));
        }
    }
    let (at, before) = first.context("nothing was stored")?;
    let flowed = (events - before).max(1) as f64;
    let took = if before < events { at.elapsed() } else { began.elapsed() };
    let usage = role.usage()?;
    role.end()?;
    Ok((took.mul_f64(events as f64 / flowed.min(events as f64)), usage))
}

/// A database of the measurement's own.
pub struct Database {
    server: String,
    name: String,
    /// Its address.
    pub url: String,
}

impl Database {
    /// Creates one on a server given by the address of any of its databases.
    ///
    /// # Errors
    /// When the server does not create it.
    pub fn make(server: &str, run: usize) -> Result<Database> {
        let name = format!("bench_{}_{run}", std::process::id());
        let (address, parameters) = server.split_once('?').map_or((server, ""), |(a, p)| (a, p));
        let host = address.rsplit_once('/').map_or(address, |(host, _)| host);
        let url = format!("{host}/{name}{}{parameters}", if parameters.is_empty() { "" } else { "?" });
        wait(on(server, &format!("CREATE DATABASE {name}")))??;
        Ok(Database { server: server.to_owned(), name, url })
    }

    /// Drops it.
    ///
    /// # Errors
    /// When the server does not.
    pub fn remove(self) -> Result<()> {
        wait(on(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name)))?
    }
}

async fn on(url: &str, statement: &str) -> Result<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
    let work = async { client.batch_execute(statement).await };
    let work = std::pin::pin!(work);
    tokio::select! {
        done = work => done.with_context(|| format!("running {statement}")),
        ended = connection => Err(anyhow::anyhow!("the connection ended: {ended:?}")),
    }
}

/// What bare COPY did.
struct Copied {
    rows: u64,
    took: Duration,
}

/// Takes the rows out, empties the table, and puts them in again.
async fn copied(url: &str) -> Result<Copied> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
    let work = std::pin::pin!(out_and_in(&client));
    tokio::select! {
        done = work => done,
        ended = connection => Err(anyhow::anyhow!("the connection ended: {ended:?}")),
    }
}

async fn out_and_in(client: &Client) -> Result<Copied> {
    let schema = "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relname = 'events' AND c.relkind IN ('r', 'p')";
    let schema: String = client.query_one(schema, &[]).await.context("looking for the table")?.get(0);
    client.batch_execute(&format!("SET search_path TO {schema}; CHECKPOINT")).await.context("a checkpoint")?;
    let rows = taken_out(client).await.context("reading rows")?;
    client.batch_execute("TRUNCATE events; CHECKPOINT").await.context("emptying the table")?;
    let began = Instant::now();
    let sink = client.copy_in("COPY events FROM STDIN BINARY").await.context("starting COPY")?;
    let mut sink = std::pin::pin!(sink);
    for piece in rows {
        sink.send(piece).await.context("sending rows")?;
    }
    let rows = sink.finish().await.context("ending COPY")?;
    Ok(Copied { rows, took: began.elapsed() })
}

async fn taken_out(client: &Client) -> Result<Vec<Bytes>, tokio_postgres::Error> {
    let mut out = std::pin::pin!(client.copy_out("COPY (SELECT * FROM events) TO STDOUT BINARY").await?);
    let (mut pieces, mut piece) = (Vec::new(), BytesMut::with_capacity(PIECE));
    while let Some(bytes) = out.try_next().await? {
        piece.extend_from_slice(&bytes);
        if piece.len() >= PIECE {
            pieces.push(std::mem::replace(&mut piece, BytesMut::with_capacity(PIECE)).freeze());
        }
    }
    pieces.push(piece.freeze());
    Ok(pieces)
}
