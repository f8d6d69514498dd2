//! Whether everything is stored that was known at a time: only then the answer stays the same for ever.
//!
//! What was logged by T is known once tally has read beyond T: by its horizon (L7) nothing more will come. What was evaluated by
//! T is known once burn has folded all of that, and the store has what burn has published. Alerts of T are known once the alerter
//! has decided all of this, and the store has what it decided.

use std::collections::BTreeSet;

use slipstream_definitions::definition::Slo;
use slipstream_log::{Offset, TopicPartition};
use slipstream_role::names::{ALERTER, BURN, TALLY};
use slipstream_schemas::{LogTime, Topic};
use slipstream_store::alerts::{AlertFilter, AlertState};
use slipstream_store::text;
use tokio::time::Instant;

use super::History;
use super::reached::{Reader, deadline, ends, partitions, position};
use crate::QueryError;
use crate::definitions::in_force_at;
use crate::rules::{Kept, RuleState, RuleStatus, longest_kept};
use crate::slos::SloAnswer;

/// From the end of a tick to when it is evaluated, at most: a second for the tick, and one for the stamps behind it.
pub(super) const EVALUATED_MS: i64 = 2_000;

type Answer<T> = Result<T, QueryError>;

impl History {
    /// The SLOs as they were known at a time: of each series the last record with a tick up to it, which is told as its `as_of`.
    ///
    /// # Errors
    /// `NotYet` if the store lacks some of it, `Gone` if retention has removed some, and when log or store cannot be read.
    pub async fn slos_as_of(&self, at: LogTime) -> Answer<SloAnswer> {
        self.require_evaluated(at, deadline()).await?;
        let states = self.store.slo_states(Some(at.0.div_euclid(1_000))).await?;
        // Asked last: what was removed while they were read is missing in them.
        whole(at, self.store.whole_from().await?.burn_rates, "retention.events")?;
        let definitions = self.definitions_at(at).await?;
        let mut answer = SloAnswer::worst_first(&definitions, &states);
        if longest_kept(&definitions).is_some() && answer.rules.iter().any(is_inactive) {
            self.kept_at(at, &answer.rules).await?.tell(&mut answer.rules);
        }
        Ok(answer)
    }

    /// Of Rules that were inactive, those whose alerts were kept firing at a time.
    async fn kept_at(&self, at: LogTime, rules: &[RuleStatus]) -> Answer<Kept> {
        let inactive: BTreeSet<&str> = rules.iter().filter(|r| is_inactive(r)).map(|r| r.alert_id.as_str()).collect();
        let firing = AlertFilter { states: vec![AlertState::Firing], ..AlertFilter::default() };
        let firing = self.alerts(&firing, Some(at)).await?.alerts;
        let mut kept = Kept::default();
        for alert in firing.iter().filter(|alert| inactive.contains(alert.episode.id.as_str())) {
            let transitions = self.store.transitions(&alert.episode.id).await?;
            if let Some(last) = transitions.iter().rfind(|transition| transition.tick <= at.0.div_euclid(1_000)) {
                kept.note(last);
            }
        }
        Ok(kept)
    }

    /// The SLOs that were in force at a time.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn definitions_at(&self, at: LogTime) -> Answer<Vec<Slo>> {
        Ok(in_force_at(self.revisions().await?.as_ref(), at))
    }

    /// Refuses a time of which not every request is stored that was logged by then.
    ///
    /// # Errors
    /// As of [`History::slos_as_of`].
    pub(super) async fn require_stored(&self, at: LogTime) -> Answer<()> {
        let kept = self.store.raw_bounds().await?.into_iter().filter_map(|bounds| bounds.kept_from).max();
        if let Some(kept) = kept.filter(|kept| at < *kept) {
            return Err(gone(at, kept, "retention.events"));
        }
        if self.reached.stored.has(at) {
            return Ok(());
        }
        let (log, stored, deadline) = (self.log()?, self.store.positions().await?, deadline());
        // Within a partition log time never runs backwards.
        let is_beyond = |partition| position(&stored, partition).is_some_and(|stored| stored.log_time > at);
        let mut rest = partitions(log.as_ref(), Topic::RequestEvents).await?;
        rest.retain(|partition| !is_beyond(*partition));
        if !rest.is_empty() {
            self.require_read(&rest, at, at, deadline).await?;
            let after: Vec<_> = rest.iter().map(|partition| (*partition, LogTime(at.0 + 1))).collect();
            let ends = log.all_offsets_at(&after).await?;
            self.require_reached(Reader::Store, rest.into_iter().zip(ends).collect(), "stored", at, deadline).await?;
        }
        self.reached.stored.note(at);
        Ok(())
    }

    /// Refuses a time of which not every tick is evaluated and stored.
    pub(super) async fn require_evaluated(&self, at: LogTime, deadline: Instant) -> Answer<()> {
        if self.reached.evaluated.has(at) {
            return Ok(());
        }
        let log = self.log()?;
        let requests = partitions(log.as_ref(), Topic::RequestEvents).await?;
        let read = self.require_read(&requests, LogTime(at.0 + EVALUATED_MS), at, deadline).await?;
        // Each end is read once the step before is done: all that it has led to lies below.
        let tallies = ends(log.as_ref(), Topic::SliTallies).await?;
        self.require_reached(Reader::Role(BURN), tallies, "evaluated", at, deadline).await?;
        let rates = ends(log.as_ref(), Topic::BurnRates).await?;
        self.require_reached(Reader::Store, rates, "stored", at, deadline).await?;
        self.reached.evaluated.note(LogTime(read.0.saturating_sub(EVALUATED_MS + 1)));
        Ok(())
    }

    /// Refuses a time of which not every transition is stored: those that burn's records of that time have led to.
    pub(super) async fn require_alerts(&self, at: LogTime) -> Answer<()> {
        whole(at, self.store.whole_from().await?.alerts, "retention.history")?;
        // One patience for both.
        let deadline = deadline();
        self.require_evaluated(at, deadline).await?;
        if self.reached.alerted.has(at) {
            return Ok(());
        }
        let log = self.log()?;
        let rates = ends(log.as_ref(), Topic::BurnRates).await?;
        self.require_reached(Reader::Role(ALERTER), rates, "decided", at, deadline).await?;
        let alerts = ends(log.as_ref(), Topic::Alerts).await?;
        self.require_reached(Reader::Store, alerts, "stored", at, deadline).await?;
        self.reached.alerted.note(at);
        Ok(())
    }

    /// Whether tally has read beyond a time, and how far; `asked` is what is told.
    async fn require_read(
        &self,
        requests: &[TopicPartition],
        beyond: LogTime,
        asked: LogTime,
        deadline: Instant,
    ) -> Answer<LogTime> {
        let read = self.read_beyond(TALLY, requests, beyond, deadline).await?;
        read.ok_or_else(|| not_yet("read", asked))
    }

    async fn require_reached(
        &self,
        reader: Reader,
        places: Vec<(TopicPartition, Offset)>,
        what: &'static str,
        at: LogTime,
        deadline: Instant,
    ) -> Answer<()> {
        match self.reach(reader, places, deadline).await? {
            true => Ok(()),
            false => Err(not_yet(what, at)),
        }
    }
}

fn is_inactive(rule: &RuleStatus) -> bool {
    rule.state == RuleState::Inactive
}

/// What retention has removed cannot be told as it was.
fn whole(at: LogTime, from_tick: Option<i64>, setting: &'static str) -> Answer<()> {
    match from_tick.map(|tick| LogTime(tick.saturating_mul(1_000))) {
        Some(kept) if at < kept => Err(gone(at, kept, setting)),
        _ => Ok(()),
    }
}

fn gone(at: LogTime, kept: LogTime, setting: &'static str) -> QueryError {
    QueryError::Gone { at: told(at), kept: told(kept), setting }
}

fn not_yet(what: &'static str, at: LogTime) -> QueryError {
    QueryError::NotYet { what, at: told(at) }
}

fn told(at: LogTime) -> String {
    text::micros(slipstream_schemas::EventTime(at.0.saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_any_more_is_refused_with_where_it_begins() {
        let refused = |at, from| whole(LogTime(at), from, "retention.events").map_err(|error| error.to_string());
        assert_eq!(refused(0, None), Ok(()));
        assert_eq!(refused(100_000, Some(100)), Ok(()));
        let said = refused(99_999, Some(100)).unwrap_err();
        assert!(said.contains("1970-01-01T00:01:39.999000Z") && said.contains("(retention.events)"), "{said}");
        assert!(said.ends_with("the store has all from 1970-01-01T00:01:40.000000Z on"), "{said}");
    }
}
