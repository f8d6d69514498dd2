//! Which roles a process runs, handed to its supervisor in the stages in which they end.

use std::collections::BTreeSet;

use slipstream_alerter::notifier::Outside;
use slipstream_alerter::{AlerterError, Links, ReceiverConfig, notifier};
use slipstream_log::SharedLog;
use slipstream_processor::{burn, tally};
use slipstream_role::names;
use slipstream_runtime::Shutdown;
use slipstream_runtime::config::Role;
use slipstream_runtime::health::{Health, State};
use slipstream_runtime::stage::Stage;
use slipstream_runtime::supervise::Supervisor;

use crate::explaining::Explaining;
use crate::parts::StorePlace;

/// What the roles that read and write logs and stores need.
#[derive(Clone)]
pub struct Pipeline {
    /// The log.
    pub log: SharedLog,
    /// The store, for the sink.
    pub store: Option<StorePlace>,
    /// Redelivery window of the installation, milliseconds.
    pub redelivery_window_ms: i64,
    /// Threads that tally.
    pub tally_threads: usize,
    /// Receivers of alerts.
    pub receivers: Vec<ReceiverConfig>,
    /// Where notifications link to.
    pub links: Links,
    /// What notifications are explained by; `None`: they have no evidence.
    pub explaining: Option<Explaining>,
    /// The board of states.
    pub health: Health,
}

impl Pipeline {
    /// Hands the roles to the supervisor; all are on the board when it returns. Roles that compute have threads of their
    /// own. Gateway and API, which need a listener, are the caller's.
    pub fn start(&self, supervisor: &mut Supervisor, roles: &BTreeSet<Role>) {
        for role in roles {
            match role {
                Role::Gateway | Role::Api => {}
                Role::Tally => self.tally(supervisor),
                Role::Burn => self.burn(supervisor),
                Role::Sink => self.sink(supervisor),
                Role::Alerter => self.alerter(supervisor),
                Role::Notifier => self.notifiers(supervisor),
            }
        }
    }

    fn tally(&self, supervisor: &mut Supervisor) {
        for thread in tally::Thread::all(self.tally_threads) {
            let (log, health, shutdown) = (self.log.clone(), self.health.clone(), supervisor.token(Stage::Process));
            let name = thread.name().to_owned();
            self.health.announce(&name);
            supervisor.thread(Stage::Process, &name, move || tally::run(log, thread, health, shutdown));
        }
    }

    fn burn(&self, supervisor: &mut Supervisor) {
        let (log, health, shutdown) = (self.log.clone(), self.health.clone(), supervisor.token(Stage::Process));
        self.health.announce(names::BURN);
        supervisor.thread(Stage::Process, names::BURN, move || burn::run(log, health, shutdown));
    }

    fn sink(&self, supervisor: &mut Supervisor) {
        let Some(place) = self.store.clone() else { return };
        let (log, window) = (self.log.clone(), self.redelivery_window_ms);
        let (health, shutdown) = (self.health.clone(), supervisor.token(Stage::Process));
        self.health.announce(names::SINK);
        supervisor.thread(Stage::Process, names::SINK, move || sink(log, place, window, health, shutdown));
    }

    fn alerter(&self, supervisor: &mut Supervisor) {
        let (log, health, shutdown) = (self.log.clone(), self.health.clone(), supervisor.token(Stage::Process));
        self.health.announce(names::ALERTER);
        supervisor.task(Stage::Process, names::ALERTER, slipstream_alerter::run(log, health, shutdown));
    }

    fn notifiers(&self, supervisor: &mut Supervisor) {
        if self.receivers.is_empty() {
            // Without receivers, a process that runs only the notifier is ready at once.
            self.health.set(names::NOTIFIER, State::Ready);
        }
        for receiver in &self.receivers {
            let name = format!("{} {}", names::NOTIFIER, receiver.name);
            self.health.announce(&receiver.group());
            let role = notifier(self.clone(), receiver.clone(), supervisor.token(Stage::Deliver));
            supervisor.task(Stage::Deliver, &name, role);
        }
    }
}

/// The notifier of a receiver, with evidence or without.
async fn notifier(pipeline: Pipeline, receiver: ReceiverConfig, shutdown: Shutdown) -> Result<(), AlerterError> {
    let Pipeline { log, links, health, explaining, .. } = pipeline;
    let Some(explaining) = explaining else { return notifier::run(log, receiver, links, health, shutdown).await };
    let transport = explaining.way_to(&receiver, &log)?;
    let outside = Outside { transport, now_ms: jiff::Timestamp::now().as_millisecond() };
    notifier::run_outside(log, receiver, links, outside, health, shutdown).await
}

/// The sink, after waiting for its store. It closes what it has opened itself.
async fn sink(
    log: SharedLog,
    place: StorePlace,
    window_ms: i64,
    health: Health,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let Some(store) = place.await_open(names::SINK, &health, &shutdown).await? else { return Ok(()) };
    let ended = slipstream_sink::run(log, store.shared(), window_ms, health, shutdown).await;
    if let StorePlace::Postgres(_) = place {
        store.close().await?;
    }
    Ok(ended?)
}

#[cfg(test)]
mod passing_errors;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use slipstream_log::memory::{MemoryLog, MemoryOptions};
    use slipstream_runtime::supervise::Bounds;
    use slipstream_store::{Retention, SqliteStore};

    use super::*;
    use crate::parts::store::OpenStore;

    /// Nothing that was spawned runs before the first await of this thread: what is on the board then was put there by
    /// `start`, not by a role that happened to be quick.
    #[tokio::test]
    async fn all_roles_are_on_the_board_before_any_of_them_ran() {
        let folder = tempfile::tempdir().unwrap();
        let store = OpenStore::Sqlite(SqliteStore::open(folder.path(), Retention::default()).unwrap());
        let pipeline = |receivers: &[&str]| Pipeline {
            log: MemoryLog::new(MemoryOptions::default()),
            store: Some(StorePlace::Open(store.clone())),
            redelivery_window_ms: 120_000,
            tally_threads: 1,
            receivers: receivers.iter().map(|name| ReceiverConfig::webhook(*name, "http://127.0.0.1:9")).collect(),
            links: Links::default(),
            explaining: None,
            health: Health::default(),
        };
        let all = BTreeSet::from(Role::ALL);
        for (roles, receivers, expected) in [
            (&all, &[][..], &["alerter", "burn", "notifier", "sink", "tally"][..]),
            (&all, &["a", "b"][..], &["alerter", "burn", "notifier-a", "notifier-b", "sink", "tally"][..]),
            (&BTreeSet::from([Role::Alerter]), &["a"][..], &["alerter"][..]),
        ] {
            let (pipeline, mut supervisor) = (pipeline(receivers), Supervisor::new(Bounds::default()));
            pipeline.start(&mut supervisor, roles);
            let board = pipeline.health.snapshot();
            assert_eq!(board.keys().collect::<Vec<_>>(), expected, "{roles:?} {receivers:?}");
            assert!(!pipeline.health.ready(), "the alerter has not begun: {board:?}");
            supervisor.run(std::future::ready(())).await;
        }
    }
}
