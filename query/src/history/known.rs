//! Up to when the store has everything: what an answer without a time of its own is as of.

use slipstream_role::names::TALLY;
use slipstream_schemas::{LogTime, Topic};

use super::History;
use super::reached::{ends, nothing_between, partitions, position};
use crate::QueryError;

impl History {
    /// Log time up to which the store has everything of a topic; `None` if it has nothing of some partition yet.
    ///
    /// Of a partition of which records are still to be stored, that is the log time of the last one that is. Where there are none,
    /// it is as far as tally has read: by its horizon (L7) nothing more will come from before. So a quiet topic is known up to now,
    /// and one that is not stored any more stands still.
    ///
    /// # Errors
    /// When log or store cannot be read.
    pub async fn known_up_to(&self, topic: Topic) -> Result<Option<LogTime>, QueryError> {
        let log = self.log()?;
        // In this order: what was logged by then lies below the ends, and positions are compared with those.
        let now = self.read_up_to().await?;
        let ends = ends(log.as_ref(), topic).await?;
        let stored = self.store.positions().await?;
        let mut least: Option<LogTime> = None;
        for (partition, end) in ends {
            let at = position(&stored, partition);
            let has_all = nothing_between(log.as_ref(), partition, at.map_or(0, |at| at.offset), end).await?;
            let known = match at.map(|at| at.log_time) {
                Some(last) if has_all => Some(now.map_or(last, |now| now.max(last))),
                None if has_all => now,
                last => last,
            };
            let Some(known) = known else { return Ok(None) };
            least = Some(least.map_or(known, |least| least.min(known)));
        }
        Ok(least)
    }

    /// The log time up to which tally has read every request; `None` before it has begun.
    async fn read_up_to(&self) -> Result<Option<LogTime>, QueryError> {
        let log = self.log()?;
        let mut least = LogTime(i64::MAX);
        for partition in partitions(log.as_ref(), Topic::RequestEvents).await? {
            let Some(read) = log.committed(TALLY, partition).await? else { return Ok(None) };
            least = least.min(read.log_time);
        }
        Ok(Some(least))
    }
}
