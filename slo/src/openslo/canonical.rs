//! A definition as one self-contained document: references inlined, and alert policies too unless they are the default
//! ones, which follow from the rest. Read by itself it gives the equal definition.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::alerts::{KEEP_FIRING_FOR, MIN_REQUESTS, SHORT_WINDOW};
use super::metadata::OURS;
use crate::definition::{Condition, GroupKey, Objective, Ratio, Rule, Side, Slo};
use crate::duration;

/// Writes an SLO as JSON. `rules` are those of its document; none: it has the default ones. `None` where a number has no
/// exact decimal, which none has that was read.
pub(super) fn write(slo: &Slo, rules: &[Rule]) -> Option<String> {
    let objectives = slo.objectives.iter().map(ObjectiveOut::new).collect::<Option<Vec<_>>>()?;
    let alert_policies = rules.iter().map(policy).collect::<Option<Vec<_>>>()?;
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
            indicator: Object { api_version: None, kind: None, metadata: named(&slo.name), spec: sli(slo) },
            time_window: [WindowOut { duration: shorthand(slo.window.nominal_seconds()), is_rolling: true }],
            budgeting_method: "Occurrences",
            objectives,
            alert_policies,
        },
    };
    serde_json::to_string(&object).ok()
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a, S> {
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    metadata: MetadataOut<'a>,
    spec: S,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct MetadataOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    labels: Labels<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    annotations: Vec<(String, String)>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct SloOut<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    service: &'a str,
    indicator: Object<'a, Sli<'a>>,
    time_window: [WindowOut; 1],
    budgeting_method: &'static str,
    objectives: Vec<ObjectiveOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alert_policies: Vec<Object<'a, PolicyOut<'a>>>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct WindowOut {
    duration: String,
    is_rolling: bool,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectiveOut<'a> {
    display_name: &'a str,
    target: Box<RawValue>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Sli<'a> {
    ratio_metric: RatioOut<'a>,
}

#[derive(serde::Serialize)]
struct RatioOut<'a> {
    counter: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    good: Option<Metric<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bad: Option<Metric<'a>>,
    total: Metric<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Metric<'a> {
    metric_source: Source<'a>,
}

#[derive(serde::Serialize)]
struct Source<'a> {
    r#type: &'static str,
    spec: SourceSpec<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceSpec<'a> {
    filter: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    group_by: Vec<String>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyOut<'a> {
    conditions: [Object<'a, ConditionSpec<'a>>; 1],
    notification_targets: [Object<'a, TargetSpec>; 1],
}

#[derive(serde::Serialize)]
struct ConditionSpec<'a> {
    severity: &'a str,
    condition: ConditionOut,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ConditionOut {
    kind: &'static str,
    op: &'static str,
    threshold: Box<RawValue>,
    lookback_window: String,
    alert_after: String,
}

#[derive(serde::Serialize)]
struct TargetSpec {
    target: &'static str,
}

/// Labels in their order; one with commas was a list.
struct Labels<'a>(&'a [(String, String)]);

impl Labels<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            if value.contains(',') {
                map.serialize_entry(key, &value.split(',').collect::<Vec<_>>())?;
            } else {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

fn as_map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

impl ObjectiveOut<'_> {
    fn new(objective: &Objective) -> Option<ObjectiveOut<'_>> {
        Some(ObjectiveOut { display_name: &objective.name, target: number(objective.target)? })
    }
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

fn sli(slo: &Slo) -> Sli<'_> {
    let group_by = slo.group_by.iter().map(|key| match key {
        GroupKey::Attribute(key) => format!("attributes.{key}"),
        field => field.label().to_owned(),
    });
    let metric = |filter, group_by| Metric {
        metric_source: Source { r#type: "slipstream", spec: SourceSpec { filter, group_by } },
    };
    let (good, bad) = match &slo.objectives[0].indicator.side {
        Side::Good(filter) => (Some(metric(filter, Vec::new())), None),
        Side::Bad(filter) => (None, Some(metric(filter, Vec::new()))),
    };
    Sli {
        ratio_metric: RatioOut {
            counter: true,
            good,
            bad,
            total: metric(&slo.objectives[0].indicator.total, group_by.collect()),
        },
    }
}

fn policy(rule: &Rule) -> Option<Object<'_, PolicyOut<'_>>> {
    let Condition::Burn { long, short, factor, least } = rule.condition;
    let mut annotations = rule.annotations.clone();
    annotations.push((format!("{OURS}{SHORT_WINDOW}"), duration::format(short)));
    annotations.push((format!("{OURS}{KEEP_FIRING_FOR}"), duration::format(rule.keep)));
    annotations.push((format!("{OURS}{MIN_REQUESTS}"), least.to_string()));
    let condition = ConditionOut {
        kind: "burnrate",
        op: "gt",
        threshold: number(factor)?,
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
