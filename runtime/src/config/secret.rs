//! Texts that are not to be seen, and the files they come from.

use super::problem::Place;
use super::section::{Problems, complain, expected_unseen, path, plain, text};
use super::tree::Node;

/// A text that is not to be seen in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// The content of a file, without white space around it.
pub(super) fn secret(node: &Node, name: &str, problems: &Problems) -> Option<Secret> {
    let content = content(node, name, problems)?;
    if content.contains(['\n', '\r']) {
        unreadable(&node.place, name, node, "it holds more than one line", problems);
        return None;
    }
    Some(Secret::new(content))
}

/// The content of a file that may have several lines (a key in PEM).
pub(super) fn long_secret(node: &Node, name: &str, problems: &Problems) -> Option<Secret> {
    content(node, name, problems).map(Secret::new)
}

fn content(node: &Node, name: &str, problems: &Problems) -> Option<String> {
    let Some(file) = text(node).and_then(plain) else {
        // Who mistakes it for the secret itself must not find that in a log.
        expected_unseen(problems, node, name, "the path of a file that holds the secret");
        return None;
    };
    let content = match std::fs::read_to_string(path(&node.place, &file)) {
        Ok(content) => content,
        Err(e) => {
            unreadable(&node.place, name, node, &e.to_string(), problems);
            return None;
        }
    };
    // An editor may have put a byte order mark first.
    let secret = content.strip_prefix('\u{FEFF}').unwrap_or(&content).trim();
    if secret.is_empty() {
        unreadable(&node.place, name, node, "it is empty", problems);
        return None;
    }
    Some(secret.to_owned())
}

fn unreadable(place: &Place, name: &str, node: &Node, why: &str, problems: &Problems) {
    let file = path(place, text(node).unwrap_or_default());
    complain(problems, place, format!("`{name}`: reading {}: {why}", file.display()));
}
