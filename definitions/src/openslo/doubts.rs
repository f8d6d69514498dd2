//! Warnings about valid parts without effect: rules that never fire, windows that contradict each other.

use super::slo::Draft;
use crate::definition::{BURN_RATE, Budgeting, Condition, Objective, Ratio, Rule, Slo};
use crate::document::report::{Place, Report};
use crate::{duration, policy};

/// Warns of a rule whose factor no outage reaches.
pub(super) fn never_fires(
    report: &mut Report<'_>,
    place: Place,
    objective: &str,
    target: Ratio,
    rule: &str,
    factor: Ratio,
    what: &str,
) {
    let worst = target.complement().map_or(f64::INFINITY, |share| 1.0 / share.as_f64());
    let message = format!(
        "objective `{objective}`: alert `{rule}` could never fire: it needs a burn rate above {:.4}, and a full outage \
         burns at {worst:.4}{what}",
        factor.as_f64()
    );
    report.warning(place, "never-fires", message, None);
}

/// Warns of default tiers that look back further than the period.
pub(super) fn beyond_period(report: &mut Report<'_>, place: Place, objective: &str, tiers: &[String], period: i64) {
    for tier in tiers {
        let message = format!(
            "objective `{objective}`: alert `{tier}` does not fit a window of {}: it would alert on spending that the \
             budget allows; it is omitted",
            duration::format(period)
        );
        report.warning(place, "window-beyond-period", message, None);
    }
}

/// Warns that no default rule is left.
pub(super) fn no_rules(report: &mut Report<'_>, place: Place, objective: &str) {
    let message = format!("objective `{objective}`: it has no alert, because none of the default ones fits");
    report.warning(place, "no-alerts", message, Some("name an AlertPolicy in alertPolicies".to_owned()));
}

/// Warns of contradictions within an SLO. `written` are the rules of its document.
pub(super) fn of_slo(report: &mut Report<'_>, slo: &Slo, draft: &Draft<'_>, written: &[(Place, Rule)]) {
    let period = slo.window.nominal_seconds();
    for (place, rule) in written {
        looks_beyond(report, period, *place, rule);
    }
    for (objective, draft) in slo.objectives.iter().zip(&draft.objectives) {
        let rules = slo.looking(&objective.rules);
        if let Some(slice) = objective.budgeting.slice() {
            let place = draft.fields.get("timeSliceWindow").map_or(draft.place, |node| node.place);
            slices_of_rules(report, slice, &objective.name, place, rules, written.is_empty());
            slices_of_budget(report, period, objective, slice, place);
        }
    }
    duplicates(report, slo, draft);
}

/// Warns of a condition of a Rule that could never hold, or looks at too little or too much.
pub(super) fn of_condition(report: &mut Report<'_>, slo: &Slo, (place, name): (Place, &str), condition: &Condition) {
    let (period, long) = (slo.window.nominal_seconds(), condition.long);
    if long > period {
        let (long, period) = (duration::format(long), duration::format(period));
        let message = format!("condition `{name}`: its window of {long} is longer than the SLO's of {period}");
        report.warning(place, "window-beyond-period", message, None);
    }
    for objective in &slo.objectives {
        if condition.kind == BURN_RATE && !policy::can_fire(condition.threshold, objective.target) {
            never_fires(report, place, &objective.name, objective.target, name, condition.threshold, "");
        }
        if let Some(slice) = objective.budgeting.slice().filter(|slice| long > 0 && long < *slice) {
            let (long, slice) = (duration::format(long), duration::format(slice));
            let message = format!("condition `{name}`: a slice of {slice} is longer than its window of {long}");
            report.warning(place, "slice-beyond-lookback", message, Some("look back further".to_owned()));
        }
    }
}

fn looks_beyond(report: &mut Report<'_>, period: i64, place: Place, rule: &Rule) {
    let long = rule.condition.long;
    if long > period {
        let message = format!(
            "alert policy `{}`: its window of {} is longer than the SLO's of {}",
            rule.name,
            duration::format(long),
            duration::format(period)
        );
        report.warning(place, "window-beyond-period", message, None);
    }
}

/// Slices against the windows of rules; not the short windows of the default rules, which the author did not choose.
fn slices_of_rules(report: &mut Report<'_>, slice: i64, objective: &str, place: Place, rules: &[Rule], default: bool) {
    for rule in rules {
        let Condition { long, short, .. } = rule.condition;
        let (which, window) = if long < slice { ("window", long) } else { ("short window", short) };
        if window >= slice || (default && window == short) {
            continue;
        }
        let message = format!(
            "objective `{objective}`: a slice of {} is longer than the {which} of alert `{}`, {}: the alert sees one or \
             two slices",
            duration::format(slice),
            rule.name,
            duration::format(window)
        );
        let help = Some("shorten timeSliceWindow, or look back further".to_owned());
        report.warning(place, "slice-beyond-lookback", message, help);
    }
}

/// Slices against the budget: one that is bad must not be all of it.
fn slices_of_budget(report: &mut Report<'_>, period: i64, objective: &Objective, slice: i64, place: Place) {
    let Budgeting::Timeslices { .. } = objective.budgeting else { return };
    let (target, count) = (objective.target, (period / slice).max(1));
    // Bad slices that the period allows: (1 - target) x count, below 1.
    let allowed = u128::from(target.den - target.num) * u128::from(count.unsigned_abs());
    if allowed < u128::from(target.den) {
        let message = format!(
            "objective `{}`: its window has {count} slice{} of {} and the target allows {:.2} bad ones: the first bad \
             slice spends more than the whole budget",
            objective.name,
            if count == 1 { "" } else { "s" },
            duration::format(slice),
            allowed as f64 / target.den as f64
        );
        let help = Some("shorten timeSliceWindow, lower the target, or lengthen the window".to_owned());
        report.warning(place, "budget-below-slice", message, help);
    }
}

/// Two objectives that count the same against the same target.
fn duplicates(report: &mut Report<'_>, slo: &Slo, draft: &Draft<'_>) {
    for (at, objective) in slo.objectives.iter().enumerate() {
        let same = slo.objectives[..at].iter().find(|other| {
            (other.target, other.budgeting, &other.indicator)
                == (objective.target, objective.budgeting, &objective.indicator)
        });
        if let Some(other) = same {
            let message = format!("objective `{}` is the same as `{}`", objective.name, other.name);
            report.warning(draft.objectives[at].place, "duplicate-objective", message, None);
        }
    }
}
