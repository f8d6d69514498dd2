//! Warnings of what is right but can never matter: rules that never fire, windows that contradict each other.

use super::objective::Draft as ObjectiveDraft;
use super::report::{Place, Report};
use super::slo::Draft;
use crate::definition::{Budgeting, Condition, Ratio, Rule, Slo};
use crate::duration;

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

/// Warns that no default rule fits the period.
pub(super) fn no_default_rules(report: &mut Report<'_>, place: Place, objective: &str, period: i64) {
    let message = format!(
        "objective `{objective}`: no alert guards it: the default ones look back further than its window of {}",
        duration::format(period)
    );
    report.warning(place, "no-alerts", message, Some("name an AlertPolicy in alertPolicies".to_owned()));
}

/// Warns of contradictions within an SLO. `written` are the rules of its document.
pub(super) fn of_slo(report: &mut Report<'_>, slo: &Slo, draft: &Draft<'_>, written: &[(Place, Rule)]) {
    let period = slo.window.nominal_seconds();
    for (place, rule) in written {
        beyond_period(report, period, *place, rule);
    }
    for objective in &draft.objectives {
        slices(report, period, objective, written);
    }
    duplicates(report, slo, draft);
}

fn beyond_period(report: &mut Report<'_>, period: i64, place: Place, rule: &Rule) {
    let Condition::Burn { long, .. } = rule.condition;
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

/// Slices against the budget, and against the windows of rules.
fn slices(report: &mut Report<'_>, period: i64, objective: &ObjectiveDraft<'_>, written: &[(Place, Rule)]) {
    let (Some(budgeting), Some(target)) = (objective.budgeting, objective.target) else { return };
    let Some(slice) = budgeting.slice() else { return };
    let place = objective.fields.get("timeSliceWindow").map_or(objective.place, |node| node.place);
    let length = duration::format(slice);
    for (_, rule) in written {
        let Condition::Burn { long, short, .. } = rule.condition;
        if short < slice {
            let which = if long < slice { ("window", long) } else { ("short window", short) };
            let message = format!(
                "objective `{}`: a slice of {length} is longer than the {} of alert policy `{}`, {}: the alert sees one \
                 or two slices",
                objective.name,
                which.0,
                rule.name,
                duration::format(which.1)
            );
            report.warning(place, "slice-beyond-window", message, None);
        }
    }
    let Budgeting::Timeslices { .. } = budgeting else { return };
    let count = (period / slice).max(1);
    // Bad slices that the period allows: (1 - target) x count, below 1.
    let allowed = u128::from(target.den - target.num) * count.unsigned_abs() as u128;
    if allowed < u128::from(target.den) {
        let message = format!(
            "objective `{}`: its window has {count} slice{} of {length} and the target allows {:.2} bad ones: the first \
             bad slice spends more than the whole budget",
            objective.name,
            if count == 1 { "" } else { "s" },
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
