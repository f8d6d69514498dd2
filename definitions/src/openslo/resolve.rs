//! From an SLO as written to its definition: references followed, indicators completed, rules assigned to their
//! objectives.

use super::alerts::{self, MIN_REQUESTS};
use super::indicator::{Counted, What};
use super::metadata::OURS;
use super::objective::Draft as ObjectiveDraft;
use super::set::Set;
use super::slo::Draft;
use super::{canonical, doubts, rule};
use crate::definition::{
    COMPOSITE, Composite, Condition, Document, GroupKey, Indicator, Objective, Ratio, Rule, Side, Slo,
};
use crate::document::report::{Place, Report};
use crate::filter::Filter;
use crate::{duration, policy};

/// A target of a composite has at most as many digits as any other: see `decimal::MAX_DIGITS`.
const MAX_DENOMINATOR: u128 = 1_000_000_000_000_000;
/// Weights have at most six decimals.
const MAX_WEIGHT_DENOMINATOR: u128 = 1_000_000;
/// Seconds for which the events of time slices are counted.
pub(super) const COUNTS_KEPT: i64 = 86_400;

/// The SLO of a draft, and its self-contained document. `None` if it, or something it refers to, is missing or has
/// errors.
pub(super) fn slo<'n>(report: &mut Report<'_>, set: &Set<'n>, draft: &Draft<'n>) -> Option<(Slo, String)> {
    let errors = report.errors();
    let counted = indicators(report, set, draft);
    let rules = rules(report, set, draft);
    if let Some(service) = draft.service {
        set.check_service(report, service);
    }
    let rules = rules?;
    check_guards(report, draft, &rules);
    let composite_target = if draft.composite { composite_target(report, draft) } else { None };
    (draft.sound && report.errors() == errors).then_some(())?;
    let (indicators, group_by) = counted?;
    let window = draft.window.clone()?;
    let name = draft.metadata.as_ref()?.name?.value.to_owned();
    let written: Vec<Rule> = rules.iter().map(|(_, rule)| rule.clone()).collect();
    let objectives = draft.objectives.iter().zip(indicators);
    let mut slo = Slo {
        display_name: draft.metadata.as_ref()?.display_name.clone().unwrap_or_else(|| name.clone()),
        name,
        service: draft.service?.value.to_owned(),
        description: draft.description.clone(),
        group_by,
        window,
        objectives: objectives.map(|(draft, indicator)| objective(draft, indicator)).collect::<Option<_>>()?,
        composite: None,
        labels: draft.metadata.as_ref()?.labels.clone(),
        document: Document::Slo,
    };
    let period = slo.window.nominal_seconds();
    if draft.composite {
        let target = composite_target?;
        let rules = guards(report, period, target, COMPOSITE, draft.objectives[0].place, &written);
        let slice = slo.objectives.iter().filter_map(|objective| objective.budgeting.slice()).max();
        let rules = patient(rules, &written, slice);
        slo.composite = Some(Composite { target, rules });
    } else {
        for (objective, draft) in slo.objectives.iter_mut().zip(&draft.objectives) {
            let rules = guards(report, period, objective.target, &draft.name, draft.place, &written);
            objective.rules = patient(rules, &written, objective.budgeting.slice());
        }
    }
    doubts::of_slo(report, &slo, draft, &rules);
    let text = canonical::write(&slo, &written)?;
    let attached = rule::attach(report, set, &mut slo);
    (report.errors() == errors).then_some(())?;
    Some((slo, canonical::with_rules(text, &attached)))
}

fn objective(draft: &ObjectiveDraft<'_>, indicator: Indicator) -> Option<Objective> {
    Some(Objective {
        name: draft.name.clone(),
        indicator,
        budgeting: draft.budgeting?,
        target: draft.target?,
        weight: draft.weight.unwrap_or(Ratio { num: 1, den: 1 }),
        rules: Vec::new(),
    })
}

/// What each objective counts, and the dimensions that all share.
fn indicators(report: &mut Report<'_>, set: &Set<'_>, draft: &Draft<'_>) -> Option<(Vec<Indicator>, Vec<GroupKey>)> {
    let shared = draft.indicator.as_ref().and_then(|sli| set.sli(report, sli));
    let mut group_by: Option<&[GroupKey]> = None;
    let mut indicators = Vec::new();
    let mut complete = true;
    for objective in &draft.objectives {
        let counted = match &objective.own {
            Some(own) => set.sli(report, own),
            None => shared,
        };
        let Some(counted) = counted else {
            complete = false;
            continue;
        };
        check_group_by(report, objective, group_by.get_or_insert(&counted.group_by), counted);
        match indicator(report, objective, counted) {
            Some(indicator) => indicators.push(indicator),
            None => complete = false,
        }
    }
    complete.then_some((indicators, group_by?.to_vec()))
}

fn check_group_by(report: &mut Report<'_>, objective: &ObjectiveDraft<'_>, first: &[GroupKey], counted: &Counted) {
    if first == counted.group_by {
        return;
    }
    let labels = |keys: &[GroupKey]| {
        let labels: Vec<&str> = keys.iter().map(GroupKey::label).collect();
        if labels.is_empty() { "nothing".to_owned() } else { labels.join(", ") }
    };
    let place = objective.fields.place_of("indicator").or(objective.fields.place_of("indicatorRef"));
    let message = format!(
        "{}: its indicator is grouped by {}, that of the first objective by {}: expected the same",
        objective.fields.path,
        labels(&counted.group_by),
        labels(first)
    );
    let help = Some("a composite is computed per group, so its indicators need the same groupBy".to_owned());
    report.error(place.unwrap_or(objective.place), "conflicting-group-by", message, help);
}

/// The indicator of an objective: a threshold's is the ratio on the right side of its value.
fn indicator(report: &mut Report<'_>, objective: &ObjectiveDraft<'_>, counted: &Counted) -> Option<Indicator> {
    let fields = &objective.fields;
    let total = match &counted.what {
        What::Ratio(indicator) => {
            for field in ["op", "value"] {
                if let Some(node) = fields.get(field) {
                    let message = format!("{} has no meaning for a ratio: it is ignored", fields.path_of(field));
                    report.warning(node.place, "no-meaning", message, None);
                }
            }
            return Some(indicator.clone());
        }
        What::Latency(total) => total,
    };
    if fields.get("op").is_none() {
        fields.missing(report, "op", Some("a latency below the value is good: write `op: lte`".to_owned()));
    }
    if fields.get("value").is_none() {
        let help = Some("the latency in milliseconds to compare with: write `value: 300`".to_owned());
        fields.missing(report, "value", help);
    }
    let (op, (value, place)) = (objective.op?, objective.value?);
    let sign = match op.value {
        "lt" => "<",
        "lte" => "<=",
        "gt" => ">",
        _ => ">=",
    };
    if op.value.starts_with('g') {
        let message = format!("{}: with `{}`, slow requests would be good", fields.path_of("op"), op.value);
        let help = Some("op says which latencies are good: `lte` for at most the value".to_owned());
        report.warning(op.place, "slow-is-good", message, help);
    }
    let Some(value) = value.to_decimal() else {
        let message = format!("{}: expected at most 15 digits", fields.path_of("value"));
        report.error(place, "invalid-number", message, None);
        return None;
    };
    let good = format!("latency_ms {sign} {value}");
    if report.warns() {
        check_threshold(report, &good, total, place, &fields.path_of("value"));
    }
    Some(Indicator { total: total.clone(), side: Side::Good(good) })
}

/// Warns of a threshold that no event meets, or that all do.
fn check_threshold(report: &mut Report<'_>, good: &str, total: &str, place: Place, path: &str) {
    let (Ok((good, findings)), Ok(total)) = (Filter::checked(good), Filter::compile(total)) else { return };
    for finding in findings.into_iter().chain(good.within(&total, true)) {
        report.warning(place, finding.code, format!("{path}: {}", finding.message), finding.help);
    }
}

/// The rules of the policies that an SLO names, in its order, with the places of the names.
fn rules(report: &mut Report<'_>, set: &Set<'_>, draft: &Draft<'_>) -> Option<Vec<(Place, Rule)>> {
    let mut rules: Vec<(Place, Rule)> = Vec::new();
    let mut complete = true;
    for (place, reference) in &draft.policies {
        let policy = set.policy(report, reference);
        let condition = policy.and_then(|policy| set.condition(report, &policy.condition));
        let rule = policy.zip(condition).and_then(|(policy, condition)| alerts::rule(report, policy, condition));
        let Some(rule) = rule else {
            complete = false;
            continue;
        };
        if rules.iter().any(|(_, known)| known.name == rule.name) {
            let message = format!("spec.alertPolicies: `{}` is named twice", rule.name);
            report.error(*place, "duplicate-name", message, None);
        }
        rules.push((*place, rule));
    }
    complete.then_some(rules)
}

/// min-requests counts events: time-slice objectives keep those of a day, a composite none.
fn check_guards(report: &mut Report<'_>, draft: &Draft<'_>, rules: &[(Place, Rule)]) {
    let sliced = draft.objectives.iter().any(|o| o.budgeting.is_some_and(|budgeting| budgeting.slice().is_some()));
    for (place, rule) in rules {
        let Condition { long, least, .. } = rule.condition;
        if least == 0 {
            continue;
        }
        let why = if draft.composite {
            "a composite has no requests of its own".to_owned()
        } else if sliced && long > COUNTS_KEPT {
            let kept = duration::format(COUNTS_KEPT);
            format!("time-slice objectives keep request counts for {kept} only, and it looks back further")
        } else {
            continue;
        };
        let message = format!("alert policy `{}`: {OURS}{MIN_REQUESTS} is not supported here: {why}", rule.name);
        report.error(*place, "unsupported-min-requests", message, Some("leave the annotation out".to_owned()));
    }
}

/// The mean of the targets by weight, exact. `None`: a target or weight is missing, or the mean has too many digits,
/// which is reported.
fn composite_target(report: &mut Report<'_>, draft: &Draft<'_>) -> Option<Ratio> {
    let one = Ratio { num: 1, den: 1 };
    // Targets have at most 15 decimals and weights 6, so no sum below leaves u128.
    let (mut sum, mut weights) = (0u128, 0u128);
    for objective in &draft.objectives {
        let (target, weight) = (objective.target?, objective.weight.unwrap_or(one));
        let target = u128::from(target.num) * (MAX_DENOMINATOR / u128::from(target.den));
        let weight = u128::from(weight.num) * (MAX_WEIGHT_DENOMINATOR / u128::from(weight.den));
        sum = sum.checked_add(target.checked_mul(weight)?)?;
        weights = weights.checked_add(weight)?;
    }
    let (num, den) = reduced(sum, weights.checked_mul(MAX_DENOMINATOR)?);
    let exact = if den <= MAX_DENOMINATOR { u64::try_from(num).ok().zip(u64::try_from(den).ok()) } else { None };
    if exact.is_none() && draft.sound {
        let place = draft.objectives.first().map_or(Place::start(0), |objective| objective.place);
        let message = "the weighted mean of the targets has too many digits to be stored exactly".to_owned();
        let help = Some("write weights as small whole numbers, such as 2 and 1".to_owned());
        report.error(place, "unsupported-weight", message, help);
    }
    exact.map(|(num, den)| Ratio { num, den })
}

fn reduced(num: u128, den: u128) -> (u128, u128) {
    let (mut a, mut b) = (num, den);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (num / a.max(1), den / a.max(1))
}

/// Default rules wait for the slice in progress; the document's do as they say.
fn patient(mut rules: Vec<Rule>, written: &[Rule], slice: Option<i64>) -> Vec<Rule> {
    if written.is_empty() {
        rules.iter_mut().for_each(|rule| rule.wait = policy::wait_for_slice(slice));
    }
    rules
}

/// The rules that guard a target: the document's, else the default ones. Warns of one that could never fire.
fn guards(
    report: &mut Report<'_>,
    period: i64,
    target: Ratio,
    name: &str,
    place: Place,
    written: &[Rule],
) -> Vec<Rule> {
    if !written.is_empty() {
        for rule in written {
            let factor = rule.condition.threshold;
            if !policy::can_fire(factor, target) {
                doubts::never_fires(report, place, name, target, &rule.name, factor, "");
            }
        }
        return written.to_vec();
    }
    let defaults = policy::defaults(period, target);
    for (tier, factor) in &defaults.left_out {
        doubts::never_fires(report, place, name, target, tier, *factor, "; it is left out");
    }
    doubts::beyond_period(report, place, name, &defaults.beyond, period);
    if defaults.rules.is_empty() {
        doubts::no_rules(report, place, name);
    }
    defaults.rules
}
