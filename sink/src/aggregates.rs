//! Aggregates of the store, made anew beside the writing: nothing waits for them, and no answer depends on them.

use std::time::Duration;

use slipstream_runtime::event::Event;
use slipstream_schemas::LogTime;
use slipstream_store::aggregates::Refreshed;
use slipstream_store::{SharedStore, StoreError};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::telemetry::{Aggregated, NotAggregated};

/// How often hours are closed, and what came late is looked for.
const EVERY: Duration = Duration::from_secs(30);
/// While there is more to do, four times as long as it took is left to others, and at least this.
const PAUSE: Duration = Duration::from_millis(100);
const SHARE: u32 = 4;

/// What was done, how long it took, and how much is left where it failed.
type Work = (Duration, Result<Refreshed, StoreError>, Option<u64>);

/// The work in progress, or when it is due.
pub struct Aggregates {
    store: SharedStore,
    due: Instant,
    work: JoinSet<Work>,
}

impl Aggregates {
    /// Due in a while: there is enough to do at the start.
    pub fn new(store: SharedStore) -> Self {
        Aggregates { store, due: Instant::now() + EVERY, work: JoinSet::new() }
    }

    /// Takes note of what was done, and does more if it is due; `now` is the log time that was read.
    pub fn turn(&mut self, now: LogTime) {
        while let Some(Ok((took, done, left))) = self.work.try_join_next() {
            self.due = Instant::now() + after(took, &done);
            match done {
                Ok(done) => Aggregated { done, took }.emit(),
                Err(cause) => NotAggregated { cause: &cause, left }.emit(),
            }
        }
        if self.work.is_empty() && Instant::now() >= self.due {
            let store = self.store.clone();
            self.work.spawn(async move {
                let began = Instant::now();
                let done = store.refresh(now).await;
                let left = match &done {
                    Ok(_) => None,
                    Err(_) => store.aggregates().await.ok().map(|state| state.stale),
                };
                (began.elapsed(), done, left)
            });
        }
    }
}

/// When the next turn is due. What failed is tried again with the next look.
fn after(took: Duration, done: &Result<Refreshed, StoreError>) -> Duration {
    match done {
        Ok(Refreshed { stale: 1.., hours, days }) if hours + days > 0 => PAUSE.max(took * SHARE),
        _ => EVERY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_have_most_of_the_time() {
        let done = |hours, stale| Ok(Refreshed { hours, days: 0, stale });
        let second = Duration::from_secs(1);
        assert_eq!(after(second, &done(3, 5)), 4 * second);
        assert_eq!(after(Duration::ZERO, &done(3, 5)), PAUSE);
        // Nothing could be done: a day waits for its hours.
        assert_eq!(after(Duration::ZERO, &done(0, 5)), EVERY);
        assert_eq!(after(second, &done(3, 0)), EVERY);
        assert_eq!(after(second, &Err(StoreError::Refused(String::new()))), EVERY);
    }
}
