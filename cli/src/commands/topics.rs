//! `slipstream topics ...`: create the topics of an installation on Kafka, and inspect them.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use slipstream_log::kafka::admin::{self, Cluster, Finding, Severity, TopicState};
use slipstream_log::kafka::{KafkaLog, KafkaOptions};
use slipstream_log::{Log, LogError, TopicPartition};
use slipstream_role::definitions::{ensure_settings, read_settings};
use slipstream_role::patience::passes;
use slipstream_runtime::config::LogAddress;
use slipstream_schemas::records::Settings;
use slipstream_schemas::{Topic, topics::TOPICS};
use tokio::time::Instant;

use crate::args::{Place, Topics};
use crate::findings;
use crate::parts::{CUT_DELAY_MS, REDELIVERY_WINDOW_MS, kafka_options};
use crate::wrong_use::WrongUse;
use crate::{figures, logging, output};

/// How long it may take until every broker knows new topics and they have leaders.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs a subcommand.
///
/// # Errors
/// When the log is not on Kafka, or the cluster cannot be reached.
pub async fn run(command: Topics) -> Result<ExitCode> {
    logging::init(None)?;
    match command {
        Topics::Ensure { partitions, replication, json, place } => {
            let options = cluster(&place)?;
            let answer = ensure(&options, &partitions, replication).await?;
            answer.tell(json, &place)
        }
        Topics::List { json, place } => list(&cluster(&place)?, json).await,
    }
}

/// How to reach the cluster of an installation.
fn cluster(place: &Place) -> Result<KafkaOptions> {
    let config = place.load()?;
    match &config.log {
        LogAddress::Kafka(brokers) => Ok(kafka_options(&config, brokers)),
        LogAddress::Sqlite(_) => {
            Err(WrongUse("the embedded log needs no topics; pass --log kafka://host:port".to_owned()).into())
        }
    }
}

/// What `topics ensure` did.
#[derive(Serialize)]
struct Ensured {
    /// Names of topics that were created.
    made: Vec<String>,
    /// Names of topics that existed.
    there: Vec<String>,
    /// The installation's settings, as they are now.
    settings: Settings,
    /// What differs from the table, or from what was requested.
    findings: Vec<Finding>,
}

async fn ensure(options: &KafkaOptions, partitions: &[(Topic, u32)], replication: Option<i32>) -> Result<Ensured> {
    let wanted = |topic| partitions.iter().rev().find(|(t, _)| *t == topic).map(|(_, n)| *n);
    // Outside of what is repeated: what the first attempt made is there for the second.
    let made = Mutex::default();
    let make = || admin::ensure(options, |spec| wanted(spec.topic).unwrap_or(spec.partitions), replication, &made);
    persistently("making the topics", make).await?;
    let made: Vec<String> = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    let cluster = once_led(options).await?;
    let settings = write_settings(options).await?;
    let brokers = cluster.brokers.len();
    let mut findings = Vec::new();
    for state in &cluster.topics {
        findings.extend(admin::judge_topic(state, brokers, &options.brokers));
        let asked = wanted(state.topic);
        findings.extend(asked.and_then(|n| admin::judge_partitions(state, n, &options.brokers)));
    }
    findings.extend(admin::judge_unread(&cluster.topics));
    let names = cluster.topics.iter().map(|state| state.name.clone());
    let there = names.filter(|name| !made.contains(name)).collect();
    Ok(Ensured { made, there, settings, findings })
}

/// The cluster once all topics are there and led.
async fn once_led(options: &KafkaOptions) -> Result<Cluster> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let cluster = persistently("reading the topics", || admin::inspect(options)).await?;
        let led = |state: &TopicState| state.there.as_ref().is_ok_and(|t| t.partitions.iter().all(|p| p.led));
        if Instant::now() > deadline || cluster.topics.iter().all(led) {
            return Ok(cluster);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Retries after temporary errors, within bounds: a broker that has just opened its port, or a topic whose leader does
/// not know yet that it is one. This is logged once.
async fn persistently<T, F: Future<Output = Result<T, LogError>>>(
    doing: &str,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    let mut said = false;
    loop {
        match ask().await {
            Err(error) if passes(&error) && Instant::now() < deadline => {
                if !std::mem::replace(&mut said, true) {
                    tracing::info!(%error, "{doing}: retrying for up to {} s", PATIENCE.as_secs());
                }
            }
            answer => return Ok(answer?),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The settings are the first of all records: no role starts without.
async fn write_settings(options: &KafkaOptions) -> Result<Settings> {
    let log = KafkaLog::new(options.clone());
    let initial = Settings { redelivery_window_ms: REDELIVERY_WINDOW_MS, cut_delay_ms: CUT_DELAY_MS };
    let written = async {
        // Reading is retried, writing is not: a record that was not acknowledged may have been written.
        persistently("reading slo-definitions", || read_settings(log.as_ref())).await?;
        Ok(ensure_settings(log.as_ref(), &initial).await?)
    };
    let written = written.await;
    log.close().await;
    written
}

impl Ensured {
    fn tell(self, json: bool, place: &Place) -> Result<ExitCode> {
        let broken = self.findings.iter().any(|f| f.severity == Severity::Error);
        if json {
            output::print_json(&self)?;
        } else {
            for name in &self.made {
                output::print(&format!("created  {name}\n"))?;
            }
            for name in &self.there {
                output::print(&format!("exists   {name}\n"))?;
            }
            output::print(&findings::text(&self.findings))?;
            let Settings { redelivery_window_ms, cut_delay_ms } = self.settings;
            output::say(format_args!(
                "copies of an event are recognised for {} s; definitions apply {} s after they are published",
                redelivery_window_ms as f64 / 1_000.0,
                cut_delay_ms as f64 / 1_000.0
            ));
        }
        if broken {
            output::say("error: the topics lack guarantees that the roles need; see above for what to do");
            return Ok(ExitCode::from(1));
        }
        output::say(format_args!("next: slipstream run{}", place.flags()));
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct Listing {
    topics: Vec<Row>,
}

/// A topic as it is.
#[derive(Serialize)]
struct Row {
    topic: &'static str,
    /// Its name on the cluster.
    name: String,
    exists: bool,
    partitions: Option<usize>,
    replication: Option<usize>,
    /// Null if forever, or unknown.
    retention_ms: Option<i64>,
    cleanup_policy: Option<String>,
    timestamp_type: Option<String>,
    /// Retained offsets: records, and the markers of transactions.
    records: Option<i64>,
    /// What differs from the table.
    findings: Vec<Finding>,
}

async fn list(options: &KafkaOptions, json: bool) -> Result<ExitCode> {
    let cluster = admin::inspect(options).await?;
    let log = KafkaLog::new(options.clone());
    let mut topics = Vec::new();
    for state in &cluster.topics {
        let findings = admin::judge_topic(state, cluster.brokers.len(), &options.brokers);
        topics.push(Row { records: records(log.as_ref(), state).await, ..row(state, findings) });
    }
    if json {
        output::print_json(&Listing { topics })?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["TOPIC", "PARTITIONS", "REPLICAS", "KEPT", "CLEANUP", "TIMES", "RECORDS", "DIFFERS"];
    output::print(&output::table(&head, &["PARTITIONS", "REPLICAS", "RECORDS"], topics.iter().map(line)))?;
    let found = topics.into_iter().flat_map(|row| row.findings).chain(admin::judge_unread(&cluster.topics));
    let found: Vec<Finding> = found.collect();
    output::print(&findings::text(&found))?;
    output::say("the record counts include transaction markers");
    Ok(ExitCode::SUCCESS)
}

fn row(state: &TopicState, findings: Vec<Finding>) -> Row {
    let there = state.there.as_ref().ok();
    let setting = |name: &str| there.and_then(|t| t.setting(name)).map(str::to_owned);
    Row {
        topic: TOPICS[state.topic as usize].name,
        name: state.name.clone(),
        exists: there.is_some(),
        partitions: there.map(|t| t.partitions.len()),
        replication: there.map(admin::TopicThere::replication),
        retention_ms: setting("retention.ms").and_then(|v| v.parse().ok()).filter(|ms| *ms >= 0),
        cleanup_policy: setting("cleanup.policy"),
        timestamp_type: setting("message.timestamp.type"),
        records: None,
        findings,
    }
}

/// Retained offsets of a topic; `None` if not all partitions could be read.
async fn records(log: &KafkaLog, state: &TopicState) -> Option<i64> {
    let mut records = 0;
    for partition in 0..state.there.as_ref().ok()?.partitions.len() as u32 {
        let (first, end) = log.bounds(TopicPartition { topic: state.topic, partition }).await.ok()?;
        records += end - first;
    }
    Some(records)
}

fn line(row: &Row) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let kept = match (row.cleanup_policy.as_deref(), row.retention_ms) {
        (None, _) => "-".to_owned(),
        (Some("compact"), _) => "newest per key".to_owned(),
        (Some(_), None) => "forever".to_owned(),
        (Some(_), Some(ms)) => figures::span(ms / 1_000),
    };
    let worst = row.findings.iter().map(|f| f.severity).max();
    vec![
        row.name.clone(),
        or_dash(row.partitions.map(|n| n.to_string())),
        or_dash(row.replication.map(|n| n.to_string())),
        kept,
        or_dash(row.cleanup_policy.clone()),
        or_dash(row.timestamp_type.clone()),
        or_dash(row.records.map(figures::count)),
        worst.map_or("", findings::word).to_owned(),
    ]
}
