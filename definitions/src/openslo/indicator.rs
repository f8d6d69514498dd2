//! SLIs: `ratioMetric` over the events of Slipstream, and `thresholdMetric` over their latency. What else OpenSLO has is
//! refused by name.

use super::alerts::Reference;
use super::metadata;
use super::source::{self, DataSources, Metric, Role};
use crate::definition::{GroupKey, Indicator, Side};
use crate::document::fields::{Fields, as_text};
use crate::document::report::Report;

/// What an SLI counts and by what it is split.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) what: What,
    pub(super) group_by: Vec<GroupKey>,
}

/// What an SLI counts.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// Good or bad events of a total.
    Ratio(Indicator),
    /// The latency of events, which each objective compares with its own value. The filter of the total.
    Latency(String),
}

/// The `indicator` or `indicatorRef` of an SLO or an objective, if it has one.
pub(super) fn optional<'n>(
    report: &mut Report<'_>,
    fields: &Fields<'n>,
    sources: &DataSources<'_>,
) -> Option<Reference<'n, Counted>> {
    if let Some(name) = fields.get("indicatorRef") {
        if let Some(inline) = fields.place_of("indicator") {
            let message = format!("{}: expected indicator or indicatorRef, not both", fields.path);
            report.error(inline, "conflicting-fields", message, None);
        }
        let name = as_text(report, name, &fields.path_of("indicatorRef"));
        return Some(name.map_or(Reference::Inline(None), Reference::To));
    }
    fields.get("indicator")?;
    Some(Reference::Inline(inline(report, fields, sources)))
}

fn inline(report: &mut Report<'_>, fields: &Fields<'_>, sources: &DataSources<'_>) -> Option<Counted> {
    let fields = fields.map(report, "indicator")?;
    fields.check_known(report, &["apiVersion", "kind", "metadata", "spec"]);
    if fields.get("metadata").is_some() {
        metadata::read(report, &fields, &[]);
    }
    let spec = fields.required_map(report, "spec")?;
    read(report, &spec, sources)
}

/// Reads the spec of an SLI. `None`: an error was reported.
pub(super) fn read(report: &mut Report<'_>, spec: &Fields<'_>, sources: &DataSources<'_>) -> Option<Counted> {
    spec.check_known(report, &["description", "thresholdMetric", "ratioMetric"]);
    spec.description(report);
    if spec.get("thresholdMetric").is_none() {
        let metric = spec.required_map(report, "ratioMetric")?;
        return ratio(report, &metric, sources);
    }
    if let Some(place) = spec.place_of("ratioMetric") {
        let message = format!("{}: expected ratioMetric or thresholdMetric, not both", spec.path);
        report.error(place, "conflicting-fields", message, None);
    }
    let threshold = spec.map(report, "thresholdMetric")?;
    let metric = source::metric(report, &threshold, sources, Role::Threshold)?;
    Some(Counted { what: What::Latency(metric.filter), group_by: metric.group_by })
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
    let total = total.and_then(|total| source::metric(report, &total, sources, Role::Total));
    let good = good.and_then(|good| source::metric(report, &good, sources, Role::Good));
    let bad = bad.and_then(|bad| source::metric(report, &bad, sources, Role::Bad));
    let total = total?;
    let side = match (good, bad) {
        (Some(good), None) => {
            compare(report, &ratio.path, &total, &good, true);
            Side::Good(good.filter)
        }
        (None, Some(bad)) => {
            compare(report, &ratio.path, &total, &bad, false);
            Side::Bad(bad.filter)
        }
        _ => return None,
    };
    let indicator = Indicator { total: total.filter, side };
    Some(Counted { what: What::Ratio(indicator), group_by: total.group_by })
}

/// Warns if good or bad contradicts its total, or follows from it.
fn compare(report: &mut Report<'_>, path: &str, total: &Metric, side: &Metric, good: bool) {
    if report.warns()
        && let Some(finding) = side.within(total, good)
    {
        report.warning(side.place, finding.code, format!("{path}: {}", finding.message), finding.help);
    }
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
