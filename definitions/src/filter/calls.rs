//! The functions that a filter may call, each as CEL has it: as a method (`endpoint.startsWith("/api")`) or with all
//! arguments in brackets (`size(endpoint)`).

use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, operators};
use regex::{Regex, RegexBuilder};

use super::attributes::text_literal;
use super::check::{Checker, LOOP_HELP, absolute, truth};
use super::expression::{Expression, Function, TextTest};
use super::names;
use super::re2::{self, Refusal};
use super::types::{Type, Typed};
use crate::suggest;

/// Compiled size of a regular expression, bytes.
const MAX_REGEX: usize = 1 << 20;

const KNOWN: [&str; 11] = [
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "size",
    "lowerAscii",
    "upperAscii",
    "int",
    "double",
    "string",
    "has",
];

/// Namespaces of CEL's extension functions.
const NAMESPACES: [&str; 8] = ["sets", "math", "strings", "lists", "optional", "regex", "cel", "base64"];

/// Checks a call; the target of a method is its first operand.
pub(super) fn check(checker: &mut Checker, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
    let operands: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
    let method = call.target.is_some();
    let name = if method { call.func_name.as_str() } else { absolute(&call.func_name) };
    match (name, operands.as_slice()) {
        (operators::NEGATE, [part]) => negate(checker, tree, part),
        ("startsWith", [text, part]) if method => test(checker, TextTest::StartsWith, [text, part], "startsWith"),
        ("endsWith", [text, part]) if method => test(checker, TextTest::EndsWith, [text, part], "endsWith"),
        ("contains", [text, part]) if method => test(checker, TextTest::Contains, [text, part], "contains"),
        ("matches", [text, pattern]) => matches(checker, text, pattern),
        ("size", [part]) => of_text(checker, part, Function::Size, Type::Int, "size"),
        ("lowerAscii", [part]) if method => of_text(checker, part, Function::LowerAscii, Type::Text, "lowerAscii"),
        ("upperAscii", [part]) if method => of_text(checker, part, Function::UpperAscii, Type::Text, "upperAscii"),
        ("int", [part]) if !method => convert(checker, part, Function::Int, Type::Int),
        ("double", [part]) if !method => convert(checker, part, Function::Double, Type::Double),
        ("string", [part]) if !method => convert(checker, part, Function::Text, Type::Text),
        (name, _) => unknown(checker, tree, &qualified(call, name)),
    }
}

/// The name with that of its namespace, as in `sets.contains`.
fn qualified(call: &CallExpr, name: &str) -> String {
    match call.target.as_deref().map(|target| &target.expr) {
        Some(Expr::Ident(space)) if NAMESPACES.contains(&space.as_str()) => format!("{space}.{name}"),
        _ => name.to_owned(),
    }
}

fn unknown<T>(checker: &mut Checker, tree: &IdedExpr, name: &str) -> Option<T> {
    if KNOWN.contains(&name) {
        let message = format!("`{name}` is used incorrectly");
        return checker.refuse(tree, "filter-type", message, Some(names::usage(name).to_owned()));
    }
    let message = format!("filters have no function `{name}`");
    let help = match (instead(name), names::function_elsewhere(name).or_else(|| suggest::nearest(name, &KNOWN))) {
        (Some(instead), _) => instead.to_owned(),
        (None, Some(meant)) => format!("did you mean `{meant}`? {}", names::usage(meant)),
        (None, None) => format!("the functions are {}", KNOWN.join(", ")),
    };
    checker.refuse(tree, "unsupported-cel", message, Some(help))
}

/// What to write instead of functions that CEL has and filters do not.
fn instead(name: &str) -> Option<&'static str> {
    Some(match name {
        "duration" => "latency_ms is a number of milliseconds: `latency_ms > 1500.0`",
        "timestamp" => "filters cannot use the time of an event: an SLO has a timeWindow",
        "uint" => "write `int(attributes.retries) > 3`: filters have no unsigned numbers",
        "bool" => "compare the string: `attributes.cached == \"true\"`",
        "bytes" | "type" => "compare strings and numbers directly",
        "dyn" => "leave it out: whole and decimal numbers can be compared",
        "all" | "exists" | "exists_one" | "map" | "filter" => LOOP_HELP,
        "not" => "\"not\" is written `!`, as in `!(x in [...])`",
        "and" => "\"and\" is written `&&`",
        "or" => "\"or\" is written `||`",
        "isEmpty" | "empty" => "write `environment == \"\"`",
        _ => return None,
    })
}

fn text(checker: &mut Checker, part: &IdedExpr, function: &str) -> Option<Typed> {
    let typed = checker.expression(part)?;
    if typed.kind == Type::Text {
        return Some(typed);
    }
    let message = format!("`{function}` takes strings, not {}", typed.described());
    let help = match (typed.kind, typed.code()) {
        (Type::Int, Some(code)) => Some(format!("write `string({code})`")),
        (Type::Double, _) => Some("compare it as a number: `latency_ms > 300.0`".to_owned()),
        _ => None,
    };
    checker.refuse(part, "filter-type", message, help)
}

fn test(checker: &mut Checker, test: TextTest, [of, part]: [&IdedExpr; 2], name: &str) -> Option<Typed> {
    let (of, part) = (text(checker, of, name), text(checker, part, name));
    Some(truth(Expression::Test(test, Box::new([of?.expression, part?.expression]))))
}

fn matches(checker: &mut Checker, of: &IdedExpr, pattern: &IdedExpr) -> Option<Typed> {
    let of = text(checker, of, "matches");
    let Some(source) = text_literal(pattern) else {
        return checker.unsupported(pattern, "computed regular expressions", names::usage("matches"));
    };
    match regex(source) {
        Ok(regex) => Some(truth(Expression::Matches(Box::new(of?.expression), Arc::new(regex)))),
        Err(Refusal { reason, help }) => {
            let is_raw = checker.places.text(pattern).starts_with(['r', 'R']);
            let help = help.map(|help| if is_raw { help.replace(r"\\", r"\") } else { help });
            checker.refuse(pattern, "filter-regex", format!("not a regular expression: {reason}"), help)
        }
    }
}

/// Compiles a pattern that was written in RE2's syntax.
fn regex(source: &str) -> Result<Regex, Refusal> {
    let pattern = re2::translate(source)?;
    RegexBuilder::new(&pattern).size_limit(MAX_REGEX).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            let reason = format!("it compiles to more than {} KiB", MAX_REGEX >> 10);
            Refusal { reason, help: Some("repeat less, or fewer Unicode classes".to_owned()) }
        }
        other => Refusal { reason: other.to_string(), help: None },
    })
}

fn of_text(checker: &mut Checker, part: &IdedExpr, function: Function, kind: Type, name: &str) -> Option<Typed> {
    let part = text(checker, part, name)?;
    let expression = Expression::Call(function, Box::new(part.expression));
    let name = match function {
        Function::Size => format!("size({})", part.name),
        _ => format!("{}.{name}()", part.name),
    };
    Some(Typed { expression, kind, name })
}

fn convert(checker: &mut Checker, part: &IdedExpr, function: Function, kind: Type) -> Option<Typed> {
    let typed = checker.expression(part)?;
    let allowed = match function {
        Function::Text => typed.kind != Type::Double,
        _ => typed.kind != Type::Bool,
    };
    let (name, help) = match function {
        Function::Int => ("int", "a boolean can be used as it is: `x && y`"),
        Function::Double => ("double", "a boolean can be used as it is: `x && y`"),
        _ => (
            "string",
            "CEL's implementations write decimal numbers differently: compare the number, as in `latency_ms > 300.0`",
        ),
    };
    if !allowed {
        let message = format!("`{name}` does not take {}", typed.described());
        return checker.refuse(part, "filter-type", message, Some(help.to_owned()));
    }
    let name = format!("{name}({})", typed.name);
    Some(Typed { expression: Expression::Call(function, Box::new(typed.expression)), kind, name })
}

fn negate(checker: &mut Checker, tree: &IdedExpr, part: &IdedExpr) -> Option<Typed> {
    let typed = checker.expression(part)?;
    if !typed.kind.is_number() {
        let message = format!("`-` takes a number, not {}", typed.described());
        return checker.refuse(tree, "filter-type", message, None);
    }
    let name = format!("-{}", typed.name);
    Some(Typed { expression: Expression::Call(Function::Negate, Box::new(typed.expression)), kind: typed.kind, name })
}
