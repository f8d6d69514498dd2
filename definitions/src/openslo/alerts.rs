//! AlertPolicy and AlertCondition: burn-rate rules from a document.
//!
//! OpenSLO has one look-back window per condition. What it has no field for is annotations, on the condition or on its
//! policy, so files stay valid OpenSLO:
//! - `slipstream.dev/short-window`: the short window (default: a twelfth of the look-back, at least 1m);
//! - `slipstream.dev/keep-firing-for`: how long an alert keeps firing after the condition ends (default: not at all);
//! - `slipstream.dev/min-requests`: fewest requests in the look-back window for the condition to hold (default: 1);
//! - `slipstream.dev/inhibits`: what the alert holds back while it fires (default: nothing).
//!
//! The durations of these annotations may be in seconds (`30s`).

use super::metadata::{self, Metadata, OURS};
use super::rule::check_template;
use crate::definition::{Condition, Ratio, Rule, Severity};
use crate::document::fields::{Fields, Text};
use crate::document::report::{Place, Report};
use crate::duration;
use crate::inhibits::{self, Inhibits};
use crate::policy::BURN_RULE_SET;

pub(super) const SHORT_WINDOW: &str = "short-window";
pub(super) const KEEP_FIRING_FOR: &str = "keep-firing-for";
pub(super) const MIN_REQUESTS: &str = "min-requests";
const ANNOTATIONS: [&str; 4] = [SHORT_WINDOW, KEEP_FIRING_FOR, MIN_REQUESTS, INHIBITS];
/// [`inhibits::ANNOTATION`] without the prefix.
const INHIBITS: &str = "inhibits";

const OPERATORS: [&str; 4] = ["gt", "gte", "lt", "lte"];
/// Longest window, seconds: what rings reach.
const MAX_WINDOW: i64 = 90 * 86_400;
/// Least short window by default, seconds.
const MIN_SHORT: i64 = 60;

/// An object, or the name of one.
#[derive(Debug, Clone)]
pub(super) enum Reference<'n, T> {
    /// Written in place; `None`: it has errors.
    Inline(Option<T>),
    To(Text<'n>),
}

/// An AlertPolicy.
#[derive(Debug, Clone)]
pub(super) struct Policy<'n> {
    metadata: Metadata<'n>,
    description: Option<String>,
    pub(super) condition: Reference<'n, AlertCondition<'n>>,
}

/// An AlertCondition.
#[derive(Debug, Clone)]
pub(super) struct AlertCondition<'n> {
    metadata: Metadata<'n>,
    description: Option<String>,
    severity: String,
    threshold: Ratio,
    lookback: i64,
    wait: i64,
}

/// Reads an AlertPolicy, as a document or inline. `None`: it has errors.
pub(super) fn policy<'n>(report: &mut Report<'_>, object: &Fields<'n>) -> Option<Policy<'n>> {
    let errors = report.errors();
    let metadata = metadata::read(report, object, &ANNOTATIONS);
    let spec = object.required_map(report, "spec")?;
    spec.check_known(
        report,
        &[
            "description",
            "alertWhenNoData",
            "alertWhenBreaching",
            "alertWhenResolved",
            "conditions",
            "notificationTargets",
        ],
    );
    let description = described(report, &spec);
    when(report, &spec);
    let condition = condition_of(report, &spec);
    targets(report, &spec);
    (report.errors() == errors).then_some(())?;
    Some(Policy { metadata: metadata?, description, condition: condition? })
}

/// The description, which alerts tell with the names in it replaced.
fn described(report: &mut Report<'_>, spec: &Fields<'_>) -> Option<String> {
    if let Some(text) = spec.text(report, "description").filter(|_| report.warns()) {
        check_template(report, text, &spec.path_of("description"));
    }
    spec.description(report)
}

/// alertWhen...: Slipstream alerts on breaching, says when it is over, and has no no-data alert yet.
fn when(report: &mut Report<'_>, spec: &Fields<'_>) {
    let place = |name: &str| spec.get(name).map_or(spec.place, |node| node.place);
    if spec.truth(report, "alertWhenNoData") == Some(true) {
        let message = format!("{}: alerts on missing data are not supported", spec.path_of("alertWhenNoData"));
        report.error(place("alertWhenNoData"), "unsupported-no-data-alert", message, Some("leave it out".to_owned()));
    }
    if spec.truth(report, "alertWhenBreaching") == Some(false) {
        let message = format!("{}: a policy that does not alert is not supported", spec.path_of("alertWhenBreaching"));
        let help = Some("leave the policy out of the SLO's alertPolicies".to_owned());
        report.error(place("alertWhenBreaching"), "unsupported-silent-policy", message, help);
    }
    if spec.truth(report, "alertWhenResolved") == Some(false) {
        let message = format!("{}: the end of an alert is always sent", spec.path_of("alertWhenResolved"));
        report.warning(place("alertWhenResolved"), "no-meaning", message, None);
    }
}

fn condition_of<'n>(report: &mut Report<'_>, spec: &Fields<'n>) -> Option<Reference<'n, AlertCondition<'n>>> {
    let path = spec.path_of("conditions");
    spec.required(report, "conditions")?;
    let items = spec.list(report, "conditions")?;
    let [item] = items else {
        let place = items.get(1).map_or(spec.place_of("conditions").unwrap_or(spec.place), |item| item.place);
        let help = (items.len() > 1).then(|| "write a policy for each and name them all in alertPolicies".to_owned());
        report.error(place, "invalid-value", format!("{path}: expected one condition, found {}", items.len()), help);
        return None;
    };
    let fields = Fields::of(report, item, &format!("{path}[0]"))?;
    if let Some(name) = reference(report, &fields, "conditionRef") {
        return Some(Reference::To(name?));
    }
    fields.check_known(report, &["apiVersion", "kind", "metadata", "spec"]);
    fields.required_word(report, "kind", &["AlertCondition"]);
    Some(Reference::Inline(condition(report, &fields)))
}

/// The name in a reference; the outer `None`: the object is written in place.
pub(super) fn reference<'n>(report: &mut Report<'_>, fields: &Fields<'n>, name: &str) -> Option<Option<Text<'n>>> {
    fields.place_of(name)?;
    if let Some(place) = fields.place_of("spec") {
        let message = format!("{}: expected {name} or an inline object, not both", fields.path);
        report.error(place, "conflicting-fields", message, None);
    }
    Some(fields.required_text(report, name))
}

/// Notification targets are checked and otherwise not used: receivers belong to the configuration.
fn targets(report: &mut Report<'_>, spec: &Fields<'_>) {
    if spec.required(report, "notificationTargets").is_none() {
        return;
    }
    let path = spec.path_of("notificationTargets");
    let Some(items) = spec.list(report, "notificationTargets") else { return };
    if items.is_empty() {
        let help =
            Some("Slipstream sends to the receivers in its configuration, but OpenSLO requires one here".to_owned());
        spec.missing(report, "notificationTargets", help);
    }
    for (index, item) in items.iter().enumerate() {
        let Some(fields) = Fields::of(report, item, &format!("{path}[{index}]")) else { continue };
        if reference(report, &fields, "targetRef").is_none() {
            fields.check_known(report, &["apiVersion", "kind", "metadata", "spec"]);
            // The 2024 schema says AlertCondition here.
            fields.required_word(report, "kind", &["AlertNotificationTarget", "AlertCondition"]);
            metadata::read(report, &fields, &[]);
            if let Some(spec) = fields.required_map(report, "spec") {
                target(report, &spec);
            }
        }
    }
}

/// The spec of an AlertNotificationTarget.
pub(super) fn target(report: &mut Report<'_>, spec: &Fields<'_>) {
    spec.check_known(report, &["description", "target"]);
    spec.description(report);
    spec.required_text(report, "target");
}

/// Reads an AlertCondition, as a document or inline. `None`: it has errors.
pub(super) fn condition<'n>(report: &mut Report<'_>, object: &Fields<'n>) -> Option<AlertCondition<'n>> {
    let errors = report.errors();
    let metadata = metadata::read(report, object, &ANNOTATIONS);
    let spec = object.required_map(report, "spec")?;
    spec.check_known(report, &["description", "severity", "condition"]);
    let description = described(report, &spec);
    let severity = spec.required_text(report, "severity").map(|text| text.value.to_owned());
    let fields = spec.required_map(report, "condition")?;
    fields.check_known(report, &["kind", "op", "threshold", "lookbackWindow", "alertAfter"]);
    if fields.get("kind").is_some() {
        fields.word(report, "kind", &["burnrate"]);
    } else {
        let message = format!("{} is missing: taken as burnrate", fields.path_of("kind"));
        report.warning(fields.place, "assumed-kind", message, None);
    }
    operator(report, &fields);
    let threshold = threshold(report, &fields);
    let lookback = lookback(report, &fields);
    let wait = fields.duration(report, "alertAfter").map_or(0, |(seconds, _)| seconds);
    (report.errors() == errors).then_some(())?;
    Some(AlertCondition {
        metadata: metadata?,
        description,
        severity: severity?,
        threshold: threshold?,
        lookback: lookback?,
        wait,
    })
}

fn operator(report: &mut Report<'_>, fields: &Fields<'_>) {
    let Some(op) = fields.required_word(report, "op", &OPERATORS) else { return };
    if op.value != "gt" {
        let message = format!("{}: `{}` is not supported for burn rates", fields.path_of("op"), op.value);
        let help = "a burn rate alerts when it is strictly greater than the threshold: write `op: gt`".to_owned();
        report.error(op.place, "unsupported-alert-op", message, Some(help));
    }
}

fn threshold(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<Ratio> {
    fields.required(report, "threshold")?;
    fields.number(report, "threshold").map(|(threshold, _)| threshold)
}

fn lookback(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<i64> {
    fields.required(report, "lookbackWindow")?;
    let (seconds, place) = fields.duration(report, "lookbackWindow")?;
    check_window(report, seconds, place, &fields.path_of("lookbackWindow")).then_some(seconds)
}

/// A window must have a length, and rings must reach it.
pub(super) fn check_window(report: &mut Report<'_>, seconds: i64, place: Place, path: &str) -> bool {
    if seconds == 0 {
        report.error(place, "invalid-duration", format!("{path}: expected a duration above 0"), None);
    }
    if seconds > MAX_WINDOW {
        let message = format!("{path}: windows longer than {} are not supported", duration::format(MAX_WINDOW));
        report.error(place, "unsupported-window-length", message, None);
    }
    seconds > 0 && seconds <= MAX_WINDOW
}

/// The rule of a policy and its condition. `None` if an annotation was wrong, which is reported.
pub(super) fn rule(report: &mut Report<'_>, policy: &Policy<'_>, condition: &AlertCondition<'_>) -> Option<Rule> {
    let errors = report.errors();
    let long = condition.lookback;
    let ours = |name: &str| {
        let find = |metadata: &Metadata<'_>| {
            metadata.ours.iter().find(|(key, _)| *key == name).map(|(_, text)| (text.value.to_owned(), text.place))
        };
        find(&condition.metadata).or_else(|| find(&policy.metadata))
    };
    let short = match ours(SHORT_WINDOW) {
        Some((text, place)) => short_window(report, &text, place, long),
        None => (long / 12).max(MIN_SHORT).min(long),
    };
    let keep = ours(KEEP_FIRING_FOR).map_or(0, |(text, place)| seconds(report, KEEP_FIRING_FOR, &text, place));
    let least = ours(MIN_REQUESTS).map_or(0, |(text, place)| count(report, &text, place));
    let mut annotations = merged(&policy.metadata.annotations, &condition.metadata.annotations);
    let description = condition.description.as_ref().or(policy.description.as_ref());
    if let Some(description) = description.filter(|_| !annotations.iter().any(|(key, _)| key == "description")) {
        annotations.push(("description".to_owned(), description.clone()));
    }
    if let Some((text, place)) = ours(INHIBITS) {
        annotations.extend(inhibited(report, &text, place));
    }
    (report.errors() == errors).then_some(())?;
    Some(Rule {
        name: policy.metadata.name?.value.to_owned(),
        rule_set: BURN_RULE_SET.to_owned(),
        condition: Condition::burn_rate(long, short, condition.threshold, least),
        severity: Severity::named(&condition.severity),
        wait: condition.wait,
        keep,
        labels: merged(&policy.metadata.labels, &condition.metadata.labels),
        annotations,
    })
}

/// What its alert holds back, which goes with it.
fn inhibited(report: &mut Report<'_>, text: &str, place: Place) -> Option<(String, String)> {
    match Inhibits::parse(text) {
        Ok(inhibits) => Some((inhibits::ANNOTATION.to_owned(), inhibits.to_string())),
        Err(error) => {
            report.error(place, "invalid-annotation", format!("{}: {error}", inhibits::ANNOTATION), None);
            None
        }
    }
}

fn short_window(report: &mut Report<'_>, text: &str, place: Place, long: i64) -> i64 {
    let short = seconds(report, SHORT_WINDOW, text, place);
    if short > long || short == 0 {
        let message = format!(
            "{OURS}{SHORT_WINDOW}: expected a duration above 0 and at most the lookbackWindow of {}, found {text}",
            duration::format(long)
        );
        report.error(place, "invalid-annotation", message, None);
    } else if short == long {
        let message =
            format!("{OURS}{SHORT_WINDOW}: {text} is as long as the lookbackWindow, so it ends no alert sooner");
        let help = Some("a twelfth of the lookbackWindow is common".to_owned());
        report.warning(place, "short-window-not-shorter", message, help);
    }
    short
}

fn seconds(report: &mut Report<'_>, name: &str, text: &str, place: Place) -> i64 {
    duration::parse_annotation(text).unwrap_or_else(|error| {
        report.error(place, "invalid-annotation", format!("{OURS}{name}: `{text}`: {error}, or 30s"), None);
        1
    })
}

fn count(report: &mut Report<'_>, text: &str, place: Place) -> i64 {
    const MOST: i64 = 1_000_000_000_000;
    text.parse().ok().filter(|count| (0..=MOST).contains(count)).unwrap_or_else(|| {
        let message = format!("{OURS}{MIN_REQUESTS}: expected a whole number from 0 to {MOST}, found `{text}`");
        report.error(place, "invalid-annotation", message, None);
        0
    })
}

/// The pairs of both; those of the second win.
pub(super) fn merged(first: &[(String, String)], second: &[(String, String)]) -> Vec<(String, String)> {
    let mut all = first.to_vec();
    for (key, value) in second {
        match all.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => known.clone_from(value),
            None => all.push((key.clone(), value.clone())),
        }
    }
    all
}
