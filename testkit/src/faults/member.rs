//! One process of the cluster: its configuration, and what can be done to it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::plan::{Kind, Target};
use crate::process::Slipstream;

/// Session time-out of the processes: the least that Kafka's own default settings allow.
pub const SESSION: Duration = Duration::from_secs(6);
/// What librdkafka is told, so that a fault is over soon. A message must not live longer than its transaction.
const PROPERTIES: [(&str, &str); 4] = [
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "500"),
    ("transaction.timeout.ms", "6000"),
    ("message.timeout.ms", "6000"),
];
/// The receiver that every alerter process tells.
pub const RECEIVER: &str = "on-call";

/// Where the parts of the cluster are.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The binary.
    pub binary: std::path::PathBuf,
    /// `host:port` of the broker.
    pub brokers: String,
    /// URL of the database.
    pub database: String,
    /// URL of the receiver of webhooks.
    pub webhook: String,
    /// File with the definitions.
    pub slos: std::path::PathBuf,
}

/// A process of the cluster.
#[derive(Debug)]
pub struct Member {
    name: String,
    process: Slipstream,
    /// It was told to end.
    stopped: bool,
}

impl Member {
    /// A process to be, with its configuration in `folder`.
    pub fn new(parts: &Parts, (kind, n): Target, folder: &Path) -> Result<Member> {
        let name = format!("{}-{}", kind.name(), n + 1);
        let file = folder.join(format!("{name}.yaml"));
        std::fs::write(&file, configuration(parts, (kind, n), &name)).with_context(|| format!("configuring {name}"))?;
        let process = Slipstream::new(&parts.binary)?.with(["--config".into(), file.into_os_string()]);
        Ok(Member { name, process, stopped: false })
    }

    /// `tally-1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its gateway listens.
    pub fn gateway(&self) -> String {
        self.process.gateway()
    }

    /// Starts it without waiting.
    pub fn spawn(&mut self) -> Result<()> {
        self.process.spawn().context(self.name.clone())
    }

    /// Waits until it is ready.
    pub async fn ready(&mut self) -> Result<()> {
        self.process.ready().await.context(self.name.clone())
    }

    /// kill -9, and started again after a while; it may not be ready yet.
    pub async fn kill(&mut self, away: Duration) -> Result<()> {
        self.still_runs()?;
        self.process.kill().await.context(self.name.clone())?;
        sleep(away).await;
        self.spawn()
    }

    /// SIGSTOP, and SIGCONT after a while.
    pub async fn hold(&mut self, held: Duration) -> Result<()> {
        self.still_runs()?;
        self.process.hold().await.context(self.name.clone())?;
        sleep(held).await;
        self.process.resume().await.context(self.name.clone())
    }

    /// An error if it has ended by itself.
    pub fn still_runs(&mut self) -> Result<()> {
        if self.stopped {
            return Ok(());
        }
        self.process.still_runs().context(self.name.clone())
    }

    /// SIGTERM; an error if it does not end well.
    pub async fn stop(&mut self) -> Result<()> {
        self.stopped = true;
        let ended = self.process.stop().await.context(self.name.clone())?;
        anyhow::ensure!(ended.success(), "{} ended with {ended}:\n{}", self.name, self.process.stderr());
        Ok(())
    }

    /// All that it wrote.
    pub fn said(&self) -> String {
        self.process.stderr()
    }
}

/// The first of each kind has a name that it keeps over restarts (static membership), the second is somebody new each
/// time. One process publishes the definitions.
fn configuration(parts: &Parts, (kind, n): Target, name: &str) -> String {
    let roles = if kind == Kind::Alerter { "alerter, notifier" } else { kind.name() };
    let instance = if n == 0 { name } else { "~" };
    let properties: String = PROPERTIES.iter().map(|(name, value)| format!("{name}: {value}, ")).collect();
    let mut text = format!(
        "log: kafka://{}\nstore: {}\nroles: [{roles}]\nkafka: {{instance: {instance}, properties: {{{properties}}}}}\n\
         logging: {{level: \"info,slipstream_log=debug\", format: human}}\n",
        parts.brokers, parts.database
    );
    if kind == Kind::Alerter {
        let receiver = format!("{{name: {RECEIVER}, url: \"{}\", group_interval: 50ms}}", parts.webhook);
        text += &format!("receivers: [{receiver}]\n");
        if n == 0 {
            text += &format!("slos: [{}]\n", parts.slos.display());
        }
    }
    text
}
