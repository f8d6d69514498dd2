//! What can be said in a moment about the requests behind an alert: some that were bad, what they have in common, and what was done
//! to their services before. It has a deadline: what is not known by then is left out.
//!
//! Shares of all requests come from the rollups where those know what the SLO decides by ([`rolled`]), else from a sample: the
//! newest raw requests, each judged by the SLO itself ([`sampled`]).

mod answer;
mod rolled;
mod sampled;

use std::collections::BTreeSet;
use std::future::Future;

use futures::future;
use slipstream_definitions::definition::{GroupKey, Slo};
use slipstream_schemas::records::{AlertTransition, Exemplar, GroupLabel, Marker};
use slipstream_schemas::{Cause, EventTime};
use slipstream_store::kpis::{Field, KpiAnswer, KpiQuestion, Level};
use slipstream_store::{Cursor, EventFilter, EventPage, EventQuestion, Order, StoreError, patience};
use tokio::time::{Instant, timeout_at};

pub use answer::{BadRequest, Breakdown, Evidence, Latencies, RequestTold, Sample, ValueCounts};

use super::History;
use super::judge::{Judge, view};
use crate::QueryError;
use sampled::Sampled;

/// Markers of so long before the beginning are told, microseconds.
pub const MARKERS_BEFORE: i64 = 30 * 60 * SECOND;

/// Raw requests that are judged at most.
const MOST_ROWS: usize = 100_000;
/// The first page is a small one: it shows which service the SLO counts.
const FIRST_PAGE: usize = 2_000;
const PAGE: usize = 10_000;
/// The longest range that requests are looked for in, seconds.
const LONGEST: i64 = 3_600;
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

/// The question.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceQuestion {
    /// Which SLO, or Rule that counts for itself.
    pub slo: String,
    /// Which objective.
    pub objective: String,
    /// Whose it is.
    pub service: String,
    /// Values of the SLO's `groupBy`, in its order; empty without one.
    pub group: Vec<GroupLabel>,
    /// Requests that are known to be bad.
    pub exemplars: Vec<Exemplar>,
    /// Event time at or after.
    pub from: EventTime,
    /// Event time before.
    pub to: EventTime,
    /// When it began: markers before it may be why.
    pub began: EventTime,
}

/// When the condition began to hold; or the episode did, an hour before at most, since what it began by may have become worse.
fn began(t: &AlertTransition) -> i64 {
    let since = t.holds_since.unwrap_or(t.episode);
    since.min(t.episode.max(since.saturating_sub(LONGEST)))
}

impl EvidenceQuestion {
    /// About an alert as of a transition: over the shortest window that its rule looked at, up to the transition.
    pub fn about(t: &AlertTransition) -> EvidenceQuestion {
        let of_rule = t.values.iter().filter(|value| value.rule == t.rule && value.window_seconds > 0);
        let window = of_rule.map(|value| value.window_seconds).min().unwrap_or(LONGEST).min(LONGEST);
        let end = (t.tick + 1).saturating_mul(SECOND);
        EvidenceQuestion {
            slo: t.slo.clone(),
            objective: t.objective.clone(),
            service: t.service.clone(),
            group: t.group.clone(),
            exemplars: t.exemplars.clone(),
            from: EventTime(end.saturating_sub(window.saturating_mul(SECOND))),
            to: EventTime(end),
            began: EventTime(began(t).saturating_mul(SECOND)),
        }
    }

    /// Requests of the range and the group. An empty value is that of requests without the attribute, too: those are told apart
    /// where they are judged.
    fn filter(&self, slo: &Slo) -> EventFilter {
        let mut filter = EventFilter { from: Some(self.from), to: Some(self.to), ..EventFilter::default() };
        for (key, label) in slo.group_by.iter().zip(&self.group) {
            let value = label.value.clone();
            match key {
                GroupKey::Service => filter.service = Some(value),
                GroupKey::Environment => filter.environment = Some(value),
                GroupKey::Endpoint => filter.endpoint = Some(value),
                GroupKey::Method => filter.method = Some(value),
                GroupKey::StatusCode => filter.status_code = value.parse().ok(),
                GroupKey::Attribute(_) if value.is_empty() => {}
                GroupKey::Attribute(name) => drop(filter.attributes.insert(name.clone(), value)),
            }
        }
        filter
    }
}

impl History {
    /// What is known by `by` of the requests behind an alert.
    ///
    /// # Errors
    /// When log or store cannot be read. That something takes too long is none.
    pub async fn evidence(&self, question: &EvidenceQuestion, by: Instant) -> Result<Evidence, QueryError> {
        let (marked, exemplars, sampled) = tokio::try_join!(
            self.marked(question, by),
            self.exemplars(question, by),
            self.sampled_and_rolled(question, by)
        )?;
        let (sampled, rolled) = sampled.unwrap_or_default();
        let mut services: BTreeSet<&str> = exemplars.iter().filter_map(BadRequest::service).collect();
        services.extend(sampled.bad_services());
        services.insert(&question.service);
        let markers = marked.into_iter().filter(|m| m.service.is_empty() || services.contains(m.service.as_str()));
        let markers = markers.collect();
        // An alert remembers bad requests of long ago, too.
        let (named, old) = exemplars.into_iter().partition(|request| request.time >= question.from);
        Ok(Evidence { markers, ..sampled.evidence(named, old, rolled) })
    }

    /// Markers between half an hour before the beginning and the end of the range.
    async fn marked(&self, question: &EvidenceQuestion, by: Instant) -> Result<Vec<Marker>, QueryError> {
        let from = EventTime(question.began.0.saturating_sub(MARKERS_BEFORE));
        let log = self.log()?;
        match timeout_at(by, self.markers.touching(log.as_ref(), from, question.to)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(QueryError::Log(slipstream_log::LogError::Fatal {
                doing: "reading markers".to_owned(),
                cause: Cause::of(error),
            })),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// The requests that the alert itself names. The sink may not have stored them yet.
    async fn exemplars(&self, question: &EvidenceQuestion, by: Instant) -> Result<Vec<BadRequest>, QueryError> {
        let stored = question.exemplars.iter().map(|exemplar| async move {
            // By its time, which has an index.
            let (from, to) = (EventTime(exemplar.time), EventTime(exemplar.time + 1));
            let event_id = Some(exemplar.event_id.clone());
            let filter = EventFilter { event_id, from: Some(from), to: Some(to), ..EventFilter::default() };
            let page = in_time(by, self.store.events(&EventQuestion::oldest(filter, 1, None))).await?;
            let found = page.and_then(|page: EventPage| page.events.into_iter().next());
            Ok(found.map_or_else(|| BadRequest::unseen(exemplar), |stored| BadRequest::seen(&view(&stored.event))))
        });
        future::join_all(stored).await.into_iter().collect()
    }

    /// The sample, and what the rollups say of its range if they know enough; `None` for what is not decided by single requests.
    async fn sampled_and_rolled(
        &self,
        question: &EvidenceQuestion,
        by: Instant,
    ) -> Result<Option<(Sampled, Option<Vec<Breakdown>>)>, QueryError> {
        let Some((slo, mut judge)) = self.judge_of(question).await? else { return Ok(None) };
        let mut filter = question.filter(&slo);
        let group: Vec<(&GroupKey, &str)> =
            slo.group_by.iter().zip(&question.group).map(|(key, label)| (key, label.value.as_str())).collect();
        let mut sampling = Sampling { history: self, by, judge: &mut judge, group: &group, sample: Sampled::default() };
        let mut rest = sampling.page(&filter, FIRST_PAGE, None).await?;
        if let Some(service) = sampling.sample.only_service() {
            // The others would only thin it out.
            filter.service = Some(service);
            sampling.sample = Sampled::default();
            rest = sampling.page(&filter, FIRST_PAGE, None).await?;
        }
        let (sampled, rows) = tokio::join!(sampling.rest(&filter, rest), self.rows(&filter, by));
        sampled?;
        let sampled = sampling.sample;
        let rolled = sampled.sides().zip(rows?).and_then(|(sides, rows)| rolled::breakdowns(&rows, &sides));
        Ok(Some((sampled, rolled)))
    }

    /// The decision of the SLO as it is in force.
    async fn judge_of(&self, question: &EvidenceQuestion) -> Result<Option<(Slo, Judge)>, QueryError> {
        let slo = match self.slo_in_force(&question.slo).await {
            // Withdrawn meanwhile.
            Err(QueryError::Unknown { .. }) => return Ok(None),
            found => found?,
        };
        let counts = slo.objectives.iter().any(|objective| objective.name == question.objective);
        let judge = || Judge::new(slo.clone(), question.objective.clone());
        Ok(counts.then(judge).map(|judge| (slo, judge)))
    }

    /// Rollups of the whole minutes that the range touches; `None` if they do not know enough, or not in time.
    async fn rows(
        &self,
        filter: &EventFilter,
        by: Instant,
    ) -> Result<Option<Vec<slipstream_store::kpis::KpiRow>>, QueryError> {
        let minute = |time: i64| EventTime(time.saturating_mul(MINUTE));
        let from = filter.from.map(|from| minute(from.0.div_euclid(MINUTE)));
        let to = filter.to.map(|to| minute((to.0 + MINUTE - 1).div_euclid(MINUTE)));
        let question = KpiQuestion {
            filter: EventFilter { from, to, ..filter.clone() },
            by: vec![Field::Service, Field::Endpoint, Field::Method, Field::StatusClass],
            source: Some(Level::Rollup),
            step: None,
        };
        if question.raw_only().is_some() {
            return Ok(None);
        }
        let answer = in_time(by, self.store.kpis(&question)).await?;
        Ok(answer.and_then(|answer| match answer {
            KpiAnswer::Rows { rows } => Some(rows),
            KpiAnswer::Total(_) => None,
        }))
    }
}

/// A sample that grows, newest requests first.
struct Sampling<'a> {
    history: &'a History,
    by: Instant,
    judge: &'a mut Judge,
    group: &'a [(&'a GroupKey, &'a str)],
    sample: Sampled,
}

impl Sampling<'_> {
    /// Judges a page; returns where the next one begins.
    async fn page(
        &mut self,
        filter: &EventFilter,
        limit: usize,
        after: Option<Cursor>,
    ) -> Result<Option<Cursor>, QueryError> {
        let question = EventQuestion { filter: filter.clone(), order: Order::Newest, limit, after };
        let page = in_time(self.by, self.history.store.events(&question)).await?;
        let Some(EventPage { events, next }) = page else { return Ok(None) };
        for stored in &events {
            let event = view(&stored.event);
            let is_meant = self.group.iter().all(|(key, value)| is_of(key, value, &event));
            self.sample.add(&event, self.judge.judge(&event).filter(|_| is_meant));
        }
        Ok(next)
    }

    async fn rest(&mut self, filter: &EventFilter, mut after: Option<Cursor>) -> Result<(), QueryError> {
        while let Some(place) = after
            && self.sample.rows() < MOST_ROWS
            && Instant::now() < self.by
        {
            after = self.page(filter, PAGE.min(MOST_ROWS - self.sample.rows()), Some(place)).await?;
        }
        Ok(())
    }
}

/// Whether a request is of a group, as far as the filter left that open.
fn is_of(key: &GroupKey, value: &str, event: &slipstream_schemas::EventView<'_>) -> bool {
    let GroupKey::Attribute(name) = key else { return true };
    event.attribute(name).unwrap_or_default() == value
}

/// The answer of a store if it comes in time; the store is told to stop looking then. A refusal is no answer, either: retention
/// has removed some of the range, or it is too much.
async fn in_time<T>(
    by: Instant,
    question: impl Future<Output = Result<T, StoreError>>,
) -> Result<Option<T>, QueryError> {
    let left = by.saturating_duration_since(Instant::now());
    match timeout_at(by, patience::within(left, question)).await {
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(StoreError::Refused(_))) | Err(_) => Ok(None),
        Ok(Err(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::transition;

    #[test]
    fn it_began_with_the_condition_and_what_was_shortly_before_that() {
        let t = |episode, holds_since| AlertTransition { episode, holds_since, ..transition() };
        for (episode, holds_since, want) in [
            (10_000, None, 10_000),
            (10_000, Some(10_000), 10_000),
            (10_000, Some(12_000), 10_000),
            (10_000, Some(20_000), 16_400),
            (10_000, Some(9_990), 9_990),
        ] {
            assert_eq!(began(&t(episode, holds_since)), want, "{episode} {holds_since:?}");
        }
    }
}
