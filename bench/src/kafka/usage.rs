//! What a process has used: CPU time and its peak of resident memory, as reported by Linux.

use std::time::Duration;

use anyhow::{Context, Result};

/// Clock ticks a second in /proc: fixed by Linux for all programs.
const TICKS: u64 = 100;

/// What a process has used since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// Greatest resident memory, bytes.
    pub peak: u64,
}

impl Usage {
    /// Of a process that still runs.
    ///
    /// # Errors
    /// When there is no such process, or no /proc.
    pub fn of(process: u32) -> Result<Usage> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).context("reading CPU time (Linux only)")?;
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("reading memory")?;
        let ticks = ticks(&stat).with_context(|| format!("no CPU time in {stat}"))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: u64 = kib.trim().trim_end_matches(" kB").parse().context("VmHWM is not a number")?;
        Ok(Usage { cpu: Duration::from_millis(ticks * 1000 / TICKS), peak: kib << 10 })
    }

    /// Of this process.
    ///
    /// # Errors
    /// As [`Usage::of`].
    pub fn own() -> Result<Usage> {
        Usage::of(std::process::id())
    }
}

/// The program's name, in parentheses, may contain anything: fields are counted after it (proc(5)).
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}
