//! A filter's expression after checking, and its evaluation on an event. Evaluation is three-valued: `None` is unknown.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use regex::Regex;
use slipstream_schemas::event::EventView;

pub use super::operators::{Arithmetic, Comparison, Function, TextTest};
use super::operators::{calculate, call, compare};
pub use super::value::Value;

/// A field of the event that a filter may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `service`.
    Service,
    /// `environment`.
    Environment,
    /// `endpoint`.
    Endpoint,
    /// `method`.
    Method,
    /// `status_code`.
    StatusCode,
    /// `latency_ms`, null if it was not measured.
    LatencyMs,
}

/// A checked expression: operands have the types their operator needs.
#[derive(Debug, Clone)]
pub enum Expression {
    /// A constant.
    Literal(Value<'static>),
    /// Unknown for every event; created by reduction.
    Unknown,
    /// A field of the event; unknown if it is null.
    Field(Field),
    /// An attribute's value; unknown if it is missing.
    Attribute(Box<str>),
    /// `has(attributes.key)`.
    HasAttribute(Box<str>),
    /// `latency_ms != null`.
    Measured,
    /// `&&` of all: false if any is false, else unknown if any is unknown.
    And(Vec<Expression>),
    /// `||` of all: true if any is true, else unknown if any is unknown.
    Or(Vec<Expression>),
    /// `!`.
    Not(Box<Expression>),
    /// Condition, then, else.
    If(Box<[Expression; 3]>),
    /// A comparison of two values.
    Compare(Comparison, Box<[Expression; 2]>),
    /// `x in [constants]`.
    In(Box<Expression>, Arc<[Value<'static>]>),
    /// `x in [expressions]`: unknown if any of them is, even if another one is equal, because CEL builds the list first.
    OneOf(Box<Expression>, Vec<Expression>),
    /// A test of a string against another.
    Test(TextTest, Box<[Expression; 2]>),
    /// Whether a regular expression matches anywhere in a string.
    Matches(Box<Expression>, Arc<Regex>),
    /// Arithmetic on two values.
    Calculate(Arithmetic, Box<[Expression; 2]>),
    /// A function of one value.
    Call(Function, Box<Expression>),
}

/// What an expression may read.
pub trait Facts {
    /// A field's value, unless it is null.
    fn field(&self, field: Field) -> Option<Value<'_>>;
    /// An attribute's value, if the event has it.
    fn attribute(&self, key: &str) -> Option<&str>;
}

impl Facts for EventView<'_> {
    fn field(&self, field: Field) -> Option<Value<'_>> {
        Some(match field {
            Field::Service => Value::Text(Cow::Borrowed(&self.service)),
            Field::Environment => Value::Text(Cow::Borrowed(&self.environment)),
            Field::Endpoint => Value::Text(Cow::Borrowed(&self.endpoint)),
            Field::Method => Value::Text(Cow::Borrowed(&self.method)),
            Field::StatusCode => Value::Int(i64::from(self.status_code)),
            Field::LatencyMs => Value::Double(self.latency_ms?),
        })
    }

    fn attribute(&self, key: &str) -> Option<&str> {
        EventView::attribute(self, key)
    }
}

/// Facts of expressions that read none.
pub struct NoFacts;

impl Facts for NoFacts {
    fn field(&self, _: Field) -> Option<Value<'_>> {
        None
    }

    fn attribute(&self, _: &str) -> Option<&str> {
        None
    }
}

impl Expression {
    /// The constant `true` or `false`.
    pub fn constant(value: bool) -> Expression {
        Expression::Literal(Value::Bool(value))
    }

    /// The value, if it is a constant.
    pub(super) fn constant_value(&self) -> Option<Value<'static>> {
        match self {
            Expression::Literal(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// The value of a boolean expression.
    pub fn truth(&self, facts: &impl Facts) -> Option<bool> {
        match self.value(facts)? {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The value on an event: unknown on null, a missing attribute, or an error such as a division of whole numbers by zero.
    pub fn value<'v>(&'v self, facts: &'v impl Facts) -> Option<Value<'v>> {
        match self {
            Expression::Literal(value) => Some(value.borrowed()),
            Expression::Unknown => None,
            Expression::Field(field) => facts.field(*field),
            Expression::Attribute(key) => facts.attribute(key).map(|value| Value::Text(Cow::Borrowed(value))),
            Expression::HasAttribute(key) => Some(Value::Bool(facts.attribute(key).is_some())),
            Expression::Measured => Some(Value::Bool(facts.field(Field::LatencyMs).is_some())),
            Expression::And(parts) => all(parts, facts).map(Value::Bool),
            Expression::Or(parts) => any(parts, facts).map(Value::Bool),
            Expression::Not(part) => Some(Value::Bool(!part.truth(facts)?)),
            Expression::If(parts) => if parts[0].truth(facts)? { &parts[1] } else { &parts[2] }.value(facts),
            Expression::Compare(comparison, sides) => {
                compare(*comparison, &sides[0].value(facts)?, &sides[1].value(facts)?).map(Value::Bool)
            }
            Expression::In(part, constants) => {
                let value = part.value(facts)?;
                Some(Value::Bool(constants.iter().any(|one| one.order(&value) == Some(Ordering::Equal))))
            }
            Expression::OneOf(part, elements) => one_of(&part.value(facts)?, elements, facts).map(Value::Bool),
            Expression::Test(test, sides) => {
                Some(Value::Bool(test.holds(&sides[0].text(facts)?, &sides[1].text(facts)?)))
            }
            Expression::Matches(part, regex) => Some(Value::Bool(regex.is_match(&part.text(facts)?))),
            Expression::Calculate(arithmetic, sides) => {
                calculate(*arithmetic, sides[0].value(facts)?, sides[1].value(facts)?)
            }
            Expression::Call(function, part) => call(*function, part.value(facts)?),
        }
    }

    fn text<'v>(&'v self, facts: &'v impl Facts) -> Option<Cow<'v, str>> {
        match self.value(facts)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether an attribute is read anywhere in it.
    pub fn reads_attributes(&self) -> bool {
        self.reads(&|part| matches!(part, Expression::Attribute(_) | Expression::HasAttribute(_)))
    }

    /// Whether the endpoint is read anywhere in it.
    pub fn reads_endpoint(&self) -> bool {
        self.reads(&|part| matches!(part, Expression::Field(Field::Endpoint)))
    }

    /// Whether the latency is read anywhere in it.
    pub fn reads_latency(&self) -> bool {
        self.reads(&|part| matches!(part, Expression::Field(Field::LatencyMs)))
    }

    /// Whether such a part is anywhere in it.
    pub(super) fn reads(&self, what: &impl Fn(&Expression) -> bool) -> bool {
        let mut found = what(self);
        self.each_child(&mut |child| found = found || child.reads(what));
        found
    }

    /// Calls `visit` for its direct parts.
    pub(super) fn each_child<'e>(&'e self, visit: &mut impl FnMut(&'e Expression)) {
        match self {
            Expression::And(parts) | Expression::Or(parts) => parts.iter().for_each(visit),
            Expression::If(parts) => parts.iter().for_each(visit),
            Expression::Compare(_, sides) | Expression::Test(_, sides) | Expression::Calculate(_, sides) => {
                sides.iter().for_each(visit);
            }
            Expression::OneOf(part, elements) => {
                visit(part);
                elements.iter().for_each(visit);
            }
            Expression::Not(part)
            | Expression::In(part, _)
            | Expression::Matches(part, _)
            | Expression::Call(_, part) => visit(part),
            Expression::Literal(_)
            | Expression::Unknown
            | Expression::Field(_)
            | Expression::Attribute(_)
            | Expression::HasAttribute(_)
            | Expression::Measured => {}
        }
    }
}

/// Every element is evaluated: an unknown one decides, wherever it is.
fn one_of(value: &Value<'_>, elements: &[Expression], facts: &impl Facts) -> Option<bool> {
    let mut found = false;
    for element in elements {
        found |= element.value(facts)?.order(value) == Some(Ordering::Equal);
    }
    Some(found)
}

/// False wins over unknown, unknown over true.
fn all(parts: &[Expression], facts: &impl Facts) -> Option<bool> {
    let mut result = Some(true);
    for part in parts {
        match part.truth(facts) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

/// True wins over unknown, unknown over false.
fn any(parts: &[Expression], facts: &impl Facts) -> Option<bool> {
    let mut result = Some(false);
    for part in parts {
        match part.truth(facts) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}
