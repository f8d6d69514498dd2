//! Who is behind the bad requests of an SLO: its own decision over the stored requests, counted by one of their fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipstream_definitions::definition::Slo;
use slipstream_schemas::event::EventView;
use slipstream_schemas::{EventTime, LogTime, Topic};
use slipstream_slo::matcher::Verdict;
use slipstream_store::kpis::{KpiAnswer, KpiQuestion};
use slipstream_store::{EventFilter, EventQuestion, text};

use super::History;
use super::judge::{Judge, objective, view};
use crate::QueryError;

/// A field of an event, or one of its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// A field that an event has.
    Field(&'static str),
    /// The attribute of this name; of events without it, empty.
    Attribute(String),
}

/// Fields that requests are told apart by.
const FIELDS: [&str; 6] = ["service", "environment", "endpoint", "method", "status_code", "user_ref"];
/// What the names of attributes begin with.
const ATTRIBUTE: &str = "attribute.";

impl Dimension {
    /// The one of a name: `endpoint`, `attribute.region`.
    ///
    /// # Errors
    /// `Refused` if there is none, with those that there are.
    pub fn named(name: &str) -> Result<Dimension, QueryError> {
        if let Some(attribute) = name.strip_prefix(ATTRIBUTE).filter(|attribute| !attribute.is_empty()) {
            return Ok(Dimension::Attribute(attribute.to_owned()));
        }
        let field = FIELDS.into_iter().find(|field| *field == name).map(Dimension::Field);
        field.ok_or_else(|| {
            QueryError::Refused(format!(
                "cannot group by `{name}`; use one of {}, or {ATTRIBUTE}NAME",
                FIELDS.join(", ")
            ))
        })
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Dimension::Field(name) => (*name).to_owned(),
            Dimension::Attribute(name) => format!("{ATTRIBUTE}{name}"),
        }
    }

    fn of(&self, event: &EventView<'_>) -> String {
        match self {
            Dimension::Field("service") => event.service.clone().into_owned(),
            Dimension::Field("environment") => event.environment.clone().into_owned(),
            Dimension::Field("method") => event.method.clone().into_owned(),
            Dimension::Field("status_code") => event.status_code.to_string(),
            Dimension::Field("user_ref") => event.user_ref.as_deref().unwrap_or_default().to_owned(),
            Dimension::Field(_) => event.endpoint.clone().into_owned(),
            Dimension::Attribute(name) => event.attribute(name).unwrap_or_default().to_owned(),
        }
    }
}

/// The question.
#[derive(Debug, Clone, PartialEq)]
pub struct ContributorQuestion {
    /// Which SLO.
    pub slo: String,
    /// Which objective; `None` for its only one.
    pub objective: Option<String>,
    /// Event time at or after; `None`: an hour before the end.
    pub from: Option<EventTime>,
    /// Event time before; `None`: behind the last event that is stored.
    pub to: Option<EventTime>,
    /// What requests are told apart by.
    pub by: Dimension,
    /// Values that are told at most; the others are one.
    pub limit: usize,
}

impl Default for ContributorQuestion {
    fn default() -> Self {
        let (slo, by) = (String::new(), Dimension::Field("endpoint"));
        ContributorQuestion { slo, objective: None, from: None, to: None, by, limit: 20 }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContributorAnswer {
    /// The SLO.
    pub slo: String,
    /// Its objective.
    pub objective: String,
    /// Start of the range, RFC 3339.
    pub from: String,
    /// Its end.
    pub to: String,
    /// The field.
    pub by: String,
    /// Weight of bad requests.
    pub bad: i64,
    /// Weight of good and bad requests.
    pub total: i64,
    /// Weight of requests that could not be decided.
    pub unknown: i64,
    /// By value, most bad requests first. The shares, that of `other` included, add up to exactly 1.
    pub contributors: Vec<ContributorRow>,
    /// All other values together; null if there are none.
    #[serde(rename = "other")]
    pub others: Option<ContributorRow>,
}

/// The requests of one value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContributorRow {
    /// The value; of the others, how many values they are.
    pub value: String,
    /// Weight of its bad requests.
    pub bad: i64,
    /// Weight of its good and bad requests.
    pub total: i64,
    /// Its share of all bad requests, to four digits; 0 if there are none.
    pub share: f64,
}

/// How requests count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Weight of bad ones.
    pub bad: i64,
    /// Weight of good and bad ones.
    pub total: i64,
}

/// Requests, judged.
pub(super) struct Judged<K> {
    pub objective: String,
    pub unknown: i64,
    pub by: BTreeMap<K, Counts>,
}

/// Events that are judged at most: they are read one by one, which takes some seconds for so many.
const MOST_EVENTS: usize = 1_000_000;
/// Different values that are counted at most.
pub(super) const MOST_VALUES: usize = 100_000;
const PAGE: usize = 20_000;
const HOUR_US: i64 = 3_600_000_000;

impl History {
    /// Who is behind the bad requests of an SLO.
    ///
    /// # Errors
    /// `Unknown` if there is no such SLO in force; when log or store cannot be read; when the range has too many events, or
    /// retention has removed some of them.
    pub async fn contributors(&self, question: &ContributorQuestion) -> Result<ContributorAnswer, QueryError> {
        let (from, to) = self.last_hour(question.from, question.to).await?;
        let filter = EventFilter { from: Some(from), to: Some(to), ..EventFilter::default() };
        let of = (question.slo.as_str(), question.objective.as_deref());
        let judged = self.judged(of, &filter, |event| question.by.of(event)).await?;
        Ok(answer(question, (from, to), judged))
    }

    /// Judges every stored request that passes a filter by an SLO as it is in force, and counts by a key.
    pub(super) async fn judged<K: Ord>(
        &self,
        (slo, asked): (&str, Option<&str>),
        filter: &EventFilter,
        key: impl Fn(&EventView<'_>) -> K,
    ) -> Result<Judged<K>, QueryError> {
        let slo = self.slo_in_force(slo).await?;
        let objective = objective(&slo, asked)?;
        let mut judged = Judged { objective: objective.clone(), unknown: 0, by: BTreeMap::new() };
        let mut judge = Judge::new(slo, objective);
        let (mut after, mut read) = (None, 0);
        loop {
            let page = self.store.events(&EventQuestion::oldest(filter.clone(), PAGE, after)).await?;
            read += page.events.len();
            for stored in &page.events {
                let event = view(&stored.event);
                match judge.judge(&event) {
                    Some(Verdict::Unknown) => judged.unknown += i64::from(event.weight),
                    Some(verdict) => {
                        let counts = judged.by.entry(key(&event)).or_default();
                        counts.total += i64::from(event.weight);
                        counts.bad += i64::from(event.weight) * i64::from(verdict == Verdict::Bad);
                    }
                    None => {}
                }
            }
            after = page.next;
            bounded(read, after.is_some(), judged.by.len())?;
            if after.is_none() {
                return Ok(judged);
            }
        }
    }

    pub(super) async fn slo_in_force(&self, name: &str) -> Result<Slo, QueryError> {
        let revisions = self.revisions().await?;
        let found =
            revisions.slo_at(name, LogTime(i64::MAX), revisions.end()).map(|found| Slo::clone(&found.active.slo));
        found.ok_or_else(|| QueryError::Unknown { what: "SLO", name: name.to_owned() })
    }

    /// The range that is asked for; what is open is the hour before its end, and the end of what is stored.
    pub(super) async fn last_hour(
        &self,
        from: Option<EventTime>,
        to: Option<EventTime>,
    ) -> Result<(EventTime, EventTime), QueryError> {
        let to = match to {
            Some(to) => to,
            None => self.newest().await?,
        };
        Ok((from.unwrap_or(EventTime(to.0.saturating_sub(HOUR_US))), to))
    }

    /// The end of what is stored.
    async fn newest(&self) -> Result<EventTime, QueryError> {
        let last = match self.store.kpis(&KpiQuestion::default()).await? {
            KpiAnswer::Total(all) => all.to,
            KpiAnswer::Rows { .. } => None,
        };
        let stored = self.store.positions().await?;
        let logged = stored.iter().filter(|at| at.topic == Topic::RequestEvents).map(|at| at.log_time).max();
        Ok(end_of(last.as_deref(), logged))
    }
}

/// Where what is stored ends: right behind the last event, but not behind when the log brought the last one. An event whose clock is
/// ahead is no reason to look where nothing can be yet.
fn end_of(last: Option<&str>, logged: Option<LogTime>) -> EventTime {
    let last = last.and_then(|last| last.parse::<jiff::Timestamp>().ok()).map(|last| last.as_microsecond() + 1);
    let logged = logged.map(|logged| (logged.0 + 1).saturating_mul(1_000));
    EventTime(last.into_iter().chain(logged).min().unwrap_or(0))
}

/// Refuses what takes too long to read, or too much memory to count.
fn bounded(read: usize, is_more: bool, values: usize) -> Result<(), QueryError> {
    if read >= MOST_EVENTS && is_more {
        return Err(QueryError::Refused(format!(
            "the range has more than {MOST_EVENTS} stored requests, and they are judged one by one: ask for a shorter one"
        )));
    }
    if values > MOST_VALUES {
        let most = format!("more than {MOST_VALUES} different values: choose another field, or a shorter range");
        return Err(QueryError::Refused(most));
    }
    Ok(())
}

fn answer(question: &ContributorQuestion, range: (EventTime, EventTime), judged: Judged<String>) -> ContributorAnswer {
    let Judged { objective, unknown, by } = judged;
    let sum = |count: fn(&Counts) -> i64| by.values().map(count).sum();
    let (bad, total) = (sum(|counts| counts.bad), sum(|counts| counts.total));
    let mut values: Vec<(String, Counts)> = by.into_iter().filter(|(_, counts)| counts.bad > 0).collect();
    values.sort_by(|(a, x), (b, y)| (y.bad, a).cmp(&(x.bad, b)));
    let rest = values.split_off(values.len().min(question.limit.max(1)));
    let others = (!rest.is_empty()).then(|| {
        let add = |sum: Counts, counts: &Counts| Counts { bad: sum.bad + counts.bad, total: sum.total + counts.total };
        (rest.len().to_string(), rest.iter().map(|(_, counts)| counts).fold(Counts::default(), add))
    });
    let has_others = others.is_some();
    values.extend(others);
    let shares = shares(&values.iter().map(|(_, counts)| counts.bad).collect::<Vec<_>>());
    let row = |((value, counts), share): ((String, Counts), f64)| ContributorRow {
        value,
        bad: counts.bad,
        total: counts.total,
        share,
    };
    let mut contributors: Vec<ContributorRow> = values.into_iter().zip(shares).map(row).collect();
    let others = if has_others { contributors.pop() } else { None };
    ContributorAnswer {
        slo: question.slo.clone(),
        objective,
        from: text::micros(range.0),
        to: text::micros(range.1),
        by: question.by.name(),
        bad,
        total,
        unknown,
        contributors,
        others,
    }
}

/// Parts of a whole, as whole numbers.
const PARTS: i64 = 10_000;

/// Shares to four digits that add up to exactly 1: what rounding down leaves goes to the greatest remainders.
fn shares(parts: &[i64]) -> Vec<f64> {
    let whole: i64 = parts.iter().sum();
    if whole == 0 {
        return vec![0.0; parts.len()];
    }
    let scaled = |part: i64| i128::from(part) * i128::from(PARTS);
    let mut rounded: Vec<i64> = parts.iter().map(|part| (scaled(*part) / i128::from(whole)) as i64).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(scaled(parts[*at]) % i128::from(whole)), *at));
    let left = PARTS - rounded.iter().sum::<i64>();
    order.into_iter().take(left as usize).for_each(|at| rounded[at] += 1);
    rounded.into_iter().map(|parts| parts as f64 / PARTS as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_whose_clock_is_ahead_moves_no_end() {
        let last = |text: &str| Some(text.to_owned());
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let logged = Some(LogTime(at("2026-12-01T10:00:00Z") / 1_000));
        for (last, logged, expected) in [
            (last("2026-12-01T09:59:59.5Z"), logged, at("2026-12-01T09:59:59.500001Z")),
            (last("2099-01-01T00:00:00Z"), logged, at("2026-12-01T10:00:00.001Z")),
            (last("2019-01-22T00:29:11Z"), logged, at("2019-01-22T00:29:11.000001Z")),
            (last("2019-01-22T00:29:11Z"), None, at("2019-01-22T00:29:11.000001Z")),
            (None, logged, at("2026-12-01T10:00:00.001Z")),
            (None, None, 0),
        ] {
            assert_eq!(end_of(last.as_deref(), logged), EventTime(expected), "{last:?} {logged:?}");
        }
    }

    #[test]
    fn shares_add_up_to_exactly_one() {
        for parts in [&[1, 1, 1][..], &[7], &[2, 1], &[1; 13], &[999_999_999_999, 1, 1], &[0, 3, 3, 1]] {
            let shares = shares(parts);
            let sum: i64 = shares.iter().map(|share| (share * PARTS as f64).round() as i64).sum();
            assert_eq!(sum, PARTS, "{parts:?}: {shares:?}");
            assert!(shares.iter().zip(parts).all(|(share, part)| *part > 0 || *share == 0.0), "{parts:?}: {shares:?}");
        }
        assert_eq!(shares(&[1, 2]), [0.3333, 0.6667]);
        assert_eq!(shares(&[0, 0]), [0.0, 0.0]);
    }

    #[test]
    fn a_dimension_has_a_name() {
        for name in ["endpoint", "status_code", "attribute.region"] {
            assert_eq!(Dimension::named(name).map(|dimension| dimension.name()).ok().as_deref(), Some(name));
        }
        let error = Dimension::named("endpiont").map(drop).unwrap_err().to_string();
        assert!(error.contains("service, environment, endpoint"), "{error}");
    }

    #[test]
    fn what_is_read_is_bounded_by_rows_not_by_what_they_stand_for() {
        let refused = |read, is_more, values| bounded(read, is_more, values).map_err(|error| error.to_string());
        assert_eq!(refused(6, false, 1), Ok(()));
        assert_eq!(refused(MOST_EVENTS, false, 1), Ok(()));
        let said = refused(MOST_EVENTS, true, 1).unwrap_err();
        assert!(said.contains("more than 1000000 stored requests") && said.contains("shorter"), "{said}");
        assert!(refused(1, true, MOST_VALUES + 1).is_err_and(|said| said.contains("another field")));
    }

    #[test]
    fn the_others_are_one() {
        let counts = |bad| Counts { bad, total: 10 };
        let by = BTreeMap::from(
            [("/a", 5), ("/b", 3), ("/c", 1), ("/d", 1), ("/e", 0)].map(|(value, bad)| (value.to_owned(), counts(bad))),
        );
        let judged = Judged { objective: "o".into(), unknown: 4, by };
        let question = ContributorQuestion { limit: 2, ..ContributorQuestion::default() };
        let found = answer(&question, (EventTime(0), EventTime(1)), judged);
        let told: Vec<(&str, i64, f64)> =
            found.contributors.iter().map(|row| (row.value.as_str(), row.bad, row.share)).collect();
        assert_eq!(told, [("/a", 5, 0.5), ("/b", 3, 0.3)]);
        assert_eq!(found.others.map(|row| (row.value, row.bad, row.total, row.share)), Some(("2".into(), 2, 20, 0.2)));
        assert_eq!((found.bad, found.total, found.unknown), (10, 50, 4));
    }
}
