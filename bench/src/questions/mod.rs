//! What questions of a store cost: KPIs over 30 days of 200 endpoints from aggregates, and the same from rollups as a reference; pages
//! of events out of millions of rows.
//!
//! `slipstream-bench questions --store postgres://... | sqlite:DIR` fills an empty store (a database that may be emptied, a directory
//! that is not there yet) as a sink does, makes the aggregates, and asks each question again and again. p50 and p99 are of single
//! questions, one after the other.

mod fill;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use slipstream_schemas::{EventTime, LogTime};
use slipstream_store::kpis::{Field, KpiQuestion, Level};
use slipstream_store::{
    EventFilter, EventQuestion, Order, PostgresOptions, PostgresStore, Retention, SharedStore, SqliteStore, StoreError,
};

use crate::table::{self, Row, shown};

/// The name of this part.
pub const COMMAND: &str = "questions";

/// Options.
#[derive(Debug, Parser)]
#[command(name = "slipstream-bench questions")]
struct Options {
    /// postgres://... of a database that may be emptied, or sqlite:DIR
    #[arg(long)]
    store: String,
    /// Events in all
    #[arg(long, default_value = "3000000")]
    events: u64,
    /// Days that they spread over
    #[arg(long, default_value = "31")]
    days: i64,
    /// Different endpoints
    #[arg(long, default_value = "200")]
    endpoints: u64,
    /// How often each question is asked
    #[arg(long, default_value = "200")]
    asked: usize,
    /// Keep what the store holds, and ask only
    #[arg(long)]
    kept: bool,
}

const DAY_US: i64 = 86_400_000_000;
/// Where the events begin: a whole day.
const BEGIN: i64 = 20_000 * DAY_US;

/// Runs it.
///
/// # Errors
/// When the store cannot be used.
pub fn run(arguments: &[String]) -> Result<()> {
    let program = std::iter::once(COMMAND.to_owned());
    let options = Options::parse_from(program.chain(arguments.iter().cloned()));
    let mut out = std::io::stdout();
    writeln!(out, "{}", table::HEAD)?;
    for row in wait(measured(&options, "store"))?? {
        writeln!(out, "{row}")?;
    }
    Ok(())
}

/// The same of a database: of an empty one, which is filled with so many events, or of one that has been. `what` is what keeps them.
///
/// # Errors
/// When the database cannot be used.
pub fn of_database(url: &str, what: &str, filled_with: Option<u64>) -> Result<Vec<Row>> {
    let events = filled_with.unwrap_or_default().to_string();
    let mut options = vec![COMMAND, "--store", url, "--events", &events];
    options.extend(filled_with.is_none().then_some("--kept"));
    wait(measured(&Options::parse_from(options), what))?
}

fn wait<T>(work: impl Future<Output = T>) -> Result<T> {
    Ok(tokio::runtime::Runtime::new().context("starting a runtime")?.block_on(work))
}

async fn opened(address: &str) -> Result<SharedStore> {
    if let Some(dir) = address.strip_prefix("sqlite:") {
        let store: Arc<SqliteStore> = SqliteStore::open(&PathBuf::from(dir), kept_for_long())?;
        return Ok(store);
    }
    if !address.starts_with("postgres") {
        bail!("{address}: expected postgres://... or sqlite:DIR");
    }
    let options = PostgresOptions { retention: kept_for_long(), ..PostgresOptions::new(address) };
    let store: Arc<PostgresStore> = PostgresStore::connect(options).await?;
    Ok(store)
}

/// The events are of a certain day, long ago.
fn kept_for_long() -> Retention {
    let long = Duration::from_secs(86_400 * 36_500);
    Retention { events: long, history: long }
}

async fn measured(options: &Options, what: &str) -> Result<Vec<Row>> {
    let store = opened(&options.store).await?;
    let end = BEGIN + options.days * DAY_US;
    let mut rows = Vec::new();
    if !options.kept {
        let began = Instant::now();
        fill::fill(&store, options.events, options.days, options.endpoints).await?;
        let took = began.elapsed();
        let name = format!(
            "{what}: {:.1} M events of {} endpoints in {} days, stored",
            options.events as f64 / 1e6,
            options.endpoints,
            options.days
        );
        rows.push(Row::new(
            name,
            format!("{:.0} s, {:.0} events/s", took.as_secs_f64(), options.events as f64 / took.as_secs_f64()),
            "",
        ));
    }
    let began = Instant::now();
    while refresh(&store, LogTime(end / 1_000 + 3_600_000)).await? > 0 {}
    rows.push(Row::new(format!("{what}: hourly and daily made"), shown(began.elapsed()), ""));
    rows.extend(kpis_of(&store, options, what).await?);
    rows.extend(pages_of(&store, options, what).await?);
    Ok(rows)
}

async fn kpis_of(store: &SharedStore, options: &Options, what: &str) -> Result<Vec<Row>> {
    let whole = (BEGIN, BEGIN + 30 * DAY_US);
    let ragged = (BEGIN + 7_384_123_456, BEGIN + 30 * DAY_US + 45_123_000_001);
    let endpoint = || vec![Field::Endpoint];
    let questions = [
        ("KPIs of 30 whole days, in total", kpis(whole, Vec::new(), None), "p99 50 ms"),
        ("KPIs of 30 whole days by endpoint", kpis(whole, endpoint(), None), "p99 50 ms"),
        (
            "KPIs of 30 whole days by endpoint and status class, per day",
            kpis(whole, vec![Field::Endpoint, Field::StatusClass], Some(86_400)),
            "",
        ),
        ("KPIs of 30 days with ragged edges, by endpoint", kpis(ragged, endpoint(), None), "p99 300 ms"),
    ];
    let mut rows = Vec::new();
    for (name, question, goal) in questions {
        let figures = timed(options.asked, async || store.kpis(&question).await.map(drop)).await?;
        let rollups = KpiQuestion { filter: whole_minutes(&question.filter), source: Some(Level::Rollup), ..question };
        let reference = timed(3, async || store.kpis(&rollups).await.map(drop)).await?;
        rows.push(row(&format!("{what}: {name}"), figures, goal, "from rollups", reference));
    }
    Ok(rows)
}

async fn pages_of(store: &SharedStore, options: &Options, what: &str) -> Result<Vec<Row>> {
    let page = |filter, order| EventQuestion { filter, order, limit: 100, after: None };
    let middle = EventFilter { from: Some(EventTime(BEGIN + 15 * DAY_US)), ..EventFilter::default() };
    let errors = EventFilter { endpoint: Some("/endpoint/7".into()), errors_only: true, ..EventFilter::default() };
    let questions = [
        ("a page of 100 events, newest first", page(EventFilter::default(), Order::Newest)),
        ("a page of 100 events in the middle", page(middle, Order::Oldest)),
        ("a page of 100 errors of an endpoint, newest first", page(errors, Order::Newest)),
    ];
    let mut rows = Vec::new();
    for (name, question) in questions {
        let figures = timed(options.asked, async || store.events(&question).await.map(drop)).await?;
        let everything = EventQuestion { limit: 10_000, ..question };
        let reference = timed(3, async || store.events(&everything).await.map(drop)).await?;
        rows.push(row(&format!("{what}: {name}"), figures, "p99 50 ms", "10,000 of them", reference));
    }
    Ok(rows)
}

async fn refresh(store: &SharedStore, now: LogTime) -> Result<u64> {
    match store.refresh(now).await {
        Ok(done) => Ok(done.stale),
        Err(StoreError::Unavailable { .. }) => Ok(1),
        Err(error) => Err(error.into()),
    }
}

fn kpis((from, to): (i64, i64), by: Vec<Field>, step: Option<i64>) -> KpiQuestion {
    let filter = EventFilter { from: Some(EventTime(from)), to: Some(EventTime(to)), ..EventFilter::default() };
    KpiQuestion { filter, by, step, source: None }
}

/// Rollups have nothing of parts of a minute.
fn whole_minutes(filter: &EventFilter) -> EventFilter {
    let whole = |time: Option<EventTime>| time.map(|time| EventTime(time.0 - time.0.rem_euclid(60_000_000)));
    EventFilter { from: whole(filter.from), to: whole(filter.to), ..filter.clone() }
}

/// p50 and p99, milliseconds. The first answer is not counted.
async fn timed<E: Into<anyhow::Error>>(asked: usize, ask: impl AsyncFn() -> Result<(), E>) -> Result<(f64, f64)> {
    ask().await.map_err(Into::into)?;
    let mut took = Vec::with_capacity(asked);
    for _ in 0..asked {
        let began = Instant::now();
        ask().await.map_err(Into::into)?;
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() as f64 * share).ceil() as usize).clamp(1, took.len()) - 1];
    Ok((at(0.5), at(0.99)))
}

fn row(what: &str, (p50, p99): (f64, f64), goal: &'static str, reference: &str, (of_reference, _): (f64, f64)) -> Row {
    Row::new(what, format!("p50 {p50:.1} ms, p99 {p99:.1} ms"), goal)
        .against(format!("{reference}: p50 {of_reference:.1} ms"), p50 / of_reference)
}
