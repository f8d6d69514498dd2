//! Faults that a test orders in advance from an embedded log.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How the next commit of a group, or atomic publish of a writer, goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// It fails and has no effect; the caller gets an error.
    Aborted,
    /// It takes effect; the caller gets an error that says it is in doubt.
    InDoubtDone,
    /// It has no effect; the caller gets an error that says it is in doubt.
    InDoubtNot,
}

/// How the next publish goes wrong; nothing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishFault {
    /// The queue is full.
    Busy,
    /// Something that may pass.
    Transient,
}

/// Where in a write transaction the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// Everything is written but not committed.
    BeforeCommit,
    /// Committed, but the caller got no response.
    AfterCommit,
}

/// Faults to come. Each is used once, in the order given, by whom it is meant for.
#[derive(Debug, Default)]
pub struct Faults(Mutex<FaultSchedule>);

#[derive(Debug, Default)]
struct FaultSchedule {
    commits: HashMap<String, VecDeque<CommitFault>>,
    atomics: HashMap<String, VecDeque<CommitFault>>,
    publishes: VecDeque<PublishFault>,
    crash: Option<CrashPoint>,
}

impl Faults {
    /// The next commits of a group.
    pub fn fail_commits(&self, group: &str, faults: impl IntoIterator<Item = CommitFault>) {
        self.lock().commits.entry(group.to_owned()).or_default().extend(faults);
    }

    /// The next atomic publishes of a writer.
    pub fn fail_atomic_publishes(&self, writer: &str, faults: impl IntoIterator<Item = CommitFault>) {
        self.lock().atomics.entry(writer.to_owned()).or_default().extend(faults);
    }

    /// The next publishes of anybody.
    pub fn fail_publishes(&self, faults: impl IntoIterator<Item = PublishFault>) {
        self.lock().publishes.extend(faults);
    }

    /// The next write transaction is the last.
    pub fn crash_at(&self, point: CrashPoint) {
        self.lock().crash = Some(point);
    }

    pub(crate) fn next_commit(&self, group: &str) -> Option<CommitFault> {
        self.lock().commits.get_mut(group)?.pop_front()
    }

    pub(crate) fn next_atomic_publish(&self, writer: &str) -> Option<CommitFault> {
        self.lock().atomics.get_mut(writer)?.pop_front()
    }

    pub(crate) fn next_publish(&self) -> Option<PublishFault> {
        self.lock().publishes.pop_front()
    }

    pub(crate) fn crashes(&self, point: CrashPoint) -> bool {
        self.lock().crash == Some(point)
    }

    fn lock(&self) -> MutexGuard<'_, FaultSchedule> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
