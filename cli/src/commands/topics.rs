//! `slipstream topics ...`: make the topics of an installation on Kafka, and see how they are.

use std::process::ExitCode;

use anyhow::{Result, bail};
use slipstream_log::Log;
use slipstream_log::definitions::ensure_settings;
use slipstream_log::kafka::{KafkaLog, KafkaOptions, admin};
use slipstream_runtime::config::LogAddress;
use slipstream_schemas::Topic;
use slipstream_schemas::records::Settings;

use crate::args::{Place, Topics};
use crate::parts::{CUT_DELAY_MS, REDELIVERY_WINDOW_MS, kafka_options};
use crate::{logging, output};

/// Runs a subcommand.
///
/// # Errors
/// When the log is not on Kafka, or the cluster cannot be asked.
pub async fn run(command: Topics) -> Result<ExitCode> {
    logging::init(None)?;
    match command {
        Topics::Ensure { partitions, replication, json, place } => ensure(&partitions, replication, json, &place).await,
        Topics::List { json: _, place: _ } => bail!("not yet"),
    }
}

/// How to reach the cluster of an installation.
fn cluster(place: &Place) -> Result<KafkaOptions> {
    let config = place.load()?;
    match &config.log {
        LogAddress::Kafka(brokers) => Ok(kafka_options(&config, brokers)?),
        LogAddress::Sqlite(_) => bail!("the embedded log needs no topics; give --log kafka://host:port"),
    }
}

async fn ensure(partitions: &[(Topic, u32)], replication: Option<i32>, _json: bool, place: &Place) -> Result<ExitCode> {
    let options = cluster(place)?;
    let wanted = |topic| partitions.iter().rev().find(|(t, _)| *t == topic).map(|(_, n)| *n);
    let made = admin::ensure(&options, |spec| wanted(spec.topic).unwrap_or(spec.partitions), replication).await?;
    let log = KafkaLog::connect(options).await?;
    let initial = Settings { redelivery_window_ms: REDELIVERY_WINDOW_MS, cut_delay_ms: CUT_DELAY_MS };
    ensure_settings(log.as_ref() as &dyn Log, &initial).await?;
    log.close().await;
    output::print(&format!("{} topics made\n", made.len()))?;
    Ok(ExitCode::SUCCESS)
}
