//! What was erased, and what was not.

use serde::Serialize;
use slipstream_query::history::Erasure;
use utoipa::ToSchema;

use super::Example;

/// What became of a `user_ref`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Erased {
    /// Stored requests that had it: the field is overwritten, the rows stay, so no count changes.
    pub erased: u64,
    /// Until when the log may hold requests with it: records of a log are not changed, they expire.
    pub log_holds_until: String,
    /// The same for requests that were refused (dead letters).
    pub dead_letters_hold_until: String,
    /// Whether requests that the log has had already are still to be stored: then erase again.
    pub more_to_come: bool,
    /// The same in words.
    pub note: String,
}

impl From<Erasure> for Erased {
    fn from(erasure: Erasure) -> Self {
        Erased {
            erased: erasure.erased,
            log_holds_until: erasure.log_holds_until,
            dead_letters_hold_until: erasure.dead_letters_hold_until,
            more_to_come: erasure.more_to_come,
            note: erasure.note,
        }
    }
}

impl Example for Erased {
    fn example() -> Self {
        Erased {
            erased: 312,
            log_holds_until: "2026-12-06T10:00:02.000000Z".to_owned(),
            dead_letters_hold_until: "2026-12-13T10:00:02.000000Z".to_owned(),
            more_to_come: false,
            note: "312 stored requests no longer name this user; no count has changed.".to_owned(),
        }
    }
}
