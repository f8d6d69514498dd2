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
const FUNCTIONS_ELSEWHERE: [(&str, &str); 47] = [
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

/// Message and help for an unknown name.
pub(super) fn unknown(name: &str) -> (String, String) {
    if HIDDEN.contains(&name) {
        return (format!("filters cannot read `{name}`"), FIELDS_HELP.to_owned());
    }
    if name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
        return (format!("unknown name `{name}`"), format!("a string is written in quotes: `\"{name}\"`"));
    }
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, ours)| *ours);
    let help = match elsewhere.or_else(|| suggest::nearest(name, &FIELDS)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if LITERALS.iter().any(|literal| literal.eq_ignore_ascii_case(name)) => {
            format!("it is written `{}`", name.to_lowercase())
        }
        None => format!("{FIELDS_HELP}; anything else is an attribute: `attributes.{name}`"),
    };
    (format!("unknown name `{name}`"), help)
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
    let comparison = match typed.kind {
        Type::Bool => return None,
        Type::Text => "== \"...\"",
        Type::Int => "< 500",
        Type::Double => "< 500.0",
    };
    Some(format!("compare it: `{} {comparison}`", typed.code().unwrap_or("...")))
}

/// How `constant` could be compared with `other`.
pub(super) fn conversion(constant: &Typed, other: &Typed) -> Option<String> {
    match (&constant.expression, other.kind) {
        (Expression::Literal(Value::Text(text)), Type::Int | Type::Double) if text.parse::<f64>().is_ok() => {
            Some(format!("write the number without quotes: `{text}`"))
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
        Expression::Literal(_) => format!("write `{}.0`", whole.name),
        _ => format!("write `double({})`", whole.code().unwrap_or("...")),
    })
}
