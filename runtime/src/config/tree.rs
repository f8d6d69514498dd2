//! A YAML file as a tree in which every node knows its place. Own rather than a library's, because a key that is given
//! twice must be seen, and the text of a scalar is kept as written: `010` as a name is not a number. A tag is an error: it
//! is mostly a value that begins with `!` and has no quotes.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, SpannedEventReceiver, Tag};

use super::problem::{Place, Problem};

/// Aliases may make a tree larger than its text, but not without bound.
const MAX_NODES: usize = 100_000;

/// The tags that only repeat what a value is anyway.
const TAGS: [&str; 7] = ["str", "int", "float", "bool", "null", "map", "seq"];
/// Without the tag itself, which may be the beginning of a password.
const TAGGED: &str = "`!` begins a YAML tag here; put the value in quotes";

/// A value and where it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing: `key:` or `~`.
    Null,
    /// Text as written, without quotes.
    Scalar(String),
    List(Vec<Node>),
    /// Keys in the order in which they stand.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub place: Place,
    pub name: String,
}

impl Node {
    pub(super) fn map(place: Place) -> Node {
        Node { place, value: Value::Map(Vec::new()) }
    }

    /// What it is, for people.
    pub(super) fn kind(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Scalar(s) => format!("`{s}`"),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        }
    }
}

/// The one document of a file, and what is wrong with its form. No document: the file holds only comments, or it broke
/// off where what follows cannot be known.
pub(super) fn parse(file: &str, text: &str) -> (Option<Node>, Vec<Problem>) {
    // A byte order mark says how the text is encoded; it is not part of it.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut builder = Builder { file, lines: text.lines().collect(), ..Builder::default() };
    let mut whole = true;
    // The parser takes a NUL for the end of the file, and would drop what follows it.
    if let Some(at) = text.find('\0') {
        let before = &text[..at];
        let (line, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |end| end + 1));
        let place = Place::File { file: file.to_owned(), line, column: before[start..].chars().count() + 1 };
        let message = "not valid YAML: a NUL character; is the file damaged?".into();
        return (None, vec![Problem { place, message }]);
    }
    if let Err(e) = Parser::new_from_str(text).load(&mut builder, true) {
        let place = Place::File { file: file.to_owned(), line: e.marker().line(), column: e.marker().col() + 1 };
        let of_tag = ["tag", "handle"].iter().any(|word| e.info().contains(word));
        let is_tag = of_tag && builder.character(*e.marker()) == Some('!');
        let message = if is_tag { TAGGED.to_owned() } else { format!("not valid YAML: {}", e.info()) };
        builder.problems.push(Problem { place, message });
        whole = false;
    }
    whole &= builder.nodes <= MAX_NODES;
    (builder.root.filter(|_| whole), builder.problems)
}

/// A collection that is being read, and the key that waits for its value.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
}

#[derive(Default)]
struct Builder<'f> {
    file: &'f str,
    lines: Vec<&'f str>,
    /// Line, from 1, and characters of it, behind the last event.
    behind: (usize, usize),
    root: Option<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'input> SpannedEventReceiver<'input> for Builder<'_> {
    fn on_event(&mut self, event: Event<'input>, span: Span) {
        let place = Place::File { file: self.file.to_owned(), line: span.start.line(), column: span.start.col() + 1 };
        if tag(&event).is_some_and(|tag| !is_core(tag)) {
            let at = self.tag_before(span.start).unwrap_or((span.start.line(), span.start.col() + 1));
            let place = Place::File { file: self.file.to_owned(), line: at.0, column: at.1 };
            self.complain(place, TAGGED.into());
        }
        self.behind = (span.end.line(), span.end.col());
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let empty = style == ScalarStyle::Plain && matches!(text.as_ref(), "" | "~" | "null");
                let value = if empty { Value::Null } else { Value::Scalar(text.into_owned()) };
                self.add(Node { place, value }, anchor);
            }
            Event::SequenceStart(anchor, _) => self.start(Node { place, value: Value::List(Vec::new()) }, anchor),
            Event::MappingStart(anchor, _) => self.start(Node::map(place), anchor),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    self.add(open.node, open.anchor);
                }
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.add(Node { place, ..node }, 0),
                None => self.complain(place, "this alias refers to itself or to nothing".into()),
            },
            Event::DocumentStart(_) | Event::DocumentEnd => {}
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
    }
}

/// The tag of a node.
fn tag<'e>(event: &'e Event<'_>) -> Option<&'e Tag> {
    match event {
        Event::Scalar(.., tag) | Event::SequenceStart(_, tag) | Event::MappingStart(_, tag) => tag.as_deref(),
        _ => None,
    }
}

fn is_core(tag: &Tag) -> bool {
    tag.is_yaml_core_schema() && TAGS.contains(&tag.suffix.as_str())
}

impl Builder<'_> {
    fn character(&self, mark: Marker) -> Option<char> {
        self.lines.get(mark.line().checked_sub(1)?)?.chars().nth(mark.col())
    }

    /// Line and column of a `!` between the last event and a node: events have only the place of the value.
    fn tag_before(&self, node: Marker) -> Option<(usize, usize)> {
        let (from, behind) = self.behind;
        (from.max(1)..=node.line()).find_map(|line| {
            let skipped = if line == from { behind } else { 0 };
            let end = if line == node.line() { node.col() } else { usize::MAX };
            let text = self.lines.get(line - 1)?.chars().take(end).skip(skipped);
            let at = text.take_while(|c| *c != '#').position(|c| c == '!')?;
            Some((line, skipped + at + 1))
        })
    }

    fn start(&mut self, node: Node, anchor: usize) {
        self.open.push(Open { node, anchor, key: None });
    }

    fn complain(&mut self, place: Place, message: String) {
        self.problems.push(Problem { place, message });
    }

    fn add(&mut self, node: Node, anchor: usize) {
        self.nodes += size(&node);
        if self.nodes > MAX_NODES {
            if self.problems.is_empty() {
                self.complain(node.place, format!("more than {MAX_NODES} values: too large for a configuration"));
            }
            return;
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            match &self.root {
                None => self.root = Some(node),
                Some(_) => self.complain(node.place, "a second document: a configuration is one document".into()),
            }
            return;
        };
        let Open { node: Node { value, .. }, key, .. } = parent;
        match value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match key.take() {
                None => match node.value {
                    Value::Scalar(name) if !name.is_empty() => *key = Some(Key { place: node.place, name }),
                    _ => {
                        *key = Some(Key { place: node.place.clone(), name: String::new() });
                        self.complain(node.place, "a key must be a plain word".into());
                    }
                },
                // Its key was complained about.
                Some(key) if key.name.is_empty() => {}
                Some(key) => match entries.iter().find(|(k, _)| k.name == key.name) {
                    Some((first, _)) => {
                        let message = format!("`{}` is set twice; first at {}", key.name, first.place);
                        self.complain(key.place, message);
                    }
                    None => entries.push((key, node)),
                },
            },
            Value::Null | Value::Scalar(_) => {}
        }
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|(_, n)| size(n)).sum(),
    }
}
