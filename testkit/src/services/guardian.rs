//! Nothing outlives the test process: a guardian waits on a pipe that only this process holds, and cleans up when the
//! pipe closes, however the process ended. What even the guardian could not do, because it was killed itself, the next
//! start does.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// First part of the names of folders and containers, by which leftovers are found.
pub(super) const PREFIX: &str = "slipstream-service-";
/// How long processes of a service may take to be gone.
const GONE: Duration = Duration::from_secs(10);

/// Ends every process whose working directory is the folder (a broker, a postmaster and its backends), first with the
/// signal that lets it clean up, then for certain, and removes the folder.
const SWEEP: &str = r#"
sweep() {
  for signal in CONT "$2" "$2" KILL KILL; do
    tries=0
    while [ $tries -lt 15 ]; do
      found=
      for process in /proc/[0-9]*; do
        case "$(readlink "$process/cwd" 2>/dev/null)" in "$1"|"$1"/*) found="$found ${process#/proc/}";; esac
      done
      [ -n "$found" ] || break 2
      [ $tries -gt 0 ] || kill -"$signal" $found 2>/dev/null
      [ "$signal" != CONT ] || break
      tries=$((tries + 1)); sleep 0.1
    done
  done
  rm -rf "$1"
}
"#;

/// A process that cleans up once this process is gone, or this value is dropped.
#[derive(Debug)]
pub(super) struct Guardian {
    child: Child,
}

impl Guardian {
    /// One that runs `script` (sh) with `arguments` as $1, $2, ... when this process has ended.
    pub(super) fn new(script: &str, arguments: &[&str]) -> Result<Guardian> {
        let script = format!("while read -r _; do :; done\n{script}");
        let mut command = Command::new("sh");
        command.args(["-c", &script, PREFIX]).args(arguments).current_dir("/");
        // In its own process group: Ctrl-C ends the tests, and the guardian must outlive them.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Ok(Guardian { child: command.spawn().context("starting a guardian (sh)")? })
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Nothing to do about a guardian that cannot be waited for: it cleans up all the same.
        let _ended = self.child.wait();
    }
}

/// Whether the process is a guardian that still watches.
pub(super) fn watches(id: &str) -> bool {
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(PREFIX))
}

/// A folder in the place for temporary files that native services live in, guarded.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    stop: &'static str,
    _guardian: Guardian,
}

impl Folder {
    /// A new one. `stop` is the signal that makes its processes clean up and end, `QUIT` or `KILL`.
    pub(super) fn new(stop: &'static str) -> Result<Folder> {
        sweep_leftovers();
        let made = tempfile::Builder::new().prefix(PREFIX).permissions(fs::Permissions::from_mode(0o755)).tempdir();
        let path = made.map(TempDir::keep).context("creating a folder for a service")?;
        let name = path.to_str().context("the folder for temporary files has a name that is not UTF-8")?;
        let guardian = Guardian::new(&format!("{SWEEP}\nsweep \"$1\" \"$2\""), &[name, stop])?;
        fs::write(path.join("guardian"), guardian.id().to_string()).context("recording the guardian")?;
        Ok(Folder { path, stop, _guardian: guardian })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The processes that live in it.
    pub(super) fn processes(&self) -> Vec<u32> {
        let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
        let ids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let lives = |id: &u32| {
            let directory = fs::read_link(format!("/proc/{id}/cwd"));
            directory.is_ok_and(|directory| directory.starts_with(&self.path))
        };
        ids.filter(lives).collect()
    }

    /// Sends a signal to all its processes, also to those that were being forked meanwhile.
    pub(super) fn signal(&self, signal: &str) -> Result<()> {
        let mut sent = Vec::new();
        loop {
            let new: Vec<u32> = self.processes().into_iter().filter(|id| !sent.contains(id)).collect();
            if new.is_empty() {
                return Ok(());
            }
            let ids = new.iter().map(u32::to_string);
            // kill fails if it has ended in the meantime, which is fine.
            let mut kill = Command::new("kill");
            kill.arg(format!("-{signal}")).args(ids).stderr(Stdio::null()).status().context("running kill")?;
            sent.extend(new);
        }
    }

    /// Ends its processes the way that lets them clean up, and kills those that take too long.
    pub(super) fn end(&self, mut reap: impl FnMut() -> io::Result<()>) -> Result<()> {
        let deadline = Instant::now() + GONE / 3;
        self.signal("CONT")?;
        self.signal(self.stop)?;
        while Instant::now() < deadline && !self.processes().is_empty() {
            reap().context("waiting for the exit of a service")?;
            thread::sleep(Duration::from_millis(5));
        }
        self.kill(reap)
    }

    /// Kills all its processes and waits until they are gone; `reap` collects the exit status of those that are our
    /// children.
    pub(super) fn kill(&self, mut reap: impl FnMut() -> io::Result<()>) -> Result<()> {
        let deadline = Instant::now() + GONE;
        loop {
            self.signal("KILL")?;
            reap().context("waiting for the exit of a killed service")?;
            if self.processes().is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "still there after kill -9: {:?}", self.processes());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Removes folders, with the processes in them, whose guardian is gone.
fn sweep_leftovers() {
    let Ok(all) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in all.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        // Without the marker file it is just being created.
        let Ok(guardian) = fs::read_to_string(entry.path().join("guardian")) else { continue };
        if !guardian.is_empty() && !watches(&guardian) {
            let script = format!("{SWEEP}\nsweep \"$1\" QUIT");
            let mut sweep = Command::new("sh");
            let _best_effort = sweep.args(["-c", &script, "sweep"]).arg(entry.path()).stdin(Stdio::null()).status();
        }
    }
}
