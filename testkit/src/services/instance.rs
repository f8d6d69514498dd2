//! The service at an address: an external one, or one of ours that can be killed, restarted and paused.

use anyhow::{Result, bail};

use super::container::Container;
use super::native::Native;

/// How a service is run.
#[derive(Debug)]
pub(super) enum Instance {
    /// Someone else; its address came from the environment.
    Given,
    /// A process of this machine.
    Native(Box<Native>),
    /// A container.
    Docker(Container),
}

impl Instance {
    /// kill -9.
    pub(super) async fn kill(&self) -> Result<()> {
        match self {
            Instance::Given => bail!("an external service cannot be killed"),
            Instance::Native(native) => native.kill(),
            Instance::Docker(container) => container.kill().await,
        }
    }

    /// Restarts it after a kill, without waiting until it responds.
    pub(super) async fn start(&self) -> Result<()> {
        match self {
            Instance::Given => bail!("an external service cannot be started"),
            Instance::Native(native) => native.start(),
            Instance::Docker(container) => container.start().await,
        }
    }

    /// Pauses it: it keeps its connections and does not respond.
    pub(super) async fn stop(&self) -> Result<()> {
        match self {
            Instance::Given => bail!("an external service cannot be paused"),
            Instance::Native(native) => native.stop(),
            Instance::Docker(container) => container.stop().await,
        }
    }

    /// Resumes it after a pause.
    pub(super) async fn cont(&self) -> Result<()> {
        match self {
            Instance::Given => bail!("an external service cannot be resumed"),
            Instance::Native(native) => native.cont(),
            Instance::Docker(container) => container.cont().await,
        }
    }

    /// An error if it is ours and has ended.
    pub(super) async fn still_runs(&self) -> Result<()> {
        match self {
            Instance::Given => Ok(()),
            Instance::Native(native) => native.still_runs(),
            Instance::Docker(container) => container.still_runs().await,
        }
    }

    /// The end of its output, as far as available.
    pub(super) fn last_words(&self) -> String {
        match self {
            Instance::Given => String::new(),
            Instance::Native(native) => native.last_words(),
            Instance::Docker(container) => container.last_words(),
        }
    }
}
