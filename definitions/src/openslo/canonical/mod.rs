//! A definition as one self-contained document: references inlined, and alert policies too unless they are the default
//! ones, which follow from the rest. Parsing it alone gives an equal definition.

pub(super) mod rule;
mod shape;

use serde_json::value::RawValue;

use self::shape::{
    CalendarOut, ConditionOut, ConditionSpec, Labels, MetadataOut, Metric, Object, ObjectiveOut, PolicyOut, RatioOut,
    Sli, SloOut, Source, SourceSpec, TargetSpec, WindowOut,
};
use super::alerts::{KEEP_FIRING_FOR, MIN_REQUESTS, SHORT_WINDOW};
use super::metadata::OURS;
use crate::definition::{Budgeting, Condition, GroupKey, Indicator, Objective, Ratio, Rule, Side, Slo, Window};
use crate::duration;

/// Writes an SLO as JSON. `rules` are those of its document; `None` for the default ones. Returns `None` if a number
/// has no exact decimal, which none has that was read.
pub(super) fn write(slo: &Slo, rules: &[Rule]) -> Option<String> {
    let form = Form::of(slo);
    let objectives = slo.objectives.iter().map(|o| objective(slo, o, form)).collect::<Option<Vec<_>>>()?;
    let alert_policies = rules.iter().map(policy).collect::<Option<Vec<_>>>()?;
    let first = &slo.objectives.first()?.indicator;
    let indicator = match form {
        Form::Shared => Some(inline(&slo.name, ratio(first, &slo.group_by))),
        Form::Threshold => Some(inline(&slo.name, Sli::ThresholdMetric(metric(&first.total, &slo.group_by)))),
        Form::Composite => None,
    };
    let object = Object {
        api_version: Some("openslo/v1"),
        kind: Some("SLO"),
        metadata: MetadataOut {
            name: &slo.name,
            display_name: Some(&slo.display_name),
            labels: Labels(&slo.labels),
            annotations: Vec::new(),
        },
        spec: SloOut {
            description: &slo.description,
            service: &slo.service,
            indicator,
            time_window: [window(&slo.window)],
            budgeting_method: method(slo),
            objectives,
            alert_policies,
        },
    };
    serde_json::to_string(&object).ok()
}

/// An SLO with the Rules that belong to it: a list of documents.
pub(super) fn with_rules(slo: String, rules: &[String]) -> String {
    if rules.is_empty() { slo } else { format!("[{slo},{}]", rules.join(",")) }
}

/// Where the indicators are.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// All objectives have the one of the SLO.
    Shared,
    /// They differ in their latency: one threshold metric, and a value for each.
    Threshold,
    /// Each has its own.
    Composite,
}

impl Form {
    fn of(slo: &Slo) -> Form {
        let all_same = || slo.objectives.windows(2).all(|pair| pair[0].indicator == pair[1].indicator);
        if slo.composite.is_some() {
            Form::Composite
        } else if all_same() {
            Form::Shared
        } else {
            Form::Threshold
        }
    }
}

/// All objectives have one method, which is the SLO's.
fn method(slo: &Slo) -> &'static str {
    match slo.objectives.first().map(|objective| objective.budgeting) {
        Some(Budgeting::Timeslices { .. }) => "Timeslices",
        Some(Budgeting::RatioTimeslices { .. }) => "RatioTimeslices",
        Some(Budgeting::Occurrences) | None => "Occurrences",
    }
}

fn window(window: &Window) -> WindowOut<'_> {
    match window {
        Window::Rolling(seconds) => WindowOut { duration: shorthand(*seconds), is_rolling: true, calendar: None },
        Window::Calendar(calendar) => WindowOut {
            duration: calendar.duration(),
            is_rolling: false,
            calendar: Some(CalendarOut { start_time: calendar.start_time(), time_zone: calendar.zone() }),
        },
    }
}

fn objective<'a>(slo: &'a Slo, objective: &'a Objective, form: Form) -> Option<ObjectiveOut<'a>> {
    let slice_target = match objective.budgeting {
        Budgeting::Timeslices { target, .. } => Some(number(target)?),
        _ => None,
    };
    let (op, value) = match form {
        Form::Threshold => threshold(&objective.indicator)?,
        Form::Shared | Form::Composite => (None, None),
    };
    let composite = form == Form::Composite;
    Some(ObjectiveOut {
        display_name: &objective.name,
        op,
        value,
        target: number(objective.target)?,
        time_slice_target: slice_target,
        time_slice_window: objective.budgeting.slice().map(shorthand),
        indicator: composite.then(|| inline(&slo.name, ratio(&objective.indicator, &slo.group_by))),
        composite_weight: if composite { Some(number(objective.weight)?) } else { None },
    })
}

/// `op` and `value` of the side that they made: `latency_ms <= 300`.
fn threshold(indicator: &Indicator) -> Option<(Option<&'static str>, Option<Box<RawValue>>)> {
    let Side::Good(filter) = &indicator.side else { return None };
    let mut words = filter.split(' ').skip(1);
    let op = match words.next()? {
        "<" => "lt",
        "<=" => "lte",
        ">" => "gt",
        _ => "gte",
    };
    Some((Some(op), RawValue::from_string(words.next()?.to_owned()).ok()))
}

fn inline<'a>(name: &'a str, sli: Sli<'a>) -> Object<'a, Sli<'a>> {
    Object { api_version: None, kind: None, metadata: named(name), spec: sli }
}

fn ratio<'a>(indicator: &'a Indicator, group_by: &[GroupKey]) -> Sli<'a> {
    let (good, bad) = match &indicator.side {
        Side::Good(filter) => (Some(metric(filter, &[])), None),
        Side::Bad(filter) => (None, Some(metric(filter, &[]))),
    };
    Sli::RatioMetric(RatioOut { counter: true, good, bad, total: metric(&indicator.total, group_by) })
}

fn metric<'a>(filter: &'a str, group_by: &[GroupKey]) -> Metric<'a> {
    let dimension = |key: &GroupKey| match key {
        GroupKey::Attribute(key) => format!("attributes.{key}"),
        field => field.label().to_owned(),
    };
    let group_by = group_by.iter().map(dimension).collect();
    Metric { metric_source: Source { r#type: "slipstream", spec: SourceSpec { filter, group_by } } }
}

fn named(name: &str) -> MetadataOut<'_> {
    MetadataOut { name, display_name: None, labels: Labels(&[]), annotations: Vec::new() }
}

/// An exact number, as text: a float would lose it.
fn number(ratio: Ratio) -> Option<Box<RawValue>> {
    RawValue::from_string(ratio.to_decimal()?).ok()
}

/// A duration that was read from one: whole minutes.
fn shorthand(seconds: i64) -> String {
    if seconds == 0 { "0m".to_owned() } else { duration::format(seconds) }
}

fn policy(rule: &Rule) -> Option<Object<'_, PolicyOut<'_>>> {
    let Condition { kind, long, short, threshold, least, .. } = rule.condition;
    let mut annotations = rule.annotations.clone();
    annotations.push((format!("{OURS}{SHORT_WINDOW}"), duration::format(short)));
    annotations.push((format!("{OURS}{KEEP_FIRING_FOR}"), duration::format(rule.keep)));
    annotations.push((format!("{OURS}{MIN_REQUESTS}"), least.to_string()));
    let condition = ConditionOut {
        kind,
        op: "gt",
        threshold: number(threshold)?,
        lookback_window: shorthand(long),
        alert_after: shorthand(rule.wait),
    };
    let condition = Object {
        api_version: None,
        kind: Some("AlertCondition"),
        metadata: named(&rule.name),
        spec: ConditionSpec { severity: &rule.severity.name, condition },
    };
    // OpenSLO wants a target; ours are the receivers of the configuration.
    let target = Object {
        api_version: None,
        kind: Some("AlertNotificationTarget"),
        metadata: named("receivers"),
        spec: TargetSpec { target: "configuration" },
    };
    Some(Object {
        api_version: None,
        kind: Some("AlertPolicy"),
        metadata: MetadataOut { name: &rule.name, display_name: None, labels: Labels(&rule.labels), annotations },
        spec: PolicyOut { conditions: [condition], notification_targets: [target] },
    })
}
