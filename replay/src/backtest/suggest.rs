//! What to write for the objectives of an SLO: the target that each kept, and the rule that finds most with fewest pages.
//! Alert policies are of a whole SLO, so its objectives get one rule, chosen by what it does for all of them together.
//!
//! The rule is chosen from all that were [`curve::tried`] like this:
//! 1. Left out is what fires falsely more than [`Wishes::most_false_a_week`] times a week of the range.
//! 2. Of the rest, those that find the most incidents.
//! 3. Of these, those whose pages are at most a tenth more than the fewest.
//! 4. Of these the one with which incidents go unnoticed for the shortest time, by the mean.
//!
//! A target is lowered only if no rule is lost by it: a burn rate above 14.4 is possible under 99.9 %, not under 90 %. Where a
//! rule would be lost and none is found to take its place, the target stays, and that is said.
//!
//! What is incidental stays so: a rule found on a few incidents fits them. [`Suggestion::held_out`] says how a rule that was
//! found on every second incident did on the others.

mod notes;

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use slipstream_definitions::definition::{BURN_RATE, Ratio, Rule};
use slipstream_definitions::policy;

use super::curve::{self, Point, Tried};
use super::definition;
use super::episodes::episodes;
use super::figures::Figures;
use super::history::History;
use super::incidents::Incident;
use super::labels::Labels;
use super::target::{self, TargetProposal};
use super::{Range, WEEK};

/// So many more pages than the fewest are worth a sooner detection: a tenth.
const WORTH: f64 = 1.1;
/// Seconds after an episode in which an alert still is about it.
const AFTERWARDS: i64 = 300;
/// Fewest incidents in which to hold half of them out says something.
const LEAST_TO_SPLIT: usize = 4;

/// What a suggestion should heed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wishes {
    /// Most false alarms in a week.
    pub most_false_a_week: f64,
    /// Without labels: the share of the period's budget from which on an episode is worth an alert.
    pub least_budget_share: f64,
    /// The target is a promise that stays: another one is proposed, but rules and definition have the current one.
    pub keep_target: bool,
}

impl Default for Wishes {
    /// One false alarm a week, 1 % of the budget, and the target that was kept.
    fn default() -> Wishes {
        Wishes { most_false_a_week: 1.0, least_budget_share: 0.01, keep_target: false }
    }
}

/// What is asked of histories.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question<'a> {
    /// The range that is judged; the history ends with it.
    pub range: Range,
    /// The incidents; `None`: nobody noted any down, so [`episodes`] take their place.
    pub labels: Option<&'a Labels>,
    /// What to heed.
    pub wishes: Wishes,
}

/// What rules are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Incidents that somebody noted down.
    Incidents,
    /// Stretches in which more of the budget was spent than is worth an alert. What fires besides them counts as false.
    Episodes,
}

/// A suggestion for an objective.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suggestion {
    /// SLO.
    pub slo: String,
    /// Objective.
    pub objective: String,
    /// Its service.
    pub service: String,
    /// The target that it has.
    #[serde(serialize_with = "as_number")]
    pub current_target: Ratio,
    /// What was kept; null if there was too little to tell.
    pub target: Option<TargetProposal>,
    /// The target under which rules were tried, and which the definition has: the one proposed, unless there is none, the
    /// current one is to stay, or a rule would be lost.
    #[serde(serialize_with = "as_number")]
    pub used_target: Ratio,
    /// What rules were held against.
    pub basis: Basis,
    /// How many rules were tried.
    pub tried: u64,
    /// Those that no other outdoes, by pages.
    pub curve: Vec<Point>,
    /// The one to take, which is the same for all objectives of the SLO, and what it would have done for this one; null if none
    /// is fit.
    pub rule: Option<Point>,
    /// How a rule that was found on every second incident did on the others, for all objectives of the SLO; null with fewer
    /// than four incidents, or if none was found.
    pub held_out: Option<Point>,
    /// What to know before copying it; whole sentences.
    pub notes: Vec<String>,
    /// OpenSLO to copy: the SLO with the targets of all its objectives, and the rules. The same for each of them. Null if
    /// nothing is to be changed or the SLO cannot be written.
    pub definition: Option<String>,
}

fn as_number<S: Serializer>(ratio: &Ratio, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(ratio.as_f64())
}

/// Suggestions for the objectives of an SLO, from what each counted. Deterministic: the same counts and incidents give the
/// same.
pub fn suggest(histories: &[History], question: &Question<'_>) -> Vec<Suggestion> {
    let keep = question.wishes.keep_target;
    let mut drafts: Vec<Draft<'_>> = histories.iter().map(|history| Draft::of(history, question, keep)).collect();
    let mut choice = Choice::of(&drafts, question);
    if choice.rule.is_none() && drafts.iter().any(Draft::loses_rules) {
        drafts = drafts.into_iter().map(|draft| draft.with_target_kept(question)).collect();
        choice = Choice::of(&drafts, question);
    }
    let mut suggestions: Vec<Suggestion> = drafts.iter().map(|draft| draft.suggestion(&choice, question)).collect();
    let comments = notes::comments(&suggestions, choice.rule.as_ref(), question.range);
    let parts: Vec<_> = histories.iter().zip(&suggestions).collect();
    let definition = definition::write(&parts, choice.rule.as_ref().map(|point| point.candidate), &comments);
    suggestions.iter_mut().for_each(|suggestion| suggestion.definition.clone_from(&definition));
    suggestions
}

/// How a suggestion's rule does against other incidents, or over another history. `None` if it has no rule.
pub fn judge(suggestion: &Suggestion, history: &History, range: Range, labels: &Labels) -> Option<Figures> {
    let rule = suggestion.rule.as_ref()?.candidate;
    let tried = curve::tried_one(history, range.to, suggestion.used_target, rule)?;
    Some(tried.point(&history.all_services().collect(), range, labels).figures)
}

/// An objective: its target, and what rules would have done under it.
struct Draft<'a> {
    history: &'a History,
    proposal: Option<TargetProposal>,
    target: Ratio,
    labels: Labels,
    tried: Vec<Tried<'a>>,
    /// The target that was not taken, because rules would be lost by it.
    refused: Option<Ratio>,
}

impl<'a> Draft<'a> {
    fn of(history: &'a History, question: &Question<'_>, keep_target: bool) -> Draft<'a> {
        let Question { range, wishes, .. } = *question;
        let proposal = target::propose(history, range.to);
        let kept = proposal.as_ref().and_then(|proposal| proposal.target).filter(|_| !keep_target);
        let target = kept.unwrap_or(history.target);
        let labels = question.labels.cloned().unwrap_or_else(|| from_episodes(history, range, target, wishes));
        Draft { history, proposal, target, labels, tried: curve::tried(history, range.to, target), refused: None }
    }

    /// Whether its target would make rules impossible that it has.
    fn loses_rules(&self) -> bool {
        !lost(self.history, self.target).is_empty()
    }

    fn with_target_kept(self, question: &Question<'_>) -> Draft<'a> {
        if !self.loses_rules() {
            return self;
        }
        Draft { refused: Some(self.target), ..Draft::of(self.history, question, true) }
    }

    fn point(&self, tried: &Tried<'_>, range: Range) -> Point {
        tried.point(&self.history.all_services().collect(), range, &self.labels)
    }

    fn suggestion(&self, choice: &Choice<'_>, question: &Question<'_>) -> Suggestion {
        let Question { range, labels, .. } = *question;
        let points: Vec<Point> = self.tried.iter().map(|tried| self.point(tried, range)).collect();
        let chosen = choice.rule.as_ref().map(|point| point.candidate);
        let mut suggestion = Suggestion {
            slo: self.history.slo.clone(),
            objective: self.history.objective.clone(),
            service: self.history.service.clone(),
            current_target: self.history.target,
            target: self.proposal.clone(),
            used_target: self.target,
            basis: if labels.is_some() { Basis::Incidents } else { Basis::Episodes },
            tried: choice.tried.len() as u64,
            curve: curve::front(&points),
            rule: points.into_iter().find(|point| chosen == Some(point.candidate)),
            held_out: choice.held_out.clone(),
            notes: Vec::new(),
            definition: None,
        };
        let (own, _) = partition(&self.history.all_services().collect(), range, &self.labels);
        suggestion.notes = notes::notes(&suggestion, self, choice.of, own.len(), question.wishes);
        suggestion
    }
}

/// The rules of an objective that could never fire under a target, and can under its own.
fn lost(history: &History, target: Ratio) -> Vec<&Rule> {
    let is_lost = |rule: &&Rule| {
        let can_fire = |target| policy::can_fire(rule.condition.threshold, target);
        rule.condition.kind == BURN_RATE && can_fire(history.target) && !can_fire(target)
    };
    history.rules.iter().filter(is_lost).collect()
}

/// The rule for all objectives together.
struct Choice<'a> {
    /// Of how many objectives.
    of: usize,
    /// The rules that can guard each of them, and when they would have fired for any.
    tried: Vec<Tried<'a>>,
    /// The one to take, and what it would have done for all of them.
    rule: Option<Point>,
    held_out: Option<Point>,
}

impl<'a> Choice<'a> {
    fn of(drafts: &[Draft<'a>], question: &Question<'_>) -> Choice<'a> {
        let Question { range, wishes, .. } = *question;
        let tried = together(drafts);
        let services: BTreeSet<&str> = drafts.iter().flat_map(|draft| draft.history.all_services()).collect();
        let mut labels = drafts.first().map_or_else(Labels::default, |draft| draft.labels.clone());
        if question.labels.is_none() {
            // Each has episodes of its own.
            labels.incidents = drafts.iter().flat_map(|draft| draft.labels.incidents.clone()).collect();
            labels.incidents.sort();
        }
        let points: Vec<Point> = tried.iter().map(|tried| tried.point(&services, range, &labels)).collect();
        let rule = choose(&points, range, wishes);
        let held_out = held_out(&services, &tried, range, &labels, wishes);
        Choice { of: drafts.len(), tried, rule, held_out }
    }
}

/// The rules that were tried for every objective, each with its firings for all of them.
fn together<'a>(drafts: &[Draft<'a>]) -> Vec<Tried<'a>> {
    let Some((first, others)) = drafts.split_first() else { return Vec::new() };
    let with_others = |tried: &Tried<'a>| {
        let mut all = tried.clone();
        for other in others {
            all.extend(other.tried.iter().find(|other| other.candidate == tried.candidate)?);
        }
        Some(all)
    };
    first.tried.iter().filter_map(with_others).collect()
}

/// Episodes in place of incidents. A short window holds what was bad for a while after it is over.
fn from_episodes(history: &History, range: Range, target: Ratio, wishes: Wishes) -> Labels {
    let incidents = episodes(history, range.to, target, wishes.least_budget_share);
    Labels { incidents, grace: AFTERWARDS, ..Labels::default() }
}

/// The rule to take, as the top of this file says. `None` if none finds anything within the wishes.
fn choose(points: &[Point], range: Range, wishes: Wishes) -> Option<Point> {
    let most = wishes.most_false_a_week * range.seconds() as f64 / WEEK;
    let is_fit = |point: &&Point| {
        let false_alarms = point.detection().map_or(0, |detection| detection.false_alarms);
        range.seconds() > 0 && false_alarms as f64 <= most
    };
    let fit: Vec<Point> = points.iter().filter(is_fit).cloned().collect();
    let front = curve::front(&fit);
    let found = |point: &Point| point.detection().map_or(0, |detection| detection.found);
    let most = front.iter().map(found).max()?;
    // The front is by pages, so the first has the fewest; behind it they come sooner.
    let best: Vec<&Point> = front.iter().filter(|point| found(point) == most).collect();
    let fewest = best.first()?.figures.pages as f64;
    best.into_iter().take_while(|point| point.figures.pages as f64 <= fewest * WORTH).last().cloned()
}

/// The incidents that rules for some services are to find, and all others.
fn partition(services: &BTreeSet<&str>, range: Range, labels: &Labels) -> (Vec<Incident>, Vec<Incident>) {
    let is_own =
        |incident: &Incident| range.contains(incident.from) && labels.concerns(incident, services.iter().copied());
    labels.incidents.iter().cloned().partition(is_own)
}

/// The rule of one half of the incidents, on the other half.
fn held_out(
    services: &BTreeSet<&str>,
    tried: &[Tried<'_>],
    range: Range,
    labels: &Labels,
    wishes: Wishes,
) -> Option<Point> {
    // Those of others are in neither half: they could make one of them empty.
    let (own, others) = partition(services, range, labels);
    if own.len() < LEAST_TO_SPLIT {
        return None;
    }
    let set_aside = labels.set_aside.iter().chain(&others).cloned().collect();
    let (first, second) = Labels { incidents: own, set_aside, ..*labels }.split();
    let points: Vec<Point> = tried.iter().map(|tried| tried.point(services, range, &first)).collect();
    let rule = choose(&points, range, wishes)?.candidate;
    tried.iter().find(|tried| tried.candidate == rule).map(|tried| tried.point(services, range, &second))
}
