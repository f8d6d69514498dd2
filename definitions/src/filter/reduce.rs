//! Partial evaluation: what remains of an expression once some dimensions of the event are known. What depends on them
//! alone becomes a constant, so it is decided once per distinct tuple and not once per event.

use std::borrow::Cow;
use std::sync::Arc;

use super::expression::{Expression, Field, NoFacts, Value};

/// The dimensions that are known. The endpoint may be the raw path of an import, so it may be left open.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    /// Its service.
    pub service: &'k str,
    /// Its environment.
    pub environment: &'k str,
    /// Its method.
    pub method: &'k str,
    /// Its status code.
    pub status_code: u16,
    /// Its endpoint, unless that is left open.
    pub endpoint: Option<&'k str>,
}

impl Known<'_> {
    fn field(&self, field: Field) -> Option<Value<'static>> {
        let text = |text: &str| Some(Value::Text(Cow::Owned(text.to_owned())));
        match field {
            Field::Service => text(self.service),
            Field::Environment => text(self.environment),
            Field::Method => text(self.method),
            Field::StatusCode => Some(Value::Int(i64::from(self.status_code))),
            Field::Endpoint => self.endpoint.and_then(text),
            Field::LatencyMs => None,
        }
    }
}

/// What remains of `expression`. It has the same value as the whole on every event with these dimensions.
pub fn reduce(expression: &Expression, known: &Known<'_>) -> Expression {
    match expression {
        Expression::Field(field) => match known.field(*field) {
            Some(value) => Expression::Literal(value),
            None => expression.clone(),
        },
        Expression::Literal(_)
        | Expression::Unknown
        | Expression::Attribute(_)
        | Expression::HasAttribute(_)
        | Expression::Measured => expression.clone(),
        Expression::And(parts) => join(parts, known, false),
        Expression::Or(parts) => join(parts, known, true),
        Expression::If(parts) => match reduce(&parts[0], known) {
            Expression::Literal(Value::Bool(truth)) => reduce(&parts[if truth { 1 } else { 2 }], known),
            Expression::Unknown => Expression::Unknown,
            open => Expression::If(Box::new([open, reduce(&parts[1], known), reduce(&parts[2], known)])),
        },
        Expression::Not(part) => one(part, known, Expression::Not),
        Expression::In(part, constants) => one(part, known, |part| Expression::In(part, constants.clone())),
        Expression::OneOf(part, elements) => one_of(part, elements, known),
        Expression::Matches(part, regex) => one(part, known, |part| Expression::Matches(part, regex.clone())),
        Expression::Call(function, part) => one(part, known, |part| Expression::Call(*function, part)),
        Expression::Compare(comparison, sides) => two(sides, known, |sides| Expression::Compare(*comparison, sides)),
        Expression::Test(test, sides) => two(sides, known, |sides| Expression::Test(*test, sides)),
        Expression::Calculate(operator, sides) => two(sides, known, |sides| Expression::Calculate(*operator, sides)),
    }
}

/// And (`decisive` false) or Or (`decisive` true): a decisive part decides, its opposite is dropped.
fn join(parts: &[Expression], known: &Known<'_>, decisive: bool) -> Expression {
    let mut open = Vec::new();
    let mut unknown = false;
    for part in parts {
        match reduce(part, known) {
            Expression::Literal(Value::Bool(truth)) if truth == decisive => return Expression::constant(decisive),
            Expression::Literal(_) => {}
            Expression::Unknown => unknown = true,
            part => open.push(part),
        }
    }
    match (open.len(), unknown) {
        (0, true) => return Expression::Unknown,
        (0, false) => return Expression::constant(!decisive),
        (1, false) => return open.swap_remove(0),
        (_, true) => open.push(Expression::Unknown),
        (_, false) => {}
    }
    if decisive { Expression::Or(open) } else { Expression::And(open) }
}

/// `in` is unknown if its operand or an element is.
fn one_of(part: &Expression, elements: &[Expression], known: &Known<'_>) -> Expression {
    let part = reduce(part, known);
    let elements: Vec<Expression> = elements.iter().map(|element| reduce(element, known)).collect();
    if elements.iter().chain([&part]).any(|one| matches!(one, Expression::Unknown)) {
        return Expression::Unknown;
    }
    let constants = elements.iter().map(Expression::constant_value).collect::<Option<Arc<[Value<'static>]>>>();
    match constants {
        Some(constants) => one(&part, known, |part| Expression::In(part, constants)),
        None => Expression::OneOf(Box::new(part), elements),
    }
}

/// An operator that is unknown if its operand is.
fn one(part: &Expression, known: &Known<'_>, build: impl FnOnce(Box<Expression>) -> Expression) -> Expression {
    match reduce(part, known) {
        Expression::Unknown => Expression::Unknown,
        part @ Expression::Literal(_) => decide(&build(Box::new(part))),
        part => build(Box::new(part)),
    }
}

/// An operator that is unknown if either operand is.
fn two(
    sides: &[Expression; 2],
    known: &Known<'_>,
    build: impl FnOnce(Box<[Expression; 2]>) -> Expression,
) -> Expression {
    match [reduce(&sides[0], known), reduce(&sides[1], known)] {
        [Expression::Unknown, _] | [_, Expression::Unknown] => Expression::Unknown,
        sides @ [Expression::Literal(_), Expression::Literal(_)] => decide(&build(Box::new(sides))),
        sides => build(Box::new(sides)),
    }
}

/// The constant that an operator on constants is.
fn decide(expression: &Expression) -> Expression {
    match expression.value(&NoFacts) {
        Some(value) => Expression::Literal(value.into_static()),
        None => Expression::Unknown,
    }
}
