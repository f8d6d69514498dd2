//! A Rule as a self-contained document.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::indicator::{Counted, What};
use super::super::rule::{API_VERSION, Draft, KIND, KINDS, On, Written};
use super::shape::{Labels, MetadataOut, Object, Sli, as_map};
use super::{inline, metric, number, ratio};
use crate::definition::{
    BUDGET_EXHAUSTED, BUDGET_REMAINING, BURN_RATE, Condition, LATENCY_QUANTILE, NO_TRAFFIC, NoData, RATIO_BELOW, Ratio,
};
use crate::duration;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleOut<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    slo: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objective: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    indicator: Option<Object<'a, Sli<'a>>>,
    conditions: Vec<ConditionOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConditionOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    severity: &'a str,
    #[serde(flatten)]
    what: Map<String, Value>,
    r#for: String,
    keep_firing_for: String,
    min_requests: i64,
    min_bad: i64,
    no_data: NoData,
    #[serde(skip_serializing_if = "Option::is_none")]
    inhibits: Option<InhibitsOut<'a>>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    labels: Labels<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    annotations: Vec<(String, String)>,
}

#[derive(Serialize)]
struct InhibitsOut<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    severities: &'a [String],
    dependants: bool,
}

/// Writes a Rule as JSON; `counted` is its own indicator. Returns `None` if a number has no exact decimal, which none has that was
/// read.
pub(in super::super) fn write(draft: &Draft<'_>, counted: Option<&Counted>) -> Option<String> {
    let (slo, objective) = match &draft.on {
        On::Slo { slo, objective } => (Some(slo.value), objective.map(|objective| objective.value)),
        On::Own(_) => (None, None),
    };
    let name = draft.metadata.name?.value;
    let indicator = counted.map(|counted| {
        let sli = match &counted.what {
            What::Ratio(indicator) => ratio(indicator, &counted.group_by),
            What::Latency(total) => Sli::ThresholdMetric(metric(total, &counted.group_by)),
        };
        // The name of an indicator is one of OpenSLO.
        inline("own", sli)
    });
    let several = draft.written.len() > 1;
    let conditions =
        draft.written.iter().map(|written| condition(written, name, several)).collect::<Option<Vec<_>>>()?;
    let object = Object {
        api_version: Some(API_VERSION),
        kind: Some(KIND),
        metadata: MetadataOut {
            name,
            display_name: draft.metadata.display_name.as_deref(),
            labels: Labels(&draft.metadata.labels),
            annotations: draft.metadata.annotations.clone(),
        },
        spec: RuleOut {
            description: &draft.description,
            service: &draft.service,
            slo,
            objective,
            indicator,
            conditions,
        },
    };
    serde_json::to_string(&object).ok()
}

fn condition<'a>(written: &'a Written, rule: &str, several: bool) -> Option<ConditionOut<'a>> {
    let Condition { kind, least, least_bad, no_data, .. } = written.condition;
    let field = KINDS.iter().find(|(_, named)| *named == kind)?.0;
    let own = several.then(|| &written.name[rule.len() + 1..]);
    Some(ConditionOut {
        name: own,
        severity: &written.severity,
        what: [(field.to_owned(), Value::Object(what(written)?))].into_iter().collect(),
        r#for: duration::format(written.wait),
        keep_firing_for: duration::format(written.keep),
        min_requests: least,
        min_bad: least_bad,
        no_data,
        inhibits: written
            .inhibits
            .as_ref()
            .map(|inhibits| InhibitsOut { severities: &inhibits.severities, dependants: inhibits.dependants }),
        labels: Labels(&written.labels),
        annotations: written.annotations.clone(),
    })
}

fn what(written: &Written) -> Option<Map<String, Value>> {
    let Condition { kind, long, short, threshold, limit_ms, .. } = written.condition;
    let over = ("over", Value::from(duration::format(long)));
    let fields = match kind {
        BURN_RATE => vec![("above", exact(threshold)?), over, ("shortWindow", Value::from(duration::format(short)))],
        RATIO_BELOW if written.below_objective => vec![("below", Value::from("objective")), over],
        RATIO_BELOW => vec![("below", exact(threshold)?), over],
        LATENCY_QUANTILE => vec![
            ("quantile", exact(threshold)?),
            ("above", Value::from(format!("{}ms", limit_ms?.to_decimal()?))),
            over,
        ],
        NO_TRAFFIC => vec![over],
        BUDGET_REMAINING => vec![("below", exact(threshold)?)],
        BUDGET_EXHAUSTED => {
            let within = i64::try_from(threshold.num).ok()?;
            vec![("within", Value::from(duration::format(within))), over]
        }
        _ => vec![("above", exact(threshold)?), over],
    };
    Some(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A number of at most 15 digits, which a double holds.
fn exact(share: Ratio) -> Option<Value> {
    let text: Box<RawValue> = number(share)?;
    serde_json::from_str(text.get()).ok()
}
