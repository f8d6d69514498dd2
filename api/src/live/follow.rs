//! The one reader of the log: it keeps the follower warm, and makes a snapshot of every new tick.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use slipstream_definitions::definition::Slo;
use slipstream_log::{Log, LogError, SharedLog};
use slipstream_query::rules::Kept;
use slipstream_query::{FollowError, Follower};
use slipstream_role::patience::patient;
use slipstream_role::reading::ReadError;
use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::records::AlertTransition;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::alerts::{self, Offsets};
use super::hub::{Topic, slos_data};
use super::{Live, ROLE, Snapshot};
use crate::ask::answers::transitions::Transition;
use crate::telemetry::{Made, Stuck};

/// Between two looks at the log: a source that is idle says so about as often.
const EVERY: Duration = Duration::from_millis(250);
/// Without a new tick for longer than this, the role says that it waits.
const STUCK: Duration = Duration::from_secs(10);

/// Why the state of the SLOs is not known any more.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The SLOs cannot be followed.
    #[error("following the SLOs: {0}")]
    Slos(#[from] FollowError),
    /// Alerts cannot be read.
    #[error("following alerts: {0}")]
    Alerts(#[source] LogError),
    /// Those of before the start cannot be read.
    #[error("looking up which alerts are kept firing: {0}")]
    Kept(#[from] ReadError),
}

/// Follows the log until `shutdown`.
///
/// # Errors
/// When the log fails permanently, or holds what this version cannot read.
pub async fn follow(log: SharedLog, live: Arc<Live>, health: Health, shutdown: Shutdown) -> Result<(), LiveError> {
    health.set(ROLE, State::Starting("restoring the state of the SLOs".to_owned()));
    let log = patient(log, ROLE);
    let work = async {
        let at = alerts::ends(log.as_ref()).await.map_err(LiveError::Alerts)?;
        live.hub.begin_alerts(at.clone());
        let follower = Follower::open(log.clone(), ROLE).await?.counting(live.counts().clone());
        let kept = kept(log.as_ref(), &follower).await?;
        let definitions = ((-1, 0), Arc::default());
        let following = Following { log, live, health, follower, alerts: at, kept, definitions, newest: None };
        following.on().await
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        ended = work => ended,
    }
}

/// What is kept firing after the start: transitions since are read as they come.
async fn kept(log: &dyn Log, follower: &Follower) -> Result<Kept, LiveError> {
    let Some(end) = follower.known_up_to() else { return Ok(Kept::default()) };
    Ok(Kept::read(log, &follower.definitions(), end - 1).await?)
}

struct Following {
    log: SharedLog,
    live: Arc<Live>,
    health: Health,
    follower: Follower,
    alerts: Offsets,
    /// As far as alerts are read.
    kept: Kept,
    /// Those in force, and the revisions by which they are.
    definitions: ((i64, usize), Arc<[Slo]>),
    newest: Option<Arc<Snapshot>>,
}

impl Following {
    async fn on(mut self) -> Result<(), LiveError> {
        loop {
            self.publish()?;
            self.tell_alerts().await?;
            sleep(EVERY).await;
            self.read_on().await?;
        }
    }

    /// Reads on. While the log does not answer, the role says that it waits.
    async fn read_on(&mut self) -> Result<(), LiveError> {
        let (live, health) = (self.live.clone(), self.health.clone());
        let mut look = interval(Duration::from_secs(1));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let follow = self.follower.follow();
        tokio::pin!(follow);
        loop {
            tokio::select! {
                followed = &mut follow => return Ok(followed?),
                _ = look.tick() => say(&live, &health),
            }
        }
    }

    /// Makes a snapshot if there is a new tick, or a new definition.
    fn publish(&mut self) -> Result<(), LiveError> {
        let (as_of, revision) = (self.follower.known_up_to(), self.follower.revision());
        let known = self.newest.as_ref().is_some_and(|newest| newest.as_of() == as_of);
        if known && self.definitions.0 == revision {
            say(&self.live, &self.health);
            return Ok(());
        }
        let began = Instant::now();
        if self.definitions.0 != revision {
            self.definitions = (revision, self.follower.definitions().into());
        }
        let snapshot = Arc::new(Snapshot::of(&self.follower, self.definitions.1.clone(), &self.kept)?);
        self.live.renew(snapshot.clone(), !known);
        if let Some(before) = self.newest.replace(snapshot.clone()) {
            self.tell_slos(&snapshot, &before);
        }
        Made { series: snapshot.series(), took: began.elapsed() }.emit();
        say(&self.live, &self.health);
        Ok(())
    }

    fn tell_slos(&self, snapshot: &Snapshot, before: &Snapshot) {
        // Whoever comes after this look finds the snapshot.
        if !self.live.hub.has_clients() {
            return;
        }
        let (changed, gone) = (snapshot.changed_since(before), snapshot.gone_since(before));
        if changed.is_empty() && gone.is_empty() {
            return;
        }
        let data = slos_data(&changed, &gone, &self.live.known(snapshot));
        self.live.hub.send(Topic::Slos, snapshot.as_of().unwrap_or_default(), data, self.alerts.clone());
    }

    async fn tell_alerts(&mut self) -> Result<(), LiveError> {
        let ends = alerts::ends(self.log.as_ref()).await.map_err(LiveError::Alerts)?;
        let hub = &self.live.hub;
        let kept = &mut self.kept;
        let tell = |transition: &AlertTransition, at: &Offsets| {
            kept.note(transition);
            let data = serde_json::to_vec(&Transition::from(transition)).unwrap_or_default();
            hub.send(Topic::Alerts, 0, Bytes::from(data), at.clone());
        };
        self.alerts.read_on(self.log.as_ref(), &ends, tell).await.map_err(LiveError::Alerts)
    }
}

/// How it is: on the board, and as an event if it does not move on.
fn say(live: &Live, health: &Health) {
    match live.fresh.still_for() {
        Some(since) if since > STUCK => {
            Stuck { since }.emit();
            let seconds = since.as_secs();
            health.set(ROLE, State::Waiting(format!("the state of the SLOs has not moved on for {seconds} s")));
        }
        Some(_) => health.set(ROLE, State::Ready),
        None => {}
    }
}
