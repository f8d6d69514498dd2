//! What each role reports about itself, for /healthz and /readyz.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The state of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Starting: restoring state, or waiting for something.
    Starting(String),
    /// Doing its work.
    Ready,
    /// Running, but its work waits for something: a database that is down, a receiver that refuses.
    Waiting(String),
}

/// A shared board of roles and their states.
#[derive(Debug, Clone, Default)]
pub struct Health {
    roles: Arc<Mutex<BTreeMap<String, State>>>,
}

impl Health {
    /// Announces a role before it starts, so that the process is not ready before the role has reported.
    pub fn announce(&self, role: &str) {
        self.set(role, State::Starting("not begun yet".to_owned()));
    }

    /// Sets the state of a role.
    pub fn set(&self, role: &str, state: State) {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).insert(role.to_owned(), state);
    }

    /// All roles and their states.
    pub fn snapshot(&self) -> BTreeMap<String, State> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether every role that was announced or has spoken has started. One that waits for something outside, a receiver that is down, does
    /// not make the process unready: what it takes in it still takes, and another instance would wait as well.
    pub fn ready(&self) -> bool {
        self.snapshot().values().all(|s| !matches!(s, State::Starting(_)))
    }
}
