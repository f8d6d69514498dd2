//! One process of the cluster: its configuration, and what can be done to it.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::{Instant, sleep};

use super::fault::{End, NAMED, STALLED};
use super::plan::{Kind, Target, Timeouts};
use super::transactions::Probe;
use crate::process::Slipstream;

/// Time-outs of the processes. The session's is the least that Kafka's own default settings allow, so that a fault is over
/// soon.
pub const TIMEOUTS: Timeouts = Timeouts { session: Duration::from_secs(6), transaction: Duration::from_secs(3) };
const SIGTERM: i32 = 15;
/// How long it may take until one of two processes with the same name ends.
const GIVES_IN: Duration = Duration::from_secs(90);
/// So many times a process is held and let go until it is held in a transaction.
const TRIES: usize = 100;
/// The receiver of every alerter process.
pub const RECEIVER: &str = "on-call";

/// Where the parts of the cluster are.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The binary.
    pub binary: PathBuf,
    /// `host:port` of the broker.
    pub brokers: String,
    /// URL of the database.
    pub database: String,
    /// URL of the receiver of webhooks.
    pub webhook: String,
    /// File with the definitions.
    pub slos: PathBuf,
}

/// A process of the cluster.
#[derive(Debug)]
pub struct Member {
    name: String,
    kind: Kind,
    process: Slipstream,
    /// A second process of the same name would be this one.
    binary: PathBuf,
    configuration: PathBuf,
    /// It is not supposed to run.
    stopped: bool,
    /// Bytes that its former lives wrote.
    written: usize,
}

impl Member {
    /// A process to be, with its configuration in `folder`.
    pub fn new(parts: &Parts, (kind, n): Target, folder: &Path) -> Result<Member> {
        let name = format!("{}-{}", kind.name(), n + 1);
        let file = folder.join(format!("{name}.yaml"));
        std::fs::write(&file, configuration(parts, (kind, n), &name)).with_context(|| format!("configuring {name}"))?;
        let process = Slipstream::new(&parts.binary)?.with(["--config".into(), file.clone().into_os_string()]);
        Ok(Member { name, kind, process, binary: parts.binary.clone(), configuration: file, stopped: true, written: 0 })
    }

    /// `tally-1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of its gateway.
    pub fn gateway(&self) -> String {
        self.process.gateway()
    }

    /// Starts it without waiting.
    pub fn spawn(&mut self) -> Result<()> {
        (self.stopped, self.written) = (false, self.process.stderr().len());
        self.process.spawn().context(self.name.clone())
    }

    /// Waits until it is ready, if it is to run.
    pub async fn ready(&mut self) -> Result<()> {
        if self.stopped {
            return Ok(());
        }
        self.process.ready().await.context(self.name.clone())
    }

    /// Whether it is to run.
    pub fn is_there(&self) -> bool {
        !self.stopped
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

    /// The same in the middle of a transaction, if possible; returns whether it was.
    pub async fn stall(&mut self, held: Duration, probe: &Probe) -> Result<bool> {
        for _ in 0..TRIES {
            self.still_runs()?;
            self.process.hold().await.context(self.name.clone())?;
            let open = probe.is_open(self.kind).await;
            if matches!(open, Ok(true)) {
                sleep(held).await;
            }
            self.process.resume().await.context(self.name.clone())?;
            match open {
                Ok(true) => return Ok(true),
                // Not in step with what it does by the clock.
                Ok(false) => sleep(Duration::from_millis(rand::random_range(5..120))).await,
                // A broker that is only just back does not respond, so it cannot be decided.
                Err(_) => break,
            }
        }
        self.hold(held).await?;
        Ok(false)
    }

    /// SIGTERM, and started again at once; it may not be ready yet.
    pub async fn restart(&mut self) -> Result<()> {
        self.end(End::Asked).await?;
        self.spawn()
    }

    /// Ends it permanently.
    pub async fn end(&mut self, how: End) -> Result<()> {
        self.still_runs()?;
        match how {
            End::Asked => self.stop().await,
            End::Killed => {
                self.stopped = true;
                self.process.kill().await.context(self.name.clone())
            }
        }
    }

    /// A second process of the same name, until one of the two ends, with the reason. Then there is one again.
    pub async fn twin(&mut self) -> Result<()> {
        self.still_runs()?;
        let mut twin =
            Slipstream::new(&self.binary)?.with(["--config".into(), self.configuration.clone().into_os_string()]);
        twin.spawn().with_context(|| format!("a second {}", self.name))?;
        let deadline = Instant::now() + GIVES_IN;
        let (reason, ours) = loop {
            match (self.process.still_runs(), twin.still_runs()) {
                (Err(reason), _) => break (reason, true),
                (Ok(()), Err(reason)) => break (reason, false),
                (Ok(()), Ok(())) => {}
            }
            if Instant::now() >= deadline {
                bail!("two processes run as {} and neither ends; output of the second:\n{}", self.name, twin.stderr());
            }
            sleep(Duration::from_millis(50)).await;
        };
        ensure!(format!("{reason:#}").contains("kafka.instance"), "{}: one of two ended: {reason:#}", self.name);
        if ours {
            twin.kill().await.with_context(|| format!("a second {}", self.name))?;
            self.spawn()?;
        }
        Ok(())
    }

    /// An error if it has exited unexpectedly.
    pub fn still_runs(&mut self) -> Result<()> {
        if self.stopped {
            return Ok(());
        }
        self.process.still_runs().context(self.name.clone())
    }

    /// SIGTERM; an error if it does not end well.
    pub async fn stop(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.stopped, true) {
            return Ok(());
        }
        let ended = self.process.stop().await.context(self.name.clone())?;
        // A process that has not started yet does not handle the signal, and has nothing to finish.
        let unheard = ended.signal() == Some(SIGTERM) && self.process.stderr().len() == self.written;
        ensure!(ended.success() || unheard, "{} exited with {ended}:\n{}", self.name, self.process.stderr());
        Ok(())
    }

    /// All that it wrote.
    pub fn said(&self) -> String {
        self.process.stderr()
    }
}

/// The first of each kind has a name that it keeps over restarts (static membership), the others are someone new each
/// time. One process publishes the definitions. A message must not live longer than its transaction.
fn configuration(parts: &Parts, (kind, n): Target, name: &str) -> String {
    let roles = if kind == Kind::Alerter { "alerter, notifier" } else { kind.name() };
    let instance = if n == NAMED { name } else { "~" };
    let session = TIMEOUTS.session.as_millis();
    let transaction = if n == STALLED { TIMEOUTS.transaction.as_millis() } else { session };
    let properties = format!(
        "session.timeout.ms: {session}, heartbeat.interval.ms: 500, transaction.timeout.ms: {transaction}, \
         message.timeout.ms: {transaction}"
    );
    let mut text = format!(
        "log: kafka://{}\nstore: {}\nroles: [{roles}]\nkafka: {{instance: {instance}, properties: {{{properties}}}}}\n\
         logging: {{level: \"info,slipstream_log=debug,slipstream_processor=debug\", format: human}}\n",
        parts.brokers, parts.database
    );
    if kind == Kind::Alerter {
        let receiver = format!("{{name: {RECEIVER}, url: \"{}\", group_interval: 50ms}}", parts.webhook);
        text += &format!("receivers: [{receiver}]\n");
        if n == NAMED {
            text += &format!("slos: [{}]\n", parts.slos.display());
        }
    }
    text
}
