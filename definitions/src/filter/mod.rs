//! CEL filters over a request event, compiled to a three-valued evaluator. docs/filters.md lists what they may say.
//!
//! cel-go is the reference: an accepted filter is true or false if it is in cel-go, and unknown if cel-go reports
//! an error on an event (a latency that was not measured, a missing attribute, `int("abc")`, a division of whole numbers
//! by zero, an overflow). `tests/cel` holds the evaluator to that. The rest of CEL is refused by name, never passed to an
//! interpreter whose cost per event would not be bounded.
//!
//! `&&` and `||` treat unknown as CEL treats an error: `false && unknown` is false and `true || unknown` is true, in
//! either order. Every other operator is unknown if an operand is.

mod attributes;
mod calls;
mod check;
mod domain;
mod error;
pub mod expression;
mod findings;
mod guess;
mod lexical;
mod names;
mod number;
mod operators;
mod possible;
mod re2;
pub mod reduce;
mod syntax;
mod types;
mod value;

use cel::common::ast::IdedExpr;
use slipstream_schemas::event::EventView;

use self::check::Checker;
pub use self::error::FilterError;
pub use self::expression::Expression;
pub use self::findings::Finding;
use self::syntax::Places;
pub use self::syntax::{MAX_DEPTH, MAX_LENGTH};

/// A compiled filter.
///
/// ```
/// use slipstream_definitions::filter::Filter;
/// use slipstream_schemas::decode::{Attributes, Provenance, decode};
///
/// let fast = Filter::compile("status_code < 500 && latency_ms <= 300.0").expect("it is right");
/// let from = Provenance { topic: "request-events", partition: 0, offset: 0 };
/// let answer = |latency: &str| {
///     let value = format!(
///         r#"{{"time":"2026-01-31T09:30:00Z","service":"s","endpoint":"/","method":"GET",
///         "status_code":200{latency}}}"#
///     );
///     fast.eval(&decode(value.as_bytes(), &from, Attributes::Skip).expect("an event"))
/// };
/// assert_eq!(answer(r#","latency_ms":120"#), Some(true));
/// assert_eq!(answer(r#","latency_ms":900"#), Some(false));
/// assert_eq!(answer(""), None); // not measured: neither good nor bad
///
/// // Types are checked when it is compiled, not when it never matches.
/// let errors = Filter::compile(r#"status_code == "500""#).unwrap_err();
/// assert_eq!(errors[0].message, r#"cannot compare status_code (a whole number) with "500" (a string)"#);
/// ```
#[derive(Debug, Clone)]
pub struct Filter {
    expression: Expression,
    /// Characters of its source.
    width: usize,
}

impl Filter {
    /// Compiles CEL source. Every error found is returned.
    pub fn compile(source: &str) -> Result<Filter, Vec<FilterError>> {
        Filter::examine(source, |_, _, _| ()).map(|(filter, ())| filter)
    }

    /// Compiles CEL source and looks for conditions that are never true, or always true, whatever the event. For a
    /// person to read; for filters that only run, [`Filter::compile`] costs less.
    pub fn checked(source: &str) -> Result<(Filter, Vec<Finding>), Vec<FilterError>> {
        Filter::examine(source, findings::of)
    }

    fn examine<T>(
        source: &str,
        look: impl FnOnce(&IdedExpr, &Expression, &Places) -> T,
    ) -> Result<(Filter, T), Vec<FilterError>> {
        let (tree, places) = syntax::parse(source)?;
        let mut checker = Checker { places, errors: Vec::new() };
        match checker.truth(&tree) {
            Some(expression) if checker.errors.is_empty() => {
                let seen = look(&tree, &expression, &checker.places);
                Ok((Filter { expression, width: source.chars().count().max(1) }, seen))
            }
            _ => Err(checker.errors),
        }
    }

    /// A warning if no event of `total`, or every one, is on this side, which is the good one or else the bad one. Its
    /// place is the whole of `self`. `None` if nothing is certain, or if one of the two filters already has such a
    /// warning.
    pub fn within(&self, total: &Filter, good: bool) -> Option<Finding> {
        let (code, message) = findings::between(&total.expression, &self.expression, good)?;
        Some(Finding { code, message, help: None, start: 0, width: self.width })
    }

    /// Whether the event matches. `None` if that is unknown: a latency that was not measured, a missing attribute, an
    /// error at evaluation.
    pub fn eval(&self, event: &EventView<'_>) -> Option<bool> {
        self.expression.truth(event)
    }

    /// Whether it reads attributes. If no filter does, the decoder may skip them.
    pub fn reads_attributes(&self) -> bool {
        self.expression.reads_attributes()
    }

    /// Whether it reads the latency.
    pub fn reads_latency(&self) -> bool {
        self.expression.reads_latency()
    }

    /// The expression, to be reduced and evaluated without the filter.
    pub fn into_expression(self) -> Expression {
        self.expression
    }
}
