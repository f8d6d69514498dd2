//! What a check found.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Correct.
    Ok,
    /// It works, with a risk that is described.
    Warn,
    /// It does not work, or a guarantee does not hold.
    Error,
}

/// What a check found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked: `topic request-events`, `broker 1`.
    pub check: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, and what it means.
    pub message: String,
    /// What to do; `None` if nothing.
    pub todo: Option<String>,
}

impl Finding {
    /// Correct.
    pub fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Finding { check: check.into(), severity: Severity::Ok, message: message.into(), todo: None }
    }

    /// It works, with a risk.
    pub fn warn(check: impl Into<String>, message: impl Into<String>, todo: impl Into<String>) -> Self {
        let (check, message) = (check.into(), message.into());
        Finding { check, severity: Severity::Warn, message, todo: Some(todo.into()) }
    }

    /// It does not work, or a guarantee does not hold.
    pub fn error(check: impl Into<String>, message: impl Into<String>, todo: impl Into<String>) -> Self {
        Finding { severity: Severity::Error, ..Finding::warn(check, message, todo) }
    }
}
