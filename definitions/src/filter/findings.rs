//! Conditions that are valid but never true, or always true.
//!
//! Only what is certain is reported: conditions beyond the limits of a field (no status code is 700, no latency is
//! negative, no service is empty), contradictions on one field, and filters that contradict each other.

use cel::common::ast::{Expr, IdedExpr, operators};

use super::expression::{Comparison, Expression, Field, Value};
use super::possible::{NOT_TRUE, TRUE, possible};
use super::syntax::Places;

/// Parts of a conjunction that are compared with each other.
const COMPARED: usize = 40;
/// Longest part of a filter that a message quotes, characters.
const REPEATED: usize = 80;

/// A warning about a filter, and its place in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `never-true` or `always-true`.
    pub code: &'static str,
    /// What was found.
    pub message: String,
    /// What was probably meant, or why it is so.
    pub help: Option<String>,
    /// Character at which the part starts.
    pub start: usize,
    /// How many characters it has, at least 1.
    pub width: usize,
}

const NEVER: &str = "never-true";
const ALWAYS: &str = "always-true";

/// The findings of a filter: its tree, and the expression compiled from it.
pub(super) fn of(tree: &IdedExpr, expression: &Expression, places: &Places) -> Vec<Finding> {
    let mut finder = Finder { places, found: Vec::new() };
    if !matches!(expression, Expression::Literal(Value::Bool(true))) {
        finder.walk(tree, expression);
    }
    finder.found
}

/// The code and the message if good or bad contradicts its total, or follows from it.
pub(super) fn between(total: &Expression, side: &Expression, good: bool) -> Option<(&'static str, String)> {
    let name = if good { "good" } else { "bad" };
    if !possible(&[(total, TRUE)]) || !possible(&[(side, TRUE)]) {
        // Already reported for that filter alone.
        return None;
    }
    if !possible(&[(total, TRUE), (side, TRUE)]) {
        return Some((NEVER, format!("no event of total is {name}: the two filters are never both true")));
    }
    let always = !possible(&[(total, TRUE), (side, NOT_TRUE)]);
    always.then(|| (ALWAYS, format!("every event of total is {name}: there is nothing to measure")))
}

struct Finder<'p> {
    places: &'p Places,
    found: Vec<Finding>,
}

impl Finder<'_> {
    fn walk(&mut self, tree: &IdedExpr, expression: &Expression) {
        if !possible(&[(expression, TRUE)]) {
            return self.blame(tree, expression);
        }
        if !possible(&[(expression, NOT_TRUE)]) {
            let message = format!("`{}` is always true", self.source(tree, tree));
            return self.add(ALWAYS, tree, tree, message, why_always(expression));
        }
        for (tree, part) in parts(tree, expression) {
            if !matches!(part, Expression::Literal(_)) {
                self.walk(tree, part);
            }
        }
    }

    /// The smallest part that makes a condition never true.
    fn blame(&mut self, tree: &IdedExpr, expression: &Expression) {
        if let Expression::And(_) = expression {
            let parts = parts(tree, expression);
            if let Some((tree, part)) = parts.iter().find(|(_, part)| !possible(&[(part, TRUE)])) {
                return self.blame(tree, part);
            }
            for (at, (second, right)) in parts.iter().enumerate().take(COMPARED) {
                let clash = parts[..at].iter().find(|(_, left)| !possible(&[(left, TRUE), (right, TRUE)]));
                if let Some((first, left)) = clash {
                    let (one, other) = (self.source(first, first), self.source(second, second));
                    let message = format!("`{one}` and `{other}` are never both true");
                    return self.add(NEVER, first, second, message, either(left, right));
                }
            }
        }
        let message = format!("`{}` is never true", self.source(tree, tree));
        self.add(NEVER, tree, tree, message, why(expression));
    }

    fn add(&mut self, code: &'static str, from: &IdedExpr, to: &IdedExpr, message: String, help: Option<String>) {
        let (start, width) = self.span(from, to);
        self.found.push(Finding { code, message, help, start, width });
    }

    fn span(&self, from: &IdedExpr, to: &IdedExpr) -> (usize, usize) {
        let ((start, width), (last, wide)) = (self.places.of(from), self.places.of(to));
        let (mut begin, mut end) = (start.min(last), (start + width).max(last + wide));
        // The place of `has(attributes.a)` is its operand, and that of a bracket may stop short of its end.
        let source: Vec<char> = self.places.source().chars().collect();
        if source[..begin].ends_with(&['h', 'a', 's', '(']) {
            begin -= 4;
        }
        let count = |end: usize, bracket: char| source[begin..end].iter().filter(|c| **c == bracket).count();
        while source.get(end) == Some(&')') && count(end, '(') > count(end, ')') {
            end += 1;
        }
        (begin, end - begin)
    }

    fn source(&self, from: &IdedExpr, to: &IdedExpr) -> String {
        let (start, width) = self.span(from, to);
        let text: String = self.places.source().chars().skip(start).take(width.min(REPEATED)).collect();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if width > REPEATED { format!("{text}...") } else { text }
    }
}

/// The parts of `&&`, `||` and `? :`, each with its tree; empty if they cannot be separated.
fn parts<'t, 'e>(tree: &'t IdedExpr, expression: &'e Expression) -> Vec<(&'t IdedExpr, &'e Expression)> {
    let (operator, parts): (&str, &'e [Expression]) = match expression {
        Expression::And(parts) => (operators::LOGICAL_AND, parts),
        Expression::Or(parts) => (operators::LOGICAL_OR, parts),
        Expression::If(parts) => (operators::CONDITIONAL, &parts[..]),
        _ => return Vec::new(),
    };
    let mut trees = Vec::new();
    flatten(tree, operator, &mut trees);
    if trees.len() == parts.len() { trees.into_iter().zip(parts).collect() } else { Vec::new() }
}

fn flatten<'t>(tree: &'t IdedExpr, operator: &str, trees: &mut Vec<&'t IdedExpr>) {
    match &tree.expr {
        Expr::Call(call) if call.func_name == operators::CONDITIONAL && operator == operators::CONDITIONAL => {
            trees.extend(&call.args);
        }
        Expr::Call(call) if call.func_name == operator => {
            call.args.iter().for_each(|part| flatten(part, operator, trees));
        }
        _ => trees.push(tree),
    }
}

/// Why a single condition is certain.
fn why(expression: &Expression) -> Option<String> {
    let reads = |field: Field| expression.reads(&|part| matches!(part, Expression::Field(found) if *found == field));
    let says = if reads(Field::StatusCode) {
        "status codes are 100 to 599"
    } else if reads(Field::LatencyMs) {
        "latency_ms is 0 to 86400000 milliseconds, or null"
    } else if expression.reads(&has_empty_text) {
        "service, endpoint and method are never empty"
    } else {
        return None;
    };
    Some(says.to_owned())
}

fn has_empty_text(part: &Expression) -> bool {
    let empty = |value: &Value<'_>| matches!(value, Value::Text(text) if text.is_empty());
    match part {
        Expression::Literal(value) => empty(value),
        Expression::In(_, constants) => constants.iter().any(empty),
        _ => false,
    }
}

/// `service != "a" || service != "b"` holds of every service.
fn why_always(expression: &Expression) -> Option<String> {
    let Expression::Or(parts) = expression else { return why(expression) };
    let differs = |part: &Expression| matches!(part, Expression::Compare(Comparison::NotEqual, _));
    if parts.iter().filter(|part| differs(part)).count() >= 2 {
        return Some("to exclude both, write `&&`".to_owned());
    }
    None
}

/// Two values of one field were probably meant as alternatives.
fn either(left: &Expression, right: &Expression) -> Option<String> {
    let equality = |part: &Expression| match part {
        Expression::Compare(Comparison::Equal, sides) => matches!(sides[1], Expression::Literal(_)),
        _ => false,
    };
    (equality(left) && equality(right)).then(|| "to match either, write `||`, or `in [...]`".to_owned())
}
