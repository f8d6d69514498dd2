//! `metadata`: name, displayName, labels, annotations.

use super::rule::check_template;
use crate::document::fields::{Fields, Text, as_text, as_written};
use crate::document::report::Report;
use crate::document::yaml::{Node, Value};
use crate::suggest;

/// The prefix of the annotations that mean something to Slipstream.
pub(super) const OURS: &str = "slipstream.dev/";
/// Longest name, bytes.
const MAX_NAME: usize = 63;
/// Most bytes of labels and annotations together.
const MAX_SIZE: usize = 16 << 10;
/// Longest key of a label, bytes.
const MAX_LABEL: usize = 253;

/// Checked metadata.
#[derive(Debug, Clone, Default)]
pub(super) struct Metadata<'n> {
    pub(super) name: Option<Text<'n>>,
    pub(super) display_name: Option<String>,
    pub(super) labels: Vec<(String, String)>,
    /// Those of others.
    pub(super) annotations: Vec<(String, String)>,
    /// Those of ours, without the prefix.
    pub(super) ours: Vec<(&'n str, Text<'n>)>,
}

/// Reads `metadata` of an object, which must be there. `ours` are the annotations of ours it may have: one that may have some is
/// about alerts.
pub(super) fn read<'n>(report: &mut Report<'_>, object: &Fields<'n>, ours: &[&str]) -> Option<Metadata<'n>> {
    let of_alerts = !ours.is_empty();
    read_with(report, object, Manner { ours, of_alerts, is_name: check_name })
}

/// Reads `metadata` of a Rule. Its name is that of an alert.
pub(super) fn of_rule<'n>(report: &mut Report<'_>, object: &Fields<'n>) -> Option<Metadata<'n>> {
    read_with(report, object, Manner { ours: &[], of_alerts: true, is_name: check_alert_name })
}

/// Labels and annotations beside other fields.
pub(super) fn pairs(report: &mut Report<'_>, fields: &Fields<'_>) -> (Pairs, Pairs) {
    let mut metadata = Metadata::default();
    labels_and_annotations(report, fields, Manner { ours: &[], of_alerts: true, is_name: check_name }, &mut metadata);
    (metadata.labels, metadata.annotations)
}

/// Names and values.
type Pairs = Vec<(String, String)>;

/// How the metadata of an object is read.
#[derive(Clone, Copy)]
struct Manner<'o> {
    /// Annotations of ours that it may have.
    ours: &'o [&'o str],
    /// Its annotations go with alerts, and may have places for what an alert knows.
    of_alerts: bool,
    is_name: fn(&mut Report<'_>, Text<'_>, &str),
}

fn read_with<'n>(report: &mut Report<'_>, object: &Fields<'n>, manner: Manner<'_>) -> Option<Metadata<'n>> {
    let fields = object.required_map(report, "metadata")?;
    fields.check_known(report, &["name", "displayName", "labels", "annotations"]);
    let mut metadata = Metadata { name: fields.required_text(report, "name"), ..Metadata::default() };
    if let Some(name) = metadata.name {
        (manner.is_name)(report, name, &fields.path_of("name"));
    }
    let display_name = fields.text(report, "displayName").map(|text| text.value.to_owned());
    metadata.display_name = display_name.filter(|text| !text.is_empty());
    labels_and_annotations(report, &fields, manner, &mut metadata);
    Some(metadata)
}

fn labels_and_annotations<'n>(
    report: &mut Report<'_>,
    fields: &Fields<'n>,
    manner: Manner<'_>,
    metadata: &mut Metadata<'n>,
) {
    if let Some(labels) = fields.map(report, "labels") {
        for (key, node) in labels.entries() {
            if key.text.is_empty() || key.text.len() > MAX_LABEL {
                let message = format!("{}: expected 1 to {MAX_LABEL} bytes", labels.path_of(&key.text));
                report.error(key.place, "invalid-name", message, None);
                continue;
            }
            if let Some(value) = label(report, node, &labels.path_of(&key.text)) {
                metadata.labels.push((key.text.clone(), value));
            }
        }
    }
    if let Some(annotations) = fields.map(report, "annotations") {
        read_annotations(report, &annotations, manner, metadata);
    }
    check_size(report, fields, metadata);
}

/// Labels and annotations go with every alert.
fn check_size(report: &mut Report<'_>, fields: &Fields<'_>, metadata: &Metadata<'_>) {
    let pairs = metadata.labels.iter().chain(&metadata.annotations);
    let size: usize = pairs.map(|(key, value)| key.len() + value.len()).sum();
    if size > MAX_SIZE {
        let message =
            format!("{}: {size} bytes of labels and annotations: at most {MAX_SIZE} are supported", fields.path);
        report.error(fields.place, "unsupported-metadata-size", message, None);
    }
}

fn read_annotations<'n>(
    report: &mut Report<'_>,
    annotations: &Fields<'n>,
    Manner { ours, of_alerts, .. }: Manner<'_>,
    metadata: &mut Metadata<'n>,
) {
    for (key, node) in annotations.entries() {
        let path = annotations.path_of(&key.text);
        if !is_annotation_key(&key.text) {
            let message = format!("{path}: expected letters, digits, `-`, `_`, `.`, with at most one `domain/` before");
            report.error(key.place, "invalid-name", message, None);
            continue;
        }
        let value = if matches!(node.value, Value::Null) { None } else { as_written(report, node, &path) };
        let Some(name) = key.text.strip_prefix(OURS) else {
            // A log may hold what former versions took.
            if let Some(text) = value.filter(|_| of_alerts && report.warns()) {
                check_template(report, text, &path);
            }
            metadata.annotations.extend(value.map(|value| (key.text.clone(), value.value.to_owned())));
            continue;
        };
        if ours.contains(&name) {
            metadata.ours.extend(value.map(|value| (name, value)));
            continue;
        }
        let help = match suggest::nearest(name, ours) {
            Some(near) => format!("did you mean `{OURS}{near}`?"),
            None if ours.is_empty() => "Slipstream's annotations belong on an AlertCondition or AlertPolicy".to_owned(),
            None => {
                format!(
                    "known annotations: {}",
                    ours.iter().map(|name| format!("{OURS}{name}")).collect::<Vec<_>>().join(", ")
                )
            }
        };
        report.error(key.place, "unknown-annotation", format!("`{}` has no effect here", key.text), Some(help));
    }
}

/// A label's value: a string, or a list of strings, which become one with commas.
fn label(report: &mut Report<'_>, node: &Node, path: &str) -> Option<String> {
    let Value::List(items) = &node.value else {
        return as_text(report, node, path).map(|text| text.value.to_owned());
    };
    let items: Vec<&str> = items.iter().filter_map(|item| as_text(report, item, path)).map(|text| text.value).collect();
    Some(items.join(","))
}

/// A name must be an RFC 1123 label. What the OpenSLO schema allows beyond (dots, slashes, up to 255) is refused by name.
fn check_name(report: &mut Report<'_>, name: Text<'_>, path: &str) {
    if is_label(name.value) && name.value.len() <= MAX_NAME {
        return;
    }
    let code = if is_schema_name(name.value) { "unsupported-name" } else { "invalid-name" };
    let message = format!(
        "{path}: expected at most {MAX_NAME} lower-case letters, digits and `-`, beginning and ending with a letter or \
         digit (RFC 1123), found `{}`",
        name.value
    );
    let near = near_name(name.value);
    report.error(name.place, code, message, near.map(|near| format!("write `{near}`")));
}

/// The name of an alert: `HighErrorRate`.
pub(super) fn check_alert_name(report: &mut Report<'_>, name: Text<'_>, path: &str) {
    if is_alert_name(name.value) {
        return;
    }
    let message = format!(
        "{path}: expected at most {MAX_NAME} letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit, \
         found `{}`",
        name.value
    );
    report.error(name.place, "invalid-name", message, None);
}

/// Letters, digits, `-`, `_` and `.`, not at the ends.
pub(super) fn is_alert_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends = [name.bytes().next(), name.bytes().last()];
    let sound = name.bytes().all(inner) && ends.iter().flatten().all(u8::is_ascii_alphanumeric);
    sound && (1..=MAX_NAME).contains(&name.len())
}

fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// The name pattern of the OpenSLO v1 JSON schema.
fn is_schema_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".|/\\-".contains(&byte);
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    first && name.len() <= 255 && name.bytes().all(inner)
}

/// The name with everything foreign replaced.
fn near_name(name: &str) -> Option<String> {
    let clean = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let near: String = name.chars().map(clean).take(MAX_NAME).collect();
    let near = near.trim_matches('-').to_owned();
    is_label(&near).then_some(near)
}

fn is_annotation_key(key: &str) -> bool {
    let allowed = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        part.bytes().all(inner) && part.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
    };
    match key.split_once('/') {
        Some((domain, name)) => domain.len() <= 253 && allowed(domain) && name.len() <= 63 && allowed(name),
        None => key.len() <= 63 && allowed(key),
    }
}
