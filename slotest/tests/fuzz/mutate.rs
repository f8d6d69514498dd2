//! Changes: first of the tree, so that they get past the parser, then of the text.

use serde_json::{Map, Value, json};

use crate::chance::Chance;
use crate::{corpus, filters};

/// Definitions with a few changes.
pub fn definitions(chance: &mut Chance) -> String {
    let mut documents = corpus::definitions();
    // Fewer documents keep an input short; references that lead nowhere are changes, too.
    while documents.len() > 3 && chance.once_in(2) {
        documents.remove(chance.below(documents.len()));
    }
    text(chance, documents)
}

/// A test file with a few changes.
pub fn test_file(chance: &mut Chance) -> String {
    text(chance, corpus::test_file())
}

fn text(chance: &mut Chance, documents: Vec<Value>) -> String {
    let mut tree = Value::Array(documents);
    for _ in 0..chance.below(5) {
        change(chance, &mut tree);
    }
    let Value::Array(documents) = tree else { return tree.to_string() };
    let mut text = match chance.below(3) {
        0 => corpus::rendered(&documents),
        1 => documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n"),
        _ => documents.iter().map(|document| block(document, 0)).collect::<Vec<_>>().join("---\n"),
    };
    if chance.once_in(2) {
        for _ in 0..=chance.below(4) {
            text = cut(chance, &text);
        }
    }
    text
}

/// Changes one node of a tree.
fn change(chance: &mut Chance, tree: &mut Value) {
    let donor = somewhere(chance, tree).clone();
    let node = somewhere(chance, tree);
    match chance.below(10) {
        0 => *node = donor,
        1 | 2 => *node = scalar(chance),
        3 => *node = deep(chance, node.take()),
        4 => *node = Value::Array(vec![node.clone(); 1 + chance.below(40)]),
        _ => match node {
            Value::Object(map) => change_map(chance, map, donor),
            Value::Array(items) => change_list(chance, items, donor),
            Value::String(text) if chance.once_in(2) => *text = cut(chance, text),
            Value::String(text) if chance.once_in(2) => *text = filters::source(chance),
            leaf => *leaf = scalar(chance),
        },
    }
}

/// A node at any depth: each step down is taken more often than not.
fn somewhere<'t>(chance: &mut Chance, tree: &'t mut Value) -> &'t mut Value {
    let children = match tree {
        Value::Object(map) => map.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    if children == 0 || chance.once_in(6) {
        return tree;
    }
    let at = chance.below(children);
    let child = match tree {
        Value::Object(map) => map.values_mut().nth(at),
        Value::Array(items) => items.get_mut(at),
        _ => None,
    };
    somewhere(chance, child.expect("there are so many children"))
}

fn change_map(chance: &mut Chance, map: &mut Map<String, Value>, donor: Value) {
    let Some(key) = map.keys().nth(chance.below(map.len())).cloned() else { return };
    match chance.below(4) {
        0 => {
            map.remove(&key);
        }
        1 => {
            // A typing error.
            let value = map.remove(&key).unwrap_or_default();
            map.insert(cut(chance, &key), value);
        }
        2 => {
            map.insert(chance.of_these(&FIELDS).to_owned(), donor);
        }
        _ => {
            map.insert(key, donor);
        }
    }
}

fn change_list(chance: &mut Chance, items: &mut Vec<Value>, donor: Value) {
    match chance.below(3) {
        0 => items.clear(),
        1 => items.push(donor),
        _ => {
            let item = items.get(chance.below(items.len())).cloned();
            items.extend(item);
        }
    }
}

const FIELDS: [&str; 16] = [
    "spec",
    "metadata",
    "name",
    "objectives",
    "indicator",
    "indicatorRef",
    "thresholdMetric",
    "timeWindow",
    "calendar",
    "compositeWeight",
    "groupBy",
    "raw",
    "given",
    "expect",
    "annotations",
    "<<",
];

const WORDS: [&str; 42] = [
    "",
    " ",
    "~",
    "null",
    "true",
    "0",
    "-0",
    "1e400",
    "-1",
    ".inf",
    ".nan",
    "0x10",
    "0.9999999999999999999999",
    "1M",
    "0d",
    "99999999999999999999d",
    "1Y",
    "-5m",
    "1h30m",
    "400d",
    "2026-02-30 25:61:61",
    "9999-12-31T23:59:59Z",
    "-0001-01-01",
    "Europe/Berlin",
    "Mars/Olympus",
    "burnrate",
    "Occurrences",
    "RatioTimeslices",
    "100 %",
    "± 1",
    "1 to 0",
    "1e9/s",
    "999999999/s GET / for 400d",
    "100 % late by 400d",
    "attributes.",
    "\u{feff}",
    "\u{0}",
    "\u{1b}[31m",
    "\u{2028}",
    "🦀",
    "*a",
    "&a",
];

fn scalar(chance: &mut Chance) -> Value {
    match chance.below(8) {
        0 => Value::Null,
        1 => Value::Bool(chance.once_in(2)),
        2 => json!({}),
        3 => json!([]),
        4 => json!(chance.number()),
        5 => json!(chance.number() as f64 / 1_000.0),
        6 => Value::String(chance.of_these(&["x", "é", "a b", "\n", "1"]).repeat(1 << chance.below(14))),
        _ => Value::String(chance.of_these(&WORDS).to_owned()),
    }
}

/// Wraps a value in many levels.
fn deep(chance: &mut Chance, value: Value) -> Value {
    let levels = 1 << chance.below(8);
    let as_list = chance.once_in(2);
    (0..levels).fold(value, |inner, _| if as_list { json!([inner]) } else { json!({"spec": inner}) })
}

/// Replaces, removes, repeats or inserts a piece of a text.
pub fn cut(chance: &mut Chance, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let from = chance.below(characters.len() + 1);
    let longest = 1 << chance.below(7);
    let to = (from + chance.below(longest)).min(characters.len());
    let part = |range: &[char]| range.iter().collect::<String>();
    let (before, piece, after) = (part(&characters[..from]), part(&characters[from..to]), part(&characters[to..]));
    match chance.below(5) {
        0 => format!("{before}{after}"),
        1 => format!("{before}{}{after}", piece.repeat(1 + chance.below(20))),
        2 => format!("{before}{piece}{}{after}", chance.of_these(&WORDS)),
        3 => format!("{before}{}{after}", chance.of_these(&PIECES)),
        _ => format!("{before}{}{after}", byte(chance, &piece)),
    }
}

/// Changes one byte; what is no UTF-8 any more becomes a replacement character.
fn byte(chance: &mut Chance, piece: &str) -> String {
    let mut bytes = piece.as_bytes().to_vec();
    if !bytes.is_empty() {
        let at = chance.below(bytes.len());
        bytes[at] = chance.below(256) as u8;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const PIECES: [&str; 34] = [
    "\n",
    "\t",
    "\r",
    ": ",
    "- ",
    "? ",
    "---\n",
    "...\n",
    "# ",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    "%YAML 9.9\n",
    "!!binary ",
    "!x ",
    "&a ",
    "*a ",
    "<<: *a\n",
    "\\",
    "\\u0000",
    "\u{85}",
    "\u{a0}",
    "\u{202e}",
    "&&",
    "||",
    "(",
    ")",
    ";",
];

/// Block style, as people write it.
fn block(value: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            let line = |(key, value): (&String, &Value)| format!("{pad}{}:{}", plain(key), after_colon(value, indent));
            map.iter().map(line).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(|item| format!("{pad}-{}", after_colon(item, indent))).collect()
        }
        leaf => format!("{pad}{leaf}\n"),
    }
}

fn after_colon(value: &Value, indent: usize) -> String {
    let nests = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    match value {
        _ if nests => format!("\n{}", block(value, indent + 2)),
        Value::String(text) => format!(" {}\n", plain(text)),
        leaf => format!(" {leaf}\n"),
    }
}

/// Without quotes where that reads the same.
fn plain(text: &str) -> String {
    let safe = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " .<>=/-_".contains(c))
        && !text.ends_with(' ');
    if safe { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}
