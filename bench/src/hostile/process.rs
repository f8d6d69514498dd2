//! `slipstream run` with all roles, on its own directory.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::kafka::role::free;
use crate::kafka::usage::Usage;

const READY_WITHIN: Duration = Duration::from_secs(20);
const ENDS_WITHIN: Duration = Duration::from_secs(40);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The process. It is killed when dropped.
pub struct Process {
    child: Child,
    gateway: SocketAddr,
    home: TempDir,
}

impl Process {
    /// Starts it, and waits until its gateway takes connections.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(program: &Path) -> Result<Process> {
        let (gateway, ops) = (free()?, free()?);
        let home = tempfile::tempdir().context("creating a directory for the process")?;
        let errors =
            File::create(home.path().join("stderr")).context("creating a file for the output of the process")?;
        let mut command = Command::new(program);
        command.arg("run").arg("--data").arg(home.path().join("data"));
        command.args(["--listen", &gateway.to_string(), "--ops-listen", &ops.to_string(), "--drain", "0s"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let mut process = Process { child, gateway, home };
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(gateway).is_err() {
            process.runs()?;
            ensure!(Instant::now() < deadline, "not ready within {READY_WITHIN:?}: {}", process.last_words());
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(process)
    }

    /// The address of its gateway.
    pub fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// The most that was resident, bytes.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn peak(&self) -> Result<u64> {
        Ok(Usage::of(self.child.id())?.peak)
    }

    /// SIGTERM; it must end in order.
    ///
    /// # Errors
    /// When it does not.
    pub fn end(mut self) -> Result<()> {
        self.runs()?;
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().context("sending SIGTERM")?;
        ensure!(sent.success(), "sending SIGTERM");
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            if let Some(ended) = self.child.try_wait().context("waiting for a process")? {
                ensure!(ended.success(), "after SIGTERM it exited with {ended}: {}", self.last_words());
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "it did not exit after SIGTERM: {}", self.last_words());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn runs(&mut self) -> Result<()> {
        let ended = self.child.try_wait().context("checking a process")?;
        ensure!(ended.is_none(), "slipstream exited unexpectedly: {}", self.last_words());
        Ok(())
    }

    fn last_words(&self) -> String {
        let said = std::fs::read(self.home.path().join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&said[said.len().saturating_sub(3_000)..]).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
