//! The API as a role of this process.

use std::sync::Arc;
use std::time::Duration;

use slipstream_api::{Parts, Role, StoreCell};
use slipstream_log::SharedLog;
use slipstream_runtime::access::Access;
use slipstream_runtime::config::Role as Name;
use slipstream_runtime::health::Health;
use slipstream_runtime::http::Listening;
use slipstream_runtime::stage::Stage;
use slipstream_runtime::supervise::Supervisor;

use crate::parts::ReadPlace;

/// What the API answers from.
pub struct Answering {
    /// The log.
    pub log: SharedLog,
    /// The store, which may not be up yet.
    pub place: ReadPlace,
    /// The board of states.
    pub health: Health,
    /// Whom it answers.
    pub access: Access,
    /// How long a stage of the shutdown may take.
    pub stage: Duration,
}

impl Answering {
    /// Hands the role to the supervisor: it answers until the very end, as health and metrics do. It is on the board when this
    /// returns, which is the role itself.
    pub fn start(self, supervisor: &mut Supervisor, listener: Listening) -> Arc<Role> {
        let Answering { log, place, health, access, stage } = self;
        health.announce(Name::Api.name());
        let store = StoreCell::default();
        let role = Arc::new(Role::of(Parts { log, store: store.clone(), health, access }));
        let serve = role.serve(listener, stage, supervisor.token(Stage::Serve));
        supervisor.task(Stage::Serve, "api", serve);
        let shutdown = supervisor.token(Stage::Serve);
        supervisor.thread(Stage::Serve, "api-follower", {
            let role = role.clone();
            move || role.follow(shutdown)
        });
        let shutdown = supervisor.token(Stage::Serve);
        supervisor
            .job(Stage::Serve, "api-store", async move { place.await_open(Name::Api.name(), &store, &shutdown).await });
        role
    }
}
