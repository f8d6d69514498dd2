//! What stands behind an address: something given, or something of ours that can be killed, started again and held.

use anyhow::{Result, bail};

use super::container::Container;
use super::native::Native;

/// Who runs a service.
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
            Instance::Given => bail!("a service given by its address is not ours to kill"),
            Instance::Native(native) => native.kill(),
            Instance::Docker(container) => container.kill().await,
        }
    }

    /// Starts it again after a kill, without waiting for it to answer.
    pub(super) async fn start(&self) -> Result<()> {
        match self {
            Instance::Given => bail!("a service given by its address is not ours to start"),
            Instance::Native(native) => native.start(),
            Instance::Docker(container) => container.start().await,
        }
    }

    /// Holds it: it keeps its connections and answers nobody.
    pub(super) async fn stop(&self) -> Result<()> {
        match self {
            Instance::Given => bail!("a service given by its address is not ours to hold"),
            Instance::Native(native) => native.stop(),
            Instance::Docker(container) => container.stop().await,
        }
    }

    /// Lets it go on after a hold.
    pub(super) async fn cont(&self) -> Result<()> {
        match self {
            Instance::Given => bail!("a service given by its address is not ours to let go"),
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

    /// The end of what it said, as far as we can know.
    pub(super) fn last_words(&self) -> String {
        match self {
            Instance::Given => String::new(),
            Instance::Native(native) => native.last_words(),
            Instance::Docker(container) => container.last_words(),
        }
    }
}
