//! The types of expressions.

use super::expression::Expression;

/// The type of an expression. Doubles are always finite or unknown on events, but may be anything after arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Double,
    Text,
}

/// A checked expression, its type, and how a message calls it.
pub(super) struct Typed {
    pub(super) expression: Expression,
    pub(super) kind: Type,
    pub(super) name: String,
}

impl Type {
    pub(super) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Bool => "a truth value",
            Type::Int => "a whole number",
            Type::Double => "a decimal number",
            Type::Text => "a string",
        }
    }
}
