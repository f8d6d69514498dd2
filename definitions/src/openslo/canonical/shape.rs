//! How a self-contained document looks: the fields of OpenSLO that `canonical` writes, in their order.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object<'a, S> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) api_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) metadata: MetadataOut<'a>,
    pub(super) spec: S,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetadataOut<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub(super) labels: Labels<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub(super) annotations: Vec<(String, String)>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SloOut<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) description: &'a str,
    pub(super) service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) indicator: Option<Object<'a, Sli<'a>>>,
    pub(super) time_window: [WindowOut<'a>; 1],
    pub(super) budgeting_method: &'static str,
    pub(super) objectives: Vec<ObjectiveOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) alert_policies: Vec<Object<'a, PolicyOut<'a>>>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WindowOut<'a> {
    pub(super) duration: String,
    pub(super) is_rolling: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) calendar: Option<CalendarOut<'a>>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CalendarOut<'a> {
    pub(super) start_time: String,
    pub(super) time_zone: &'a str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectiveOut<'a> {
    pub(super) display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) op: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Box<RawValue>>,
    pub(super) target: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_slice_target: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_slice_window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) indicator: Option<Object<'a, Sli<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) composite_weight: Option<Box<RawValue>>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Sli<'a> {
    RatioMetric(RatioOut<'a>),
    ThresholdMetric(Metric<'a>),
}

#[derive(serde::Serialize)]
pub(super) struct RatioOut<'a> {
    pub(super) counter: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) good: Option<Metric<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bad: Option<Metric<'a>>,
    pub(super) total: Metric<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metric<'a> {
    pub(super) metric_source: Source<'a>,
}

#[derive(serde::Serialize)]
pub(super) struct Source<'a> {
    pub(super) r#type: &'static str,
    pub(super) spec: SourceSpec<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SourceSpec<'a> {
    pub(super) filter: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) group_by: Vec<String>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyOut<'a> {
    pub(super) conditions: [Object<'a, ConditionSpec<'a>>; 1],
    pub(super) notification_targets: [Object<'a, TargetSpec>; 1],
}

#[derive(serde::Serialize)]
pub(super) struct ConditionSpec<'a> {
    pub(super) severity: &'a str,
    pub(super) condition: ConditionOut,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConditionOut {
    pub(super) kind: &'static str,
    pub(super) op: &'static str,
    pub(super) threshold: Box<RawValue>,
    pub(super) lookback_window: String,
    pub(super) alert_after: String,
}

#[derive(serde::Serialize)]
pub(super) struct TargetSpec {
    pub(super) target: &'static str,
}

/// Labels in their order; one with commas was a list.
pub(super) struct Labels<'a>(pub(super) &'a [(String, String)]);

impl Labels<'_> {
    pub(super) fn is_empty(&self) -> bool {
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

pub(super) fn as_map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}
