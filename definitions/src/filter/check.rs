//! The checker: turns a CEL syntax tree into an [`Expression`] whose operands have the types that their operators need. It
//! continues after an error, so that every error is reported.

use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, ListExpr, LiteralValue, operators};

use super::attributes::{self, has_attribute, is_attributes};
use super::error::FilterError;
use super::expression::{Arithmetic, Comparison, Expression, Field, Value};
use super::syntax::Places;
use super::types::{Type, Typed};
use super::{calls, guess, names};

/// Collects errors while it walks. A method returns `None` if it reported one.
pub(super) struct Checker {
    pub(super) places: Places,
    pub(super) errors: Vec<FilterError>,
}

impl Checker {
    /// Reports an error at a part of the tree.
    pub(super) fn refuse<T>(
        &mut self,
        at: &IdedExpr,
        code: &'static str,
        message: String,
        help: Option<String>,
    ) -> Option<T> {
        let (start, width) = self.places.of(at);
        self.errors.push(FilterError { code, message, help, start, width });
        None
    }

    /// An expression that must be true or false.
    pub(super) fn truth(&mut self, tree: &IdedExpr) -> Option<Expression> {
        let typed = self.expression(tree)?;
        if typed.kind == Type::Bool {
            return Some(typed.expression);
        }
        let message = format!("{} is {}: expected something that is true or false", typed.name, typed.kind.name());
        let help = guess::division(self.places.source()).or_else(|| names::comparison_for(&typed));
        self.refuse(tree, "filter-type", message, help)
    }

    /// Any expression.
    pub(super) fn expression(&mut self, tree: &IdedExpr) -> Option<Typed> {
        match &tree.expr {
            Expr::Literal(literal) => self.literal(tree, literal),
            Expr::Ident(name) => self.name(tree, name),
            Expr::Select(select) => self.select(tree, select),
            Expr::Call(call) => self.operator(tree, call),
            Expr::Comprehension(_) => self.unsupported(tree, "loops (`exists`, `all`, `map`, `filter`)", LOOP_HELP),
            Expr::List(_) => self.unsupported(tree, "lists except after `in`", "write `x in [\"a\", \"b\"]`"),
            Expr::Map(_) | Expr::Struct(_) => {
                self.unsupported(tree, "maps and messages", "compare the fields one by one")
            }
            Expr::Unspecified => self.unsupported(tree, "this expression", "write a comparison"),
        }
    }

    /// Refuses a CEL construct by name.
    pub(super) fn unsupported<T>(&mut self, tree: &IdedExpr, what: &str, instead: &str) -> Option<T> {
        let message = format!("filters do not support {what}");
        self.refuse(tree, "unsupported-cel", message, Some(instead.to_owned()))
    }

    fn literal(&mut self, tree: &IdedExpr, literal: &LiteralValue) -> Option<Typed> {
        let (value, kind) = match literal {
            LiteralValue::Boolean(value) => (Value::Bool(*value.inner()), Type::Bool),
            LiteralValue::Int(value) => (Value::Int(*value.inner()), Type::Int),
            LiteralValue::UInt(value) => {
                let instead = format!("write `{}` without the u: CEL never mixes the two types", value.inner());
                return self.unsupported(tree, "unsigned numbers", &instead);
            }
            LiteralValue::Double(value) => (Value::Double(*value.inner()), Type::Double),
            LiteralValue::String(value) => (Value::Text(value.inner().to_owned().into()), Type::Text),
            LiteralValue::Null => return self.null(tree),
            LiteralValue::Bytes(_) => {
                return self.unsupported(tree, "bytes", "write a string: `\"...\"` without the b");
            }
        };
        let name = match &value {
            Value::Text(text) => format!("{text:?}"),
            Value::Bool(value) => value.to_string(),
            // As it is written: `100.0` and `0x1F7`, not 100 and 503.
            Value::Int(_) | Value::Double(_) => self.places.text(tree),
        };
        Some(Typed { expression: Expression::Literal(value), kind, name })
    }

    fn null<T>(&mut self, tree: &IdedExpr) -> Option<T> {
        let message = "null can only be compared to latency_ms".to_owned();
        let help = "an attribute that may be missing is tested with `has(attributes.key)`".to_owned();
        self.refuse(tree, "filter-type", message, Some(help))
    }

    fn name(&mut self, tree: &IdedExpr, name: &str) -> Option<Typed> {
        let name = absolute(name);
        let (field, kind) = match name {
            "service" => (Field::Service, Type::Text),
            "environment" => (Field::Environment, Type::Text),
            "endpoint" => (Field::Endpoint, Type::Text),
            "method" => (Field::Method, Type::Text),
            "status_code" => (Field::StatusCode, Type::Int),
            "latency_ms" => (Field::LatencyMs, Type::Double),
            "attributes" => {
                let message = "attributes is a map: expected one of its values".to_owned();
                let help = "write `attributes.key == \"...\"` or `attributes[\"key\"] == \"...\"`".to_owned();
                return self.refuse(tree, "filter-type", message, Some(help));
            }
            _ => {
                let (message, help) = names::unknown(name);
                return self.refuse(tree, "filter-unknown-name", message, Some(help));
            }
        };
        Some(Typed { expression: Expression::Field(field), kind, name: name.to_owned() })
    }

    fn operator(&mut self, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let comparison = match call.func_name.as_str() {
            operators::LOGICAL_AND => return self.conjunction(call),
            operators::LOGICAL_OR => return self.disjunction(call),
            operators::LOGICAL_NOT => {
                let part = self.truth(call.args.first()?)?;
                return Some(truth(Expression::Not(Box::new(part))));
            }
            operators::CONDITIONAL => return self.conditional(tree, call),
            operators::IN => return self.membership(tree, call),
            operators::INDEX => return self.index(tree, call),
            operators::EQUALS => Comparison::Equal,
            operators::NOT_EQUALS => Comparison::NotEqual,
            operators::LESS => Comparison::Less,
            operators::LESS_EQUALS => Comparison::LessOrEqual,
            operators::GREATER => Comparison::Greater,
            operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
            operators::ADD => return self.calculate(tree, call, Arithmetic::Add, "+"),
            operators::SUBSTRACT => return self.calculate(tree, call, Arithmetic::Subtract, "-"),
            operators::MULTIPLY => return self.calculate(tree, call, Arithmetic::Multiply, "*"),
            operators::DIVIDE => return self.calculate(tree, call, Arithmetic::Divide, "/"),
            operators::MODULO => return self.calculate(tree, call, Arithmetic::Remainder, "%"),
            _ => return calls::check(self, tree, call),
        };
        self.compare(tree, call, comparison)
    }

    fn conjunction(&mut self, call: &CallExpr) -> Option<Typed> {
        let mut flat = Vec::new();
        for part in self.truths(&call.args)? {
            match part {
                Expression::And(parts) => flat.extend(parts),
                part => flat.push(part),
            }
        }
        Some(truth(Expression::And(flat)))
    }

    fn disjunction(&mut self, call: &CallExpr) -> Option<Typed> {
        let mut flat = Vec::new();
        for part in self.truths(&call.args)? {
            match part {
                Expression::Or(parts) => flat.extend(parts),
                part => flat.push(part),
            }
        }
        Some(truth(Expression::Or(flat)))
    }

    fn truths(&mut self, trees: &[IdedExpr]) -> Option<Vec<Expression>> {
        let parts: Vec<Option<Expression>> = trees.iter().map(|tree| self.truth(tree)).collect();
        parts.into_iter().collect()
    }

    fn conditional(&mut self, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let [condition, then, other] = call.args.as_slice() else { return None };
        let (condition, then, other) = (self.truth(condition), self.expression(then), self.expression(other));
        let (condition, then, other) = (condition?, then?, other?);
        if then.kind != other.kind {
            let message = format!(
                "both branches of `? :` need the same type, not {} and {}",
                then.described(),
                other.described()
            );
            return self.refuse(tree, "filter-type", message, None);
        }
        let expression = Expression::If(Box::new([condition, then.expression, other.expression]));
        Some(Typed { expression, kind: then.kind, name: "the result of `? :`".to_owned() })
    }

    fn compare(&mut self, tree: &IdedExpr, call: &CallExpr, comparison: Comparison) -> Option<Typed> {
        let [left, right] = call.args.as_slice() else { return None };
        self.check_not(tree, left)?;
        if let Some(measured) = null_test(left, right, comparison) {
            return Some(truth(measured));
        }
        let (left, right) = (self.expression(left), self.expression(right));
        let (left, right) = (left?, right?);
        let comparable = left.kind == right.kind || (left.kind.is_number() && right.kind.is_number());
        if !comparable {
            let message = format!("cannot compare {} with {}", left.described(), right.described());
            let help = self.range(call);
            let help = help.or_else(|| names::conversion(&left, &right));
            let help = help.or_else(|| names::conversion(&right, &left));
            return self.refuse(tree, "filter-type", message, help);
        }
        Some(truth(Expression::Compare(comparison, Box::new([left.expression, right.expression]))))
    }

    /// What to write for `200 <= status_code <= 299`, which CEL reads as `(200 <= status_code) <= 299`.
    fn range(&self, call: &CallExpr) -> Option<String> {
        let [inner, high] = call.args.as_slice() else { return None };
        let Expr::Call(lower) = &inner.expr else { return None };
        let [low, middle] = lower.args.as_slice() else { return None };
        let (first, second) = (order(&lower.func_name)?, order(&call.func_name)?);
        if first.as_bytes()[0] != second.as_bytes()[0] {
            return None;
        }
        let [low, middle, high] = [low, middle, high].map(|part| self.places.text(part));
        Some(format!("write `{low} {first} {middle} && {middle} {second} {high}`"))
    }

    /// Refuses `!method in ["GET"]`, where `!` is of `method` alone.
    fn check_not(&mut self, tree: &IdedExpr, left: &IdedExpr) -> Option<()> {
        let Expr::Call(call) = &left.expr else { return Some(()) };
        let ([part], operators::LOGICAL_NOT) = (call.args.as_slice(), call.func_name.as_str()) else {
            return Some(());
        };
        // What is checked here is checked again where it stands: so it must have no such parts itself.
        if !attributes::is_field(part) {
            return Some(());
        }
        let typed = self.expression(part)?;
        if typed.kind == Type::Bool {
            return Some(());
        }
        let message = format!("`!` takes something that is true or false, not {}", typed.described());
        let whole = self.places.text(tree);
        let help = match whole.strip_prefix('!').filter(|rest| rest.len() <= 80) {
            Some(rest) => format!("write `!({})`", rest.trim()),
            None => "write `!(x in [...])`".to_owned(),
        };
        self.refuse(tree, "filter-type", message, Some(help))
    }

    fn membership(&mut self, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let [item, within] = call.args.as_slice() else { return None };
        self.check_not(tree, item)?;
        match &within.expr {
            Expr::List(list) => self.one_of(tree, item, list),
            _ if is_attributes(within) => {
                self.key(item, "write the key out: `\"key\" in attributes`").map(has_attribute)
            }
            _ => self.unsupported(
                within,
                "`in` with anything but a list or attributes",
                "write `x in [\"a\", \"b\"]`; a part of a string is found with `endpoint.contains(\"x\")`",
            ),
        }
    }

    fn one_of(&mut self, tree: &IdedExpr, item: &IdedExpr, list: &ListExpr) -> Option<Typed> {
        let item = self.expression(item);
        let elements: Vec<Option<Typed>> = list.elements.iter().map(|element| self.expression(element)).collect();
        let item = item?;
        let elements = elements.into_iter().collect::<Option<Vec<Typed>>>()?;
        let fits = |kind: Type| kind == item.kind || (kind.is_number() && item.kind.is_number());
        if let Some(other) = elements.iter().find(|element| !fits(element.kind)) {
            let message = format!("cannot compare {} with {}", item.described(), other.described());
            return self.refuse(tree, "filter-type", message, names::conversion(other, &item));
        }
        let constants = elements.iter().map(|element| element.expression.constant_value());
        let item = Box::new(item.expression);
        Some(truth(match constants.collect::<Option<Arc<[Value<'static>]>>>() {
            Some(constants) => Expression::In(item, constants),
            None => Expression::OneOf(item, elements.into_iter().map(|element| element.expression).collect()),
        }))
    }

    fn calculate(&mut self, tree: &IdedExpr, call: &CallExpr, operator: Arithmetic, sign: &str) -> Option<Typed> {
        let [left, right] = call.args.as_slice() else { return None };
        if let Some(key) = attributes::hyphenated(tree).filter(|_| operator == Arithmetic::Subtract) {
            let message = format!("`attributes.{key}` is a subtraction");
            return self.refuse(
                tree,
                "filter-type",
                message,
                Some(format!("for the key {key:?} write `attributes[{key:?}]`")),
            );
        }
        let (left, right) = (self.expression(left), self.expression(right));
        let (left, right) = (left?, right?);
        let allowed = match (left.kind, right.kind) {
            (Type::Int, Type::Int) => true,
            (Type::Double, Type::Double) => operator != Arithmetic::Remainder,
            (Type::Text, Type::Text) => operator == Arithmetic::Add,
            _ => false,
        };
        if !allowed {
            let message = format!("`{sign}` does not take {} and {}", left.described(), right.described());
            return self.refuse(tree, "filter-type", message, names::same_number(&left, &right));
        }
        let kind = left.kind;
        let expression = Expression::Calculate(operator, Box::new([left.expression, right.expression]));
        Some(Typed { expression, kind, name: format!("the result of `{sign}`") })
    }
}

pub(super) const LOOP_HELP: &str = "write the alternatives out with ||, or use `x in [...]` or `x.matches(\"^(a|b)\")`";

/// How an operator that orders is written.
fn order(operator: &str) -> Option<&'static str> {
    Some(match operator {
        operators::LESS => "<",
        operators::LESS_EQUALS => "<=",
        operators::GREATER => ">",
        operators::GREATER_EQUALS => ">=",
        _ => return None,
    })
}

pub(super) fn truth(expression: Expression) -> Typed {
    Typed { expression, kind: Type::Bool, name: "this condition".to_owned() }
}

pub(super) fn is_name(tree: &IdedExpr, wanted: &str) -> bool {
    matches!(&tree.expr, Expr::Ident(name) if absolute(name) == wanted)
}

/// The name without a leading dot, with which CEL leaves a namespace: filters have none to leave.
pub(super) fn absolute(name: &str) -> &str {
    name.strip_prefix('.').unwrap_or(name)
}

/// `latency_ms == null` and `latency_ms != null`, in either order. Unlike other comparisons of it these are never unknown.
fn null_test(left: &IdedExpr, right: &IdedExpr, comparison: Comparison) -> Option<Expression> {
    let is_null = |tree: &IdedExpr| matches!(tree.expr, Expr::Literal(LiteralValue::Null));
    let is_latency = |tree: &IdedExpr| is_name(tree, "latency_ms");
    if !(is_null(left) && is_latency(right) || is_latency(left) && is_null(right)) {
        return None;
    }
    match comparison {
        Comparison::Equal => Some(Expression::Not(Box::new(Expression::Measured))),
        Comparison::NotEqual => Some(Expression::Measured),
        _ => None,
    }
}
