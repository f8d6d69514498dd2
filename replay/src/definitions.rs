//! Sets of definitions, and how much of the past they look at.

use slipstream_definitions::definition::{BUDGET_EXHAUSTED, BUDGET_REMAINING, Rule, Slo, Window};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::Settings;
use slipstream_slo::revision::{RevisionError, Revisions};
use slipstream_slo::scale::Scale;

/// Definitions that are in force from a log time on.
///
/// # Errors
/// When a rule is of a kind that this version does not support.
pub fn given(slos: &[Slo], from: LogTime, redelivery_window_ms: i64) -> Result<Revisions, RevisionError> {
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms, cut_delay_ms: 0 })?;
    for (offset, slo) in (1..).zip(slos) {
        revisions.apply_slo(offset, from, &slo.name, Some(slo.clone()))?;
    }
    Ok(revisions)
}

/// Every definition that is in force at some time in `[from, to)`, once for each of its revisions.
pub fn in_force(revisions: &Revisions, from: LogTime, to: LogTime) -> Vec<Slo> {
    let mut at = from;
    let mut found: Vec<Slo> = Vec::new();
    loop {
        for active in revisions.active_at(at, revisions.end()) {
            if !found.contains(&active.slo) {
                found.push(Slo::clone(&active.slo));
            }
        }
        match revisions.next_cut_after(at, revisions.end()) {
            Some(next) if next < to => at = next,
            _ => return found,
        }
    }
}

/// Whether a kind of rule looks at a budget.
pub fn is_on_budgets(kind: &str) -> bool {
    [BUDGET_REMAINING, BUDGET_EXHAUSTED].contains(&kind)
}

/// The rules of an SLO that look at its budget: `SLO RULE`.
pub fn on_budgets(slo: &Slo) -> Vec<String> {
    let rules = slo.rules().filter(|rule| is_on_budgets(rule.condition.kind));
    rules.map(|rule| format!("{} {}", slo.name, rule.name)).collect()
}

/// An SLO without them.
pub fn without_budgets(slo: &Slo) -> Slo {
    let mut slo = slo.clone();
    let objectives = slo.objectives.iter_mut().map(|objective| &mut objective.rules);
    for rules in objectives.chain(slo.composite.iter_mut().map(|composite| &mut composite.rules)) {
        rules.retain(|rule| !is_on_budgets(rule.condition.kind));
    }
    slo
}

/// Where reading has to begin so that rules decide at `from` as if they had always been watching: the length of their windows and
/// a slot of it before, and before that for as long as a condition has to hold, and as an alert stays without one. With
/// `budgets`, so early that their windows are full, too: from the period's start where it is a calendar's.
pub fn warm_up_from(slos: &[Slo], revisions: &Revisions, from: LogTime, budgets: bool) -> LogTime {
    let second = from.tick();
    let whole = |window: i64| {
        let slot = Scale::REAL.ring_for(window).map_or(0, |ring| Scale::REAL.rings[ring].slot_seconds);
        second - window - slot
    };
    let of_rules = slos.iter().flat_map(|slo| {
        let slice = slo.objectives.iter().filter_map(|o| o.budgeting.slice()).max().unwrap_or(0);
        let of_rule = |rules: &[Rule], rule: &Rule| {
            let windows = revisions.kinds().windows(std::slice::from_ref(rule));
            windows.map(|window| whole(window + slice)).min().map(|begin| begin - lasting(rules, rule))
        };
        let of_promise = |rules: &[Rule]| rules.iter().filter_map(|rule| of_rule(rules, rule)).min();
        slo.promises().filter_map(|promise| of_promise(promise.rules)).min()
    });
    let of_budgets = slos.iter().filter(|_| budgets).map(|slo| match &slo.window {
        Window::Rolling(seconds) => whole(*seconds),
        Window::Calendar(calendar) => calendar.period_at(second).start,
    });
    let begin = of_rules.chain(of_budgets).min().unwrap_or(second);
    LogTime(begin.max(0) * 1_000)
}

/// For how many seconds what a rule, one of these, has seen may decide about its alert: until it fires, and then until it ends.
fn lasting(rules: &[Rule], rule: &Rule) -> i64 {
    let of_set = rules.iter().filter(|other| other.rule_set == rule.rule_set);
    rule.wait + of_set.map(|other| other.keep).max().unwrap_or(0)
}
