//! `slipstream store ...`: looks after the store.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Serialize;
use slipstream_query::History;
use slipstream_query::history::StoreStanding;
use slipstream_runtime::config::{Config, StoreAddress};
use slipstream_schemas::LogTime;
use slipstream_store::aggregates::Refreshed;
use slipstream_store::postgres::{self, Layout, Progress};
use slipstream_store::{PostgresOptions, SharedStore, SqliteStore, StoreError};

use crate::args::{Place, Store};
use crate::parts::store::postgres_options;
use crate::{figures, output, parts};

/// Runs a subcommand.
///
/// # Errors
/// When the store cannot be used.
pub async fn run(command: Store) -> Result<ExitCode> {
    match command {
        Store::Status { json, place } => status(json, &place).await,
        Store::Refresh { json, place } => refresh(json, &place).await,
        Store::Migrate { json, place } => migrate(json, &place).await,
        Store::Grant { reader, writer, place } => grant(&reader, &writer, &place).await,
        Store::EraseUser { user_ref, json, place } => erase(&user_ref, json, &place).await,
    }
}

fn now() -> LogTime {
    LogTime(Timestamp::now().as_millisecond())
}

async fn status(json: bool, place: &Place) -> Result<ExitCode> {
    let config = place.load()?;
    let (store, log) = (parts::store_of(&config).await?, parts::log_of(&config).await);
    let mut history = History::of(store);
    match log {
        Ok(log) => history = history.with_log(log),
        Err(error) => output::say(format_args!("warning: the log cannot be read: {}", output::causes(&error))),
    }
    let standing = history.standing().await?;
    if json {
        output::print_json(&standing)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&table(&standing))?;
    let until = standing.aggregated_until.as_deref().unwrap_or("nowhere yet");
    let stale = figures::count(standing.stale_aggregates as i64);
    output::say(format_args!(
        "{}: aggregates go to {until}, {stale} hours and days are not up to date",
        standing.store
    ));
    Ok(ExitCode::SUCCESS)
}

fn table(standing: &StoreStanding) -> String {
    let head = ["TOPIC", "PARTITION", "OFFSET", "BEHIND", "LAST RECORD LOGGED"];
    let rows = standing.topics.iter().map(|topic| {
        vec![
            topic.topic.clone(),
            topic.partition.to_string(),
            figures::count(topic.offset),
            topic.behind.map_or("?".to_owned(), figures::count),
            topic.log_time.clone(),
        ]
    });
    output::table(&head, &["PARTITION", "OFFSET", "BEHIND"], rows)
}

/// The store, to be changed by somebody who is not a sink.
async fn to_change(config: &Config) -> Result<SharedStore> {
    match &config.store {
        StoreAddress::Sqlite(dir) => {
            parts::existing(dir)?;
            // The lock of the directory: its owner writes, and nobody else does.
            let store = SqliteStore::open(dir, config.retention)?;
            Ok(store)
        }
        StoreAddress::Postgres(_) => parts::store_of(config).await,
    }
}

/// Refuses a directory that a process owns.
async fn nobody_owns(config: &Config, what: &str) -> Result<Option<parts::OpenLog>> {
    match &config.store {
        StoreAddress::Sqlite(dir) => {
            parts::existing(dir)?;
            let doing = || format!("{}: {what}", dir.display());
            Ok(Some(parts::OpenLog::open(config).await.with_context(doing)?))
        }
        StoreAddress::Postgres(_) => Ok(None),
    }
}

/// Failures in a row, a second apart: a refresh of somebody else's takes minutes at most.
const MOST_FAILURES: u32 = 600;

async fn refresh(json: bool, place: &Place) -> Result<ExitCode> {
    let config = place.load()?;
    let _owned = nobody_owns(&config, "its owner makes aggregates anew by itself").await?;
    let store = to_change(&config).await?;
    let mut all = Refreshed::default();
    let mut failures = 0;
    loop {
        match store.refresh(now()).await {
            Ok(done) => {
                failures = 0;
                all = Refreshed { hours: all.hours + done.hours, days: all.days + done.days, stale: done.stale };
                if done.stale == 0 || done.hours + done.days == 0 {
                    break;
                }
                output::say(format_args!("{} hours and days to go", figures::count(done.stale as i64)));
            }
            // A refresh by TimescaleDB's own policy is under way.
            Err(StoreError::Unavailable { doing, cause }) if failures < MOST_FAILURES => {
                failures += 1;
                output::say(format_args!("{doing}: {cause}; trying again"));
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if json {
        output::print_json(&all)?;
    } else {
        output::print(&format!("{} hours and {} days were made anew\n", all.hours, all.days))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn database(config: &Config, what: &str) -> Result<PostgresOptions> {
    match &config.store {
        StoreAddress::Postgres(url) => Ok(postgres_options(config, url)),
        StoreAddress::Sqlite(dir) => {
            bail!("{}: {what} is for a store in PostgreSQL (--store postgres://...)", dir.display())
        }
    }
}

/// What `store migrate` tells machines.
#[derive(Serialize)]
struct Migrated {
    hypertables: Layout,
}

async fn migrate(json: bool, place: &Place) -> Result<ExitCode> {
    let config = place.load()?;
    let options = database(&config, "store migrate")?;
    let layout = postgres::to_hypertables(&options, |step| match step {
        Progress::Copied { table, done, of } => output::say(format_args!("{table}: {done} of {of} days copied")),
        Progress::Moved { table } => output::say(format_args!("{table} is a hypertable now")),
        Progress::Continuous => output::say("hourly and daily are continuous aggregates now"),
    })
    .await?;
    if json {
        output::print_json(&Migrated { hypertables: layout })?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = match layout.is_all_timescale() {
        true => "all tables are hypertables, and aggregates are continuous",
        false => {
            "all tables are hypertables; continuous aggregates are not part of this build of TimescaleDB: `slipstream doctor`"
        }
    };
    output::print(&format!("{told}\n"))?;
    output::say("next: slipstream store refresh");
    Ok(ExitCode::SUCCESS)
}

async fn grant(readers: &[String], writers: &[String], place: &Place) -> Result<ExitCode> {
    let config = place.load()?;
    let options = database(&config, "store grant")?;
    postgres::grant(&options, readers, writers).await?;
    let told = |users: &[String], may: &str| match users {
        [] => String::new(),
        users => format!("{} may {may}\n", users.join(", ")),
    };
    output::print(&(told(readers, "read") + &told(writers, "write as a sink does")))?;
    Ok(ExitCode::SUCCESS)
}

async fn erase(user_ref: &str, json: bool, place: &Place) -> Result<ExitCode> {
    let config = place.load()?;
    let owned = nobody_owns(&config, "a process uses it: erase through its API (POST /api/v1/erasures)").await?;
    let log = match &owned {
        Some(log) => log.patient(),
        None => parts::log_of(&config).await?,
    };
    let history = History::of(to_change(&config).await?).with_log(log);
    let erasure = history.erase_user(user_ref, now()).await?;
    if json {
        output::print_json(&erasure)?;
    } else {
        output::print(&format!("{}\n", erasure.note))?;
    }
    Ok(ExitCode::SUCCESS)
}
