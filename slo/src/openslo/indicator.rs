//! SLIs: `ratioMetric` over the events of Slipstream. Everything else that OpenSLO has is refused by name.

use std::collections::BTreeMap;

use super::fields::{Fields, Text, as_text, as_written, described};
use super::report::{Place, Report};
use super::yaml::{Node, Value};
use crate::definition::{GroupKey, Indicator, Side};
use crate::filter::{Filter, FilterError};
use crate::suggest;

/// The metric source type that means events of Slipstream, in any case.
const SOURCE_TYPE: &str = "slipstream";
/// Most dimensions of a groupBy.
const MAX_GROUP_BY: usize = 8;
/// Longest key of an attribute, bytes.
const MAX_ATTRIBUTE_KEY: usize = 64;

const DIMENSIONS: [&str; 6] = ["service", "environment", "endpoint", "method", "status_code", "attributes.KEY"];

const OUR_SOURCE: &str =
    "write the filter over request events here: `type: slipstream`, `spec: {filter: 'status_code < 500'}`";

/// Types of the data sources in the set, by name.
pub(super) type DataSources<'n> = BTreeMap<&'n str, &'n str>;

/// What an SLI counts and by what it is split.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) indicator: Indicator,
    pub(super) group_by: Vec<GroupKey>,
}

/// Reads the spec of an SLI. `None`: an error was reported.
pub(super) fn read(report: &mut Report<'_>, spec: &Fields<'_>, sources: &DataSources<'_>) -> Option<Counted> {
    spec.check_known(report, &["description", "thresholdMetric", "ratioMetric"]);
    spec.description(report);
    if let Some(threshold) = spec.map(report, "thresholdMetric") {
        if let Some(place) = spec.place_of("ratioMetric") {
            let message = format!("{}: expected ratioMetric or thresholdMetric, not both", spec.path);
            report.error(place, "conflicting-fields", message, None);
        }
        return refuse_threshold(report, &threshold);
    }
    if spec.get("thresholdMetric").is_some() {
        return None;
    }
    let metric = spec.required_map(report, "ratioMetric")?;
    ratio(report, &metric, sources)
}

fn refuse_threshold(report: &mut Report<'_>, threshold: &Fields<'_>) -> Option<Counted> {
    threshold.check_known(report, &["metricSource"]);
    if let Some(source) = threshold.required_map(report, "metricSource") {
        source.required_map(report, "spec");
    }
    let message = format!("{}: threshold metrics are not supported", threshold.path);
    let help = "write the ratio it stands for: ratioMetric with good: {filter: 'latency_ms <= 300'}".to_owned();
    report.error(threshold.place, "unsupported-threshold-metric", message, Some(help));
    None
}

fn ratio(report: &mut Report<'_>, ratio: &Fields<'_>, sources: &DataSources<'_>) -> Option<Counted> {
    ratio.check_known(report, &["counter", "good", "bad", "total", "raw", "rawType"]);
    ratio.truth(report, "counter");
    if ratio.get("raw").is_some() || ratio.get("rawType").is_some() {
        return refuse_raw(report, ratio);
    }
    let total = ratio.required_map(report, "total");
    let (good, bad) = (ratio.map(report, "good"), ratio.map(report, "bad"));
    if good.is_some()
        && let Some(bad) = &bad
    {
        let message = format!("{}: expected good or bad, not both", ratio.path);
        report.error(bad.place, "conflicting-fields", message, Some("one follows from the other".to_owned()));
    } else if ratio.get("good").is_none() && bad.is_none() && ratio.get("bad").is_none() {
        let help = Some("good says which of the total's events are good".to_owned());
        report.error(ratio.place, "missing-field", format!("{}: good or bad is required", ratio.path), help);
    }
    let total = total.and_then(|total| metric(report, &total, sources, true));
    let good = good.and_then(|good| metric(report, &good, sources, false));
    let bad = bad.and_then(|bad| metric(report, &bad, sources, false));
    let side = match (good, bad) {
        (Some(good), None) => Side::Good(good.filter),
        (None, Some(bad)) => Side::Bad(bad.filter),
        _ => return None,
    };
    let total = total?;
    Some(Counted { indicator: Indicator { total: total.filter, side }, group_by: total.group_by })
}

fn refuse_raw(report: &mut Report<'_>, ratio: &Fields<'_>) -> Option<Counted> {
    ratio.required_word(report, "rawType", &["success", "failure"]);
    if let Some(raw) = ratio.required_map(report, "raw") {
        raw.required_map(report, "metricSource");
    }
    for other in ["good", "bad", "total"] {
        if let Some(place) = ratio.place_of(other) {
            let message = format!("{}: raw excludes {other}", ratio.path);
            report.error(place, "conflicting-fields", message, None);
        }
    }
    let place = ratio.place_of("raw").or(ratio.place_of("rawType")).unwrap_or(ratio.place);
    let message = format!("{}: raw ratios are not supported", ratio.path);
    let help = "a ratio that was computed elsewhere has no events: write good and total as filters".to_owned();
    report.error(place, "unsupported-raw-ratio", message, Some(help));
    None
}

struct Metric {
    filter: String,
    group_by: Vec<GroupKey>,
}

fn metric(report: &mut Report<'_>, metric: &Fields<'_>, sources: &DataSources<'_>, is_total: bool) -> Option<Metric> {
    metric.check_known(report, &["metricSource"]);
    let source = metric.required_map(report, "metricSource")?;
    source.check_known(report, &["type", "metricSourceRef", "spec"]);
    let reference = source.text(report, "metricSourceRef");
    let written = source.text(report, "type");
    let spec = source.required_map(report, "spec");
    let from_reference = || reference.and_then(|reference| sources.get(reference.value).copied());
    let kind = written.map(|text| text.value).or_else(from_reference);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case(SOURCE_TYPE)) {
        refuse_source(report, &source, written, reference);
        return None;
    }
    let spec = spec?;
    spec.check_ours(report, &["filter", "groupBy"]);
    let errors = report.errors();
    let filter = match spec.get("filter") {
        Some(node) => filter(report, node, &spec.path_of("filter")),
        None => Some("true".to_owned()),
    };
    let group_by = group_by(report, &spec, is_total);
    (report.errors() == errors).then_some(Metric { filter: filter?, group_by })
}

fn refuse_source(report: &mut Report<'_>, source: &Fields<'_>, kind: Option<Text<'_>>, reference: Option<Text<'_>>) {
    let (place, message) = match (kind, reference) {
        (Some(kind), _) => {
            (kind.place, format!("{}: metrics of `{}` are not supported", source.path_of("type"), kind.value))
        }
        (None, Some(reference)) => {
            let message = format!("{}: `{}` is no data source of Slipstream", source.path, reference.value);
            (reference.place, message)
        }
        (None, None) => (source.place, format!("{}: the type is missing", source.path)),
    };
    report.error(place, "unsupported-metric-source", message, Some(OUR_SOURCE.to_owned()));
}

fn filter(report: &mut Report<'_>, node: &Node, path: &str) -> Option<String> {
    let text = as_written(report, node, path)?;
    match Filter::compile(text.value) {
        Ok(_) => Some(text.value.trim().to_owned()),
        Err(errors) => {
            for error in errors {
                let place = place_in(report, text, &error);
                report.error(place, error.code, format!("{path}: {}", error.message), error.help);
            }
            None
        }
    }
}

/// Where a part of a filter stands in the file: the filter's line is looked for from the scalar on, so that quotes and
/// blocks do not matter. Where it cannot be found (escapes, folding), the scalar itself.
fn place_in(report: &Report<'_>, text: Text<'_>, error: &FilterError) -> Place {
    let before: String = text.value.chars().take(error.start).collect();
    let line = before.matches('\n').count();
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    let Some(wanted) = text.value.lines().nth(line).filter(|wanted| !wanted.trim().is_empty()) else {
        return text.place;
    };
    let searched = report.lines_from(text.place).take(text.value.lines().count() + 2);
    for (offset, source) in searched.enumerate() {
        let skip = if offset == 0 { text.place.column - 1 } else { 0 };
        let from = source.char_indices().nth(skip).map_or(source.len(), |(at, _)| at);
        if let Some(found) = source[from..].find(wanted) {
            let start = source[..from + found].chars().count();
            return Place {
                line: text.place.line + offset,
                column: start + column + 1,
                width: error.width,
                ..text.place
            };
        }
    }
    text.place
}

fn group_by(report: &mut Report<'_>, spec: &Fields<'_>, is_total: bool) -> Vec<GroupKey> {
    let Some(items) = spec.list(report, "groupBy") else { return Vec::new() };
    let path = spec.path_of("groupBy");
    if !is_total {
        let place = spec.place_of("groupBy").unwrap_or(spec.place);
        let message = format!("{path}: expected groupBy at the total only");
        report.error(place, "misplaced-group-by", message, Some("move it to total: good and bad follow".to_owned()));
        return Vec::new();
    }
    let mut keys: Vec<GroupKey> = Vec::new();
    for item in items {
        let Some(text) = as_text(report, item, &path) else { continue };
        match dimension(text.value) {
            Ok(key) if keys.iter().any(|known| known.label() == key.label()) => {
                let message = format!("{path}: two dimensions have the label `{}`", key.label());
                report.error(text.place, "invalid-group-by", message, None);
            }
            Ok(key) => keys.push(key),
            Err(help) => {
                let message = format!("{path}: expected {}, found `{}`", DIMENSIONS.join(", "), text.value);
                report.error(text.place, "invalid-group-by", message, help);
            }
        }
    }
    if keys.len() > MAX_GROUP_BY {
        let place = spec.place_of("groupBy").unwrap_or(spec.place);
        let message = format!("{path}: expected at most {MAX_GROUP_BY} dimensions, found {}", keys.len());
        report.error(place, "invalid-group-by", message, None);
    }
    keys
}

/// A dimension by its name, or what to write instead.
fn dimension(name: &str) -> Result<GroupKey, Option<String>> {
    Ok(match name {
        "service" => GroupKey::Service,
        "environment" => GroupKey::Environment,
        "endpoint" => GroupKey::Endpoint,
        "method" => GroupKey::Method,
        "status_code" => GroupKey::StatusCode,
        "latency_ms" => return Err(Some("a latency has too many values: compare it in good instead".to_owned())),
        _ => match name.strip_prefix("attributes.") {
            Some(key) if !key.is_empty() && key.len() <= MAX_ATTRIBUTE_KEY => GroupKey::Attribute(key.to_owned()),
            Some(_) => return Err(Some(format!("a key has 1 to {MAX_ATTRIBUTE_KEY} bytes"))),
            None => {
                let near = suggest::nearest(name, &DIMENSIONS[..5]).map(|near| format!("did you mean `{near}`?"));
                return Err(near.or_else(|| Some(format!("an attribute is written `attributes.{name}`"))));
            }
        },
    })
}

/// The type of a DataSource, for metric sources that name it.
pub(super) fn data_source(report: &mut Report<'_>, spec: &Fields<'_>) {
    spec.check_known(report, &["description", "type", "connectionDetails"]);
    spec.description(report);
    spec.required_text(report, "type");
    if let Some(details) = spec.required(report, "connectionDetails")
        && matches!(details.value, Value::Scalar(_))
    {
        let message =
            format!("{}: expected a map or a list, found {}", spec.path_of("connectionDetails"), described(details));
        report.error(details.place, "wrong-type", message, None);
    }
}
