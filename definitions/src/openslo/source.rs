//! `metricSource`: a filter over the events of Slipstream; sources of other tools are refused with the filter one would
//! write here.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::foreign;
use super::group_by;
use crate::definition::GroupKey;
use crate::document::fields::{Fields, Text, as_written, described};
use crate::document::place_in;
use crate::document::report::{Place, Report};
use crate::document::yaml::{Node, Value};
use crate::filter::{Filter, FilterError, Finding};

/// The metric source type that means events of Slipstream, in any case.
const SOURCE_TYPE: &str = "slipstream";
/// The only metric that a threshold is for.
const LATENCY: &str = "latency_ms";

/// What metric sources anywhere in a set may refer to, and the filters that were met.
pub(super) struct DataSources<'n> {
    /// Types of the data sources by name.
    types: BTreeMap<&'n str, &'n str>,
    /// By their text, because most are written many times in a set.
    filters: RefCell<HashMap<String, Rc<Checked>>>,
    /// Whether they are looked through for what deserves a warning.
    warns: bool,
}

/// A filter and what deserves a warning, or what is wrong with it.
type Checked = Result<(Filter, Vec<Finding>), Vec<FilterError>>;

impl<'n> DataSources<'n> {
    pub(super) fn new(types: BTreeMap<&'n str, &'n str>, warns: bool) -> DataSources<'n> {
        DataSources { types, filters: RefCell::default(), warns }
    }

    fn filter(&self, text: &str) -> Rc<Checked> {
        let mut filters = self.filters.borrow_mut();
        if let Some(known) = filters.get(text) {
            return Rc::clone(known);
        }
        let checked =
            if self.warns { Filter::checked(text) } else { Filter::compile(text).map(|filter| (filter, Vec::new())) };
        let checked = Rc::new(checked);
        filters.insert(text.to_owned(), Rc::clone(&checked));
        checked
    }
}

/// What a metric is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Good,
    Bad,
    Total,
    /// The events whose latency is compared.
    Threshold,
}

/// A Slipstream metric: a filter, and, for a total, the dimensions.
pub(super) struct Metric {
    pub(super) filter: String,
    checked: Rc<Checked>,
    /// Where the filter is, or should be.
    pub(super) place: Place,
    pub(super) group_by: Vec<GroupKey>,
}

impl Metric {
    /// What deserves a warning about it as the good (else the bad) side of `total`.
    pub(super) fn within(&self, total: &Metric, good: bool) -> Option<Finding> {
        let (Ok((side, _)), Ok((total, _))) = (self.checked.as_ref(), total.checked.as_ref()) else { return None };
        side.within(total, good)
    }
}

/// Reads a metric: `{metricSource: {type, metricSourceRef, spec}}`. `None`: an error was reported.
pub(super) fn metric(
    report: &mut Report<'_>,
    metric: &Fields<'_>,
    sources: &DataSources<'_>,
    role: Role,
) -> Option<Metric> {
    metric.check_known(report, &["metricSource"]);
    let source = metric.required_map(report, "metricSource")?;
    source.check_known(report, &["type", "metricSourceRef", "spec"]);
    let reference = source.text(report, "metricSourceRef");
    let written = source.text(report, "type");
    let spec = source.required_map(report, "spec");
    let from_reference = || reference.and_then(|reference| sources.types.get(reference.value).copied());
    let kind = written.map(|text| text.value).or_else(from_reference);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case(SOURCE_TYPE)) {
        refuse_source(report, &source, written, reference, role);
        return None;
    }
    ours(report, &spec?, sources, role)
}

fn ours(report: &mut Report<'_>, spec: &Fields<'_>, sources: &DataSources<'_>, role: Role) -> Option<Metric> {
    let errors = report.errors();
    if role == Role::Threshold {
        spec.check_ours(report, &["metric", "filter", "groupBy"]);
        threshold_metric(report, spec);
    } else {
        spec.check_ours(report, &["filter", "groupBy"]);
    }
    let filter = match spec.get("filter") {
        Some(node) => filter(report, node, &spec.path_of("filter"), sources),
        None => Some(("true".to_owned(), sources.filter("true"))),
    };
    let group_by = group_by::read(report, spec, matches!(role, Role::Total | Role::Threshold));
    let place = spec.get("filter").map_or(spec.place, |node| node.place);
    let (filter, checked) = filter?;
    (report.errors() == errors).then_some(Metric { filter, checked, place, group_by })
}

fn threshold_metric(report: &mut Report<'_>, spec: &Fields<'_>) {
    let Some(metric) = spec.text(report, "metric").filter(|metric| metric.value != LATENCY) else { return };
    let message = format!("{}: thresholds on `{}` are not supported", spec.path_of("metric"), metric.value);
    let help = format!("write `metric: {LATENCY}`, or a ratioMetric with a filter for the good events");
    report.error(metric.place, "unsupported-threshold-metric", message, Some(help));
}

fn refuse_source(
    report: &mut Report<'_>,
    source: &Fields<'_>,
    kind: Option<Text<'_>>,
    reference: Option<Text<'_>>,
    role: Role,
) {
    let (place, message) = match (kind, reference) {
        (Some(kind), _) => {
            (kind.place, format!("{}: metrics of `{}` are not supported", source.path_of("type"), kind.value))
        }
        (None, Some(reference)) => {
            let message = format!("{}: `{}` is not a data source of Slipstream", source.path, reference.value);
            (reference.place, message)
        }
        (None, None) => (source.place, format!("{}: the type is missing", source.path)),
    };
    report.error(place, "unsupported-metric-source", message, Some(foreign::instead(source, role)));
}

fn filter(
    report: &mut Report<'_>,
    node: &Node,
    path: &str,
    sources: &DataSources<'_>,
) -> Option<(String, Rc<Checked>)> {
    let text = as_written(report, node, path)?;
    let checked = sources.filter(text.value);
    match checked.as_ref() {
        Ok((_, findings)) => {
            for finding in findings {
                let place = place_in(report, text, finding.start, finding.width);
                report.warning(place, finding.code, format!("{path}: {}", finding.message), finding.help.clone());
            }
            Some((text.value.trim().to_owned(), checked))
        }
        Err(errors) => {
            for error in errors {
                let place = place_in(report, text, error.start, error.width);
                report.error(place, error.code, format!("{path}: {}", error.message), error.help.clone());
            }
            None
        }
    }
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
