//! `slipstream run` as a separate process, observed through its metrics.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::place::Place;
use super::usage::Usage;

const LOOK_EVERY: Duration = Duration::from_millis(20);
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// A process with some roles. It is killed when dropped.
pub struct Role {
    child: Child,
    ops: SocketAddr,
    gateway: SocketAddr,
    said: PathBuf,
}

impl Role {
    /// Starts a process with these roles, separated by commas.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(place: &Place, roles: &str, arguments: &[&OsStr]) -> Result<Role> {
        let (ops, gateway) = (free()?, free()?);
        let said = place.home().join(format!("{}-{}.log", roles.replace(',', "-"), ops.port()));
        let errors = File::create(&said).context("creating a file for the output of the process")?;
        let mut command = place.command();
        command.args(["run", "--roles", roles, "--log", &place.log()]).args(arguments);
        if let Some(store) = &place.store {
            command.args(["--store", store]);
        }
        command.args(["--ops-listen", &ops.to_string(), "--listen", &gateway.to_string()]);
        command.env("SLIPSTREAM_DRAIN", "0s").stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let child = command.spawn().with_context(|| format!("starting {}", place.program.display()))?;
        Ok(Role { child, ops, gateway, said })
    }

    /// Address of its gateway.
    pub fn gateway(&self) -> SocketAddr {
        self.gateway
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
            self.runs()?;
            ensure!(Instant::now() < deadline, "not {what} within {within:?}: {}", self.last_words());
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// An error with its output if the process has ended.
    pub fn runs(&mut self) -> Result<()> {
        match self.child.try_wait().context("checking a process")? {
            Some(status) => bail!("slipstream exited with {status}: {}", self.last_words()),
            None => Ok(()),
        }
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
        Usage::of(self.child.id())
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// When it does not.
    pub fn end(mut self) -> Result<()> {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().context("sending SIGTERM")?;
        ensure!(sent.success(), "sending SIGTERM");
        let deadline = Instant::now() + ENDS_WITHIN;
        while self.child.try_wait().context("waiting for a process")?.is_none() {
            ensure!(Instant::now() < deadline, "it did not exit after SIGTERM: {}", self.last_words());
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// kill -9.
    ///
    /// # Errors
    /// When there is nothing to kill.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().context("killing a process")?;
        self.child.wait().context("waiting for its exit")?;
        Ok(())
    }

    fn last_words(&self) -> String {
        let said = std::fs::read(&self.said).unwrap_or_default();
        String::from_utf8_lossy(&said[said.len().saturating_sub(3000)..]).into_owned()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
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

/// A loopback address that was free a moment ago.
pub fn free() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    listener.local_addr().context("looking for a free port")
}
