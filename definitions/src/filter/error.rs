//! What is wrong with a filter, and where.

/// What is wrong with a filter, and where in its source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Kebab-case, as in a diagnostic.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
    /// What to write instead, if known.
    pub help: Option<String>,
    /// Character at which the offending part starts.
    pub start: usize,
    /// How many characters it has, at least 1.
    pub width: usize,
}
