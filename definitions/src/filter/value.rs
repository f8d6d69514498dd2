//! Values while a filter is evaluated.

use std::borrow::Cow;
use std::cmp::Ordering;

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

impl Value<'_> {
    pub(super) fn borrowed(&self) -> Value<'_> {
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

    /// Order of two values. `None` between values of different kinds, and with a NaN. Whole and decimal numbers are compared as doubles.
    pub(super) fn order(&self, other: &Value<'_>) -> Option<Ordering> {
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
