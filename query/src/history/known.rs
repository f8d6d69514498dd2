//! Up to when the store has everything: what an answer without a time of its own is as of.

use slipstream_role::names::{ALERTER, BURN, TALLY};
use slipstream_schemas::{LogTime, Topic};

use super::History;
use super::as_of::EVALUATED_MS;
use super::reached::{ends, first_between, partitions, position};
use crate::QueryError;

impl History {
    /// Log time up to which the store has everything of a topic; `None` if it has nothing of some partition yet.
    ///
    /// Of a partition of which records are still to be stored, requests are known up to the last one that is, and what is made of them
    /// up to the time that the first one is of that is not. Where there are none, it is the time of which everything has been made
    /// that there is to be: by tally's horizon (L7) nothing more will come from before. So a quiet topic is known up to now, and one
    /// that is not stored any more, or not written, stands still.
    ///
    /// # Errors
    /// When log or store cannot be read.
    pub async fn known_up_to(&self, topic: Topic) -> Result<Option<LogTime>, QueryError> {
        let log = self.log()?;
        // In this order: what was logged by then lies below the ends, and positions are compared with those.
        let now = self.made_up_to(topic).await?;
        let ends = ends(log.as_ref(), topic).await?;
        let stored = self.store.positions().await?;
        let mut least: Option<LogTime> = None;
        for (partition, end) in ends {
            let at = position(&stored, partition);
            let missing = first_between(log.as_ref(), partition, at.map_or(0, |at| at.offset), end).await?;
            let last = at.map(|at| at.log_time);
            let known = match missing {
                _ if is_made(topic) => now.zip(missing.map_or(now, |missing| missing.of)).map(|(a, b)| a.min(b)),
                Some(_) => last,
                None => now.max(last),
            };
            let Some(known) = known else { return Ok(None) };
            least = Some(least.map_or(known, |least| least.min(known)));
        }
        Ok(least)
    }

    /// The log time of which everything has led to records of a topic that will; `None` before that has begun. Requests are as far
    /// as tally has read. Burn rates are as far as burn has folded what tally makes of them. Alerts and their notifications are as far
    /// as the burn rates that the alerter has read; what receivers have not taken yet is not among them.
    async fn made_up_to(&self, topic: Topic) -> Result<Option<LogTime>, QueryError> {
        let Some(read) = self.read_up_to(TALLY, Topic::RequestEvents).await? else { return Ok(None) };
        if !is_made(topic) {
            return Ok(Some(read));
        }
        let Some(folded) = self.read_up_to(BURN, Topic::SliTallies).await? else { return Ok(None) };
        let evaluated = LogTime(folded.0.min(read.0).saturating_sub(EVALUATED_MS));
        if topic == Topic::BurnRates {
            return Ok(Some(evaluated));
        }
        // Read after what burn has committed: what that has led to lies below.
        let log = self.log()?;
        let mut decided = Some(evaluated);
        for (partition, end) in ends(log.as_ref(), Topic::BurnRates).await? {
            let at = log.committed(ALERTER, partition).await?.map_or(0, |at| at.offset);
            if let Some(missing) = first_between(log.as_ref(), partition, at, end).await? {
                decided = decided.zip(missing.of).map(|(decided, of)| decided.min(of));
            }
        }
        Ok(decided)
    }

    /// The log time up to which a role has read all partitions of a topic; `None` before it has begun.
    async fn read_up_to(&self, role: &'static str, topic: Topic) -> Result<Option<LogTime>, QueryError> {
        let log = self.log()?;
        let mut least = LogTime(i64::MAX);
        for partition in partitions(log.as_ref(), topic).await? {
            let Some(read) = log.committed(role, partition).await? else { return Ok(None) };
            least = least.min(read.log_time);
        }
        Ok(Some(least))
    }
}

/// Whether records of a topic are made of requests, and say of which time they are.
fn is_made(topic: Topic) -> bool {
    matches!(topic, Topic::BurnRates | Topic::Alerts | Topic::Notifications)
}
