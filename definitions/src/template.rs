//! Annotations with places for what an alert knows: `{{value}} over {{window}}`.
//!
//! A place is a name in double braces, with or without blanks and, as in Prometheus, a dollar sign. Which names there are is known when
//! a file is read, so a mistake is one of the file; whoever fills them in only looks them up.

/// Names that every alert knows, besides `group.DIMENSION`.
pub const NAMES: [&str; 19] = [
    "bad",
    "budget_left",
    "burn_rate",
    "exhausted_in",
    "good",
    "group",
    "objective",
    "rule",
    "runbook",
    "service",
    "severity",
    "sli",
    "slo",
    "target",
    "threshold",
    "total",
    "value",
    "window",
    "windows",
];
/// What the dimensions of a group begin with.
pub const GROUP: &str = "group.";

/// Whether there is such a name.
pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name) || name.strip_prefix(GROUP).is_some_and(|dimension| !dimension.is_empty())
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'t> {
    /// As it is.
    Text(&'t str),
    /// A name, to be replaced.
    Name(&'t str),
    /// Braces that are not closed, or without a name: as they are, with what follows.
    Broken(&'t str),
}

/// The parts of a text, in order.
///
/// ```
/// use slipstream_definitions::template::{Part, parts};
/// let found: Vec<Part<'_>> = parts("{{ $value }} of {{objective}}").collect();
/// assert_eq!(found, [Part::Name("value"), Part::Text(" of "), Part::Name("objective")]);
/// ```
pub fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(begin) = rest.find("{{") else {
            return Some(Part::Text(std::mem::take(&mut rest)));
        };
        if begin > 0 {
            let (text, from) = rest.split_at(begin);
            rest = from;
            return Some(Part::Text(text));
        }
        let Some(end) = rest.find("}}") else { return Some(Part::Broken(std::mem::take(&mut rest))) };
        let (inside, after) = (rest[2..end].trim(), &rest[end + 2..]);
        let name = inside.strip_prefix('$').unwrap_or(inside);
        if name.is_empty() {
            return Some(Part::Broken(std::mem::take(&mut rest)));
        }
        rest = after;
        Some(Part::Name(name))
    })
}

/// The text with every name replaced. What is broken stays as it is, and so does a name that `value` does not know: former versions took
/// any text.
pub fn filled(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let part = |part| match part {
        Part::Text(text) | Part::Broken(text) => text.to_owned(),
        Part::Name(name) => value(name).unwrap_or_else(|| format!("{{{{{name}}}}}")),
    };
    parts(text).map(part).collect()
}

/// Whether there is anything to replace.
pub fn has_names(text: &str) -> bool {
    text.contains("{{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_the_rest_stays() {
        let value = |name: &str| (name == "value").then(|| "7%".to_owned());
        for (text, want) in [
            ("", ""),
            ("plain", "plain"),
            ("{{value}}", "7%"),
            ("{{ value }} and {{$value}}, {{ $value }}!", "7% and 7%, 7%!"),
            ("{value} }} {", "{value} }} {"),
            ("é{{value}}é", "é7%é"),
            ("{{ other }}.", "{{other}}."),
            ("{{value", "{{value"),
            ("a {{}} {{value}}", "a {{}} {{value}}"),
        ] {
            assert_eq!(filled(text, value), want, "{text}");
        }
    }

    #[test]
    fn names_are_in_order() {
        assert!(NAMES.is_sorted());
    }
}
