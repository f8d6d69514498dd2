//! A process of the program under test: it ends with its owner, and an error has what it said last.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::kafka::usage::Usage;

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often what a process used is read: what it uses after the last time is missed.
const SPEND_EVERY: Duration = Duration::from_millis(4);
/// Bytes of its output that an error has.
const LAST_WORDS: usize = 3_000;

/// A process that runs. It is killed when dropped.
pub struct Process {
    child: Child,
    said: PathBuf,
}

impl Process {
    /// Starts it; what it says on standard error goes into the file `said`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command, said: PathBuf) -> Result<Process> {
        let errors = File::create(&said).context("creating a file for the output of the process")?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let child = command.spawn().with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
        Ok(Process { child, said })
    }

    /// Waits a moment before something is looked at again.
    ///
    /// # Errors
    /// When the process has ended, or it is too late; `what` is what it has not become.
    pub fn wait(&mut self, deadline: Instant, what: &str) -> Result<()> {
        self.runs()?;
        ensure!(Instant::now() < deadline, "not {what} in time: {}", self.last_words());
        std::thread::sleep(LOOK_EVERY);
        Ok(())
    }

    /// An error with its output if the process has ended.
    pub fn runs(&mut self) -> Result<()> {
        match self.child.try_wait().context("checking a process")? {
            Some(status) => bail!("slipstream exited with {status}: {}", self.last_words()),
            None => Ok(()),
        }
    }

    /// What it has used.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }

    /// SIGTERM, and the end after it.
    ///
    /// # Errors
    /// When it does not end.
    pub fn end(&mut self, within: Duration) -> Result<ExitStatus> {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().context("sending SIGTERM")?;
        ensure!(sent.success(), "sending SIGTERM");
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().context("waiting for a process")? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "it did not exit after SIGTERM: {}", self.last_words());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// kill -9.
    ///
    /// # Errors
    /// When there is nothing to kill.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("killing a process")?;
        self.child.wait().context("waiting for its exit")?;
        Ok(())
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        let said = std::fs::read(&self.said).unwrap_or_default();
        String::from_utf8_lossy(&said[said.len().saturating_sub(LAST_WORDS)..]).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process took from its start to its end.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// Time that passed.
    pub took: Duration,
    /// CPU time and memory.
    pub usage: Usage,
}

impl Spent {
    /// Events a second, CPU and memory in one cell.
    pub fn shown(&self, events: u64) -> String {
        let (rate, cpu) =
            (events as f64 / self.took.as_secs_f64() / 1e6, self.usage.cpu.as_secs_f64() * 1e6 / events as f64);
        format!("{rate:.2} M/s, {cpu:.2} CPU s/M, {} MiB", self.usage.peak >> 20)
    }
}

/// Runs a command to its end, its standard error being ours. What it used is read while it runs, every few milliseconds.
///
/// # Errors
/// When it cannot be started, or fails.
pub fn spend(command: &mut Command) -> Result<Spent> {
    let name = command.get_program().to_string_lossy().into_owned();
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("starting {name}"))?;
    let mut usage = Usage { cpu: Duration::ZERO, peak: 0 };
    let status = loop {
        if let Ok(now) = Usage::of(child.id()) {
            usage = now;
        }
        match child.try_wait().context("checking a process")? {
            Some(status) => break status,
            None => std::thread::sleep(SPEND_EVERY),
        }
    };
    let took = began.elapsed();
    ensure!(status.success(), "{name} exited with {status}");
    Ok(Spent { took, usage })
}

/// Loopback addresses that were free a moment ago, all different.
pub fn free<const N: usize>() -> Result<[SocketAddr; N]> {
    // Held until all are found: a port that is given back may be the next one.
    let listeners = (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>();
    let listeners = listeners.context("looking for free ports")?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>();
    addresses.context("looking for free ports")?.try_into().map_err(|_| anyhow!("{N} free ports were asked for"))
}
