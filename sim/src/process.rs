//! Processes: each runs the real loop of one role, and can be stopped, killed and put on ice at any moment.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use slipstream_alerter::notifier::{self, Outside};
use slipstream_alerter::{Links, ReceiverConfig, evaluate};
use slipstream_log::SharedLog;
use slipstream_processor::{burn, tally};
use slipstream_role::names;
use slipstream_runtime::Shutdown;
use slipstream_runtime::config::Routing;
use slipstream_runtime::health::Health;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::log::{Identity, SimLog};
use crate::receiver::Receiver;
use crate::weather::BEGIN;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// request-events to sli-tallies.
    Tally,
    /// sli-tallies to burn-rates.
    Burn,
    /// burn-rates to alerts.
    Alerter,
    /// alerts to the receiver of this number.
    Notifier(usize),
}

impl Role {
    /// Its consumer group.
    pub fn group(self) -> String {
        match self {
            Role::Tally => names::TALLY.to_owned(),
            Role::Burn => names::BURN.to_owned(),
            Role::Alerter => names::ALERTER.to_owned(),
            Role::Notifier(n) => config(n).group(),
        }
    }

    /// For people.
    pub fn name(self) -> String {
        match self {
            Role::Notifier(n) => format!("notifier{n}"),
            other => other.group(),
        }
    }
}

/// The name of a receiver.
pub fn receiver_name(n: usize) -> String {
    format!("receiver{n}")
}

fn config(n: usize) -> ReceiverConfig {
    let mut config = ReceiverConfig::webhook(receiver_name(n), "http://receiver.test/");
    config.group_interval = std::time::Duration::from_millis(if n == 0 { 20 } else { 3_000 });
    config
}

/// A process.
pub struct Process {
    /// What it does.
    pub role: Role,
    /// Who it is.
    pub identity: Arc<Identity>,
    tasks: JoinSet<Result<()>>,
    shutdown: Shutdown,
    /// One for each task: with a shared one, the wake-up order would be random.
    ices: Vec<watch::Sender<bool>>,
}

impl Process {
    /// Starts one on its log; a tally has so many threads, here tasks, and a notifier a transport to its receiver and the routes.
    pub fn start(
        role: Role,
        log: SimLog,
        threads: usize,
        receiver: Option<Arc<Receiver>>,
        routing: &Arc<Routing>,
    ) -> Process {
        let (identity, shutdown) = (Arc::clone(&log.identity), Shutdown::new());
        let now_ms = BEGIN + log.weather.elapsed();
        let log: SharedLog = Arc::new(log);
        let (mut tasks, mut ices) = (JoinSet::new(), Vec::new());
        for thread in tally::Thread::all(if role == Role::Tally { threads } else { 1 }) {
            let way = receiver.clone().map(|receiver| (receiver, Arc::clone(routing)));
            let work = work(role, log.clone(), thread, way, now_ms, shutdown.clone());
            let (ice, frozen) = watch::channel(false);
            ices.push(ice);
            tasks.spawn(on_ice(frozen, work));
        }
        Process { role, identity, tasks, shutdown, ices }
    }

    /// Asks it to stop. A frozen process notices only after it thaws.
    pub fn tell_to_stop(&self) {
        self.shutdown.cancel();
    }

    /// Whether it was asked to stop.
    pub fn told_to_stop(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    /// Is gone, wherever it is.
    pub async fn kill(mut self) {
        self.identity.killed.store(true, Ordering::SeqCst);
        self.tasks.shutdown().await;
    }

    /// Freezes, as under SIGSTOP, or continues.
    pub fn freeze(&self, frozen: bool) {
        for ice in &self.ices {
            ice.send_replace(frozen);
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<Result<()>> {
        while let Some(ended) = self.tasks.try_join_next() {
            let ended = ended.unwrap_or_else(|error| Err(anyhow::anyhow!("{error}")));
            if ended.is_err() || !self.told_to_stop() {
                return Some(ended);
            }
        }
        self.tasks.is_empty().then_some(Ok(()))
    }
}

async fn work(
    role: Role,
    log: SharedLog,
    thread: tally::Thread,
    way: Option<(Arc<Receiver>, Arc<Routing>)>,
    now_ms: i64,
    shutdown: Shutdown,
) -> Result<()> {
    let health = Health::default();
    match (role, way) {
        (Role::Tally, _) => tally::run(log, thread, health, shutdown).await?,
        (Role::Burn, _) => burn::run(log, health, shutdown).await?,
        (Role::Alerter, _) => evaluate::run(log, health, shutdown).await?,
        (Role::Notifier(n), Some((transport, routing))) => {
            let outside = Outside { transport, now_ms, time_of_day: None };
            notifier::run_outside(log, config(n).routed(routing), Links::default(), outside, health, shutdown).await?;
        }
        (Role::Notifier(_), None) => anyhow::bail!("a notifier needs a receiver"),
    }
    Ok(())
}

/// Runs a future that does nothing while it is frozen, even if what it waits for happens.
async fn on_ice<F: Future>(mut frozen: watch::Receiver<bool>, inner: F) -> F::Output {
    let mut inner = pin!(inner);
    loop {
        // The sender outlives the task: a process that is dropped drops its task first.
        let _ = frozen.wait_for(|frozen| !frozen).await;
        tokio::select! {
            biased;
            Ok(_) = frozen.wait_for(|frozen| *frozen) => {}
            output = &mut inner => return output,
        }
    }
}
