//! The SLO document: service, indicator, window, objectives, alert policies; references are still names.

use super::alerts::{self, Policy, Reference, reference};
use super::indicator::{self, Counted};
use super::metadata::{self, Metadata};
use super::objective::{self, Method};
use super::source::DataSources;
use super::window;
use crate::definition::{COMPOSITE, Window};
use crate::document::fields::{Fields, Text, as_text};
use crate::document::report::{Place, Report};
use crate::document::yaml::{Node, Value};

const FIELDS: [&str; 8] = [
    "description",
    "service",
    "indicator",
    "indicatorRef",
    "timeWindow",
    "budgetingMethod",
    "objectives",
    "alertPolicies",
];
/// Most alert policies of an SLO.
const MAX_POLICIES: usize = 100;

/// An SLO as written; what has an error, which is reported, is `None`.
pub(super) struct Draft<'n> {
    pub(super) metadata: Option<Metadata<'n>>,
    pub(super) service: Option<Text<'n>>,
    pub(super) description: String,
    pub(super) window: Option<Window>,
    pub(super) indicator: Option<Reference<'n, Counted>>,
    pub(super) objectives: Vec<objective::Draft<'n>>,
    pub(super) policies: Vec<(Place, Reference<'n, Policy<'n>>)>,
    /// Whether the objectives make one composite.
    pub(super) composite: bool,
    /// Whether it has no errors itself.
    pub(super) sound: bool,
}

/// Reads an SLO. `None` if it has no spec. One with errors is returned nevertheless, so that those of its references are
/// reported too.
pub(super) fn read<'n>(report: &mut Report<'_>, object: &Fields<'n>, sources: &DataSources<'_>) -> Option<Draft<'n>> {
    let errors = report.errors();
    let metadata = metadata::read(report, object, &[]);
    let spec = object.required_map(report, "spec")?;
    spec.check_known(report, &FIELDS);
    let description = spec.description(report).unwrap_or_default();
    let service = spec.required_text(report, "service");
    let method = objective::method(report, &spec);
    let objectives = objective::read(report, &spec, method, sources);
    let window = window::read(report, &spec);
    let indicator = indicator(report, &spec, &objectives, sources);
    let policies = policies(report, &spec);
    check_slices(report, &window, &objectives, method);
    let composite = objectives.iter().any(|objective| objective.own.is_some() || objective.weight.is_some());
    for objective in objectives.iter().filter(|objective| composite && objective.name == COMPOSITE) {
        let path = objective.fields.path_of("displayName");
        let message = format!("{path}: `{COMPOSITE}` is reserved for the composite of all objectives");
        report.error(objective.place, "reserved-name", message, Some("choose another name".to_owned()));
    }
    Some(Draft {
        metadata,
        service,
        description,
        window,
        indicator,
        composite,
        objectives,
        policies,
        sound: report.errors() == errors,
    })
}

/// The indicator of the SLO, which objectives may override.
fn indicator<'n>(
    report: &mut Report<'_>,
    spec: &Fields<'n>,
    objectives: &[objective::Draft<'n>],
    sources: &DataSources<'_>,
) -> Option<Reference<'n, Counted>> {
    let shared = indicator::optional(report, spec, sources);
    check_counter(report, spec, objectives, &shared);
    let (own, without): (Vec<_>, Vec<_>) = objectives.iter().partition(|objective| objective.own.is_some());
    if shared.is_some() {
        if let Some(place) = spec.place_of("indicator").or(spec.place_of("indicatorRef"))
            && without.is_empty()
            && !own.is_empty()
        {
            let message = format!("{}: the indicator has no meaning: every objective has its own", spec.path);
            report.warning(place, "no-meaning", message, None);
        }
    } else if own.is_empty() {
        spec.required(report, "indicator");
    } else {
        for objective in without {
            let help = Some("give each objective its own, or the SLO one for those without".to_owned());
            objective.fields.missing(report, "indicator", help);
        }
    }
    shared
}

/// Neither authority on OpenSLO takes an `op` at a ratio without `counter`: one wants no op, the other a counter. Said of
/// a ratio that is refused anyway; of ours nothing depends on either.
fn check_counter(
    report: &mut Report<'_>,
    spec: &Fields<'_>,
    objectives: &[objective::Draft<'_>],
    shared: &Option<Reference<'_, Counted>>,
) {
    let Some(ratio) = spec.inner(&["indicator", "spec", "ratioMetric"]) else { return };
    let ops: Vec<_> = objectives.iter().filter_map(|objective| objective.op).collect();
    if ops.is_empty() || ratio.get("counter").is_some() || !matches!(shared, Some(Reference::Inline(None))) {
        return;
    }
    for op in ops {
        let message = "op has no meaning for a ratio".to_owned();
        report.warning(op.place, "no-meaning", message, Some("leave it out".to_owned()));
    }
    ratio.missing(report, "counter", Some("write `counter: true`: requests are counted".to_owned()));
}

/// A slice must fit into the window.
fn check_slices(report: &mut Report<'_>, window: &Option<Window>, objectives: &[objective::Draft<'_>], method: Method) {
    let Some(window) = window.as_ref().filter(|_| method != Method::Occurrences) else { return };
    for objective in objectives {
        let Some(slice) = objective.budgeting.and_then(|budgeting| budgeting.slice()) else { continue };
        if slice > window.nominal_seconds() {
            let path = objective.fields.path_of("timeSliceWindow");
            let place = objective.fields.get("timeSliceWindow").map_or(objective.place, |node| node.place);
            let message = format!("{path}: a slice is longer than the SLO's window");
            report.error(
                place,
                "slice-beyond-window",
                message,
                Some("a window must contain many slices: write 1m".to_owned()),
            );
        }
    }
}

/// alertPolicies: names, references, objects in place, or null.
fn policies<'n>(report: &mut Report<'_>, spec: &Fields<'n>) -> Vec<(Place, Reference<'n, Policy<'n>>)> {
    let items = spec.list(report, "alertPolicies").unwrap_or_default();
    let path = spec.path_of("alertPolicies");
    // A log may hold more: former versions took them.
    let most = if report.warns() { MAX_POLICIES } else { usize::MAX };
    if let Some(item) = items.get(most) {
        let message = format!("{path}: expected at most {MAX_POLICIES}, found {}", items.len());
        report.error(item.place, "unsupported-number-of-alert-policies", message, None);
    }
    items
        .iter()
        .take(most)
        .enumerate()
        .filter_map(|(index, item)| Some((item.place, policy(report, item, &format!("{path}[{index}]"))?)))
        .collect()
}

fn policy<'n>(report: &mut Report<'_>, item: &'n Node, path: &str) -> Option<Reference<'n, Policy<'n>>> {
    if matches!(item.value, Value::Scalar(_)) {
        return as_text(report, item, path).map(Reference::To);
    }
    let fields = Fields::of(report, item, path)?;
    if let Some(name) = reference(report, &fields, "alertPolicyRef") {
        fields.check_known(report, &["alertPolicyRef", "spec"]);
        return name.map(Reference::To);
    }
    fields.check_known(report, &["apiVersion", "kind", "metadata", "spec"]);
    fields.required_word(report, "kind", &["AlertPolicy"]);
    Some(Reference::Inline(alerts::policy(report, &fields)))
}
