//! Parses CEL source into a syntax tree. Filters are short, and the parser recurses: so there are limits.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo};
use cel::parser::Parser;

use super::error::FilterError;
use super::{guess, lexical};

/// Longest source, bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// Most operators and brackets outside of string literals.
const MAX_OPERATORS: usize = 1_000;
const HAS_HELP: &str = "write `has(attributes.key)` or `\"key\" in attributes`";
/// Deepest nesting of brackets, conditionals and calls.
pub const MAX_DEPTH: usize = 48;

/// Parses a filter. The error describes the syntax error.
pub(super) fn parse(source: &str) -> Result<(IdedExpr, Places), Vec<FilterError>> {
    check_limits(source)?;
    // attributes.`http.route`, as cel-go and cel-java read it.
    let parser = Parser::new().max_recursion_depth(MAX_DEPTH as u16).enable_ident_escape_syntax(true);
    let (tree, info) = parser.parse_with_source_info(source).map_err(|errors| explain(source, &errors))?;
    if deeper_than(&tree, MAX_DEPTH) {
        return Err(vec![too_deep(source)]);
    }
    Ok((tree, Places { source: source.to_owned(), info }))
}

fn check_limits(source: &str) -> Result<(), Vec<FilterError>> {
    let whole = source.chars().count().max(1);
    if source.trim().is_empty() {
        let message = "the filter is empty: expected a CEL expression that is true or false".to_owned();
        let help = Some("leave `filter` out, or write `true`, to count every event".to_owned());
        return Err(vec![FilterError { code: "filter-syntax", message, help, start: 0, width: whole }]);
    }
    if source.len() > MAX_LENGTH || operators(source) > MAX_OPERATORS {
        let message = format!(
            "the filter is too long: at most {MAX_LENGTH} bytes and {MAX_OPERATORS} operators are allowed, not {} and {}",
            source.len(),
            operators(source)
        );
        let help = Some("match many values with one `endpoint in [...]` or one `endpoint.matches(...)`".to_owned());
        return Err(vec![FilterError { code: "filter-too-long", message, help, start: 0, width: 1 }]);
    }
    Ok(())
}

/// Counts the characters that can deepen the tree, except in string literals.
fn operators(source: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let mut count = 0;
    for byte in source.bytes() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            None => count += usize::from(b"!-+*/%.?[{(<>=&|".contains(&byte)),
        }
    }
    count
}

fn too_deep(source: &str) -> FilterError {
    FilterError {
        code: "filter-too-deep",
        message: format!("the filter nests deeper than {MAX_DEPTH} levels"),
        help: Some("join conditions with && and || on one level".to_owned()),
        start: 0,
        width: source.lines().next().unwrap_or_default().chars().count().max(1),
    }
}

/// Whether the tree has more than `levels` levels. Stops there, so that it does not recurse deeper itself.
fn deeper_than(tree: &IdedExpr, levels: usize) -> bool {
    let Some(left) = levels.checked_sub(1) else { return true };
    match &tree.expr {
        Expr::Call(call) => call.target.iter().any(|target| deeper_than(target, left)) || any_deeper(&call.args, left),
        Expr::Select(select) => deeper_than(&select.operand, left),
        Expr::List(list) => any_deeper(&list.elements, left),
        Expr::Map(map) => map.entries.iter().any(|entry| entry_deeper(&entry.expr, left)),
        Expr::Struct(made) => made.entries.iter().any(|entry| entry_deeper(&entry.expr, left)),
        // Refused whatever is in it.
        Expr::Comprehension(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => false,
    }
}

fn any_deeper(trees: &[IdedExpr], levels: usize) -> bool {
    trees.iter().any(|tree| deeper_than(tree, levels))
}

fn entry_deeper(entry: &EntryExpr, levels: usize) -> bool {
    match entry {
        EntryExpr::StructField(field) => deeper_than(&field.value, levels),
        EntryExpr::MapEntry(entry) => deeper_than(&entry.key, levels) || deeper_than(&entry.value, levels),
    }
}

/// The first error of the parser in our words. Those after it mostly follow from it.
fn explain(source: &str, errors: &cel::parser::ParseErrors) -> Vec<FilterError> {
    if errors.errors.iter().any(|error| error.msg.contains("Recursion limit")) {
        return vec![too_deep(source)];
    }
    if let Some(mistake) = lexical::mistake(source) {
        return vec![mistake];
    }
    // A missing branch of a conditional is reported at the start of the whole; the place of the error comes after.
    let first = errors.errors.iter().find(|error| !error.msg.starts_with("Incomplete")).or(errors.errors.first());
    let (line, column) = first.map_or((1, 1), |error| error.pos);
    let stopped = offset(source, line.max(1) as usize, column.max(1) as usize);
    let last = source.chars().count().saturating_sub(1);
    let start = stopped.min(last);
    let message = first.map_or("not a CEL expression".to_owned(), |error| plain(&error.msg));
    let at_end = stopped > last || first.is_some_and(|error| found(&error.msg).contains("<EOF>"));
    let unseen = source.chars().nth(start).filter(|_| !at_end).and_then(|c| Some((c, guess::invisible(c)?)));
    if let Some((c, (name, instead))) = unseen {
        let message = format!("CEL syntax: cannot read {name} (U+{:04X})", u32::from(c));
        let help = Some(instead.to_owned());
        return vec![FilterError { code: "filter-syntax", message, help, start, width: 1 }];
    }
    let is_has = message.contains("has()");
    let help = if is_has { Some(HAS_HELP.to_owned()) } else { guess::help(source, start, at_end) };
    vec![FilterError { code: "filter-syntax", message, help, start, width: 1 }]
}

/// What a message of the parser says of what it has found, without what it expected.
fn found(message: &str) -> &str {
    message.split(" expecting ").next().unwrap_or(message)
}

/// The parser's message without its list of tokens.
fn plain(message: &str) -> String {
    let text = message.trim_start_matches("Syntax error: ");
    let text = text.split(" expecting {").next().unwrap_or(text).replace("'<EOF>'", "the end of the filter");
    let text = text
        .replace("mismatched input", "did not expect")
        .replace("extraneous input", "did not expect")
        .replace("no viable alternative at input", "cannot read")
        .replace("token recognition error at:", "cannot read")
        .replace(" expecting <EOF>", "; expected an operator or the end of the filter");
    format!("CEL syntax: {text}")
}

/// Character offset of a line and column, both from 1: that of the end is behind the last character.
fn offset(source: &str, line: usize, column: usize) -> usize {
    let before: usize = source.split_inclusive('\n').take(line - 1).map(|line| line.chars().count()).sum();
    before + column - 1
}

/// The places of the parts of a tree in the source.
pub(super) struct Places {
    source: String,
    info: SourceInfo,
}

impl Places {
    /// The whole source.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The source of a part; brackets around it may be missing.
    pub(super) fn text(&self, tree: &IdedExpr) -> String {
        let (start, width) = self.of(tree);
        self.source.chars().skip(start).take(width).collect()
    }

    /// First character of a part and how many it has; brackets around it may be missing.
    pub(super) fn of(&self, tree: &IdedExpr) -> (usize, usize) {
        let (mut from, mut to) = (usize::MAX, 0);
        self.widen(tree, &mut from, &mut to);
        if from == usize::MAX {
            return (0, self.source.chars().count().max(1));
        }
        let characters = |bytes: usize| self.source.char_indices().take_while(|(at, _)| *at < bytes).count();
        let (start, end) = (characters(from), characters(to));
        (start, end.saturating_sub(start).max(1))
    }

    /// Where a number begins with its sign: its own place is that of its digits.
    fn with_sign(&self, tree: &IdedExpr, start: usize) -> usize {
        let is_negative = match &tree.expr {
            Expr::Literal(LiteralValue::Int(value)) => *value.inner() < 0,
            Expr::Literal(LiteralValue::Double(value)) => value.inner().is_sign_negative(),
            _ => false,
        };
        let before = self.source.get(..start).unwrap_or_default().trim_end();
        before.strip_suffix('-').filter(|_| is_negative).map_or(start, str::len)
    }

    fn widen(&self, tree: &IdedExpr, from: &mut usize, to: &mut usize) {
        // The place of `has(a.b)` is its bracket.
        let is_has = matches!(&tree.expr, Expr::Select(select) if select.test);
        if let Some((start, stop)) = self.info.offset_for(tree.id).filter(|_| !is_has) {
            *from = (*from).min(self.with_sign(tree, start as usize));
            *to = (*to).max(stop as usize + 1);
        }
        match &tree.expr {
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.widen(target, from, to));
                call.args.iter().for_each(|part| self.widen(part, from, to));
                // The place of a call is its opening bracket.
                if self.source[..(*from).min(self.source.len())].ends_with(&call.func_name) {
                    *from -= call.func_name.len();
                }
                if call.func_name.starts_with(char::is_alphabetic)
                    && self.source[(*to).min(self.source.len())..].starts_with(')')
                {
                    *to += 1;
                }
            }
            Expr::Select(select) => {
                let (mut begin, mut end) = (usize::MAX, 0);
                self.widen(&select.operand, &mut begin, &mut end);
                // The field follows the operand.
                let quotes = if self.source.get(end + 1..).is_some_and(|rest| rest.starts_with('`')) { 2 } else { 0 };
                let behind = end + 1 + select.field.len() + quotes;
                (*from, *to) = ((*from).min(begin), (*to).max(behind.min(self.source.len())));
            }
            Expr::List(list) => {
                list.elements.iter().for_each(|part| self.widen(part, from, to));
                let rest = &self.source[(*to).min(self.source.len())..];
                if rest.trim_start().starts_with(']') {
                    *to += rest.len() - rest.trim_start().len() + 1;
                }
            }
            _ => {}
        }
    }
}
