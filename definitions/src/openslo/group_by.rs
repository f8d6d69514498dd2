//! `groupBy`: the dimensions by which an SLI is split.

use crate::definition::GroupKey;
use crate::document::fields::{Fields, as_text};
use crate::document::report::Report;
use crate::suggest;

/// Maximum dimensions of a groupBy.
const MAX_GROUP_BY: usize = 8;
/// Longest key of an attribute, bytes.
const MAX_ATTRIBUTE_KEY: usize = 64;

const DIMENSIONS: [&str; 6] = ["service", "environment", "endpoint", "method", "status_code", "attributes.KEY"];

/// Reads the dimensions, which belong to the total.
pub(super) fn read(report: &mut Report<'_>, spec: &Fields<'_>, is_total: bool) -> Vec<GroupKey> {
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
        "latency_ms" => return Err(Some("latencies have too many values: compare them in good instead".to_owned())),
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
