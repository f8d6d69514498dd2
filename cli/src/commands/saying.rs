//! The way by which something is said about alerts: into the log itself, or through a gateway.

use anyhow::{Context, Result, anyhow};
use slipstream_log::{Outgoing, SharedLog};
use slipstream_producer::silencing::{RemoteError, Sayings};

use crate::args::Said;
use crate::output;
use crate::parts::{self, OpenLog, gateway_of_owner, named_as_certified, without_gateway};
use slipstream_runtime::config::LogAddress;

/// Where it is said.
pub enum Way {
    /// Into a log that nobody else has.
    Log(Opened),
    /// Through a gateway.
    Gateway(Gateway),
}

/// A log that is open.
pub struct Opened(OpenLog);

/// A gateway.
pub struct Gateway {
    /// What can be said through it.
    pub sayings: Sayings,
    /// Its address, where it is that of the process that owns the directory.
    of_owner: Option<String>,
}

impl Way {
    /// The log itself, or the gateway that is named, or that of the process that owns the directory.
    ///
    /// # Errors
    /// When there is no way.
    pub async fn open(through: &Said) -> Result<Way> {
        let sayings = |address: &str| anyhow::Ok(Sayings::at(address, &through.server.credentials()?)?);
        if let Some(address) = &through.gateway {
            return Ok(Way::Gateway(Gateway { sayings: sayings(address)?, of_owner: None }));
        }
        let config = through.place.load()?;
        if let LogAddress::Sqlite(dir) = &config.log {
            // Not created: what is said in a directory that nobody reads would be lost.
            parts::existing(dir)?;
        }
        match OpenLog::open(&config).await {
            Ok(log) => Ok(Way::Log(Opened(log))),
            Err(error) => match gateway_of_owner(&error) {
                Some(address) => {
                    output::say(format_args!("the directory is in use: asking the gateway at {address}"));
                    Ok(Way::Gateway(Gateway { sayings: sayings(&address)?, of_owner: Some(address) }))
                }
                None => Err(by_its_flag(without_gateway(error))),
            },
        }
    }
}

impl Opened {
    /// The log.
    pub fn log(&self) -> SharedLog {
        self.0.shared()
    }

    /// Says it, and closes the log.
    ///
    /// # Errors
    /// When the log does not take it.
    pub async fn publish(self, record: Outgoing, doing: &'static str) -> Result<()> {
        let published = self.0.patient().publish(vec![record]).await.context(doing);
        self.0.close().await;
        published.map(drop)
    }
}

impl Gateway {
    /// What it answers, or why it does not.
    ///
    /// # Errors
    /// When it does not.
    pub fn told<T>(&self, answer: Result<T, RemoteError>) -> Result<T> {
        match &self.of_owner {
            Some(address) => answer.map_err(named_as_certified(address)).map_err(by_its_flag),
            None => Ok(answer?),
        }
    }
}

/// Here `--to` is a time, and the gateway has a flag of its own.
fn by_its_flag(error: anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    if text.contains("--to http") { anyhow!("{}", text.replace("--to http", "--gateway http")) } else { error }
}
