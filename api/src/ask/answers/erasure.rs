//! What was erased, and what was not.

use serde::Serialize;
use utoipa::ToSchema;

use super::Example;

/// What became of a `user_ref`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Erased {
    /// Rows of the store in which it was overwritten. The rows stay, so no count changes.
    pub erased: u64,
    /// Until when the log still holds requests with it; null if it holds none.
    pub log_holds_until: Option<String>,
    /// What that means, for people.
    pub note: String,
}

impl Example for Erased {
    fn example() -> Self {
        Erased {
            erased: 312,
            log_holds_until: Some("2026-12-06T10:00:02Z".to_owned()),
            note: "The log keeps requests as they were sent until its retention removes them.".to_owned(),
        }
    }
}
