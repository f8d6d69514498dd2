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
    tokio::runtime::Runtime::new().context("starting a runtime")?.block_on(measure(&options))
}

async fn opened(address: &str) -> Result<SharedStore> {
    if let Some(dir) = address.strip_prefix("sqlite:") {
        let retention = Retention { events: Duration::from_secs(86_400 * 36_500), ..Retention::default() };
        let store: Arc<SqliteStore> = SqliteStore::open(&PathBuf::from(dir), retention)?;
        return Ok(store);
    }
    if !address.starts_with("postgres") {
        bail!("{address}: expected postgres://... or sqlite:DIR");
    }
    let store: Arc<PostgresStore> = PostgresStore::connect(PostgresOptions::new(address)).await?;
    Ok(store)
}

async fn measure(options: &Options) -> Result<()> {
    let store = opened(&options.store).await?;
    let end = BEGIN + options.days * DAY_US;
    if !options.kept {
        let began = Instant::now();
        fill::fill(&store, options.events, options.days, options.endpoints).await?;
        say(&format!("{} events stored in {:.0} s", options.events, began.elapsed().as_secs_f64()))?;
    }
    let began = Instant::now();
    while refresh(&store, LogTime(end / 1_000 + 3_600_000)).await? > 0 {}
    say(&format!("aggregates up to date after {:.0} s", began.elapsed().as_secs_f64()))?;
    say("| question | p50 ms | p99 ms | goal ms | reference, same run | p50 ms |")?;
    say("|---|---|---|---|---|---|")?;
    let whole = (BEGIN, BEGIN + 30 * DAY_US);
    let ragged = (BEGIN + 7_384_123_456, BEGIN + 30 * DAY_US + 45_123_000_001);
    let by = |by: &[Field]| by.to_vec();
    let rows = [
        ("KPIs of 30 whole days, in total", whole, by(&[]), None, "50"),
        ("the same by endpoint", whole, by(&[Field::Endpoint]), None, "50"),
        (
            "the same by endpoint and status class, per day",
            whole,
            by(&[Field::Endpoint, Field::StatusClass]),
            Some(86_400),
            "",
        ),
        ("KPIs of 30 days with ragged edges, by endpoint", ragged, by(&[Field::Endpoint]), None, "300"),
    ];
    for (name, span, by, step, goal) in rows {
        let question = kpis(span, by, step, None);
        let figures = timed(options.asked, async || store.kpis(&question).await.map(drop)).await?;
        let reference =
            KpiQuestion { filter: kpis(whole, Vec::new(), None, None).filter, source: Some(Level::Rollup), ..question };
        let reference = timed(3, async || store.kpis(&reference).await.map(drop)).await?;
        row(name, figures, goal, "from rollups", reference)?;
    }
    let page = |filter, order| EventQuestion { filter, order, limit: 100, after: None };
    let pages = [
        ("a page of 100 events, newest first", page(EventFilter::default(), Order::Newest)),
        (
            "a page of 100 events in the middle",
            page(EventFilter { from: Some(EventTime(BEGIN + 15 * DAY_US)), ..EventFilter::default() }, Order::Oldest),
        ),
        (
            "a page of 100 errors of an endpoint, newest first",
            page(
                EventFilter { endpoint: Some("/endpoint/7".into()), errors_only: true, ..EventFilter::default() },
                Order::Newest,
            ),
        ),
    ];
    for (name, question) in pages {
        let figures = timed(options.asked, async || store.events(&question).await.map(drop)).await?;
        let everything = EventQuestion { limit: 10_000, ..question };
        let reference = timed(3, async || store.events(&everything).await.map(drop)).await?;
        row(name, figures, "50", "10,000 of them", reference)?;
    }
    Ok(())
}

async fn refresh(store: &SharedStore, now: LogTime) -> Result<u64> {
    match store.refresh(now).await {
        Ok(done) => Ok(done.stale),
        Err(StoreError::Unavailable { .. }) => Ok(1),
        Err(error) => Err(error.into()),
    }
}

fn kpis(span: (i64, i64), by: Vec<Field>, step: Option<i64>, source: Option<Level>) -> KpiQuestion {
    let filter = EventFilter { from: Some(EventTime(span.0)), to: Some(EventTime(span.1)), ..EventFilter::default() };
    KpiQuestion { filter, by, step, source }
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

fn row(name: &str, (p50, p99): (f64, f64), goal: &str, reference: &str, (of_reference, _): (f64, f64)) -> Result<()> {
    say(&format!("| {name} | {p50:.1} | {p99:.1} | {goal} | {reference} | {of_reference:.1} |"))
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
