//! The SLO document: service, indicator, window, objectives, alert policies; references are still names.

use super::alerts::{self, Policy, Reference, check_window, reference};
use super::fields::{Fields, Text, as_text};
use super::indicator::{self, Counted, DataSources};
use super::metadata::{self, Metadata};
use super::report::{Place, Report};
use super::yaml::{Node, Value};
use crate::definition::Ratio;
use crate::duration;

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
/// Longest window, seconds: what rings reach.
pub(super) const MAX_WINDOW: i64 = 90 * 86_400;
/// The period where a document names none, seconds.
const DEFAULT_PERIOD: i64 = 30 * 86_400;
/// Most objectives of an SLO.
const MAX_OBJECTIVES: usize = 100;

/// An SLO as written.
#[derive(Debug)]
pub(super) struct Draft<'n> {
    pub(super) metadata: Metadata<'n>,
    pub(super) service: Text<'n>,
    pub(super) description: String,
    pub(super) period: i64,
    pub(super) objectives: Vec<Target>,
}

/// What an SLO refers to, or has in place.
#[derive(Debug)]
pub(super) struct References<'n> {
    pub(super) indicator: Option<Reference<'n, Counted>>,
    pub(super) policies: Vec<(Place, Reference<'n, Policy<'n>>)>,
}

/// An objective as written.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) target: Ratio,
    pub(super) place: Place,
}

/// Reads an SLO. No draft: it has errors. Its references are there all the same, so that theirs are reported too.
pub(super) fn read<'n>(
    report: &mut Report<'_>,
    object: &Fields<'n>,
    sources: &DataSources<'_>,
) -> (Option<Draft<'n>>, References<'n>) {
    let errors = report.errors();
    let metadata = metadata::read(report, object, &[]);
    let mut references = References { indicator: None, policies: Vec::new() };
    let Some(spec) = object.required_map(report, "spec") else { return (None, references) };
    spec.check_known(report, &FIELDS);
    let description = spec.description(report).unwrap_or_default();
    let service = spec.required_text(report, "service");
    let method = method(report, &spec);
    let objectives = objectives(report, &spec, method);
    let period = period(report, &spec);
    references.indicator = indicator(report, &spec, sources);
    references.policies = policies(report, &spec);
    let draft = match (metadata, service, period) {
        (Some(metadata), Some(service), Some(period)) if report.errors() == errors => {
            Some(Draft { metadata, service, description, period, objectives })
        }
        _ => None,
    };
    (draft, references)
}

/// How a budget is counted, as far as it decides which fields an objective has.
#[derive(Clone, Copy, PartialEq)]
enum Method {
    Occurrences,
    Timeslices,
    RatioTimeslices,
    Unreadable,
}

fn method(report: &mut Report<'_>, spec: &Fields<'_>) -> Method {
    let words = ["Occurrences", "Timeslices", "RatioTimeslices"];
    let Some(text) = spec.required_word(report, "budgetingMethod", &words) else { return Method::Unreadable };
    let method = match text.value {
        "Occurrences" => return Method::Occurrences,
        "Timeslices" => Method::Timeslices,
        _ => Method::RatioTimeslices,
    };
    let message = format!("{}: `{}` is not supported", spec.path_of("budgetingMethod"), text.value);
    let help = Some("write `Occurrences`: the budget is a share of the requests".to_owned());
    report.error(text.place, "unsupported-budgeting-method", message, help);
    method
}

fn indicator<'n>(
    report: &mut Report<'_>,
    spec: &Fields<'n>,
    sources: &DataSources<'_>,
) -> Option<Reference<'n, Counted>> {
    if let Some(name) = spec.get("indicatorRef") {
        if let Some(inline) = spec.place_of("indicator") {
            let message = format!("{}: expected indicator or indicatorRef, not both", spec.path);
            report.error(inline, "conflicting-fields", message, None);
        }
        return as_text(report, name, &spec.path_of("indicatorRef")).map(Reference::To);
    }
    if spec.get("indicator").is_none() && has_composite_objectives(spec) {
        // Refused at the objectives.
        return None;
    }
    let fields = spec.required_map(report, "indicator")?;
    fields.check_known(report, &["apiVersion", "kind", "metadata", "spec"]);
    if fields.get("metadata").is_some() {
        metadata::read(report, &fields, &[]);
    }
    let inner = fields.required_map(report, "spec")?;
    Some(Reference::Inline(indicator::read(report, &inner, sources)))
}

fn has_composite_objectives(spec: &Fields<'_>) -> bool {
    let Some(Value::List(items)) = spec.get("objectives").map(|node| &node.value) else { return false };
    items.iter().any(|item| match &item.value {
        Value::Map(entries) => entries.iter().any(|(key, _)| key.text == "indicator" || key.text == "indicatorRef"),
        _ => false,
    })
}

fn period(report: &mut Report<'_>, spec: &Fields<'_>) -> Option<i64> {
    let path = spec.path_of("timeWindow");
    let items = match spec.get("timeWindow") {
        Some(_) => spec.list(report, "timeWindow")?,
        None => &[],
    };
    let Some(item) = items.first() else {
        let place = spec.place_of("timeWindow").unwrap_or(spec.place);
        let help = Some("write `timeWindow: [{duration: 30d, isRolling: true}]`".to_owned());
        report.warning(place, "assumed-window", format!("{path} is missing: taken as 30d, rolling"), help);
        return Some(DEFAULT_PERIOD);
    };
    if let Some(second) = items.get(1) {
        report.error(
            second.place,
            "invalid-value",
            format!("{path}: expected one window, found {}", items.len()),
            None,
        );
    }
    let fields = Fields::of(report, item, &format!("{path}[0]"))?;
    window(report, &fields)
}

fn window(report: &mut Report<'_>, window: &Fields<'_>) -> Option<i64> {
    window.check_known(report, &["duration", "isRolling", "calendar"]);
    window.required(report, "duration")?;
    let duration = window.duration(report, "duration");
    let rolling = window.truth(report, "isRolling");
    if let Some(calendar) = window.map(report, "calendar") {
        calendar.check_known(report, &["startTime", "timeZone"]);
        calendar.required_text(report, "startTime");
        calendar.required_text(report, "timeZone");
        let place = window.place_of("calendar").unwrap_or(window.place);
        let message = format!("{}: calendar windows are not supported", window.path);
        let help = Some("write a rolling window: `duration: 30d`, `isRolling: true`".to_owned());
        report.error(place, "unsupported-calendar-window", message, help);
        return None;
    }
    match rolling {
        Some(false) => {
            let help = Some("a rolling window has `isRolling: true`".to_owned());
            report.error(window.place, "missing-field", format!("{} is required", window.path_of("calendar")), help);
            return None;
        }
        None if window.get("isRolling").is_none() => {
            let message = format!("{} is missing: taken as true", window.path_of("isRolling"));
            report.warning(window.place, "assumed-window", message, None);
        }
        _ => {}
    }
    let (seconds, place) = duration?;
    check_window(report, seconds, place, &window.path_of("duration")).then_some(seconds)
}

fn objectives(report: &mut Report<'_>, spec: &Fields<'_>, method: Method) -> Vec<Target> {
    let path = spec.path_of("objectives");
    let items = match spec.get("objectives") {
        Some(_) => match spec.list(report, "objectives") {
            Some(items) => items,
            None => return Vec::new(),
        },
        None => &[],
    };
    if items.is_empty() || items.len() > MAX_OBJECTIVES {
        let place = spec.place_of("objectives").unwrap_or(spec.place);
        let message = format!("{path}: expected 1 to {MAX_OBJECTIVES} objectives, found {}", items.len());
        let help = items.is_empty().then(|| "write `objectives: [{target: 0.995}]`".to_owned());
        report.error(place, "unsupported-number-of-objectives", message, help);
    }
    let mut targets: Vec<Target> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(fields) = Fields::of(report, item, &format!("{path}[{index}]")) else { continue };
        let Some(target) = objective(report, &fields, method, index) else { continue };
        if targets.iter().any(|known| known.name == target.name) {
            let message = format!("{}: two objectives are called `{}`", fields.path, target.name);
            report.error(target.place, "duplicate-name", message, Some("give each its own displayName".to_owned()));
        }
        targets.push(target);
    }
    targets
}

fn objective(report: &mut Report<'_>, fields: &Fields<'_>, method: Method, index: usize) -> Option<Target> {
    fields.check_known(
        report,
        &[
            "displayName",
            "op",
            "value",
            "target",
            "targetPercent",
            "timeSliceTarget",
            "timeSliceWindow",
            "indicator",
            "indicatorRef",
            "compositeWeight",
        ],
    );
    let name = fields.text(report, "displayName").map(|text| text.value).filter(|name| !name.is_empty());
    fields.word(report, "op", &["gt", "gte", "lt", "lte"]);
    fields.number(report, "value");
    for field in ["op", "value"] {
        if let Some(node) = fields.get(field) {
            let message = format!("{} has no meaning for a ratio: it is ignored", fields.path_of(field));
            report.warning(node.place, "no-meaning", message, None);
        }
    }
    time_slices(report, fields, method);
    for field in ["indicator", "indicatorRef", "compositeWeight"] {
        if let Some(place) = fields.place_of(field) {
            let message = format!("{}: composite SLOs are not supported", fields.path_of(field));
            let help = Some("write an SLO for each indicator".to_owned());
            report.error(place, "unsupported-composite", message, help);
        }
    }
    let (target, place) = target(report, fields)?;
    Some(Target { name: name.map_or_else(|| index.to_string(), str::to_owned), target, place })
}

/// The fields of time slices: needed by the methods that have them, without meaning in others.
fn time_slices(report: &mut Report<'_>, fields: &Fields<'_>, method: Method) {
    let needed: &[&str] = match method {
        Method::Timeslices => &["timeSliceTarget", "timeSliceWindow"],
        Method::RatioTimeslices => &["timeSliceWindow"],
        Method::Occurrences | Method::Unreadable => &[],
    };
    for field in needed {
        fields.required(report, field);
    }
    for field in ["timeSliceTarget", "timeSliceWindow"] {
        if let Some(node) = fields.get(field).filter(|_| method == Method::Occurrences) {
            let message = format!("{} has no meaning with Occurrences: it is ignored", fields.path_of(field));
            report.warning(node.place, "no-meaning", message, None);
        }
    }
}

/// The exact target, from `target` or `targetPercent`.
fn target(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<(Ratio, Place)> {
    let hundredth = Ratio { num: 1, den: 100 };
    let share = fields.number(report, "target");
    let percent = fields.number(report, "targetPercent");
    let from_percent = percent.and_then(|(percent, place)| Some((percent.checked_mul(hundredth)?, place)));
    match (share, from_percent) {
        (Some((share, _)), Some((percent, place))) => {
            let message = format!("{}: target and targetPercent are both there", fields.path);
            if share == percent {
                report.warning(place, "no-meaning", message, Some("leave one out".to_owned()));
            } else {
                report.error(place, "conflicting-fields", message, Some("leave one out".to_owned()));
            }
        }
        (None, None) if fields.get("target").is_none() && fields.get("targetPercent").is_none() => {
            fields.missing(report, "target", Some("write `target: 0.995`, or `targetPercent: 99.5`".to_owned()));
        }
        _ => {}
    }
    let name = if share.is_some() { "target" } else { "targetPercent" };
    let (target, place) = share.or(from_percent)?;
    check_target(report, target, place, &fields.path_of(name)).then_some((target, place))
}

fn check_target(report: &mut Report<'_>, target: Ratio, place: Place, path: &str) -> bool {
    if target.num == 0 {
        let message = format!("{path}: a target of 0 is not supported: nothing could break it");
        report.error(place, "unsupported-target", message, None);
        return false;
    }
    if target.num < target.den {
        return true;
    }
    let (bounds, written) = if path.ends_with("targetPercent") { ("0 and 100", 100.0) } else { ("0 and 1", 1.0) };
    let value = target.as_f64() * written;
    let message = format!("{path}: expected a number between {bounds}, both excluded, found {value}");
    let help = if target.num == target.den {
        "a target of 100 % leaves no budget: write 0.999".to_owned()
    } else if written == 1.0 && value < 100.0 {
        format!("write `targetPercent: {value}`")
    } else {
        "write 0.995 for 99.5 %".to_owned()
    };
    report.error(place, "invalid-target", message, Some(help));
    false
}

/// alertPolicies: names, references, objects in place, or null.
fn policies<'n>(report: &mut Report<'_>, spec: &Fields<'n>) -> Vec<(Place, Reference<'n, Policy<'n>>)> {
    let items = spec.list(report, "alertPolicies").unwrap_or_default();
    let path = spec.path_of("alertPolicies");
    items
        .iter()
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

/// Warns where a rule's window is longer than the period of the budget it guards.
pub(super) fn check_against_period(report: &mut Report<'_>, long: i64, period: i64, place: Place, rule: &str) {
    if long > period {
        let message = format!(
            "alert policy `{rule}`: its window of {} is longer than the SLO's of {}",
            duration::format(long),
            duration::format(period)
        );
        report.warning(place, "window-beyond-period", message, None);
    }
}
