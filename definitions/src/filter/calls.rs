//! The functions a filter may call, as methods (`endpoint.startsWith("/api")`) or with all arguments in brackets where
//! CEL has them so.

use std::sync::Arc;

use cel::common::ast::{CallExpr, IdedExpr, operators};
use regex::RegexBuilder;

use super::check::{Checker, described, text_literal, truth};
use super::expression::{Expression, Function, TextTest};
use super::names;
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

/// Checks a call; the target of a method is its first operand.
pub(super) fn check(checker: &mut Checker, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
    let operands: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
    let method = call.target.is_some();
    match (call.func_name.as_str(), operands.as_slice()) {
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
        (name, _) => unknown(checker, tree, name),
    }
}

fn unknown<T>(checker: &mut Checker, tree: &IdedExpr, name: &str) -> Option<T> {
    if KNOWN.contains(&name) {
        let message = format!("`{name}` is not called like this");
        return checker.refuse(tree, "filter-type", message, Some(usage(name).to_owned()));
    }
    let message = format!("filters have no function `{name}`");
    let help = match suggest::nearest(name, &KNOWN) {
        Some(meant) => format!("did you mean `{meant}`? {}", usage(meant)),
        None => format!("the functions are {}", KNOWN.join(", ")),
    };
    checker.refuse(tree, "unsupported-cel", message, Some(help))
}

fn usage(name: &str) -> &'static str {
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

fn text(checker: &mut Checker, part: &IdedExpr, function: &str) -> Option<Expression> {
    let typed = checker.expression(part)?;
    if typed.kind == Type::Text {
        return Some(typed.expression);
    }
    let message = format!("`{function}` takes strings, not {}", described(&typed));
    let help = typed.kind.is_number().then(|| format!("write `string({})`", typed.name));
    checker.refuse(part, "filter-type", message, help)
}

fn test(checker: &mut Checker, test: TextTest, [of, part]: [&IdedExpr; 2], name: &str) -> Option<Typed> {
    let (of, part) = (text(checker, of, name), text(checker, part, name));
    Some(truth(Expression::Test(test, Box::new([of?, part?]))))
}

fn matches(checker: &mut Checker, of: &IdedExpr, pattern: &IdedExpr) -> Option<Typed> {
    let of = text(checker, of, "matches");
    let Some(source) = text_literal(pattern) else {
        return checker.unsupported(pattern, "a computed regular expression", usage("matches"));
    };
    match RegexBuilder::new(source).size_limit(MAX_REGEX).build() {
        Ok(regex) => Some(truth(Expression::Matches(Box::new(of?), Arc::new(regex)))),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let help = "RE2 syntax: no look-around and no back references".to_owned();
            checker.refuse(pattern, "filter-regex", format!("not a regular expression: {reason}"), Some(help))
        }
    }
}

fn of_text(checker: &mut Checker, part: &IdedExpr, function: Function, kind: Type, name: &str) -> Option<Typed> {
    let part = text(checker, part, name)?;
    Some(Typed { expression: Expression::Call(function, Box::new(part)), kind, name: format!("{name}()") })
}

fn convert(checker: &mut Checker, part: &IdedExpr, function: Function, kind: Type) -> Option<Typed> {
    let typed = checker.expression(part)?;
    let allowed = match function {
        Function::Text => typed.kind != Type::Double,
        _ => typed.kind != Type::Bool,
    };
    let name = match function {
        Function::Int => "int",
        Function::Double => "double",
        _ => "string",
    };
    if !allowed {
        let message = format!("`{name}` does not take {}", described(&typed));
        return checker.refuse(part, "filter-type", message, names::comparison_for(&typed));
    }
    let name = format!("{name}({})", typed.name);
    Some(Typed { expression: Expression::Call(function, Box::new(typed.expression)), kind, name })
}

fn negate(checker: &mut Checker, tree: &IdedExpr, part: &IdedExpr) -> Option<Typed> {
    let typed = checker.expression(part)?;
    if !typed.kind.is_number() {
        let message = format!("`-` takes a number, not {}", described(&typed));
        return checker.refuse(tree, "filter-type", message, None);
    }
    let name = format!("-{}", typed.name);
    Some(Typed { expression: Expression::Call(Function::Negate, Box::new(typed.expression)), kind: typed.kind, name })
}
