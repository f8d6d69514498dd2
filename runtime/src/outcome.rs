//! How a supervised process ended, in a form that a test can compare and a person can read.

use std::fmt;

use crate::stage::Stage;

/// Who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its stage.
    pub stage: Stage,
    /// Its name.
    pub name: String,
}

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was asked to.
    Stopped,
    /// All jobs were done, and there was nothing but jobs.
    Finished,
    /// A member failed, the first of [`Outcome::failures`].
    Failed,
}

/// Why a member failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It returned an error: the whole chain, as text.
    #[error("{0}")]
    Error(String),
    /// It panicked: a mistake in the program.
    #[error("panicked: {0} (a mistake in the program: please report it)")]
    Panic(String),
    /// It ended without being asked to.
    #[error("ended without being asked to")]
    EndedEarly,
}

/// A member that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub member: Member,
    /// Why.
    pub reason: Reason,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Why it ended.
    pub cause: Cause,
    /// What failed, in the order in which it did, during shutdown too.
    pub failures: Vec<Failure>,
    /// What did not end within the bound and was left behind.
    pub late: Vec<Member>,
}

impl Outcome {
    /// Whether nothing failed and nothing was left behind: the process may exit with 0.
    pub fn clean(&self) -> bool {
        self.failures.is_empty() && self.late.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.member.name, self.reason)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = self.failures.iter().map(ToString::to_string);
        let late = self.late.iter().map(|m| format!("{}: did not end in time", m.name));
        let lines: Vec<String> = failures.chain(late).collect();
        if lines.is_empty() { f.write_str("ended in order") } else { f.write_str(&lines.join("; ")) }
    }
}
