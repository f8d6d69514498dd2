//! Waiting for a store that may recover, while the board of states shows it.

use std::time::Duration;

use slipstream_role::names::SINK as ROLE;
use slipstream_role::patience::Patience;
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::Backoff;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};

use crate::telemetry::StoreAway;

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(50), max: Duration::from_secs(5) };

/// See the module.
#[derive(Clone)]
pub struct Waiting {
    health: Health,
    patience: Patience,
}

impl Waiting {
    /// Nothing failed so far.
    pub fn new(health: Health, shutdown: Shutdown) -> Self {
        Waiting { health, patience: Patience::new(BACKOFF, u64::from(std::process::id()), shutdown) }
    }

    /// Waits after a failure. Returns false on shutdown.
    pub async fn wait(&mut self, cause: String) -> bool {
        let say = |attempts, wait| {
            StoreAway { cause: &cause, attempts, wait }.emit();
            self.health.set(ROLE, State::Waiting(cause.clone()));
        };
        self.patience.wait(say).await
    }

    /// It worked.
    pub fn succeeded(&mut self) {
        if self.patience.worked() {
            self.health.set(ROLE, State::Ready);
        }
    }
}
