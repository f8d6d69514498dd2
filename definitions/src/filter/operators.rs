//! Operators and functions of filters on values: `None` is unknown.

use std::borrow::Cow;

use super::number;
use super::value::Value;

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
    /// `/`; of whole numbers by zero: unknown.
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

pub(super) fn compare(comparison: Comparison, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
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

    /// The opposite.
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
    pub(super) fn holds(self, text: &str, part: &str) -> bool {
        match self {
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
            TextTest::Contains => text.contains(part),
        }
    }
}

/// Whole numbers are checked: an overflow or a division by zero is an error, and so unknown.
pub(super) fn calculate<'v>(arithmetic: Arithmetic, left: Value<'v>, right: Value<'v>) -> Option<Value<'v>> {
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

pub(super) fn call<'v>(function: Function, value: Value<'v>) -> Option<Value<'v>> {
    Some(match (function, value) {
        (Function::Size, Value::Text(text)) => Value::Int(text.chars().count() as i64),
        (Function::LowerAscii, Value::Text(text)) => Value::Text(Cow::Owned(text.to_ascii_lowercase())),
        (Function::UpperAscii, Value::Text(text)) => Value::Text(Cow::Owned(text.to_ascii_uppercase())),
        (Function::Int, Value::Int(number)) => Value::Int(number),
        (Function::Int, Value::Double(number)) => Value::Int(whole(number)?),
        (Function::Int, Value::Text(text)) => Value::Int(text.parse().ok()?),
        (Function::Double, Value::Int(number)) => Value::Double(number as f64),
        (Function::Double, Value::Double(number)) => Value::Double(number),
        (Function::Double, Value::Text(text)) => Value::Double(number::double(&text)?),
        (Function::Text, Value::Text(text)) => Value::Text(text),
        (Function::Text, Value::Int(number)) => Value::Text(Cow::Owned(number.to_string())),
        (Function::Text, Value::Bool(truth)) => Value::Text(Cow::Owned(truth.to_string())),
        (Function::Negate, Value::Int(number)) => Value::Int(number.checked_neg()?),
        (Function::Negate, Value::Double(number)) => Value::Double(-number),
        _ => return None,
    })
}

/// A double rounded towards zero, if it fits.
fn whole(number: f64) -> Option<i64> {
    let bound = 9_223_372_036_854_775_808.0;
    (number > -bound && number < bound).then_some(number as i64)
}
