//! What each role reports about itself, for /healthz and /readyz; and whether the process is on its way out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
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
    stopping: Arc<AtomicBool>,
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

    /// The process is about to end. It still works as before, but clients should switch to another one.
    pub fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the process is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Whether every role has started, and the process is not about to end. A role that waits for something outside, such
    /// as a receiver that is down, does not make the process unready: it still takes in what it always does, and another
    /// instance would wait as well.
    pub fn ready(&self) -> bool {
        !self.is_stopping() && self.snapshot().values().all(|s| !matches!(s, State::Starting(_)))
    }
}
