//! Whether everything is stored that was known at a time: only then the answer stays the same for ever.
//!
//! What was logged by T is known once tally has read beyond T: by its horizon (L7) nothing more will come. What was evaluated by
//! T is known once burn has folded all of that, and the store has what burn has published.

use slipstream_definitions::definition::Slo;
use slipstream_log::{Log, TopicPartition};
use slipstream_role::names::{BURN, TALLY};
use slipstream_schemas::{LogTime, Topic};
use slipstream_store::{StorePosition, text};

use super::History;
use crate::QueryError;
use crate::definitions::{in_force_at, revisions};
use crate::slos::SloAnswer;

/// From the end of a tick to when it is evaluated, at most: a second for the tick, and one for the stamps behind it.
const EVALUATED_MS: i64 = 2_000;

type Answer<T> = Result<T, QueryError>;

impl History {
    /// The SLOs as they were known at a time: of each series the last record with a tick up to it, which is told as its `as_of`.
    ///
    /// # Errors
    /// `NotYet` if the store lacks some of it, `Gone` if retention has removed some, and when log or store cannot be read.
    pub async fn slos_as_of(&self, at: LogTime) -> Answer<SloAnswer> {
        self.require_evaluated(at).await?;
        let states = self.store.slo_states(Some(at.0.div_euclid(1_000))).await?;
        Ok(SloAnswer::worst_first(&self.definitions_at(at).await?, &states))
    }

    /// The SLOs that were in force at a time.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn definitions_at(&self, at: LogTime) -> Answer<Vec<Slo>> {
        Ok(in_force_at(&revisions(self.log()?.as_ref()).await?, at))
    }

    /// Refuses a time of which not every request is stored that was logged by then.
    ///
    /// # Errors
    /// As of [`History::slos_as_of`].
    pub async fn require_stored(&self, at: LogTime) -> Answer<()> {
        self.require_kept(at).await?;
        let (log, stored) = (self.log()?, self.store.positions().await?);
        for partition in partitions(log.as_ref(), Topic::RequestEvents).await? {
            // Within a partition log time never runs backwards.
            if position(&stored, partition).is_some_and(|stored| stored.log_time > at) {
                continue;
            }
            self.require_read(partition, at).await?;
            let end = log.offset_at(partition, LogTime(at.0 + 1)).await?;
            require_offset(&stored, partition, end, at)?;
        }
        Ok(())
    }

    /// Refuses a time of which not every tick is evaluated and stored.
    async fn require_evaluated(&self, at: LogTime) -> Answer<()> {
        self.require_kept(at).await?;
        // Burn rates go by the tick, raw events by the day.
        if let Some(kept) = self.store.states_from().await?.filter(|kept| at.0.div_euclid(1_000) < *kept) {
            return Err(QueryError::Gone { at: told(at), kept: told(LogTime(kept * 1_000)) });
        }
        let log = self.log()?;
        let read = LogTime(at.0 + EVALUATED_MS);
        for partition in partitions(log.as_ref(), Topic::RequestEvents).await? {
            self.require_read(partition, read).await?;
        }
        for partition in partitions(log.as_ref(), Topic::SliTallies).await? {
            let (_, end) = log.bounds(partition).await?;
            let folded = log.committed(BURN, partition).await?.map_or(0, |position| position.offset);
            if folded < end {
                return Err(not_yet("evaluated", at));
            }
        }
        // Read last: all that was published by the steps above is below these ends.
        let stored = self.store.positions().await?;
        for partition in partitions(log.as_ref(), Topic::BurnRates).await? {
            let (_, end) = log.bounds(partition).await?;
            require_offset(&stored, partition, end, at)?;
        }
        Ok(())
    }

    /// Whether tally has read beyond a time.
    async fn require_read(&self, partition: TopicPartition, at: LogTime) -> Answer<()> {
        let committed = self.log()?.committed(TALLY, partition).await?;
        match committed {
            Some(position) if position.log_time > at => Ok(()),
            _ => Err(not_yet("read", at)),
        }
    }

    /// What retention has removed cannot be told as it was.
    async fn require_kept(&self, at: LogTime) -> Answer<()> {
        let kept = self.store.raw_bounds().await?.into_iter().filter_map(|bounds| bounds.kept_from).max();
        match kept {
            Some(kept) if at < kept => Err(QueryError::Gone { at: told(at), kept: told(kept) }),
            _ => Ok(()),
        }
    }
}

fn require_offset(stored: &[StorePosition], partition: TopicPartition, end: i64, at: LogTime) -> Answer<()> {
    let offset = position(stored, partition).map_or(0, |stored| stored.offset);
    if offset < end { Err(not_yet("stored", at)) } else { Ok(()) }
}

fn position(stored: &[StorePosition], partition: TopicPartition) -> Option<&StorePosition> {
    stored.iter().find(|stored| stored.topic == partition.topic && stored.partition == partition.partition)
}

async fn partitions(log: &dyn Log, topic: Topic) -> Answer<Vec<TopicPartition>> {
    Ok((0..log.partitions(topic).await?).map(|partition| TopicPartition { topic, partition }).collect())
}

fn not_yet(what: &'static str, at: LogTime) -> QueryError {
    QueryError::NotYet { what, at: told(at) }
}

fn told(at: LogTime) -> String {
    text::micros(slipstream_schemas::EventTime(at.0.saturating_mul(1_000)))
}
