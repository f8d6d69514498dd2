//! Log and store of an installation that is looked at, also while processes work on it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use slipstream_log::SharedLog;
use slipstream_log::sqlite::SqliteLog;
use slipstream_runtime::config::{Config, LogAddress, StoreAddress};
use slipstream_store::{PostgresStore, SharedStore, SqliteStore};

use super::data::no_file;
use super::kafka_options;
use super::log::connect;
use super::store::postgres_options;

/// The log, for reading.
///
/// # Errors
/// When there is none, or it cannot be reached.
pub async fn log_of(config: &Config) -> Result<SharedLog> {
    match &config.log {
        LogAddress::Sqlite(dir) => {
            existing(dir)?;
            Ok(SqliteLog::open_read_only(dir)?)
        }
        LogAddress::Kafka(brokers) => Ok(connect(kafka_options(config, brokers), Duration::ZERO).await?),
    }
}

/// The store, for questions.
///
/// # Errors
/// When there is none, or it cannot be reached.
pub async fn store_of(config: &Config) -> Result<SharedStore> {
    match &config.store {
        StoreAddress::Sqlite(dir) => {
            existing(dir)?;
            Ok(SqliteStore::open_read_only(dir)?)
        }
        StoreAddress::Postgres(url) => Ok(PostgresStore::connect_read_only(postgres_options(config, url)).await?),
    }
}

/// Checks that there is a data directory.
///
/// # Errors
/// When there is none, with what creates it.
pub fn existing(dir: &Path) -> Result<()> {
    no_file(dir)?;
    if !dir.is_dir() {
        bail!(
            "{}: no such data directory; `slipstream run --data DIR` or `slipstream import` creates one",
            dir.display()
        );
    }
    Ok(())
}
