//! What is said about alerts: silences and acknowledgements, and the way by which they are written.

use anyhow::{Context, Result};
use slipstream_log::Outgoing;
use slipstream_producer::silencing::Sayings;
use slipstream_runtime::config::LogAddress;

use crate::args::Said;
use crate::parts::{self, OpenLog, Way};

/// The log itself, or the gateway that is named, or that of the process that owns the directory.
///
/// # Errors
/// When there is no way.
pub async fn way(through: &Said) -> Result<Way<Sayings>> {
    let config = || {
        let config = through.place.load()?;
        if let LogAddress::Sqlite(dir) = &config.log {
            // Not created: what is said in a directory that nobody reads would be lost.
            parts::existing(dir)?;
        }
        Ok(config)
    };
    // `--to` is a time in these commands.
    let client = |address: &str| Ok(Sayings::at(address, &through.server.credentials()?)?);
    parts::way(through.gateway.as_deref(), config, "--gateway", client).await
}

/// Says it, and closes the log.
///
/// # Errors
/// When the log does not take it.
pub async fn publish(log: OpenLog, record: Outgoing, doing: &'static str) -> Result<()> {
    let published = log.patient().publish(vec![record]).await.context(doing);
    log.close().await;
    published.map(drop)
}
