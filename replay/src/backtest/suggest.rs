//! What to write for an objective: the target that it kept, and the rule that finds most with fewest pages.
//!
//! The rule is chosen from all that were [`curve::tried`] like this:
//! 1. Left out is what fires falsely more than [`Wishes::most_false_a_week`] times a week of the range.
//! 2. Of the rest, those that find the most incidents.
//! 3. Of these, those whose pages are at most a tenth more than the fewest.
//! 4. Of these the one with which incidents go unnoticed for the shortest time, by the mean.
//!
//! What is incidental stays so: a rule found on a few incidents fits them. [`Suggestion::held_out`] says how a rule that was
//! found on every second incident did on the others.

use serde::{Serialize, Serializer};
use slipstream_definitions::definition::Ratio;

use super::curve::{self, Point, Tried};
use super::definition;
use super::episodes::episodes;
use super::figures::Figures;
use super::history::History;
use super::incidents::Incident;
use super::labels::Labels;
use super::target::{self, TargetProposal};
use super::{Range, text};

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

/// What is asked of a history.
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
    /// The target under which rules were tried, and which the definition has: the one proposed, unless there is none or the
    /// current one is to stay.
    #[serde(serialize_with = "as_number")]
    pub used_target: Ratio,
    /// What rules were held against.
    pub basis: Basis,
    /// How many rules were tried.
    pub tried: u64,
    /// Those that no other outdoes, by pages.
    pub curve: Vec<Point>,
    /// The one to take; null if none is fit.
    pub rule: Option<Point>,
    /// How a rule that was found on every second incident did on the others; null with fewer than four incidents, or if
    /// none was found.
    pub held_out: Option<Point>,
    /// What to know before copying it; whole sentences.
    pub notes: Vec<String>,
    /// OpenSLO to copy: the SLO with target and rules. Null if nothing is to be changed or the SLO cannot be written.
    pub definition: Option<String>,
}

fn as_number<S: Serializer>(ratio: &Ratio, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(ratio.as_f64())
}

/// A suggestion from what was counted. Deterministic: the same counts and incidents give the same.
pub fn suggest(history: &History, question: &Question<'_>) -> Suggestion {
    let Question { range, wishes, .. } = *question;
    let proposal = target::propose(history, range.to);
    let kept = proposal.as_ref().and_then(|proposal| proposal.target).filter(|_| !wishes.keep_target);
    let target = kept.unwrap_or(history.target);
    let (basis, labels) = match question.labels {
        Some(labels) => (Basis::Incidents, labels.clone()),
        None => (Basis::Episodes, from_episodes(history, range, target, wishes)),
    };
    let tried = curve::tried(history, range.to, target);
    let points: Vec<Point> = tried.iter().map(|tried| tried.point(history, range, &labels)).collect();
    let (own, _) = of_history(history, range, &labels);
    let mut suggestion = Suggestion {
        slo: history.slo.clone(),
        objective: history.objective.clone(),
        service: history.service.clone(),
        current_target: history.target,
        target: proposal,
        used_target: target,
        basis,
        tried: points.len() as u64,
        curve: curve::front(&points),
        rule: choose(&points, range, wishes),
        held_out: held_out(history, &tried, range, &labels, wishes),
        notes: Vec::new(),
        definition: None,
    };
    suggestion.notes = notes(&suggestion, own.len(), wishes);
    suggestion.definition = definition::write(history, &suggestion, &comments(&suggestion, range));
    suggestion
}

/// How a suggestion's rule does against other incidents, or over another history. `None` if it has no rule.
pub fn judge(suggestion: &Suggestion, history: &History, range: Range, labels: &Labels) -> Option<Figures> {
    let rule = suggestion.rule.as_ref()?.candidate;
    let tried = curve::tried_one(history, range.to, suggestion.used_target, rule)?;
    Some(tried.point(history, range, labels).figures)
}

/// Episodes in place of incidents. A short window holds what was bad for a while after it is over.
fn from_episodes(history: &History, range: Range, target: Ratio, wishes: Wishes) -> Labels {
    let incidents = episodes(history, range.to, target, wishes.least_budget_share);
    Labels { incidents, grace: AFTERWARDS, ..Labels::default() }
}

/// The rule to take, as the top of this file says. `None` if none finds anything within the wishes.
fn choose(points: &[Point], range: Range, wishes: Wishes) -> Option<Point> {
    let is_fit = |point: &&Point| {
        let false_alarms = point.detection().map_or(0, |detection| detection.false_alarms);
        range.a_week(false_alarms).is_some_and(|rate| rate <= wishes.most_false_a_week)
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

/// The incidents that the objective is to find, and all others.
fn of_history(history: &History, range: Range, labels: &Labels) -> (Vec<Incident>, Vec<Incident>) {
    let is_own =
        |incident: &Incident| range.contains(incident.from) && labels.concerns(incident, history.all_services());
    labels.incidents.iter().cloned().partition(is_own)
}

/// The rule of one half of the incidents, on the other half.
fn held_out(history: &History, tried: &[Tried<'_>], range: Range, labels: &Labels, wishes: Wishes) -> Option<Point> {
    // Those of others are in neither half: they could make one of them empty.
    let (own, others) = of_history(history, range, labels);
    if own.len() < LEAST_TO_SPLIT {
        return None;
    }
    let set_aside = labels.set_aside.iter().chain(&others).cloned().collect();
    let (first, second) = Labels { incidents: own, set_aside, ..*labels }.split();
    let points: Vec<Point> = tried.iter().map(|tried| tried.point(history, range, &first)).collect();
    let rule = choose(&points, range, wishes)?.candidate;
    tried.iter().find(|tried| tried.candidate == rule).map(|tried| tried.point(history, range, &second))
}

/// `to_find`: how many incidents or episodes there were for it to find.
fn notes(suggestion: &Suggestion, to_find: usize, wishes: Wishes) -> Vec<String> {
    let mut notes = match &suggestion.target {
        None => vec!["There is too little traffic, or too short a history, to propose a target.".to_owned()],
        Some(kept) => about_target(kept),
    };
    let (share, most) = (wishes.least_budget_share * 100.0, wishes.most_false_a_week);
    match (suggestion.basis, to_find) {
        (Basis::Incidents, 0) => {
            notes.push("No incident of its services was noted down, so no rule can be chosen by what it finds.".to_owned());
        }
        (Basis::Episodes, 0) => {
            notes.push(format!("No stretch spent more than {share} % of the budget: there was nothing to find."));
        }
        (Basis::Incidents, _) => {}
        (Basis::Episodes, _) => notes.push(format!(
            "Nobody noted incidents down: rules were held against {to_find} stretches that each spent more than {share} % \
             of the budget."
        )),
    }
    if to_find > 0 && suggestion.rule.is_none() {
        notes.push(format!("No rule finds any of them with at most {most} false alarms a week."));
    }
    if suggestion.rule.is_some() && suggestion.held_out.is_none() {
        notes.push("There are too few incidents to check the rule on some that it was not chosen by.".to_owned());
    }
    notes
}

fn about_target(kept: &TargetProposal) -> Vec<String> {
    let mut notes = Vec::new();
    if kept.target.is_none() {
        notes.push("No target from 50 % to 99.999 % was kept and allows one bad event.".to_owned());
    }
    if kept.window_seconds != kept.period_seconds {
        let length = slipstream_definitions::duration::format;
        notes.push(format!(
            "The history is too short for four periods of {}: what was kept is of windows of {}, which differ more than \
             whole periods do.",
            length(kept.period_seconds),
            length(kept.window_seconds)
        ));
    }
    notes
}

/// What a definition says about itself.
fn comments(suggestion: &Suggestion, range: Range) -> Vec<String> {
    let mut lines = vec![format!("Suggested by what happened from {} to {}.", text(range.from), text(range.to))];
    if let Some(kept) = suggestion.target.as_ref().filter(|kept| kept.target == Some(suggestion.used_target)) {
        let length = slipstream_definitions::duration::format(kept.window_seconds);
        let share = (kept.kept * 1e6).floor() / 1e4;
        lines.push(format!("Target: 95 % of {} windows of {length} kept {share} %.", kept.windows));
    }
    if let Some((point, found)) = suggestion.rule.as_ref().and_then(|rule| Some((rule, rule.detection()?))) {
        let seconds = found.time_to_detect_seconds.unwrap_or_default();
        lines.push(format!(
            "Page: it would have found {} of {} incidents, after {seconds} s (median), with {:.1} pages a week, {} false in \
             all.",
            found.found,
            found.incidents,
            point.figures.pages_a_week.unwrap_or_default(),
            found.false_alarms
        ));
    }
    lines
}
