//! A service as a process of this machine, that can be killed, started again on its data and held.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::{Instant, sleep};

use super::guardian::Folder;

/// A program with its arguments, and the folder in which it lives.
#[derive(Debug)]
pub(super) struct Native {
    folder: Folder,
    program: OsString,
    arguments: Vec<OsString>,
    child: Mutex<Option<Child>>,
}

impl Native {
    /// A service to be.
    pub(super) fn new<A: Into<OsString>>(folder: Folder, command: impl IntoIterator<Item = A>) -> Result<Native> {
        let mut words = command.into_iter().map(Into::into);
        let program = words.next().context("a service needs a program")?;
        Ok(Native { folder, program, arguments: words.collect(), child: Mutex::new(None) })
    }

    /// Starts the process; it is up once its port accepts connections.
    pub(super) fn start(&self) -> Result<()> {
        let mut child = self.child();
        ensure!(child.is_none(), "the service is already running");
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(self.log()?).stderr(self.log()?);
        let program = Path::new(&self.program);
        *child = Some(command.spawn().with_context(|| format!("starting {}", program.display()))?);
        Ok(())
    }

    /// Runs another program in the folder until its output has `sign`, then kills it.
    ///
    /// # Errors
    /// When it cannot be started, ends before that, or takes longer than `patience`.
    pub(super) async fn run_until(&self, command: &[String], sign: &str, patience: Duration) -> Result<()> {
        let output = self.folder.path().join("log-of-another");
        let file = File::create(&output).context("creating the log of a program")?;
        let [program, arguments @ ..] = command else { bail!("a program has a name") };
        let mut run = tokio::process::Command::new(program);
        run.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        run.stdout(file.try_clone()?).stderr(file);
        let mut child = run.spawn().with_context(|| format!("starting {program}"))?;
        let deadline = Instant::now() + patience;
        loop {
            let said = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
            if said.contains(sign) {
                return child.kill().await.with_context(|| format!("killing {program}"));
            }
            let ended = child.try_wait().with_context(|| format!("checking {program}"))?;
            ensure!(ended.is_none() && Instant::now() < deadline, "{program} does not say `{sign}`:\n{said}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// An error, with the end of its output, if the process has exited unexpectedly.
    pub(super) fn still_runs(&self) -> Result<()> {
        let mut child = self.child();
        let child = child.as_mut().context("the service is not running")?;
        let ended = child.try_wait().context("checking the service")?;
        ensure!(ended.is_none(), "the service ended ({ended:?}):\n{}", self.last_words());
        Ok(())
    }

    /// kill -9 of all its processes.
    pub(super) fn kill(&self) -> Result<()> {
        let mut child = self.child();
        self.folder.kill(|| child.as_mut().map_or(Ok(None), Child::try_wait).map(drop))?;
        if let Some(mut child) = child.take() {
            // Until it is reaped its id is taken, and a postmaster that starts again takes it for alive.
            child.wait().context("waiting for the exit of a killed service")?;
        }
        Ok(())
    }

    /// Holds all its processes (SIGSTOP).
    pub(super) fn stop(&self) -> Result<()> {
        self.folder.signal("STOP")
    }

    /// Resumes them (SIGCONT).
    pub(super) fn cont(&self) -> Result<()> {
        self.folder.signal("CONT")
    }

    /// The end of its output.
    pub(super) fn last_words(&self) -> String {
        let said = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&said[said.len().saturating_sub(4000)..]).into_owned()
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> Result<File> {
        OpenOptions::new().create(true).append(true).open(self.log_path()).context("opening the log of the service")
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = child {
            // Reaped here, or it would be a zombie until this process ends; the guardian does the rest.
            let _gone = self.folder.end(|| child.try_wait().map(drop));
        }
    }
}
