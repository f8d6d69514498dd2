//! CEL filters over a request event, compiled to a three-valued evaluator.
//!
//! A filter sees service, environment, endpoint, method, status_code, latency_ms and attributes. The supported part of
//! CEL is evaluated natively: comparisons, `&&`, `||`, `!`, `? :`, `in [..]`, `startsWith`, `endsWith`, `contains`,
//! `matches`, `has(attributes.key)`, `"key" in attributes`, `latency_ms == null`, arithmetic, `size`, `lowerAscii`,
//! `upperAscii`, `int`, `double`, `string`. Anything else is refused by name, never handed to an interpreter: a filter
//! means the same wherever it runs.
//!
//! Filters are checked against the types of the fields. What can still fail on an event (a null latency, a missing
//! attribute, `int("abc")`, a division by zero, an overflow) is unknown, and `&&` and `||` treat it as CEL does: false
//! && unknown is false, true || unknown is true, in either order.

mod calls;
mod check;
mod domain;
mod error;
pub mod expression;
mod findings;
mod names;
mod operators;
mod possible;
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
///         r#"{{"time":"2026-01-31T09:30:00Z","service":"s","endpoint":"/","method":"GET","status_code":200{latency}}}"#
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

    /// The same, with what deserves a warning: conditions that are never true, or always, whatever the event. Use it
    /// where a person reads the answer; where filters run, [`Filter::compile`] costs less.
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

    /// What deserves a warning about `self` as the good (else the bad) side of `total`: that no event of the total is on
    /// it, or every one. Its place is the whole of `self`. None where that was said of one of them by itself, or where
    /// nothing is certain.
    pub fn within(&self, total: &Filter, good: bool) -> Option<Finding> {
        let (code, message) = findings::between(&total.expression, &self.expression, good)?;
        Some(Finding { code, message, help: None, start: 0, width: self.width })
    }

    /// Whether the event matches; `None` is unknown: a null latency, a missing attribute, an error at run time.
    pub fn eval(&self, event: &EventView<'_>) -> Option<bool> {
        self.expression.truth(event)
    }

    /// Whether it reads attributes: if no filter does, the decoder may skip them.
    pub fn reads_attributes(&self) -> bool {
        self.expression.reads_attributes()
    }

    /// What it says, to be reduced and evaluated by itself.
    pub fn into_expression(self) -> Expression {
        self.expression
    }
}
