//! Reading a map of the tree key by key. The keys that were asked for are the known ones: any other key is a mistake, and no
//! second list of keys can drift from the first.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::found::{self, found};
use super::nearest::nearest;
use super::problem::{Place, Problem};
use super::tree::{Node, Value};

/// Where mistakes are collected.
pub(super) type Problems = RefCell<Vec<Problem>>;

/// A map of the tree, and which of its keys were asked for.
pub(super) struct Section<'n> {
    name: String,
    entries: Vec<(&'n super::tree::Key, &'n Node)>,
    asked: RefCell<Vec<&'static str>>,
    problems: &'n Problems,
}

impl<'n> Section<'n> {
    /// A map; `name` is its path for messages, empty for the whole file. Nothing (`gateway:`) is an empty map.
    pub(super) fn of(node: &'n Node, name: &str, problems: &'n Problems) -> Self {
        let entries = match &node.value {
            Value::Map(entries) => entries.iter().map(|(k, n)| (k, n)).collect(),
            Value::Null => Vec::new(),
            Value::Scalar(_) | Value::List(_) => {
                expected(problems, node, name, "a map of settings");
                Vec::new()
            }
        };
        Section { name: name.to_owned(), entries, asked: RefCell::default(), problems }
    }

    /// The value of a key; `None` if it is absent or empty.
    pub(super) fn get(&self, key: &'static str) -> Option<&'n Node> {
        if !self.asked.borrow().contains(&key) {
            self.asked.borrow_mut().push(key);
        }
        let entry = self.entries.iter().find(|(k, _)| k.name == key).map(|(_, node)| *node);
        entry.filter(|node| node.value != Value::Null)
    }

    /// A section within this one.
    pub(super) fn section(&self, key: &'static str, absent: &'n Node) -> Section<'n> {
        Section::of(self.get(key).unwrap_or(absent), &self.path(key), self.problems)
    }

    /// The value of a key, parsed by `read`; `what` names what was expected if that fails.
    pub(super) fn value<T>(&self, key: &'static str, what: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let node = self.get(key)?;
        let value = text(node).and_then(read);
        if value.is_none() {
            expected(self.problems, node, &self.path(key), what);
        }
        value
    }

    /// The items of a list; a single value is a list of one.
    pub(super) fn list(&self, key: &'static str) -> Option<Vec<&'n Node>> {
        let node = self.get(key)?;
        match &node.value {
            Value::List(items) => Some(items.iter().collect()),
            Value::Scalar(_) => Some(vec![node]),
            Value::Null | Value::Map(_) => {
                expected(self.problems, node, &self.path(key), "a list");
                None
            }
        }
    }

    /// All keys and values of a map whose keys are the user's own.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'n super::tree::Key, &'n Node)> {
        self.entries.iter().copied()
    }

    /// The path of a key, for messages.
    pub(super) fn path(&self, key: &str) -> String {
        let key = found::key(key);
        if self.name.is_empty() { key } else { format!("{}.{key}", self.name) }
    }

    /// Reports the keys that were not asked for. Call it last.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (key, _) in self.entries.iter().filter(|(k, _)| !asked.contains(&k.name.as_str())) {
            let hint = match nearest(&key.name, asked.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known keys: {}", asked.join(", ")),
            };
            complain(self.problems, &key.place, format!("unknown key `{}`; {hint}", self.path(&key.name)));
        }
    }
}

/// The text of a scalar.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(s) => Some(s),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// A text that is not empty and holds nothing that cannot be seen.
pub(super) fn plain(text: &str) -> Option<String> {
    (!text.trim().is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// A path: in a file relative to that file's directory, else to the working directory.
pub(super) fn path(place: &Place, text: &str) -> PathBuf {
    match place {
        Place::File { file, .. } => match Path::new(file).parent() {
            Some(directory) if directory != Path::new("") => directory.join(text),
            _ => PathBuf::from(text),
        },
        Place::Variable(_) | Place::Flag(_) | Place::Setting(_) => PathBuf::from(text),
    }
}

/// Notes a mistake.
pub(super) fn complain(problems: &Problems, place: &Place, message: String) {
    problems.borrow_mut().push(Problem { place: place.clone(), message });
}

/// Notes that a value is not what was expected. It is quoted without what may be a secret.
pub(super) fn expected(problems: &Problems, node: &Node, name: &str, what: &str) {
    let subject = if name.is_empty() { String::new() } else { format!("`{name}`: ") };
    let instead = text(node).map_or_else(|| node.kind(), found);
    complain(problems, &node.place, format!("{subject}expected {what}, found {instead}"));
}

/// [`expected`] for a value that is likely to be a secret: nothing of it is shown.
pub(super) fn expected_unseen(problems: &Problems, node: &Node, name: &str, what: &str) {
    let instead = match text(node) {
        Some(text) if text.trim().is_empty() => "an empty text".to_owned(),
        Some(text) if text.contains(['\n', '\r']) => "a text with line breaks".to_owned(),
        Some(text) if text.chars().any(char::is_control) => "a text with control characters".to_owned(),
        Some(_) => "a text".to_owned(),
        None => node.kind(),
    };
    complain(problems, &node.place, format!("`{name}`: expected {what}, found {instead}"));
}
