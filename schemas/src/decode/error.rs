//! Why a record is not an event.

use crate::visible::visible;

/// Kinds of errors; their names go into dead-letter headers and answers, and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Neither Avro single-object encoding nor a JSON object.
    NotAnEvent,
    /// Written under a schema that this version does not know: re-drive after an upgrade.
    UnknownFingerprint,
    /// Framed for a schema registry, of which this version has no client: in the bytes, or by a header.
    ConfluentFraming,
    /// The Avro body is not what its schema says.
    MalformedAvro,
    /// A JSON object that is broken, or has a name twice.
    MalformedJson,
    /// A required field is missing.
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

/// What is wrong with a record: which field, its value, and the rule. Short, whatever was sent: there may be many of
/// them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventError {
    /// Its kind.
    pub class: ErrorClass,
    /// The field, where it is one's fault, cut like the value.
    pub field: Option<String>,
    /// The offending value, truncated for log lines; empty if there is none to show.
    pub value: String,
    /// What is expected, as a clause: `must be 100 to 599`.
    pub rule: String,
}

/// Characters of an offending value that are shown.
const SHOWN: usize = 80;

/// Characters of a rule: some quote what was found, which may be long.
const RULE: usize = 300;

impl EventError {
    /// An error of the whole record.
    pub fn whole(class: ErrorClass, rule: impl AsRef<str>) -> Self {
        EventError { class, field: None, value: String::new(), rule: shown(rule.as_ref(), RULE) }
    }

    /// An error of a field.
    pub fn field(class: ErrorClass, field: impl AsRef<str>, value: impl AsRef<str>, rule: impl AsRef<str>) -> Self {
        let (field, value) = (shown(field.as_ref(), SHOWN), shown(value.as_ref(), SHOWN));
        EventError { class, field: Some(field), value, rule: shown(rule.as_ref(), RULE) }
    }

    /// A broken rule of a field.
    pub fn rule(field: &str, value: impl AsRef<str>, rule: impl AsRef<str>) -> Self {
        EventError::field(ErrorClass::RuleBroken, field, value, rule)
    }
}

/// Headers in which serializers put the id of a schema, with nothing of it in the value: Confluent's for headers,
/// Apicurio's of version 2.
fn names_a_schema(header: &str) -> bool {
    header == "__value_schema_id" || header.starts_with("apicurio.value.")
}

impl EventError {
    /// The same, or what is behind it where the record's headers tell: bytes that are neither of the encodings are a
    /// bare Avro body if a header names its schema.
    ///
    /// ```
    /// use slipstream_schemas::decode::{Attributes, ErrorClass, Provenance, decode};
    ///
    /// let from = Provenance { topic: "request-events", partition: 0, offset: 41 };
    /// let error = decode(b"\x06abc", &from, Attributes::Skip).unwrap_err();
    /// assert_eq!(error.clone().by_headers(["traceparent"]), error);
    /// let error = error.by_headers(["traceparent", "__value_schema_id"]);
    /// assert_eq!(error.class, ErrorClass::ConfluentFraming);
    /// assert!(error.to_string().starts_with("the header `__value_schema_id` names a schema"));
    /// ```
    #[must_use]
    pub fn by_headers<'a>(self, headers: impl IntoIterator<Item = &'a str>) -> EventError {
        if self.class != ErrorClass::NotAnEvent {
            return self;
        }
        let Some(header) = headers.into_iter().find(|name| names_a_schema(name)) else { return self };
        let rule = format!(
            "the header `{}` names a schema in a registry, of which this version has no client: send Avro single-object \
             encoding or JSON",
            shown(header, SHOWN)
        );
        EventError::whole(ErrorClass::ConfluentFraming, rule)
    }
}

/// The beginning of a text, as a terminal may show it. Names are as foreign as values: an event may have any.
fn shown(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", visible(&text[..end])),
        None => visible(text).into_owned(),
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
