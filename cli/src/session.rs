//! Work together with the roles that process it: how `import`, `simulate` and the demo start and end.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use slipstream_alerter::{Links, ReceiverConfig};
use slipstream_log::Log;
use slipstream_role::names;
use slipstream_runtime::Shutdown;
use slipstream_runtime::config::Role;
use slipstream_runtime::signal;
use slipstream_runtime::stage::Stage;
use slipstream_runtime::supervise::{Bounds, Stop, Supervisor};
use slipstream_schemas::Topic;
use slipstream_store::{SharedStore, Store};
use tokio::sync::oneshot;

use crate::explaining::Explaining;
use crate::parts::Installation;
use crate::pipeline::Pipeline;
use crate::{catch_up, output};

/// How long the pipeline may take to process its input; a backlog of a hundred million events takes minutes.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// How long the work may take to finish after a signal.
const WIND_UP: Duration = Duration::from_secs(10);
/// A tick is evaluated once its sources are known up to a second after it; an idle source says so every 250 ms.
const EVALUATED_WITHIN: Duration = Duration::from_millis(2_500);

/// Work that a signal ended before it was done: what is kept, and how it goes on.
#[derive(Debug)]
pub struct Interrupted {
    said: String,
    by: Stop,
}

impl Interrupted {
    /// The error of work that was told to stop. Whoever watches for signals fills in which one it was.
    pub fn new(said: impl Into<String>) -> Self {
        Interrupted { said: said.into(), by: Stop::Now }
    }

    /// The exit code that shells give to a program that a signal ended: 128 and its number.
    pub fn code(&self) -> u8 {
        match self.by {
            Stop::Now => 130,
            Stop::Drain => 143,
        }
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Interrupted {}

/// The result, which knows by which signal it was interrupted if it was.
fn by<T>(stop: Option<Stop>, mut result: Result<T>) -> Result<T> {
    if let (Some(stop), Err(error)) = (stop, &mut result)
        && let Some(interrupted) = error.downcast_mut::<Interrupted>()
    {
        interrupted.by = stop;
    }
    result
}

/// Roles, and the supervisor that owns them, before they begin.
pub struct Session {
    /// The installation.
    installation: Installation,
    /// The store that the work may look at.
    pub store: SharedStore,
    /// The owner of every task: further ones may be added.
    pub supervisor: Supervisor,
}

impl Session {
    /// A session over an installation with the roles that process events, and these receivers.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn new(mut installation: Installation, receivers: Vec<ReceiverConfig>) -> Result<Self> {
        let store = installation.open_store().await?;
        let mut supervisor = Supervisor::new(Bounds::default());
        let pipeline = Pipeline {
            log: installation.log.shared(),
            store: installation.store.clone(),
            redelivery_window_ms: installation.settings.redelivery_window_ms,
            tally_threads: 1,
            receivers,
            links: Links::default(),
            explaining: Some(Explaining::by_store(installation.log.patient(), store.clone())),
            health: supervisor.health(),
        };
        let roles = BTreeSet::from([Role::Tally, Role::Burn, Role::Sink, Role::Alerter, Role::Notifier]);
        pipeline.start(&mut supervisor, &roles);
        Ok(Session { installation, store, supervisor })
    }

    /// Does the work, and ends the roles in order when it is done or a role fails. A signal cancels the token of
    /// [`Stage::Intake`]: the work has ten seconds to stop its intake, to let the roles process what is left, and to
    /// report that.
    ///
    /// # Errors
    /// What the work or a role failed with.
    pub async fn run<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Session { installation, store, supervisor } = self;
        drop(store);
        let signal = signal::watch().context("watching for signals")?;
        let (done, finished) = oneshot::channel::<()>();
        let (intake, roles_end) = (supervisor.token(Stage::Intake), supervisor.token(Stage::Process));
        let signalled = OnceLock::new();
        let heard = &signalled;
        let stop = async move {
            let mut finished = finished;
            tokio::select! {
                _ = &mut finished => {}
                stop = signal.received() => {
                    let _ = heard.set(stop);
                    intake.cancel();
                    // Out of patience: what the work has not done is left to the next start.
                    let _ = tokio::time::timeout(WIND_UP, finished).await;
                }
            }
        };
        let work = async {
            let result = tokio::select! {
                result = work => Some(result),
                () = roles_end.cancelled() => None,
            };
            // The supervisor may have ended before.
            let _ = done.send(());
            result
        };
        let (outcome, result) = tokio::join!(supervisor.run(stop), work);
        let closed = installation.close().await;
        if !outcome.clean() {
            bail!("{outcome}");
        }
        closed?;
        let cut_short = "interrupted: what was acknowledged is kept, and processed at the next start";
        by(signalled.get().copied(), result.unwrap_or_else(|| Err(Interrupted::new(cut_short).into())))
    }
}

/// Work on a log whose roles run in other processes: it waits until the definitions apply, if this process published any,
/// then begins; interruptible as [`interruptible`] says.
///
/// # Errors
/// What the work failed with, or it was interrupted.
pub async fn beside<T>(installation: Installation, work: impl AsyncFnOnce(&Shutdown) -> Result<T>) -> Result<T> {
    let cut_in = installation.cut_in.unwrap_or_default();
    let result = interruptible(async |shutdown| {
        if !cut_in.is_zero() {
            output::say(format_args!("waiting {} s until the definitions apply", cut_in.as_secs_f64()));
            tokio::time::sleep(cut_in).await;
        }
        work(shutdown).await
    });
    let result = result.await;
    installation.close().await?;
    result
}

/// Work until a signal comes. That cancels its token, and the work has ten seconds to stop taking in more and to report.
///
/// # Errors
/// What the work failed with, or it was interrupted.
pub async fn interruptible<T>(work: impl AsyncFnOnce(&Shutdown) -> Result<T>) -> Result<T> {
    let signal = signal::watch().context("watching for signals")?;
    let shutdown = Shutdown::new();
    let mut work = std::pin::pin!(work(&shutdown));
    tokio::select! {
        result = &mut work => result,
        stop = signal.received() => {
            shutdown.cancel();
            let ended = tokio::time::timeout(WIND_UP, work).await;
            by(Some(stop), ended.unwrap_or_else(|_| Err(Interrupted::new("interrupted: what was acknowledged is kept").into())))
        }
    }
}

/// Waits until all events are tallied, folded and stored.
///
/// # Errors
/// When log or store fail, or patience is over.
pub async fn digested(log: &dyn Log, store: &dyn Store) -> Result<()> {
    catch_up::within(PATIENCE, catch_up::everything(log, store)).await
}

/// Waits until the ticks of everything that was tallied are evaluated, and the alerts of that are stored.
///
/// # Errors
/// When log or store fail, or patience is over.
pub async fn evaluated(log: &dyn Log, store: &dyn Store) -> Result<()> {
    tokio::time::sleep(EVALUATED_WITHIN).await;
    digested(log, store).await?;
    let work = async {
        catch_up::committed(log, names::ALERTER, Topic::BurnRates).await?;
        catch_up::stored(log, store, Topic::BurnRates).await?;
        catch_up::stored(log, store, Topic::Alerts).await
    };
    catch_up::within(PATIENCE, work).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn what_a_signal_ended_has_the_exit_code_that_shells_expect() {
        for (stop, code) in [(Stop::Now, 130), (Stop::Drain, 143)] {
            let cut: Result<()> = Err(Interrupted::new("interrupted in a.log")).context("importing a.log");
            let error = by(Some(stop), cut).unwrap_err();
            assert_eq!(error.downcast_ref::<Interrupted>().map(Interrupted::code), Some(code));
        }
        let other = by(Some(Stop::Now), Err::<(), _>(anyhow::anyhow!("the log is broken"))).unwrap_err();
        assert!(other.downcast_ref::<Interrupted>().is_none());
        assert_eq!(by(Some(Stop::Drain), Ok(7)).unwrap(), 7, "it was done in time");
    }
}
