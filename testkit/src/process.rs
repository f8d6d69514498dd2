//! The built `slipstream` as a real process on its own data directory, that can be killed and restarted.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::services::ports;

/// How long a process may take to become ready, or to end when asked to.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// `slipstream run` over several lives: data directory and ports stay the same.
#[derive(Debug)]
pub struct Slipstream {
    binary: PathBuf,
    home: TempDir,
    arguments: Vec<OsString>,
    gateway: String,
    ops: String,
    api: String,
    child: Option<Child>,
}

impl Slipstream {
    /// A process to be, of the binary that the caller has from `env!("CARGO_BIN_EXE_slipstream")`.
    pub fn new(binary: impl Into<PathBuf>) -> Result<Slipstream> {
        let home = tempfile::tempdir().context("creating a directory for the process")?;
        let [gateway, ops, api] = free_addresses()?;
        Ok(Slipstream { binary: binary.into(), home, arguments: Vec::new(), gateway, ops, api, child: None })
    }

    /// Adds arguments to `run`.
    #[must_use]
    pub fn with(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Slipstream {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The address of its gateway: `http://127.0.0.1:PORT`.
    pub fn gateway(&self) -> String {
        format!("http://{}", self.gateway)
    }

    /// The address of its health and metrics: `http://127.0.0.1:PORT`.
    pub fn ops(&self) -> String {
        format!("http://{}", self.ops)
    }

    /// The address of its API: `http://127.0.0.1:PORT`.
    pub fn api(&self) -> String {
        format!("http://{}", self.api)
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Starts it without waiting.
    pub fn spawn(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "the process is already running");
        let mut command = Command::new(&self.binary);
        command.arg("run").arg("--data").arg(self.data());
        command.args(["--listen", &self.gateway, "--ops-listen", &self.ops, "--api-listen", &self.api]);
        command.args(&self.arguments);
        // There is no load balancer. A test of draining passes --drain, which takes precedence.
        command.env("SLIPSTREAM_DRAIN", "0s");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.errors()?).kill_on_drop(true);
        self.child = Some(command.spawn().with_context(|| format!("starting {}", self.binary.display()))?);
        Ok(())
    }

    /// Starts it and waits until every role is ready.
    pub async fn start(&mut self) -> Result<()> {
        self.spawn()?;
        self.ready().await
    }

    /// Waits until /readyz returns 200. An error, with its standard error, if it ends or takes too long.
    pub async fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = get_status(&self.ops, "/readyz").await;
            if status.as_ref().is_ok_and(|s| *s == 200) {
                return Ok(());
            }
            if let Some(child) = &mut self.child
                && let Some(ended) = child.try_wait()?
            {
                self.child = None;
                bail!("it exited with {ended} before it was ready:\n{}", self.stderr());
            }
            ensure!(Instant::now() < deadline, "not ready in time ({status:?}):\n{}", self.stderr());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// kill -9, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { bail!("the process is not running") };
        child.kill().await.context("killing the process")
    }

    /// Holds it (SIGSTOP): its connections stay, it does nothing.
    pub async fn hold(&self) -> Result<()> {
        self.signal("STOP").await
    }

    /// Resumes it after a pause (SIGCONT).
    pub async fn resume(&self) -> Result<()> {
        self.signal("CONT").await
    }

    /// An error, with its last output, if it has exited unexpectedly.
    pub fn still_runs(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else { bail!("the process is not running") };
        if let Some(ended) = child.try_wait().context("checking the process")? {
            self.child = None;
            let said = self.stderr();
            bail!("it exited unexpectedly with {ended}: {}", said.lines().last().unwrap_or("no output"));
        }
        Ok(())
    }

    /// SIGTERM, and waits for it to end in order.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.terminate().await?;
        self.ended().await
    }

    /// SIGTERM, without waiting.
    pub async fn terminate(&self) -> Result<()> {
        self.signal("TERM").await
    }

    /// Waits until it ends, by itself or after a signal.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let Some(mut child) = self.child.take() else { bail!("the process is not running") };
        match timeout(PATIENCE, child.wait()).await {
            Ok(ended) => ended.context("waiting for the process"),
            Err(_) => bail!("it did not exit in time:\n{}", self.stderr()),
        }
    }

    async fn signal(&self, name: &str) -> Result<()> {
        let id = self.id().context("the process is not running")?.to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().await;
        let sent = sent.with_context(|| format!("sending SIG{name}"))?;
        ensure!(sent.success(), "cannot send SIG{name} to {id}");
        Ok(())
    }

    /// All that it wrote on standard error, over all its lives.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.home.path().join("stderr")).unwrap_or_default()
    }

    /// Another command of the binary, on the same data directory (`--data` is added), to its end.
    pub async fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Output> {
        command(&self.binary, &self.data(), arguments).await
    }

    /// The same, with JSON on standard output; an error with its output when it fails.
    pub async fn json(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<serde_json::Value> {
        let output = self.command(arguments).await?;
        let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{}: {said}{wrong}", output.status);
        serde_json::from_str(&said).with_context(|| format!("not JSON: {said}{wrong}"))
    }

    fn errors(&self) -> Result<File> {
        let file = self.home.path().join("stderr");
        OpenOptions::new().create(true).append(true).open(file).context("collecting standard error")
    }
}

/// A command of the binary on a data directory, to its end.
pub async fn command(
    binary: &Path,
    data: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Output> {
    let mut command = Command::new(binary);
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.with_context(|| format!("running {}", binary.display()))
}

/// Loopback addresses that were free a moment ago, each another one.
fn free_addresses<const N: usize>() -> Result<[String; N]> {
    let mut ports = BTreeSet::new();
    while ports.len() < N {
        ports.insert(ports::free()?);
    }
    let mut ports = ports.into_iter();
    Ok(std::array::from_fn(|_| format!("127.0.0.1:{}", ports.next().unwrap_or_default())))
}

/// The status of a plain GET.
pub async fn get_status(address: &str, path: &str) -> Result<u16> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split_ascii_whitespace().nth(1).and_then(|code| code.parse().ok());
    status.with_context(|| format!("no HTTP response from {address}{path}: {answer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_ends_at_once_is_told_with_what_it_said() {
        let mut process = Slipstream::new("sh").unwrap();
        std::fs::write(process.home.path().join("sh"), "").unwrap();
        let error = process.start().await.expect_err("sh has no file named run").to_string();
        assert!(error.contains("before it was ready") && error.contains("run"), "{error}");
        assert!(process.kill().await.is_err(), "there is nothing left to kill");
    }
}
