//! The log of a process: a directory that it owns, or a cluster that it shares.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use slipstream_log::SharedLog;
use slipstream_log::kafka::{KafkaLog, KafkaOptions, check_properties};
use slipstream_log::patient::Patient;
use slipstream_log::sqlite::{SqliteLog, SqliteOptions};
use slipstream_runtime::config::{Config, ConfigErrors, LogAddress, Problem};

use super::no_file;

/// A log that is open for writing.
pub enum OpenLog {
    /// In a directory that this process owns.
    Sqlite(Arc<SqliteLog>),
    /// On a cluster.
    Kafka(Arc<KafkaLog>),
}

impl OpenLog {
    /// Opens the log that the configuration names.
    ///
    /// # Errors
    /// When another process owns the directory, or the cluster does not answer or misses topics: each with what to do.
    pub async fn open(config: &Config) -> Result<OpenLog> {
        match &config.log {
            LogAddress::Sqlite(dir) => {
                no_file(dir)?;
                Ok(OpenLog::Sqlite(SqliteLog::open(dir, SqliteOptions::default())?))
            }
            LogAddress::Kafka(brokers) => Ok(OpenLog::Kafka(KafkaLog::connect(kafka_options(config, brokers)?).await?)),
        }
    }

    /// The log as roles take it: on a cluster, one that waits out what passes.
    pub fn shared(&self) -> SharedLog {
        match self {
            OpenLog::Sqlite(log) => log.clone(),
            OpenLog::Kafka(log) => Patient::over(log.clone()),
        }
    }

    /// Whether roles in other processes may work on it as well.
    pub fn is_on_kafka(&self) -> bool {
        matches!(self, OpenLog::Kafka(_))
    }

    /// Waits for what is on its way. Call it when no role is left.
    pub async fn close(self) {
        match self {
            OpenLog::Sqlite(log) => log.close().await,
            OpenLog::Kafka(log) => log.close().await,
        }
    }
}

/// How to reach the cluster, as the configuration says.
///
/// # Errors
/// With every property that librdkafka does not know, or that must not be set.
pub fn kafka_options(config: &Config, brokers: &str) -> Result<KafkaOptions, ConfigErrors> {
    let given = &config.kafka.properties;
    let properties: BTreeMap<String, String> =
        given.iter().map(|(name, property)| (name.clone(), property.value.reveal().to_owned())).collect();
    let problem = |error: slipstream_log::kafka::PropertyError| {
        let place = given.get(&error.name).map(|property| property.place.clone())?;
        Some(Problem { place, message: format!("`kafka.properties.{}`: {}", error.name, error.cause) })
    };
    let mut problems: Vec<Problem> = check_properties(&properties).into_iter().filter_map(problem).collect();
    if !problems.is_empty() {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        return Err(ConfigErrors::Invalid(problems));
    }
    let (prefix, instance) = (config.kafka.prefix.clone(), config.kafka.instance.clone());
    Ok(KafkaOptions { prefix, instance, properties, ..KafkaOptions::new(brokers) })
}
