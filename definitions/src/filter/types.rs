//! The types of expressions.

use super::expression::Expression;

/// The type of an expression. A latency is finite, but arithmetic and `double("inf")` lead to infinities and NaN.
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

impl Typed {
    /// "status_code (a whole number)".
    pub(super) fn described(&self) -> String {
        format!("{} ({})", self.name, self.kind.name())
    }

    /// Whether a description can be quoted as code: not one such as "the result of `+`".
    pub(super) fn code(&self) -> Option<&str> {
        is_code(&self.expression).then_some(&self.name)
    }
}

fn is_code(expression: &Expression) -> bool {
    match expression {
        Expression::Literal(_) | Expression::Field(_) | Expression::Attribute(_) => true,
        Expression::Call(_, part) => is_code(part),
        _ => false,
    }
}

impl Type {
    pub(super) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Bool => "a boolean",
            Type::Int => "a whole number",
            Type::Double => "a decimal number",
            Type::Text => "a string",
        }
    }
}
