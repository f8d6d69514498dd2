//! `slipstream run` as a separate process, observed through its metrics.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::place::Place;
use super::usage::Usage;
use crate::process::{Process, free};

const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// A process with some roles. It is killed when dropped.
pub struct Role {
    process: Process,
    ops: SocketAddr,
    gateway: SocketAddr,
    api: SocketAddr,
}

impl Role {
    /// Starts a process with these roles, separated by commas.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(place: &Place, roles: &str, arguments: &[&OsStr]) -> Result<Role> {
        let mut command = place.command();
        command.args(["run", "--roles", roles, "--log", &place.log()]).args(arguments);
        if let Some(store) = &place.store {
            command.args(["--store", store]);
        }
        Role::launch(command, place.home())
    }

    /// Starts a process by the command of a `slipstream run`, at addresses that are free. What it says goes into a directory.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(mut command: Command, home: &Path) -> Result<Role> {
        let [ops, gateway, api] = free()?;
        let said = home.join(format!("run-{}.log", ops.port()));
        command.args([
            "--ops-listen",
            &ops.to_string(),
            "--listen",
            &gateway.to_string(),
            "--api-listen",
            &api.to_string(),
        ]);
        command.env("SLIPSTREAM_DRAIN", "0s");
        Ok(Role { process: Process::start(&mut command, said)?, ops, gateway, api })
    }

    /// Address of its gateway.
    pub fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// Address of its API.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// When it ends before, or takes too long.
    pub fn ready(&mut self, within: Duration) -> Result<()> {
        self.until(within, "ready", |role| {
            Ok(get(role.ops, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")))
        })
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// When the process ends before, or it takes too long.
    pub fn until(&mut self, within: Duration, what: &str, so: impl Fn(&Role) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + within;
        while !so(self)? {
            self.process.wait(deadline, what)?;
        }
        Ok(())
    }

    /// An error with its output if the process has ended.
    pub fn runs(&mut self) -> Result<()> {
        self.process.runs()
    }

    /// Sum over the samples of a metric whose labels contain `labels`; 0 if there is none yet.
    ///
    /// # Errors
    /// When the process does not respond.
    pub fn metric(&self, name: &str, labels: &str) -> Result<f64> {
        let answer = get(self.ops, "/metrics")?;
        let samples = answer.lines().filter(|line| line.starts_with(name) && line.contains(labels));
        Ok(samples.filter_map(|line| line.rsplit_once(' ')?.1.trim().parse::<f64>().ok()).sum())
    }

    /// What it has used.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn usage(&self) -> Result<Usage> {
        self.process.usage()
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// When it does not.
    pub fn end(mut self) -> Result<()> {
        self.process.end(ENDS_WITHIN).map(|_| ())
    }

    /// kill -9.
    ///
    /// # Errors
    /// When there is nothing to kill.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()
    }
}

fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).context("requesting from a process")?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).context("requesting from a process")?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).context("requesting from a process")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("reading from a process")?;
    Ok(answer)
}
