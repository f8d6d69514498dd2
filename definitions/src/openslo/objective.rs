//! `objectives`: targets, how their budgets are counted, and what belongs to threshold metrics and composites.

use super::alerts::Reference;
use super::indicator::{self, Counted};
use super::source::DataSources;
use crate::decimal::MAX_DIGITS;
use crate::definition::{Budgeting, Ratio};
use crate::document::fields::{Fields, Text};
use crate::document::report::{Place, Report};
use crate::document::yaml::Node;
use crate::duration;

/// Most objectives of an SLO.
const MAX_OBJECTIVES: usize = 100;
/// Longest slice, seconds: as long as counts of events are kept.
const MAX_SLICE: i64 = 86_400;
/// Greatest weight, and maximum decimals: so that the mean of a hundred targets stays exact.
const MAX_WEIGHT: Ratio = Ratio { num: 1_000_000, den: 1 };
const WEIGHT_DENOMINATOR: u64 = 1_000_000;
const OPERATORS: [&str; 4] = ["gt", "gte", "lt", "lte"];
const FIELDS: [&str; 10] = [
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
];

/// An objective as written; what has an error, which is reported, is `None`.
pub(super) struct Draft<'n> {
    /// displayName, or the index.
    pub(super) name: String,
    /// Where to mark it: its target, else the whole.
    pub(super) place: Place,
    pub(super) target: Option<Ratio>,
    pub(super) budgeting: Option<Budgeting>,
    pub(super) op: Option<Text<'n>>,
    pub(super) value: Option<(Ratio, Place)>,
    pub(super) own: Option<Reference<'n, Counted>>,
    /// `None` if the document has none.
    pub(super) weight: Option<Ratio>,
    pub(super) fields: Fields<'n>,
}

/// How a budget is counted, as far as it decides which fields an objective has.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Method {
    Occurrences,
    Timeslices,
    RatioTimeslices,
    Unreadable,
}

/// Reads `budgetingMethod`.
pub(super) fn method(report: &mut Report<'_>, spec: &Fields<'_>) -> Method {
    let words = ["Occurrences", "Timeslices", "RatioTimeslices"];
    match spec.required_word(report, "budgetingMethod", &words).map(|text| text.value) {
        Some("Occurrences") => Method::Occurrences,
        Some("Timeslices") => Method::Timeslices,
        Some("RatioTimeslices") => Method::RatioTimeslices,
        _ => Method::Unreadable,
    }
}

/// Reads the objectives of an SLO.
pub(super) fn read<'n>(
    report: &mut Report<'_>,
    spec: &Fields<'n>,
    method: Method,
    sources: &DataSources<'_>,
) -> Vec<Draft<'n>> {
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
    let mut drafts: Vec<Draft<'n>> = Vec::new();
    for (index, item) in items.iter().take(MAX_OBJECTIVES).enumerate() {
        let at = format!("{path}[{index}]");
        let Some(draft) = objective(report, item, &at, index, method, sources) else { continue };
        if drafts.iter().any(|known| known.name == draft.name) {
            let message = format!("{at}: two objectives are named `{}`", draft.name);
            let help =
                "give each its own displayName: without one, an objective is named by its position, `0`, `1`, ...";
            report.error(draft.place, "duplicate-name", message, Some(help.to_owned()));
        }
        drafts.push(draft);
    }
    drafts
}

fn objective<'n>(
    report: &mut Report<'_>,
    item: &'n Node,
    path: &str,
    index: usize,
    method: Method,
    sources: &DataSources<'_>,
) -> Option<Draft<'n>> {
    let fields = Fields::of(report, item, path)?;
    fields.check_known(report, &FIELDS);
    let name = fields.text(report, "displayName").map(|text| text.value).filter(|name| !name.is_empty());
    let op = fields.word(report, "op", &OPERATORS);
    let value = fields.number(report, "value");
    let budgeting = budgeting(report, &fields, method);
    let own = indicator::optional(report, &fields, sources);
    let weight = weight(report, &fields);
    let target = target(report, &fields);
    Some(Draft {
        name: name.map_or_else(|| index.to_string(), str::to_owned),
        place: target.map_or(fields.place, |(_, place)| place),
        target: target.map(|(target, _)| target),
        budgeting,
        op,
        value,
        own,
        weight,
        fields,
    })
}

/// How the budget is counted, from the fields of time slices: needed by the methods that have them, without meaning in
/// others.
fn budgeting(report: &mut Report<'_>, fields: &Fields<'_>, method: Method) -> Option<Budgeting> {
    let (needed, other): (&[&str], &[&str]) = match method {
        Method::Timeslices => (&["timeSliceTarget", "timeSliceWindow"], &[]),
        Method::RatioTimeslices => (&["timeSliceWindow"], &["timeSliceTarget"]),
        Method::Occurrences => (&[], &["timeSliceTarget", "timeSliceWindow"]),
        Method::Unreadable => (&[], &[]),
    };
    for field in needed.iter().filter(|field| fields.get(field).is_none()) {
        let help = match *field {
            "timeSliceWindow" => "the length of a slice: write `timeSliceWindow: 1m`",
            _ => "the minimum share of good requests in a good slice: write `timeSliceTarget: 0.95`",
        };
        fields.missing(report, field, Some(help.to_owned()));
    }
    for field in other {
        if let Some(node) = fields.get(field) {
            let name = if method == Method::Occurrences { "Occurrences" } else { "RatioTimeslices" };
            let message = format!("{} has no meaning with {name}: it is ignored", fields.path_of(field));
            report.warning(node.place, "no-meaning", message, None);
        }
    }
    match method {
        Method::Occurrences => Some(Budgeting::Occurrences),
        Method::Timeslices => {
            let (target, seconds) = (slice_target(report, fields), slice_window(report, fields));
            Some(Budgeting::Timeslices { seconds: seconds?, target: target? })
        }
        Method::RatioTimeslices => Some(Budgeting::RatioTimeslices { seconds: slice_window(report, fields)? }),
        Method::Unreadable => None,
    }
}

fn slice_target(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<Ratio> {
    let (target, place) = fields.number(report, "timeSliceTarget")?;
    if target.num > 0 && target.num <= target.den {
        return Some(target);
    }
    let value = target.as_f64();
    let path = fields.path_of("timeSliceTarget");
    let message = format!("{path}: expected a number above 0 and at most 1, found {value}");
    let help = if value > 1.0 && value <= 100.0 {
        let share = target.checked_mul(Ratio { num: 1, den: 100 }).and_then(Ratio::to_decimal);
        share.map(|share| format!("write {share} for {value} %"))
    } else {
        Some("it is the minimum share of good requests in a good slice, such as 0.95".to_owned())
    };
    report.error(place, "invalid-slice-target", message, help);
    None
}

/// A duration, or a number of minutes.
fn slice_window(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<i64> {
    let (seconds, place) = match fields.plain_number("timeSliceWindow") {
        Some(_) => {
            let (minutes, place) = fields.number(report, "timeSliceWindow")?;
            if minutes.den != 1 {
                let path = fields.path_of("timeSliceWindow");
                let message = format!("{path}: slices of a part of a minute are not supported");
                report.error(place, "unsupported-slice-length", message, Some("write `1m`".to_owned()));
                return None;
            }
            (i64::try_from(minutes.num).unwrap_or(i64::MAX).saturating_mul(60), place)
        }
        None => fields.duration(report, "timeSliceWindow")?,
    };
    let path = fields.path_of("timeSliceWindow");
    if seconds == 0 {
        report.error(place, "invalid-duration", format!("{path}: expected a duration above 0"), None);
    }
    if seconds > MAX_SLICE {
        let message = format!("{path}: slices longer than {} are not supported", duration::format(MAX_SLICE));
        let help = Some("most time-slice SLOs use one minute: `1m`".to_owned());
        report.error(place, "unsupported-slice-length", message, help);
    }
    (1..=MAX_SLICE).contains(&seconds).then_some(seconds)
}

fn weight(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<Ratio> {
    let (weight, place) = fields.number(report, "compositeWeight")?;
    let path = fields.path_of("compositeWeight");
    if weight.num == 0 {
        let help = Some("leave out an objective that does not count".to_owned());
        report.error(place, "invalid-weight", format!("{path}: expected a number above 0"), help);
    } else if weight.compare(MAX_WEIGHT).is_gt() || !WEIGHT_DENOMINATOR.is_multiple_of(weight.den) {
        let message = format!("{path}: expected at most 1,000,000, with at most 6 decimals");
        report.error(place, "unsupported-weight", message, Some("only the ratios of the weights matter".to_owned()));
    }
    Some(weight)
}

/// The exact target, from `target` or `targetPercent`.
fn target(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<(Ratio, Place)> {
    let hundredth = Ratio { num: 1, den: 100 };
    let share = fields.number(report, "target");
    let percent = fields.number(report, "targetPercent");
    let from_percent = percent.and_then(|(percent, place)| Some((percent.checked_mul(hundredth)?, place)));
    match (share, from_percent) {
        (Some((share, _)), Some((percent, place))) => {
            let message = format!("{}: target and targetPercent are both set", fields.path);
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
    if let Some((written, place)) = percent.filter(|(percent, _)| percent.num != 0 && percent.num < percent.den) {
        let written = written.as_f64();
        let message = format!("{}: {written} means {written} %, less than 1 %", fields.path_of("targetPercent"));
        report.warning(place, "tiny-target", message, Some(format!("a share is written `target: {written}`")));
    }
    let name = if share.is_some() { "target" } else { "targetPercent" };
    let (target, place) = share.or(from_percent)?;
    check_target(report, target, place, &fields.path_of(name)).then_some((target, place))
}

fn check_target(report: &mut Report<'_>, target: Ratio, place: Place, path: &str) -> bool {
    if target.num == 0 {
        let message = format!("{path}: a target of 0 is not supported: it could never be missed");
        report.error(place, "unsupported-target", message, None);
        return false;
    }
    if target.to_decimal().is_none() {
        let message = format!("{path}: expected at most {MAX_DIGITS} digits after the point, as a share");
        report.error(place, "invalid-number", message, None);
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
