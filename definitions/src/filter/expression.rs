//! A filter's expression after checking, and its evaluation on an event. Evaluation is three-valued: `None` is unknown.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use regex::Regex;
use slipstream_schemas::event::EventView;

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
    /// `latency_ms`, null where it was not measured.
    LatencyMs,
}

/// Operators of comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

/// Operators of arithmetic; Add also joins strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`; by zero: unknown.
    Divide,
    /// `%`; by zero: unknown.
    Remainder,
}

/// Tests of a string against another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextTest {
    /// `startsWith`.
    StartsWith,
    /// `endsWith`.
    EndsWith,
    /// `contains`.
    Contains,
}

/// Functions of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `size`: characters.
    Size,
    /// `lowerAscii`.
    LowerAscii,
    /// `upperAscii`.
    UpperAscii,
    /// `int`.
    Int,
    /// `double`.
    Double,
    /// `string`.
    Text,
    /// Unary `-`.
    Negate,
}

/// A value while evaluating.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'v> {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Double(f64),
    /// A string.
    Text(Cow<'v, str>),
}

/// A checked expression: operands have the types their operator needs.
#[derive(Debug, Clone)]
pub enum Expression {
    /// A constant.
    Literal(Value<'static>),
    /// Cannot be decided, whatever the event; reduction makes it.
    Unknown,
    /// A field of the event; unknown where it is null.
    Field(Field),
    /// An attribute's value; unknown where it is missing.
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

    /// The value of a boolean expression.
    pub fn truth(&self, facts: &impl Facts) -> Option<bool> {
        match self.value(facts)? {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The value on an event: unknown on null, a missing attribute, or an error such as a division by zero.
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

    /// Whether such a part is anywhere in it.
    pub(super) fn reads(&self, what: &impl Fn(&Expression) -> bool) -> bool {
        let mut found = what(self);
        self.each_child(&mut |child| found = found || child.reads(what));
        found
    }

    /// Calls `visit` for the parts it is directly made of.
    pub(super) fn each_child<'e>(&'e self, visit: &mut impl FnMut(&'e Expression)) {
        match self {
            Expression::And(parts) | Expression::Or(parts) => parts.iter().for_each(visit),
            Expression::If(parts) => parts.iter().for_each(visit),
            Expression::Compare(_, sides) | Expression::Test(_, sides) | Expression::Calculate(_, sides) => {
                sides.iter().for_each(visit);
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

impl Value<'_> {
    fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Bool(value) => Value::Bool(*value),
            Value::Int(value) => Value::Int(*value),
            Value::Double(value) => Value::Double(*value),
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }

    /// The number it is.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::Double(number) => Some(*number),
            Value::Bool(_) | Value::Text(_) => None,
        }
    }

    /// The value without its borrow.
    pub fn into_static(self) -> Value<'static> {
        match self {
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::Double(value) => Value::Double(value),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        }
    }

    /// Order of two values; none between kinds, and none with a NaN. Whole and other numbers compare as numbers.
    fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
            (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
            (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
            (Value::Int(left), Value::Double(right)) => (*left as f64).partial_cmp(right),
            (Value::Double(left), Value::Int(right)) => left.partial_cmp(&(*right as f64)),
            (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }
}

fn compare(comparison: Comparison, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    let Some(order) = left.order(right) else {
        // The checker lets no other kinds meet: what has no order here is a NaN, which equals nothing.
        return Some(comparison == Comparison::NotEqual);
    };
    Some(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

impl Comparison {
    /// The comparison with its sides exchanged.
    pub fn mirrored(self) -> Comparison {
        match self {
            Comparison::Equal | Comparison::NotEqual => self,
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        }
    }

    /// What holds where it does not.
    pub fn opposite(self) -> Comparison {
        match self {
            Comparison::Equal => Comparison::NotEqual,
            Comparison::NotEqual => Comparison::Equal,
            Comparison::Less => Comparison::GreaterOrEqual,
            Comparison::LessOrEqual => Comparison::Greater,
            Comparison::Greater => Comparison::LessOrEqual,
            Comparison::GreaterOrEqual => Comparison::Less,
        }
    }

    /// Whether it holds between two numbers.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Less => left < right,
            Comparison::LessOrEqual => left <= right,
            Comparison::Greater => left > right,
            Comparison::GreaterOrEqual => left >= right,
        }
    }
}

impl TextTest {
    fn holds(self, text: &str, part: &str) -> bool {
        match self {
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
            TextTest::Contains => text.contains(part),
        }
    }
}

/// Whole numbers are checked: an overflow or a division by zero is an error, and so unknown.
fn calculate<'v>(arithmetic: Arithmetic, left: Value<'v>, right: Value<'v>) -> Option<Value<'v>> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => match arithmetic {
            Arithmetic::Add => left.checked_add(right),
            Arithmetic::Subtract => left.checked_sub(right),
            Arithmetic::Multiply => left.checked_mul(right),
            Arithmetic::Divide => left.checked_div(right),
            Arithmetic::Remainder => left.checked_rem(right),
        }
        .map(Value::Int),
        (Value::Double(left), Value::Double(right)) => match arithmetic {
            Arithmetic::Add => Some(left + right),
            Arithmetic::Subtract => Some(left - right),
            Arithmetic::Multiply => Some(left * right),
            Arithmetic::Divide => Some(left / right),
            Arithmetic::Remainder => None,
        }
        .map(Value::Double),
        (Value::Text(left), Value::Text(right)) if arithmetic == Arithmetic::Add => {
            Some(Value::Text(Cow::Owned(left.into_owned() + &right)))
        }
        _ => None,
    }
}

fn call<'v>(function: Function, value: Value<'v>) -> Option<Value<'v>> {
    Some(match (function, value) {
        (Function::Size, Value::Text(text)) => Value::Int(text.chars().count() as i64),
        (Function::LowerAscii, Value::Text(text)) => Value::Text(Cow::Owned(text.to_ascii_lowercase())),
        (Function::UpperAscii, Value::Text(text)) => Value::Text(Cow::Owned(text.to_ascii_uppercase())),
        (Function::Int, Value::Int(number)) => Value::Int(number),
        (Function::Int, Value::Double(number)) => Value::Int(whole(number)?),
        (Function::Int, Value::Text(text)) => Value::Int(text.parse().ok()?),
        (Function::Double, Value::Int(number)) => Value::Double(number as f64),
        (Function::Double, Value::Double(number)) => Value::Double(number),
        (Function::Double, Value::Text(text)) => Value::Double(finite(&text)?),
        (Function::Text, Value::Text(text)) => Value::Text(text),
        (Function::Text, Value::Int(number)) => Value::Text(Cow::Owned(number.to_string())),
        (Function::Text, Value::Bool(truth)) => Value::Text(Cow::Owned(truth.to_string())),
        (Function::Negate, Value::Int(number)) => Value::Int(number.checked_neg()?),
        (Function::Negate, Value::Double(number)) => Value::Double(-number),
        _ => return None,
    })
}

/// A double rounded toward zero, where it fits.
fn whole(number: f64) -> Option<i64> {
    let bound = 9_223_372_036_854_775_808.0;
    (number > -bound && number < bound).then_some(number as i64)
}

/// Numbers only: not the words that Rust reads as infinities and NaN.
fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
