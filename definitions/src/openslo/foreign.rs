//! Metric sources of other tools: the filter one would write here instead.
//!
//! A guess from the text of their queries, which are not parsed: status codes, a latency, a service.

use super::source::Role;
use crate::document::fields::Fields;
use crate::document::yaml::{Node, Value};

/// Longest text of a source that is examined, bytes; and maximum number of its fields.
const MAX_TEXT: usize = 2_000;
const MAX_FIELDS: usize = 50;
/// Labels and tags by which other tools call a service.
const SERVICES: [&str; 5] = ["service", "service_name", "component", "job", "app"];

/// What to write instead of a metric of another tool, whose source is given.
pub(super) fn instead(source: &Fields<'_>, role: Role) -> String {
    let mut query = String::new();
    if let Some(spec) = source.get("spec") {
        collect(spec, &mut query, &mut 0);
    }
    let service = service(&query).map(|service| format!("service == \"{service}\""));
    let total = || service.clone().unwrap_or_else(|| "service == \"NAME\"".to_owned());
    let spec = match role {
        Role::Good => format!("filter: '{}'", status(&query).unwrap_or_else(|| "status_code < 500".to_owned())),
        Role::Bad => format!("filter: '{}'", status(&query).unwrap_or_else(|| "status_code >= 500".to_owned())),
        Role::Total => format!("filter: '{}'", total()),
        Role::Threshold => format!("metric: latency_ms, filter: '{}'", total()),
    };
    format!("write the filter over request events here: `type: slipstream`, `spec: {{{spec}}}`")
}

/// The texts of a source, one after another.
fn collect(node: &Node, text: &mut String, fields: &mut usize) {
    *fields += 1;
    if text.len() > MAX_TEXT || *fields > MAX_FIELDS {
        return;
    }
    match &node.value {
        Value::Null => {}
        Value::Scalar(scalar) => {
            text.extend(scalar.text.chars().take(MAX_TEXT));
            text.push('\n');
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, text, fields)),
        Value::Map(entries) => entries.iter().for_each(|(_, item)| collect(item, text, fields)),
    }
}

/// The value after `label="` or `label:`, of the first label that is there.
fn value_of<'q>(query: &'q str, label: &str) -> Option<(&'q str, &'q str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    query.match_indices(label).find_map(|(at, _)| {
        let begins = !query[..at].chars().next_back().is_some_and(is_name);
        let rest = query[at + label.len()..].trim_start();
        let operator = ["=~", "!~", "!=", "=", ":"].into_iter().find(|operator| rest.starts_with(operator))?;
        let rest = rest[operator.len()..].trim_start();
        let (rest, ends): (_, &[char]) = match rest.strip_prefix(['"', '\'']) {
            Some(quoted) => (quoted, &['"', '\'', '\n']),
            None => (rest, &[',', '}', ' ', '\n']),
        };
        let end = rest.find(ends).unwrap_or(rest.len());
        (begins && end > 0).then_some((operator, &rest[..end]))
    })
}

fn service(query: &str) -> Option<&str> {
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    SERVICES
        .iter()
        .find_map(|label| {
            value_of(query, label).filter(|(operator, name)| matches!(*operator, "=" | ":") && plain(name))
        })
        .map(|(_, name)| name)
}

/// A comparison of the status code from a matcher such as `code=~"2..|4xx"` or `status_code:200`.
fn status(query: &str) -> Option<String> {
    let labels = ["http.status_code", "http_status_code", "status_code", "response_code", "code", "status"];
    let (operator, value) = labels.iter().find_map(|label| value_of(query, label))?;
    let alternatives = value.trim_matches(['(', ')', '^', '$']).split('|').map(class).collect::<Option<Vec<_>>>()?;
    let any = alternatives.join(" || ");
    Some(match operator {
        "!=" | "!~" => format!("!({any})"),
        _ => any,
    })
}

/// One status, or a class of them.
fn class(text: &str) -> Option<String> {
    let text = text.trim_matches(['(', ')', '^', '$']);
    let first = text.chars().next().filter(|first| ('1'..='5').contains(first))?;
    let rest = &text[1..];
    if rest.len() == 2 && rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("status_code == {text}"));
    }
    let whole = ["xx", "XX", "..", ".*", ".+", "*", "[0-9][0-9]", "[0-9]{2}", "\\d\\d", "\\d{2}"].contains(&rest);
    let low = first.to_digit(10)? * 100;
    whole.then(|| format!("status_code >= {low} && status_code < {}", low + 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_and_services_are_guessed_from_queries() {
        for (query, expected_status, expected_service) in [
            (
                "sum(http_requests{k8s_cluster=\"prod\",component=\"web\",code=~\"2xx|4xx\"})",
                Some("status_code >= 200 && status_code < 300 || status_code >= 400 && status_code < 500"),
                Some("web"),
            ),
            ("sum:trace.http.request.hits{http.status_code:200}.as_count()", Some("status_code == 200"), None),
            (
                "rate(x{code!~\"5..\", job='shop'}[5m])",
                Some("!(status_code >= 500 && status_code < 600)"),
                Some("shop"),
            ),
            (
                "rate(x{code=~\"(5..|429)\"}[5m])",
                Some("status_code >= 500 && status_code < 600 || status_code == 429"),
                None,
            ),
            ("http_requests_total{status_code=\"200\"}", Some("status_code == 200"), None),
            ("select decode(\"x\") from y", None, None),
            ("code", None, None),
            ("code=~\"é|\", service=\"a b\"", None, None),
            ("", None, None),
        ] {
            assert_eq!((status(query).as_deref(), service(query)), (expected_status, expected_service), "{query}");
        }
    }
}
