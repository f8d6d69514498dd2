//! A piece of work beside the roles that digest it: `import`, `simulate` and the demo begin and end like this.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use slipstream_alerter::ReceiverConfig;
use slipstream_log::Log;
use slipstream_runtime::config::Role;
use slipstream_runtime::health::Health;
use slipstream_runtime::signal;
use slipstream_runtime::supervise::{Bounds, Stage, Supervisor};
use slipstream_schemas::Topic;
use slipstream_store::Store;
use tokio::sync::oneshot;

use crate::catch_up;
use crate::parts::Owned;
use crate::pipeline::Pipeline;

/// How long the pipeline may take to digest what it was given; a backlog of a hundred million events takes minutes.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// How long the work may take to wind up once a signal came.
const WIND_UP: Duration = Duration::from_secs(10);
/// A tick is evaluated once its sources are known up to a second after it; an idle source says so every 250 ms.
const EVALUATED_WITHIN: Duration = Duration::from_millis(2_500);

/// Roles, and the supervisor that owns them, before they begin.
pub struct Session {
    /// The installation.
    pub owned: Owned,
    /// The owner of every task: further ones may be added.
    pub supervisor: Supervisor,
}

impl Session {
    /// A session over an installation with the roles that digest events, and these receivers.
    pub fn new(owned: Owned, receivers: Vec<ReceiverConfig>, external_url: &str) -> Self {
        let mut supervisor = Supervisor::new(Bounds::default());
        let pipeline = Pipeline {
            log: owned.shared_log(),
            store: owned.shared_store(),
            redelivery_window_ms: owned.settings.redelivery_window_ms,
            receivers,
            external_url: external_url.to_owned(),
            health: Health::default(),
        };
        let roles = BTreeSet::from([Role::Tally, Role::Burn, Role::Sink, Role::Alerter, Role::Notifier]);
        pipeline.start(&mut supervisor, &roles);
        Session { owned, supervisor }
    }

    /// Does the work, and ends the roles in order when it is done or a role fails. A signal cancels the token of
    /// [`Stage::Intake`]: the work has ten seconds to take in no more, to let the roles digest what there is, and to
    /// say so.
    ///
    /// # Errors
    /// What the work or a role failed with.
    pub async fn run<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Session { owned, supervisor } = self;
        let signal = signal::watch().context("watching for signals")?;
        let (done, finished) = oneshot::channel::<()>();
        let (intake, roles_end) = (supervisor.token(Stage::Intake), supervisor.token(Stage::Process));
        let stop = async move {
            let mut finished = finished;
            tokio::select! {
                _ = &mut finished => {}
                () = signal.received() => {
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
        let closed = owned.close().await;
        if !outcome.clean() {
            bail!("{outcome}");
        }
        closed?;
        result.unwrap_or_else(|| bail!("interrupted: what was acknowledged is kept, and digested at the next start"))
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
        catch_up::committed(log, "alerter", Topic::BurnRates).await?;
        catch_up::stored(log, store, Topic::BurnRates).await?;
        catch_up::stored(log, store, Topic::Alerts).await
    };
    catch_up::within(PATIENCE, work).await
}
