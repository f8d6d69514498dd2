//! Why a record is not an event.

use crate::visible::visible;

/// Kinds of errors; their names go into dead-letter headers and answers, and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Neither Avro single-object encoding nor JSON.
    NotAnEvent,
    /// Written under a schema that this version does not know: re-drive after an upgrade.
    UnknownFingerprint,
    /// Framed for a Confluent schema registry, of which this version has no client.
    ConfluentFraming,
    /// The Avro body is not what its schema says.
    MalformedAvro,
    /// No JSON.
    MalformedJson,
    /// A field that must be there is not.
    MissingField,
    /// A field that the schema does not have.
    UnknownField,
    /// A field of another type.
    WrongType,
    /// A value that breaks a rule of its field.
    RuleBroken,
    /// The whole event is too large.
    TooLarge,
    /// A right event that the event store cannot hold; burn rates count it, questions do not find it.
    RefusedByStore,
}

impl ErrorClass {
    /// Its name, kebab-case.
    pub fn name(self) -> &'static str {
        match self {
            ErrorClass::NotAnEvent => "not-an-event",
            ErrorClass::UnknownFingerprint => "unknown-fingerprint",
            ErrorClass::ConfluentFraming => "confluent-framing",
            ErrorClass::MalformedAvro => "malformed-avro",
            ErrorClass::MalformedJson => "malformed-json",
            ErrorClass::MissingField => "missing-field",
            ErrorClass::UnknownField => "unknown-field",
            ErrorClass::WrongType => "wrong-type",
            ErrorClass::RuleBroken => "rule-broken",
            ErrorClass::TooLarge => "too-large",
            ErrorClass::RefusedByStore => "refused-by-store",
        }
    }
}

/// What is wrong with a record: which field, its value, and the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventError {
    /// Its kind.
    pub class: ErrorClass,
    /// The field, where it is one's fault.
    pub field: Option<String>,
    /// The offending value, cut to a length a log line can bear; empty where there is none to show.
    pub value: String,
    /// What is expected, as a clause: `must be 100 to 599`.
    pub rule: String,
}

/// Characters of an offending value that are shown.
const SHOWN: usize = 80;

impl EventError {
    /// An error of the whole record.
    pub fn whole(class: ErrorClass, rule: impl Into<String>) -> Self {
        EventError { class, field: None, value: String::new(), rule: rule.into() }
    }

    /// An error of a field.
    pub fn field(class: ErrorClass, field: impl Into<String>, value: impl AsRef<str>, rule: impl Into<String>) -> Self {
        EventError { class, field: Some(field.into()), value: shown(value.as_ref()), rule: rule.into() }
    }

    /// A broken rule of a field.
    pub fn rule(field: &str, value: impl AsRef<str>, rule: impl Into<String>) -> Self {
        EventError::field(ErrorClass::RuleBroken, field, value, rule)
    }
}

/// The beginning of a value, as a terminal may show it.
fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", visible(&value[..end])),
        None => visible(value).into_owned(),
    }
}

impl std::fmt::Display for EventError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.field, self.value.is_empty()) {
            (Some(field), false) => write!(f, "{field} `{}`: {}", self.value, self.rule),
            (Some(field), true) => write!(f, "{field}: {}", self.rule),
            (None, _) => f.write_str(&self.rule),
        }
    }
}

impl std::error::Error for EventError {}
