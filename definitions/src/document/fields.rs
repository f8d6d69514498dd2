//! Typed access to the fields of a map, with an error at the right place if one is missing or of another kind.

use std::rc::Rc;

use super::report::{Place, Report};
use super::yaml::{Key, Node, Scalar, Value};
use crate::definition::Ratio;
use crate::{duration, suggest};

/// Maximum number of unknown fields of a map that are reported.
const MAX_UNKNOWN: usize = 1_000;
/// Longest description in both authorities on OpenSLO.
const MAX_DESCRIPTION: usize = 1_050;

/// The fields of a map. A field whose value is null counts as absent.
#[derive(Clone)]
pub struct Fields<'n> {
    /// Where the map begins.
    pub place: Place,
    /// How messages call the map: `spec.objectives[0]`.
    pub path: String,
    entries: &'n [(Key, Rc<Node>)],
}

/// A text and its place.
#[derive(Debug, Clone, Copy)]
pub struct Text<'n> {
    /// Its characters.
    pub value: &'n str,
    /// Where it begins.
    pub place: Place,
}

/// What a plain scalar is to YAML.
fn kind(scalar: &Scalar) -> &'static str {
    let text = scalar.text.as_str();
    if !scalar.plain {
        "a string"
    } else if matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE") {
        "a boolean"
    } else if text.contains(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok() {
        "a number"
    } else {
        "a string"
    }
}

/// What a node is, for messages.
pub fn described(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "nothing",
        Value::Scalar(scalar) => kind(scalar),
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

/// "expected a list, found a map", with the text if it is short.
fn mismatch(report: &mut Report<'_>, node: &Node, path: &str, expected: &str, help: Option<String>) {
    let found = match &node.value {
        Value::Scalar(scalar) if scalar.text.len() <= 60 => format!("{} `{}`", described(node), scalar.text),
        _ => described(node).to_owned(),
    };
    report.error(node.place, "wrong-type", format!("{path}: expected {expected}, found {found}"), help);
}

impl<'n> Fields<'n> {
    /// The fields of a node that must be a map.
    pub fn of(report: &mut Report<'_>, node: &'n Node, path: &str) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            mismatch(report, node, path, "a map", None);
            return None;
        };
        Some(Fields { place: node.place, path: path.to_owned(), entries })
    }

    /// The path of a field.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A field, unless it is absent or null.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        let node = self.entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node.as_ref())?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    /// Whether a field is there, be it null.
    pub fn place_of(&self, name: &str) -> Option<Place> {
        self.entries.iter().find(|(key, _)| key.text == name).map(|(key, _)| key.place)
    }

    /// All keys and values.
    pub fn entries(&self) -> impl Iterator<Item = (&'n Key, &'n Node)> {
        self.entries.iter().map(|(key, node)| (key, node.as_ref()))
    }

    /// Reports that a field is missing.
    pub fn missing(&self, report: &mut Report<'_>, name: &str, help: Option<String>) {
        let (place, what) = match self.place_of(name) {
            Some(place) => (place, "is required, but empty"),
            None => (self.place, "is required"),
        };
        report.error(place, "missing-field", format!("{} {what}", self.path_of(name)), help);
    }

    /// A required field.
    pub fn required(&self, report: &mut Report<'_>, name: &str) -> Option<&'n Node> {
        let node = self.get(name);
        if node.is_none() {
            let known: Vec<&str> = self.entries.iter().map(|(key, _)| key.text.as_str()).collect();
            let help =
                suggest::nearest(name, &known).map(|near| format!("is the unknown field `{near}` a typo for it?"));
            self.missing(report, name, help);
        }
        node
    }

    /// An optional map.
    pub fn map(&self, report: &mut Report<'_>, name: &str) -> Option<Fields<'n>> {
        Fields::of(report, self.get(name)?, &self.path_of(name))
    }

    /// The map at a path of fields, if each is a map; nothing is reported.
    pub(crate) fn inner(&self, names: &[&str]) -> Option<Fields<'n>> {
        names.iter().try_fold(self.clone(), |fields, name| match fields.get(name) {
            Some(node) => match &node.value {
                Value::Map(entries) => Some(Fields { place: node.place, path: fields.path_of(name), entries }),
                _ => None,
            },
            None => None,
        })
    }

    /// A map that must be there.
    pub fn required_map(&self, report: &mut Report<'_>, name: &str) -> Option<Fields<'n>> {
        let node = self.required(report, name)?;
        Fields::of(report, node, &self.path_of(name))
    }

    /// An optional list.
    pub fn list(&self, report: &mut Report<'_>, name: &str) -> Option<&'n [Rc<Node>]> {
        let node = self.get(name)?;
        match &node.value {
            Value::List(items) => Some(items),
            _ => {
                let help = Some(format!("start each item with `- ` below `{name}:`"));
                mismatch(report, node, &self.path_of(name), "a list", help);
                None
            }
        }
    }

    /// A string that may be there.
    pub fn text(&self, report: &mut Report<'_>, name: &str) -> Option<Text<'n>> {
        let node = self.get(name)?;
        plain_text(node).or_else(|| as_text(report, node, &self.path_of(name)))
    }

    /// A string that must be there and not empty.
    pub fn required_text(&self, report: &mut Report<'_>, name: &str) -> Option<Text<'n>> {
        let node = self.required(report, name)?;
        let text = plain_text(node).or_else(|| as_text(report, node, &self.path_of(name)))?;
        if text.value.is_empty() {
            self.missing(report, name, None);
            return None;
        }
        Some(text)
    }

    /// One of the given words; required.
    pub fn required_word(&self, report: &mut Report<'_>, name: &str, words: &[&'static str]) -> Option<Text<'n>> {
        let text = self.required_text(report, name)?;
        self.one_of(report, text, name, words).then_some(text)
    }

    /// One of the given words; optional.
    pub fn word(&self, report: &mut Report<'_>, name: &str, words: &[&'static str]) -> Option<Text<'n>> {
        let text = self.text(report, name)?;
        self.one_of(report, text, name, words).then_some(text)
    }

    fn one_of(&self, report: &mut Report<'_>, text: Text<'_>, name: &str, words: &[&'static str]) -> bool {
        if words.contains(&text.value) {
            return true;
        }
        let help = suggest::nearest(text.value, words).map(|near| format!("did you mean `{near}`?"));
        let message = format!("{}: expected {}, found `{}`", self.path_of(name), words.join(", "), text.value);
        report.error(text.place, "invalid-value", message, help);
        false
    }

    /// A boolean that may be there.
    pub fn truth(&self, report: &mut Report<'_>, name: &str) -> Option<bool> {
        let node = self.get(name)?;
        match &node.value {
            Value::Scalar(scalar) if kind(scalar) == "a boolean" => Some(scalar.text.eq_ignore_ascii_case("true")),
            _ => {
                mismatch(report, node, &self.path_of(name), "true or false", None);
                None
            }
        }
    }

    /// The text of a field that YAML reads as a number.
    pub(crate) fn plain_number(&self, name: &str) -> Option<&'n str> {
        match &self.get(name)?.value {
            Value::Scalar(scalar) if kind(scalar) == "a number" => Some(&scalar.text),
            _ => None,
        }
    }

    /// An exact number, from its source text, that may be there.
    pub fn number(&self, report: &mut Report<'_>, name: &str) -> Option<(Ratio, Place)> {
        let node = self.get(name)?;
        let path = || self.path_of(name);
        match &node.value {
            Value::Scalar(scalar) if scalar.plain => match Ratio::parse(&scalar.text) {
                Ok(number) => Some((number, node.place)),
                Err(error) => {
                    let help = scalar.text.strip_suffix('%').map(|_| "write a percentage as a number".to_owned());
                    let message = format!("{}: `{}`: {error}", path(), scalar.text);
                    report.error(node.place, "invalid-number", message, help);
                    None
                }
            },
            Value::Scalar(scalar) if Ratio::parse(&scalar.text).is_ok() => {
                let help = Some(format!("write it without quotes: {}", scalar.text));
                mismatch(report, node, &path(), "a number", help);
                None
            }
            _ => {
                mismatch(report, node, &path(), "a number", None);
                None
            }
        }
    }

    /// A duration in seconds that may be there.
    pub fn duration(&self, report: &mut Report<'_>, name: &str) -> Option<(i64, Place)> {
        let text = self.text(report, name)?;
        match duration::parse(text.value) {
            Ok(seconds) => Some((seconds, text.place)),
            Err(error) => {
                let message = format!("{}: `{}`: {error}", self.path_of(name), text.value);
                let help = duration::meant(text.value).map(|meant| format!("write `{meant}`"));
                report.error(text.place, "invalid-duration", message, help);
                None
            }
        }
    }

    /// Checks `description`, which every spec may have.
    pub fn description(&self, report: &mut Report<'_>) -> Option<String> {
        let text = self.text(report, "description")?;
        let length = text.value.chars().count();
        if length > MAX_DESCRIPTION {
            let message = format!(
                "{}: expected at most {MAX_DESCRIPTION} characters, found {length}",
                self.path_of("description")
            );
            report.error(text.place, "too-long", message, None);
        }
        Some(text.value.to_owned())
    }

    /// Reports unknown fields. A near miss is an error, since its meaning would be lost; another
    /// is a warning, since OpenSLO allows it.
    pub fn check_known(&self, report: &mut Report<'_>, known: &[&str]) {
        let unknown: Vec<&Key> = self.unknown(known).map(|(key, _)| key).collect();
        if let Some(key) = unknown.get(MAX_UNKNOWN) {
            let message = format!("{} unknown fields in one map: only {MAX_UNKNOWN} are checked", unknown.len());
            report.error(key.place, "unknown-field", message, None);
        }
        if unknown.is_empty() {
            return;
        }
        let absent: Vec<&str> = known.iter().copied().filter(|name| self.place_of(name).is_none()).collect();
        for key in unknown.into_iter().take(MAX_UNKNOWN) {
            let message = format!("{} is not a field of OpenSLO v1", self.path_of(&key.text));
            match suggest::nearest(&key.text, known).filter(|near| absent.contains(near)) {
                Some(near) => {
                    report.error(key.place, "unknown-field", message, Some(format!("did you mean `{near}`?")))
                }
                None => report.warning(key.place, "unknown-field", format!("{message}: it is ignored"), None),
            }
        }
    }

    /// Reports unknown fields in our own part of a document: always an error.
    pub fn check_ours(&self, report: &mut Report<'_>, known: &[&str]) {
        for (key, _) in self.unknown(known).take(MAX_UNKNOWN) {
            let message = format!("{} is not known", self.path_of(&key.text));
            let help = match suggest::nearest(&key.text, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the fields are {}", known.join(", ")),
            };
            report.error(key.place, "unknown-field", message, Some(help));
        }
    }

    fn unknown(&self, known: &[&str]) -> impl Iterator<Item = (&'n Key, &'n Node)> {
        self.entries().filter(move |(key, _)| !known.contains(&key.text.as_str()))
    }
}

/// The text of a string; other nodes are not reported.
fn plain_text(node: &Node) -> Option<Text<'_>> {
    match &node.value {
        Value::Scalar(scalar) if kind(scalar) == "a string" => Some(Text { value: &scalar.text, place: node.place }),
        _ => None,
    }
}

/// A node that must be a string.
pub fn as_text<'n>(report: &mut Report<'_>, node: &'n Node, path: &str) -> Option<Text<'n>> {
    match &node.value {
        Value::Scalar(scalar) if kind(scalar) == "a string" => Some(Text { value: &scalar.text, place: node.place }),
        Value::Scalar(scalar) => {
            mismatch(report, node, path, "a string", Some(format!("write it in quotes: \"{}\"", scalar.text)));
            None
        }
        _ => {
            mismatch(report, node, path, "a string", None);
            None
        }
    }
}

/// A node that must be a scalar of any kind, as written.
pub fn as_written<'n>(report: &mut Report<'_>, node: &'n Node, path: &str) -> Option<Text<'n>> {
    match &node.value {
        Value::Scalar(scalar) => Some(Text { value: &scalar.text, place: node.place }),
        _ => as_text(report, node, path),
    }
}
