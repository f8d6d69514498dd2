//! A backtest from its question to its report: the range is read once, by the definitions and by the same ones with every
//! rule alone, and what came of it is scored.

mod firings;
mod histories;
mod notes;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use slipstream_definitions::definition::{Composite, Objective, Rule, Slo};
use slipstream_definitions::openslo::CanonicalDocument;
use slipstream_log::SharedLog;
use slipstream_role::definitions::{DefinitionReader, SLO_KIND};
use slipstream_schemas::LogTime;
use slipstream_slo::revision::Revisions;

use super::Range;
use super::facts::{Facts, Watched};
use super::labels::Labels;
use super::report::Backtest;
use super::score::score;
use super::suggest::{Question, Suggestion, Wishes, suggest};
use crate::assemble::time;
use crate::definitions::in_force;
use crate::engine::{Case, Notes, Progress, Slotting};
use crate::error::ReplayError;
use crate::outcome::{Clock, Missing, Part};
use crate::plan::{Plan, plan};
use crate::replay::{Asked, read};
use crate::source::Sources;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Backtesting {
    /// The range, and how it is read. If definitions are given, they are tested alone; else those in force then are.
    pub asked: Asked,
    /// The documents of the definitions that are given, from which suggestions are made.
    pub documents: Vec<CanonicalDocument>,
    /// What happened; `None`: nobody noted it down.
    pub labels: Option<Labels>,
    /// What suggestions should heed; `None`: none are asked for.
    pub suggest: Option<Wishes>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtested {
    /// The figures.
    #[serde(flatten)]
    pub backtest: Backtest,
    /// By which time events were ordered: `log` or `event`.
    pub clock: Clock,
    /// Where reading began, so that windows and budgets were full at `from`, RFC 3339.
    pub warm_up_from: String,
    /// Events in the range that count.
    pub events: u64,
    /// Copies of events that were dropped.
    pub duplicates: u64,
    /// Records that are no valid event.
    pub invalid: u64,
    /// Length of the slots that suggested rules were tried on, seconds; null without suggestions.
    pub slot_seconds: Option<i64>,
    /// Each part of the history and where it came from.
    pub parts: Vec<Part>,
    /// What no source holds any more.
    pub missing: Vec<Missing>,
    /// What to know about the figures; whole sentences.
    pub notes: Vec<String>,
    /// Whether it was stopped early.
    #[serde(skip)]
    pub stopped: bool,
}

/// Tests definitions over a range.
///
/// # Errors
/// When a source cannot be read, none holds anything of the range, when there are no definitions, or they do not fit.
pub async fn backtest(
    sources: &Sources,
    question: &Backtesting,
    progress: &Arc<Progress>,
) -> Result<Backtested, ReplayError> {
    let sources = &sources.asked_again(progress);
    let documents = match &question.asked.slos {
        Some(_) => by_name(question.documents.iter().map(|document| (&document.name, &document.text))),
        None => documents(&sources.log).await?,
    };
    // How much of the budget was gone is told of every firing.
    let asked = Asked { budgets: true, ..question.asked.clone() };
    let mut plan = plan(sources, &asked, progress).await?;
    let revisions = prepare(&mut plan, question.suggest.is_some())?;
    let (cases, slots, to) = (plan.cases.clone(), plan.slots, plan.to);
    let (about, mut read) = read(sources, &asked, plan, progress).await?;
    let range = Range { from: about.from.tick(), to: about.to.0.div_euclid(1_000) };
    let (rules, alerts) = (read.notes.pop().unwrap_or_default(), read.notes.pop().unwrap_or_default());
    let slot_seconds = slots.map(|slots| slots.seconds);
    let suggestions = suggestions(question, &revisions, &alerts, (range, slots), &documents);
    let slos = cases.first().map_or_else(Vec::new, |case| firings::tested(&case.revisions, range));
    let watched = firings::watched(&slos, &alerts);
    let notes = [
        notes::about_range(&about, asked.from, &revisions),
        notes::about_slos(&slos, &alerts),
        question
            .labels
            .as_ref()
            .map_or_else(Vec::new, |labels| notes::about_labels(labels, &watched, (range, about.clock))),
        slot_seconds.map_or_else(Vec::new, |seconds| notes::about_suggestions(&slos, seconds)),
    ];
    Ok(Backtested {
        backtest: scored(range, &cases, (alerts, rules), (&watched, question.labels.as_ref()), suggestions),
        clock: about.clock,
        warm_up_from: time(about.warm_up_from),
        events: read.events,
        duplicates: read.duplicates,
        invalid: read.invalid,
        slot_seconds,
        notes: notes.concat(),
        parts: about.parts,
        missing: about.gaps.iter().map(Missing::from).collect(),
        stopped: about.to < to,
    })
}

/// One for each objective, if they are asked for.
fn suggestions(
    question: &Backtesting,
    revisions: &Revisions,
    notes: &Notes,
    (range, slots): (Range, Option<Slotting>),
    documents: &BTreeMap<String, String>,
) -> Vec<Suggestion> {
    let (Some(wishes), Some(slots)) = (question.suggest, slots) else { return Vec::new() };
    let histories = histories::histories(revisions, notes, range, slots, documents);
    let question = Question { range, labels: question.labels.as_ref(), wishes };
    histories.chunk_by(|a, b| a.slo == b.slo).flat_map(|of_slo| suggest(of_slo, &question)).collect()
}

/// Makes of the plan's definitions the two sets that are read by: the tested ones, and the same with every rule alone.
fn prepare(plan: &mut Plan, suggest: bool) -> Result<Revisions, ReplayError> {
    // The given ones are last; those of then, if they are there too, are not tested.
    let tested = plan.cases.pop().filter(|case| !in_force(&case.revisions, plan.from, plan.to).is_empty());
    let Some(tested) = tested else {
        return Err(ReplayError::Range("no definitions were in force in the range: pass some with --slos".to_owned()));
    };
    let revisions = tested.revisions.clone();
    let alone = Case { revisions: revisions.map(rules_apart), open_before: None };
    plan.cases = vec![tested, alone];
    plan.slots = suggest.then(|| histories::slotting(plan.span, (plan.from, plan.to)));
    Ok(revisions)
}

/// The same SLO with an alert for every rule.
fn rules_apart(slo: &Slo) -> Slo {
    // Names are unique within an objective, so they can be those of rule sets.
    let apart =
        |rules: &[Rule]| rules.iter().map(|rule| Rule { rule_set: rule.name.clone(), ..rule.clone() }).collect();
    let objective = |objective: &Objective| Objective { rules: apart(&objective.rules), ..objective.clone() };
    let composite = |composite: &Composite| Composite { rules: apart(&composite.rules), ..composite.clone() };
    Slo {
        objectives: slo.objectives.iter().map(objective).collect(),
        composite: slo.composite.as_ref().map(composite),
        ..slo.clone()
    }
}

fn scored(
    range: Range,
    cases: &[Case],
    (alerts, rules): (Notes, Notes),
    (watched, labels): (&[Watched], Option<&Labels>),
    suggestions: Vec<Suggestion>,
) -> Backtest {
    let open = cases.first().and_then(|case| case.open_before.as_ref());
    let alerts = firings::fired(alerts, open, range);
    let mut rules = firings::fired(rules, None, range);
    firings::name_rule_sets(&mut rules, watched);
    let facts = Facts { range, watched, alerts: &alerts, rules: &rules, labels };
    Backtest { score: score(&facts), suggestions }
}

/// The documents of the definitions in the log: the last of each name.
async fn documents(log: &SharedLog) -> Result<BTreeMap<String, String>, ReplayError> {
    let revisions = DefinitionReader::default().read_new(log.as_ref()).await?;
    let slos = revisions.iter().map(|revision| &revision.definition).filter(|definition| definition.kind == SLO_KIND);
    Ok(by_name(slos.filter_map(|definition| Some((&definition.name, definition.document.as_ref()?)))))
}

fn by_name<'a>(documents: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<String, String> {
    documents.map(|(name, text)| (name.clone(), text.clone())).collect()
}

/// The last moment of a range.
fn last(range: Range) -> LogTime {
    LogTime(range.to * 1_000 - 1)
}
