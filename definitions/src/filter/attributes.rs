//! Attributes in filters: `attributes.key`, `attributes["key"]`, `has(attributes.key)`, and keys that are not written
//! so.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators};

use super::check::{Checker, is_name, truth};
use super::expression::Expression;
use super::names;
use super::types::{Type, Typed};

impl Checker {
    pub(super) fn select(&mut self, tree: &IdedExpr, select: &SelectExpr) -> Option<Typed> {
        if is_attributes(&select.operand) {
            let key = select.field.as_str();
            return Some(if select.test { has_attribute(key) } else { attribute(key) });
        }
        if let Some(key) = attribute_path(tree) {
            let message = format!("attributes are strings and have no fields: `attributes.{key}`");
            let instead =
                if select.test { format!("\"{key}\" in attributes") } else { format!("attributes[\"{key}\"]") };
            return self.refuse(tree, "filter-type", message, Some(format!("for the key {key:?} write `{instead}`")));
        }
        if let Expr::Ident(object) = &select.operand.expr
            && let Some(help) = names::without_object(object, &select.field)
        {
            let message = format!("unknown name `{object}`");
            return self.refuse(&select.operand, "filter-unknown-name", message, Some(help));
        }
        let operand = self.expression(&select.operand)?;
        let message = format!("{} is {} and has no field `{}`", operand.name, operand.kind.name(), select.field);
        // `endpoint.length`
        let function = names::function_elsewhere(&select.field).filter(|meant| names::takes(meant, operand.kind));
        let help = match function {
            Some(meant) => format!("did you mean the function `{meant}`? {}", names::usage(meant)),
            None => names::FIELDS_HELP.to_owned(),
        };
        self.refuse(tree, "filter-type", message, Some(help))
    }

    pub(super) fn index(&mut self, tree: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let [operand, key] = call.args.as_slice() else { return None };
        if !is_attributes(operand) {
            let help = match text_literal(key) {
                Some(key) => format!("write `attributes[{key:?}]`"),
                None => format!("{} or `endpoint.matches(\"^/api/\")`", names::usage("startsWith")),
            };
            return self.unsupported(tree, "`[...]` on anything but attributes", &help);
        }
        self.key(key, "write the key out: `attributes[\"key\"]`").map(attribute)
    }

    /// The key of an attribute, which must be a string that is written out.
    pub(super) fn key<'t>(&mut self, tree: &'t IdedExpr, instead: &str) -> Option<&'t str> {
        if let Some(key) = text_literal(tree) {
            return Some(key);
        }
        let typed = self.expression(tree)?;
        if typed.kind == Type::Text {
            return self.unsupported(tree, "computed attribute keys", instead);
        }
        let message = format!("the keys of attributes are strings, not {}", typed.described());
        self.refuse(tree, "filter-type", message, Some(instead.to_owned()))
    }
}

fn attribute(key: &str) -> Typed {
    Typed { expression: Expression::Attribute(key.into()), kind: Type::Text, name: format!("attributes[{key:?}]") }
}

pub(super) fn has_attribute(key: &str) -> Typed {
    truth(Expression::HasAttribute(key.into()))
}

pub(super) fn is_attributes(tree: &IdedExpr) -> bool {
    is_name(tree, "attributes")
}

/// `service`, `attributes.key` or `attributes["key"]`.
pub(super) fn is_field(tree: &IdedExpr) -> bool {
    match &tree.expr {
        Expr::Ident(_) => true,
        Expr::Select(select) => !select.test && is_attributes(&select.operand),
        Expr::Call(call) => match call.args.as_slice() {
            [operand, key] => {
                call.func_name == operators::INDEX && is_attributes(operand) && text_literal(key).is_some()
            }
            _ => false,
        },
        _ => false,
    }
}

/// The dotted key of `attributes.a.b`, which CEL reads as two selections.
fn attribute_path(tree: &IdedExpr) -> Option<String> {
    let Expr::Select(select) = &tree.expr else { return None };
    if is_attributes(&select.operand) {
        return Some(select.field.clone());
    }
    attribute_path(&select.operand).map(|path| format!("{path}.{}", select.field))
}

pub(super) fn text_literal(tree: &IdedExpr) -> Option<&str> {
    match &tree.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// The key that `attributes.a-b` was probably meant for, which CEL reads as `attributes.a` minus `b`.
pub(super) fn hyphenated(tree: &IdedExpr) -> Option<String> {
    if let Some(key) = attribute_path(tree) {
        return Some(key);
    }
    let Expr::Call(call) = &tree.expr else { return None };
    let ([left, right], operators::SUBSTRACT) = (call.args.as_slice(), call.func_name.as_str()) else { return None };
    let behind = plain_path(right).filter(|name| !names::FIELDS.contains(&name.as_str()))?;
    hyphenated(left).map(|before| format!("{before}-{behind}"))
}

/// `b` or `b.c`.
fn plain_path(tree: &IdedExpr) -> Option<String> {
    match &tree.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => {
            plain_path(&select.operand).map(|path| format!("{path}.{}", select.field))
        }
        _ => None,
    }
}
