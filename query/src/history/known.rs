//! Up to when the store has everything: what an answer without a time of its own is as of.

use slipstream_role::names::{ALERTER, BURN, TALLY};
use slipstream_schemas::{LogTime, Topic};

use super::History;
use super::as_of::EVALUATED_MS;
use super::reached::{ends, nothing_between, partitions, position};
use crate::QueryError;

impl History {
    /// Log time up to which the store has everything of a topic; `None` if it has nothing of some partition yet.
    ///
    /// Of a partition of which records are still to be stored, that is the log time of the last one that is. Where there are none,
    /// it is the time of which everything has been made that there is to be. So a quiet topic is known up to now, and one that is
    /// not stored any more stands still; also where whoever writes it does.
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

    /// The log time of which everything has led to records of a topic that will; `None` before that has begun. Requests are as far
    /// as tally has read: by its horizon (L7) nothing more will come from before. Burn rates are as far as burn has folded what
    /// tally makes of them. Alerts and their notifications are as far as burn rates, once the alerter has read all of those;
    /// what receivers have not taken yet is not among them.
    async fn made_up_to(&self, topic: Topic) -> Result<Option<LogTime>, QueryError> {
        let Some(read) = self.read_up_to(TALLY, Topic::RequestEvents).await? else { return Ok(None) };
        if !matches!(topic, Topic::BurnRates | Topic::Alerts | Topic::Notifications) {
            return Ok(Some(read));
        }
        let Some(folded) = self.read_up_to(BURN, Topic::SliTallies).await? else { return Ok(None) };
        let evaluated = LogTime(folded.0.min(read.0).saturating_sub(EVALUATED_MS));
        if topic == Topic::BurnRates {
            return Ok(Some(evaluated));
        }
        // Read after what burn has committed: what that has led to lies below.
        let log = self.log()?;
        let mut decided = evaluated;
        for (partition, end) in ends(log.as_ref(), Topic::BurnRates).await? {
            let at = log.committed(ALERTER, partition).await?;
            if !nothing_between(log.as_ref(), partition, at.map_or(0, |at| at.offset), end).await? {
                let Some(at) = at else { return Ok(None) };
                decided = decided.min(at.log_time);
            }
        }
        Ok(Some(decided))
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
