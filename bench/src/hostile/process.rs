//! `slipstream run` with all roles, on its own directory.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::process::{self, free};

const READY_WITHIN: Duration = Duration::from_secs(20);
const ENDS_WITHIN: Duration = Duration::from_secs(40);

/// The process. It is killed when dropped, before its directory goes.
pub struct Process {
    process: process::Process,
    gateway: SocketAddr,
    _home: TempDir,
}

impl Process {
    /// Starts it, and waits until its gateway takes connections.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(program: &Path) -> Result<Process> {
        let [gateway, ops] = free()?;
        let home = tempfile::tempdir().context("creating a directory for the process")?;
        let mut command = Command::new(program);
        command.arg("run").arg("--data").arg(home.path().join("data"));
        command.args([
            "--listen",
            &gateway.to_string(),
            "--ops-listen",
            &ops.to_string(),
            "--api-listen",
            "127.0.0.1:0",
            "--drain",
            "0s",
        ]);
        let mut process = process::Process::start(&mut command, home.path().join("stderr"))?;
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(gateway).is_err() {
            process.wait(deadline, "ready")?;
        }
        Ok(Process { process, gateway, _home: home })
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
        Ok(self.process.usage()?.peak)
    }

    /// SIGTERM; it must end in order.
    ///
    /// # Errors
    /// When it does not.
    pub fn end(mut self) -> Result<()> {
        self.process.runs()?;
        let ended = self.process.end(ENDS_WITHIN)?;
        ensure!(ended.success(), "after SIGTERM it exited with {ended}: {}", self.process.last_words());
        Ok(())
    }
}
