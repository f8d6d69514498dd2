//! The history of an SLO: what was published of it, a point for each step of time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use slipstream_definitions::definition::{COMPOSITE, Slo};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::BurnRates;
use slipstream_slo::revision::Revisions;
use slipstream_store::{BurnQuestion, text};

use super::History;
use crate::QueryError;
use crate::slos::{SloStatus, standing};

/// The question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryQuestion {
    /// Which SLO.
    pub slo: String,
    /// Ticks at or after, Unix seconds.
    pub from: i64,
    /// Ticks before.
    pub to: i64,
    /// Length of a step in seconds; `None`: as many as make some 500 points.
    pub step: Option<i64>,
    /// Only this objective.
    pub objective: Option<String>,
    /// Only groups that have these values of these labels.
    pub group: BTreeMap<String, String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryAnswer {
    /// The SLO.
    pub slo: String,
    /// Start of the range, RFC 3339.
    pub from: String,
    /// Its end.
    pub to: String,
    /// Length of a step: `5m`.
    pub step: String,
    /// By time, then objective and group; of each the last that was published in its step.
    pub points: Vec<HistoryPoint>,
}

/// How an objective, or a group of it, stood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// The end of the tick, RFC 3339.
    pub at: String,
    /// The objective.
    pub objective: String,
    /// groupBy labels and their values; absent when not grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<BTreeMap<String, String>>,
    /// good / total over the budget's period; null without traffic.
    pub sli: Option<f64>,
    /// What was good over the period.
    pub good: i64,
    /// Good and bad over the period.
    pub total: i64,
    /// Weight of events that could not be decided.
    pub unknown: i64,
    /// What may be bad over the period.
    pub budget_total: f64,
    /// Share of the budget that is left.
    pub budget_remaining: f64,
    /// By window: `5m`.
    pub burn_rates: BTreeMap<String, f64>,
    /// When the budget will be spent at that rate, RFC 3339; null if it was not being spent.
    pub exhaustion_at: Option<String>,
    /// Since when the counts cover everything, RFC 3339.
    pub covered_from: Option<String>,
    /// False if a source was missing.
    pub complete: bool,
}

/// Points of a series, where no step is given.
const POINTS: i64 = 500;
/// Points of all series at most.
const MOST_POINTS: usize = 100_000;

impl History {
    /// The history of an SLO.
    ///
    /// # Errors
    /// When log or store cannot be read, or the range is empty or has too many points.
    pub async fn points(&self, question: &HistoryQuestion) -> Result<HistoryAnswer, QueryError> {
        let HistoryQuestion { slo, from, to, .. } = question;
        if from >= to {
            return Err(QueryError::Refused("the range ends before it begins: swap its ends".to_owned()));
        }
        let step = question.step.unwrap_or_else(|| ((to - from) / POINTS).max(1));
        if step < 1 {
            return Err(QueryError::Refused(format!("a step of {step} s: expected 1 s or more")));
        }
        // Where the definitions cannot be read, groups have numbers instead of names.
        let revisions = match self.log {
            Ok(_) => self.revisions().await?,
            Err(_) => Arc::default(),
        };
        let mut meanings = Meanings { slo, revisions: &revisions, found: HashMap::new() };
        let definition = meanings.at(LogTime(i64::MAX), revisions.end());
        // Where groups meant something else once, what they mean is known of each point alone.
        let mut groups = revisions.definitions_of(slo).map(|slo| &slo.group_by[..]);
        let labels = groups.next().filter(|first| groups.all(|other| other == *first));
        let place = |label: &String| labels?.iter().position(|known| known.label() == label.as_str());
        let asked = BurnQuestion {
            slo: slo.clone(),
            from: *from,
            to: *to,
            step,
            objective: question.objective.clone(),
            group: question.group.iter().filter_map(|(label, value)| Some((place(label)?, value.clone()))).collect(),
            limit: MOST_POINTS + 1,
        };
        let states = self.store.burn_history(&asked).await?;
        if states.len() > MOST_POINTS {
            let most = format!("more than {MOST_POINTS} points: use longer steps, or a shorter range, or of some only");
            return Err(QueryError::Refused(most));
        }
        if states.is_empty() && definition.is_none() {
            return Err(QueryError::Unknown { what: "SLO", name: slo.clone() });
        }
        question.is_about(&revisions)?;
        let wanted = |status: &SloStatus| {
            let group = status.group.clone().unwrap_or_default();
            question.objective.as_ref().is_none_or(|objective| *objective == status.objective)
                && question.group.iter().all(|(label, value)| group.get(label) == Some(value))
        };
        let living = states.iter().filter(|state| !state.retired);
        // Burn applies a revision from the tick that holds its cut.
        let mut meaning = |state: &BurnRates| meanings.at(LogTime(state.tick * 1_000 + 999), state.revision);
        let points: Vec<HistoryPoint> = living
            .map(|state| standing(meaning(state).as_deref(), state))
            .filter(wanted)
            .map(HistoryPoint::from)
            .collect();
        let (from, to) = (text::seconds(*from), text::seconds(*to));
        Ok(HistoryAnswer { slo: slo.clone(), from, to, step: text::length(step), points })
    }
}

impl HistoryQuestion {
    /// Refuses an objective, and labels of groups, that the SLO never had.
    fn is_about(&self, revisions: &Revisions) -> Result<(), QueryError> {
        let all: Vec<&Slo> = revisions.definitions_of(&self.slo).collect();
        // Its definitions are not known.
        if all.is_empty() {
            return Ok(());
        }
        if let Some(name) = &self.objective {
            let has = |slo: &&Slo| {
                slo.objectives.iter().any(|objective| objective.name == *name)
                    || slo.composite.is_some() && name == COMPOSITE
            };
            if !all.iter().any(has) {
                return Err(QueryError::Unknown { what: "objective", name: name.clone() });
            }
        }
        for label in self.group.keys() {
            if !all.iter().any(|slo| slo.group_by.iter().any(|key| key.label() == label)) {
                return Err(QueryError::Refused(format!("{} has no groups by `{label}`", self.slo)));
            }
        }
        Ok(())
    }
}

/// What an SLO was at a time, by its revisions. Few are in force at the many times that are asked for.
struct Meanings<'a> {
    slo: &'a str,
    revisions: &'a Revisions,
    found: HashMap<usize, Option<Arc<Slo>>>,
}

impl Meanings<'_> {
    fn at(&mut self, at: LogTime, upto: i64) -> Option<Arc<Slo>> {
        let found = self.found.entry(self.revisions.in_force(at, upto));
        found.or_insert_with(|| Some(self.revisions.slo_at(self.slo, at, upto)?.active.slo)).clone()
    }
}

impl From<SloStatus> for HistoryPoint {
    fn from(status: SloStatus) -> Self {
        HistoryPoint {
            at: status.as_of.unwrap_or_default(),
            objective: status.objective,
            group: status.group,
            sli: status.sli,
            good: status.good,
            total: status.total,
            unknown: status.unknown,
            budget_total: status.budget_total,
            budget_remaining: status.budget_remaining,
            burn_rates: status.burn_rates,
            exhaustion_at: status.exhaustion_at,
            covered_from: status.covered_from,
            complete: status.complete,
        }
    }
}
