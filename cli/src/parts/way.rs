//! The way by which a command writes what it has to say: into the log itself, or through a gateway.

use anyhow::Result;
use slipstream_runtime::config::Config;

use super::log::{OpenLog, gateway_of_owner, named_as_certified, without_gateway};
use crate::output;

/// Where it is written.
pub enum Way<C> {
    /// Into a log that nobody else has.
    Log(Box<OpenLog>),
    /// Through a gateway.
    Gateway(Gateway<C>),
}

/// A gateway, with a client of what is asked of it.
pub struct Gateway<C> {
    /// The client.
    pub client: C,
    /// Its address, where it is that of the process that owns the directory.
    of_owner: Option<String>,
    flag: &'static str,
}

impl<C> Gateway<C> {
    /// What it answers, or why it does not.
    ///
    /// # Errors
    /// When it does not.
    pub fn told<T, E: Into<anyhow::Error>>(&self, answer: Result<T, E>) -> Result<T> {
        match &self.of_owner {
            Some(address) => answer.map_err(named_as_certified(address, self.flag)),
            None => answer.map_err(Into::into),
        }
    }
}

/// The gateway that is named, or the log of a configuration, or the gateway of the process that owns its directory. `flag` is what the
/// command names a gateway by.
///
/// # Errors
/// When there is no way.
pub async fn way<C>(
    named: Option<&str>,
    config: impl FnOnce() -> Result<Config>,
    flag: &'static str,
    client: impl Fn(&str) -> Result<C>,
) -> Result<Way<C>> {
    if let Some(address) = named {
        return Ok(Way::Gateway(Gateway { client: client(address)?, of_owner: None, flag }));
    }
    match OpenLog::open(&config()?).await {
        Ok(log) => Ok(Way::Log(Box::new(log))),
        Err(error) => match gateway_of_owner(&error) {
            Some(address) => {
                output::say(format_args!("the directory is in use: asking the gateway at {address}"));
                Ok(Way::Gateway(Gateway { client: client(&address)?, of_owner: Some(address), flag }))
            }
            None => Err(without_gateway(error, flag)),
        },
    }
}
