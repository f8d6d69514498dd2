//! The names that a filter may use, and what messages suggest instead of other ones.

use super::expression::{Expression, Value};
use super::types::{Type, Typed};
use crate::suggest;

/// What filters see of an event.
pub(super) const FIELDS: [&str; 7] =
    ["service", "environment", "endpoint", "method", "status_code", "latency_ms", "attributes"];

pub(super) const FIELDS_HELP: &str =
    "filters see service, environment, endpoint, method, status_code, latency_ms and attributes";

/// What fields are called in other tools, and here.
const ELSEWHERE: [(&str, &str); 20] = [
    ("status", "status_code"),
    ("code", "status_code"),
    ("http_status", "status_code"),
    ("duration", "latency_ms"),
    ("duration_ms", "latency_ms"),
    ("latency", "latency_ms"),
    ("latency_seconds", "latency_ms"),
    ("response_time", "latency_ms"),
    ("path", "endpoint"),
    ("route", "endpoint"),
    ("url", "endpoint"),
    ("uri", "endpoint"),
    ("handler", "endpoint"),
    ("env", "environment"),
    ("verb", "method"),
    ("job", "service"),
    ("app", "service"),
    ("labels", "attributes"),
    ("tags", "attributes"),
    ("attrs", "attributes"),
];

/// What functions are called in other languages, and here; in lower case, without `_`.
const FUNCTIONS_ELSEWHERE: [(&str, &str); 52] = [
    ("substring", "startsWith"),
    ("substr", "startsWith"),
    ("slice", "startsWith"),
    ("left", "startsWith"),
    ("split", "startsWith"),
    ("len", "size"),
    ("length", "size"),
    ("strlen", "size"),
    ("count", "size"),
    ("tolowercase", "lowerAscii"),
    ("tolower", "lowerAscii"),
    ("lower", "lowerAscii"),
    ("lowercase", "lowerAscii"),
    ("lcase", "lowerAscii"),
    ("downcase", "lowerAscii"),
    ("casefold", "lowerAscii"),
    ("touppercase", "upperAscii"),
    ("toupper", "upperAscii"),
    ("upper", "upperAscii"),
    ("uppercase", "upperAscii"),
    ("ucase", "upperAscii"),
    ("upcase", "upperAscii"),
    ("hasprefix", "startsWith"),
    ("beginswith", "startsWith"),
    ("prefix", "startsWith"),
    ("hassuffix", "endsWith"),
    ("suffix", "endsWith"),
    ("includes", "contains"),
    ("include", "contains"),
    ("containsstring", "contains"),
    ("indexof", "contains"),
    ("find", "contains"),
    ("regex", "matches"),
    ("regexp", "matches"),
    ("regexmatch", "matches"),
    ("rematch", "matches"),
    ("search", "matches"),
    ("like", "matches"),
    ("toint", "int"),
    ("parseint", "int"),
    ("integer", "int"),
    ("atoi", "int"),
    ("tonumber", "double"),
    ("number", "double"),
    ("float", "double"),
    ("tofloat", "double"),
    ("parsefloat", "double"),
    ("todouble", "double"),
    ("str", "string"),
    ("tostring", "string"),
    ("defined", "has"),
    ("haskey", "has"),
];

/// Fields of the event that filters do not see.
const HIDDEN: [&str; 5] = ["event_id", "time", "weight", "trace_id", "user_ref"];

const LITERALS: [&str; 3] = ["true", "false", "null"];

/// What null is called elsewhere.
const NULLS: [&str; 3] = ["nil", "none", "undefined"];

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Message and help for an unknown name.
pub(super) fn unknown(name: &str) -> (String, String) {
    if HIDDEN.contains(&name) {
        return (format!("filters cannot read `{name}`"), FIELDS_HELP.to_owned());
    }
    let lower = name.to_lowercase();
    if NULLS.contains(&lower.as_str()) {
        return (format!("unknown name `{name}`"), "write `null`".to_owned());
    }
    if LITERALS.contains(&lower.as_str()) {
        return (format!("unknown name `{name}`"), format!("write `{lower}`, in lower case"));
    }
    if name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
        return (format!("unknown name `{name}`"), format!("a string is written in quotes: `\"{name}\"`"));
    }
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, ours)| *ours);
    let help = match elsewhere.or_else(|| suggest::nearest(name, &FIELDS)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("{FIELDS_HELP}; anything else is an attribute: `attributes.{name}`"),
    };
    (format!("unknown name `{name}`"), help)
}

/// What to write for `event.status_code`: the field alone. `None` for `labels.service`, which is an attribute.
pub(super) fn without_object(object: &str, field: &str) -> Option<String> {
    let is_attributes = ELSEWHERE.contains(&(object, "attributes"));
    let is_known = FIELDS.contains(&object) || is_attributes;
    (FIELDS.contains(&field) && !is_known).then(|| format!("write `{field}` without `{object}.`"))
}

/// Our function for one that another language has.
pub(super) fn function_elsewhere(name: &str) -> Option<&'static str> {
    let plain = name.rsplit('.').next().unwrap_or(name).replace('_', "").to_lowercase();
    FUNCTIONS_ELSEWHERE.iter().find(|(other, _)| *other == plain).map(|(_, ours)| *ours)
}

/// How a function is called.
pub(super) fn usage(name: &str) -> &'static str {
    match name {
        "startsWith" => "write `endpoint.startsWith(\"/api\")`",
        "endsWith" => "write `endpoint.endsWith(\"/health\")`",
        "contains" => "write `endpoint.contains(\"admin\")`",
        "matches" => "write `endpoint.matches(\"^/api/v[0-9]+/\")`",
        "size" => "write `size(endpoint)`",
        "lowerAscii" => "write `method.lowerAscii()`",
        "upperAscii" => "write `method.upperAscii()`",
        "int" => "write `int(attributes.retries) > 3`",
        "double" => "write `double(attributes.amount) > 9.5`",
        "string" => "write `string(status_code).startsWith(\"5\")`",
        _ => "write `has(attributes.key)`",
    }
}

/// Whether a function takes operands of a kind.
pub(super) fn takes(function: &str, kind: Type) -> bool {
    match function {
        "int" | "double" => kind != Type::Bool,
        "string" => kind != Type::Double,
        _ => kind == Type::Text,
    }
}

/// What to write if a boolean was expected.
pub(super) fn comparison_for(typed: &Typed) -> Option<String> {
    if let Expression::Literal(value) = &typed.expression {
        return comparison_with(value);
    }
    let comparison = match typed.kind {
        Type::Bool => return None,
        Type::Text => "== \"...\"",
        Type::Int => "< 500",
        Type::Double => "< 500.0",
    };
    Some(format!("compare it: `{} {comparison}`", typed.code().unwrap_or("...")))
}

/// What a value that stands alone was probably to be compared with, as in `method == "GET" || "POST"`.
fn comparison_with(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) if METHODS.contains(&text.as_ref()) => {
            Some(format!("write `method == {text:?}`; one of several is `method in [\"GET\", \"POST\"]`"))
        }
        Value::Text(text) if text.starts_with('/') => {
            Some(format!("write `endpoint == {text:?}`; one of several is `endpoint in [\"/a\", \"/b\"]`"))
        }
        Value::Text(_) => Some("one of several values is written `x in [\"a\", \"b\"]`".to_owned()),
        Value::Int(code @ 100..=599) => {
            Some(format!("write `status_code == {code}`; one of several is `status_code in [500, 503]`"))
        }
        Value::Int(_) | Value::Double(_) | Value::Bool(_) => None,
    }
}

/// A number of milliseconds, from text such as `300ms` or `1.5s`.
fn milliseconds(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let factor = match text[number.len()..].trim() {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" | "min" => 60_000.0,
        _ => return None,
    };
    number.parse().ok().map(|number: f64| number * factor).filter(|number| number.is_finite())
}

/// How `constant` could be compared with `other`.
pub(super) fn conversion(constant: &Typed, other: &Typed) -> Option<String> {
    match (&constant.expression, other.kind) {
        (Expression::Literal(Value::Text(text)), Type::Int | Type::Double) if text.parse::<f64>().is_ok() => {
            Some(format!("write the number without quotes: `{text}`"))
        }
        (Expression::Literal(Value::Text(text)), Type::Double) => {
            let number = milliseconds(text)?;
            Some(format!("latencies are numbers of milliseconds: write `{number:?}`"))
        }
        (Expression::Literal(Value::Int(_) | Value::Double(_)), Type::Text) => match &other.expression {
            Expression::Attribute(_) => Some(format!(
                "attributes are strings: write `\"{0}\"`, or `double({1})` to compare numbers",
                constant.name, other.name
            )),
            _ => Some(format!("write the string in quotes: `\"{}\"`", constant.name)),
        },
        (Expression::Literal(Value::Bool(_)), Type::Text) => {
            Some(format!("write the string in quotes: `\"{}\"`", constant.name))
        }
        _ => None,
    }
}

/// How two operands become numbers of one kind.
pub(super) fn same_number(left: &Typed, right: &Typed) -> Option<String> {
    let whole = match (left.kind, right.kind) {
        (Type::Int, Type::Double) => left,
        (Type::Double, Type::Int) => right,
        _ => return None,
    };
    Some(match whole.expression {
        Expression::Literal(Value::Int(number)) => format!("write `{number}.0`"),
        _ => format!("write `double({})`", whole.code().unwrap_or("...")),
    })
}
