//! What a suggestion says about itself: to whom reads it, and in the definition.

use slipstream_definitions::definition::{Ratio, Rule};
use slipstream_definitions::duration::format as length;
use slipstream_definitions::policy;

use super::super::curve::Point;
use super::super::definition::TICKET;
use super::super::target::TargetProposal;
use super::super::{Range, counted, exact_percent, text};
use super::{Basis, Draft, Suggestion, Wishes, lost};

/// Above the factor of every default rule, and below 1: no rule is left out under it.
const HIGHEST: Ratio = Ratio { num: 99_999, den: 100_000 };

/// What to know before copying it. `to_find`: how many incidents or episodes there were to find; `objectives`: how many share
/// the rule.
pub(super) fn notes(
    suggestion: &Suggestion,
    draft: &Draft<'_>,
    objectives: usize,
    to_find: usize,
    wishes: Wishes,
) -> Vec<String> {
    let mut notes = match &suggestion.target {
        None => vec!["There is too little traffic, or too short a history, to propose a target.".to_owned()],
        Some(kept) => about_target(kept),
    };
    let share = wishes.least_budget_share * 100.0;
    match (suggestion.basis, to_find) {
        (Basis::Incidents, 0) => {
            notes.push(
                "No incident of its services was noted down, so no rule can be chosen by what it finds.".to_owned(),
            );
        }
        (Basis::Episodes, 0) => {
            notes.push(format!(
                "No stretch spent more than {share} % of a whole period's budget: there was nothing to find."
            ));
        }
        (Basis::Incidents, _) => {}
        (Basis::Episodes, _) => notes.push(format!(
            "Nobody noted incidents down: rules were held against {} that spent more than {share} % of the budget.",
            counted(to_find as u64, "stretch", "stretches")
        )),
    }
    if to_find > 0 && suggestion.rule.is_none() {
        let most = wishes.most_false_a_week;
        let alarms = if most == 1.0 { "alarm" } else { "alarms" };
        notes.push(format!("No rule finds any of them with at most {most} false {alarms} a week."));
    }
    if suggestion.rule.is_some() {
        if objectives > 1 {
            let all =
                "Alert policies are of a whole SLO: this is the one rule that does best for all of its objectives.";
            notes.push(all.to_owned());
        }
        if suggestion.held_out.is_none() {
            notes.push("There are too few incidents to check the rule on some that it was not chosen by.".to_owned());
        }
    }
    notes.extend(about_rules(suggestion, draft));
    notes
}

fn about_target(kept: &TargetProposal) -> Vec<String> {
    let mut notes = Vec::new();
    if kept.target.is_none() {
        notes.push("No target from 50 % to 99.999 % was kept and allows one bad event.".to_owned());
    }
    if kept.window_seconds != kept.period_seconds {
        notes.push(format!(
            "The history is too short for four periods of {}: what was kept is of windows of {}, which differ more than \
             whole periods do.",
            length(kept.period_seconds),
            length(kept.window_seconds)
        ));
    }
    notes
}

/// What becomes of the rules that there are.
fn about_rules(suggestion: &Suggestion, draft: &Draft<'_>) -> Vec<String> {
    let history = draft.history;
    let names = |rules: &[&Rule]| {
        let each = rules.iter().map(|rule| format!("{} ({}x)", rule.name, rule.condition.threshold.as_f64()));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut notes = Vec::new();
    if let Some(refused) = draft.refused {
        notes.push(format!(
            "Under {} {} could never fire, and no rule fits under it: the definition keeps {}.",
            exact_percent(refused),
            names(&lost(history, refused)),
            exact_percent(history.target)
        ));
    }
    if suggestion.rule.is_none() {
        return notes;
    }
    if history.rules.iter().any(|rule| rule.rule_set == policy::BURN_RULE_SET) {
        let all: Vec<&Rule> = history.rules.iter().filter(|rule| rule.rule_set == policy::BURN_RULE_SET).collect();
        notes.push(format!("In the definition this page and the default tickets take the place of {}.", names(&all)));
    }
    let tickets: Vec<Rule> = policy::defaults(history.period, HIGHEST).rules;
    let impossible = |rule: &&Rule| {
        rule.severity.name == TICKET && !policy::can_fire(rule.condition.threshold, suggestion.used_target)
    };
    let impossible: Vec<&Rule> = tickets.iter().filter(impossible).collect();
    if !impossible.is_empty() {
        notes.push(format!(
            "Under {} the default tickets {} could never fire.",
            exact_percent(suggestion.used_target),
            names(&impossible)
        ));
    }
    notes
}

/// What a definition says about itself; `rule`: what its page would have done for all objectives.
pub(super) fn comments(suggestions: &[Suggestion], rule: Option<&Point>, range: Range) -> Vec<String> {
    let mut lines = vec![format!("Suggested by what happened from {} to {}.", text(range.from), text(range.to))];
    for suggestion in suggestions {
        let of = if suggestions.len() > 1 { format!(" of {}", suggestion.objective) } else { String::new() };
        if let Some(kept) = suggestion.target.as_ref().filter(|kept| kept.target == Some(suggestion.used_target)) {
            let share = (kept.kept * 1e6).floor() / 1e4;
            let windows = length(kept.window_seconds);
            lines.push(format!("Target{of}: 95 % of {} windows of {windows} kept {share} %.", kept.windows));
        }
    }
    if let Some((point, found)) = rule.and_then(|rule| Some((rule, rule.detection()?))) {
        let seconds = found.time_to_detect_seconds.unwrap_or_default();
        let pages = match point.figures.pages_a_week {
            Some(rate) => format!("{rate:.1} pages a week"),
            None => counted(point.figures.pages, "page", "pages"),
        };
        lines.push(format!(
            "Page: it would have found {} of {} incidents, after {seconds} s (median), with {pages}, {} false in all.",
            found.found, found.incidents, found.false_alarms
        ));
    }
    lines
}
