//! Erasing a user from the store, and what the log still holds.

use serde::Serialize;
use slipstream_schemas::topics::Kept;
use slipstream_schemas::{EventTime, LogTime, Topic};
use slipstream_store::text;

use super::History;
use super::reached::{ends, nothing_between, position};
use crate::QueryError;

/// What was erased, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// Raw events that had this `user_ref`: their field is overwritten, the rows stay, so no count has changed.
    pub erased: u64,
    /// Until when the log may hold requests of this user, RFC 3339: records of a log are not changed, they expire.
    pub log_holds_until: String,
    /// The same for requests that were refused (dead letters).
    pub dead_letters_hold_until: String,
    /// Whether requests that the log has had already are still to be stored: then erase again.
    pub more_to_come: bool,
    /// The same in words.
    pub note: String,
}

impl History {
    /// Overwrites the `user_ref` of every stored request that has this one. `now`: log time.
    ///
    /// # Errors
    /// When the store is open for reading only, or cannot be reached.
    pub async fn erase_user(&self, user_ref: &str, now: LogTime) -> Result<Erasure, QueryError> {
        if user_ref.is_empty() {
            return Err(QueryError::Refused("the user_ref to erase is empty".to_owned()));
        }
        let more_to_come = self.is_behind().await?;
        let erased = self.store.erase_user(user_ref).await?;
        let (log_holds_until, dead_letters_hold_until) =
            (until(Topic::RequestEvents, now), until(Topic::DeadLetters, now));
        let again =
            if more_to_come { " Requests that are not stored yet may have it: erase again in a minute." } else { "" };
        let note = format!(
            "{erased} stored requests no longer name this user; no count has changed. The log is not changed: it holds requests \
             until {log_holds_until} at the latest, refused ones until {dead_letters_hold_until} (dead-letters); replays of that \
             time read them.{again}"
        );
        Ok(Erasure { erased, log_holds_until, dead_letters_hold_until, more_to_come, note })
    }

    /// Whether the log has requests that the store does not have yet.
    async fn is_behind(&self) -> Result<bool, QueryError> {
        let Ok(log) = &self.log else { return Ok(true) };
        let ends = ends(log.as_ref(), Topic::RequestEvents).await?;
        let stored = self.store.positions().await?;
        for (partition, end) in ends {
            let from = position(&stored, partition).map_or(0, |stored| stored.offset);
            if !nothing_between(log.as_ref(), partition, from, end).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// When what a topic holds now is gone, by the table of topics: a cluster may keep it for longer.
fn until(topic: Topic, now: LogTime) -> String {
    match topic.spec().kept {
        Kept::For(kept) => {
            let end = now.0.saturating_add(kept.as_millis() as i64);
            text::micros(EventTime(end.saturating_mul(1_000)))
        }
        Kept::Forever | Kept::Compacted { .. } => "for ever".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_log_expires() {
        assert_eq!(until(Topic::RequestEvents, LogTime(0)), "1970-01-08T00:00:00.000000Z");
        assert_eq!(until(Topic::SloDefinitions, LogTime(0)), "for ever");
    }
}
