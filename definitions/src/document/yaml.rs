//! YAML (and JSON, which is YAML) to a tree in which every node has its place and its source text.
//!
//! Built on the parser's events rather than on its tree: numbers stay as written, repeated keys are seen, an alias shares
//! its node (so a bomb of aliases costs nothing), nesting is bounded, tags are refused rather than dropped, and after a
//! syntax error reading continues with the next document.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::place::behind;
use super::report::{Place, Report, line_starts};
use super::source::MAX_FILE;

/// Deepest nesting of lists and maps.
pub const MAX_NESTING: usize = 64;
/// Limit of what the aliases of a file may expand to, bytes of text plus 64 per node: reading takes as long as if it were
/// written out.
pub const MAX_REPEATED: usize = 32 << 20;
/// Most documents in one load.
pub const MAX_DOCUMENTS: usize = 100_000;

/// The weight of a node in addition to its text.
const NODE: usize = 64;

/// The tags that only repeat what YAML reads anyway. Any other one is an error: it is mostly the `!` of a filter without
/// quotes, and what it takes away would change the filter's meaning.
const TAGS: [&str; 7] = ["str", "int", "float", "bool", "null", "map", "seq"];
/// In a longer line, bytes, only the first tag is reported, at its value: one line may hold millions of them.
const LONG_LINE: usize = 1_024;

/// A node and its place.
#[derive(Debug)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Debug)]
pub enum Value {
    /// `null`, or nothing at all.
    Null,
    /// A text, number or boolean.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Rc<Node>>),
    /// A mapping, in the order of the file.
    Map(Vec<(Key, Rc<Node>)>),
}

/// A scalar as it was written.
#[derive(Debug)]
pub struct Scalar {
    /// Its text, unquoted.
    pub text: String,
    /// Not quoted, not a block: YAML reads it as a number, a boolean or a string.
    pub plain: bool,
}

/// A key of a map.
#[derive(Debug)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Its place.
    pub place: Place,
}

/// A list or map that is being read.
struct Open {
    place: Place,
    anchor: usize,
    content: Content,
    /// Of all that is in it so far: see [`MAX_REPEATED`].
    weight: usize,
}

enum Content {
    List(Vec<Rc<Node>>),
    Map { entries: Vec<(Key, Rc<Node>)>, names: Names, key: Option<Key> },
}

/// The keys of a map that is being read. Most maps have so few that a linear search is fastest.
#[derive(Default)]
struct Names(Option<HashSet<String>>);

impl Names {
    /// Keys from which on they are hashed.
    const MANY: usize = 32;

    /// Whether the key is new.
    fn admit(&mut self, key: &str, entries: &[(Key, Rc<Node>)]) -> bool {
        if entries.len() < Names::MANY {
            return entries.iter().all(|(known, _)| known.text != key);
        }
        let names = self.0.get_or_insert_with(|| entries.iter().map(|(known, _)| known.text.clone()).collect());
        names.insert(key.to_owned())
    }
}

/// A document that was read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Rc<Node>,
    /// Reports a duplicate key: the first one counts, so that the rest can be checked.
    pub(crate) doubtful: bool,
}

/// Reads the documents of a file; a document with a syntax error is reported and skipped.
pub fn read(file: usize, text: &str, report: &mut Report<'_>) -> Vec<Rc<Node>> {
    let sound = documents(file, text, report).into_iter().filter(|document| !document.doubtful);
    sound.map(|document| document.root).collect()
}

/// The same, with those that can be checked although they are not right.
pub(crate) fn documents(file: usize, text: &str, report: &mut Report<'_>) -> Vec<Document> {
    if text.len() > MAX_FILE {
        let message = format!("the file is larger than the limit of {MAX_FILE} bytes");
        report.error(Place::start(file), "file-too-large", message, Some("split it into several files".to_owned()));
        return Vec::new();
    }
    // The scanner takes a NUL for the end of the file, and would drop what follows it.
    if let Some(at) = text.find('\0') {
        let (line, column) = behind(&text[..at]);
        let (place, message) = (Place { line, column, ..Place::start(file) }, "not YAML: a NUL character".to_owned());
        report.error(place, "yaml-syntax", message, Some("is the file damaged?".to_owned()));
        return Vec::new();
    }
    let mut documents = Vec::new();
    let (mut rest, mut lines) = (text.strip_prefix('\u{FEFF}').unwrap_or(text), 0);
    loop {
        let mut reader = Reader::new(file, lines, report);
        let stopped = reader.read_all(rest);
        documents.append(&mut reader.documents);
        let Some(line) = stopped else { return documents };
        // On with the next document, from the first `---` after the error.
        let Some((skipped, next)) = next_document(rest, line - lines) else { return documents };
        lines += skipped;
        rest = next;
    }
}

/// Whether a tag is one of [`TAGS`].
fn is_core(tag: &Tag) -> bool {
    // `!<tag:yaml.org,2002:str>` has no handle.
    let name = tag.suffix.strip_prefix("tag:yaml.org,2002:").filter(|_| tag.handle.is_empty());
    let name = name.or_else(|| tag.is_yaml_core_schema().then_some(tag.suffix.as_str()));
    name.is_some_and(|name| TAGS.contains(&name))
}

fn too_deep() -> String {
    format!("lists and maps nest deeper than {MAX_NESTING} levels")
}

/// The text from the next line that begins a document, at the given line (from 1) or after it but not the first, and how
/// many lines are before it.
fn next_document(text: &str, line: usize) -> Option<(usize, &str)> {
    let mut lines = line_starts(text).enumerate().skip((line - 1).max(1));
    let (index, at) = lines.find(|(_, at)| text[*at..].starts_with("---"))?;
    Some((index, &text[at..]))
}

struct Reader<'r, 's> {
    file: usize,
    /// Lines of the file before the text that is read.
    lines: usize,
    report: &'r mut Report<'s>,
    documents: Vec<Document>,
    open: Vec<Open>,
    /// Complete nodes with an anchor, and their weights.
    anchors: HashMap<usize, (Rc<Node>, usize)>,
    /// What aliases repeated so far.
    repeated: usize,
    root: Option<Rc<Node>>,
    /// The document has an error that makes its content doubtful.
    broken: bool,
    /// It has a key twice, or a tag.
    doubtful: bool,
    /// Line in the file, and characters of it, behind the last event.
    behind: (usize, usize),
    /// Line of the last tag that was reported.
    tagged_line: Option<usize>,
}

impl<'r, 's> Reader<'r, 's> {
    fn new(file: usize, lines: usize, report: &'r mut Report<'s>) -> Self {
        Reader {
            file,
            lines,
            report,
            documents: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            repeated: 0,
            root: None,
            broken: false,
            doubtful: false,
            behind: (lines + 1, 0),
            tagged_line: None,
        }
    }

    /// Reads to the end, or to a syntax error: then returns its line in the file.
    fn read_all(&mut self, text: &str) -> Option<usize> {
        let mut parser = Parser::new(StrInput::new(text));
        loop {
            match parser.next_event()? {
                Ok((event, span)) => {
                    let (event, place) = self.without_tag(event, span);
                    if let Err(line) = self.take(event, place) {
                        return Some(line);
                    }
                    self.behind = (self.lines + span.end.line().max(1), span.end.col());
                }
                Err(error) => return Some(self.syntax(&error)),
            }
        }
    }

    fn syntax(&mut self, error: &ScanError) -> usize {
        let mark = error.marker();
        let place = Place { file: self.file, line: self.lines + mark.line().max(1), column: mark.col() + 1, width: 1 };
        if error.info().contains("recursion limit") {
            // Of the scanner, which reads ahead.
            self.report.error(place, "too-deep", too_deep(), None);
            return place.line;
        }
        if error.info().contains("invalid trailing content") {
            self.ended_early(place);
            return place.line;
        }
        if let Some(tag) = self.tag_before(place, error) {
            // One that was reported has taken what the parser misses now.
            if self.tagged_line != Some(tag.line) {
                self.tagged(tag);
            }
            return place.line;
        }
        let tab = self.tab(place).or_else(|| {
            // The scanner may say so at the line before.
            let next = Place { line: place.line + 1, ..place };
            self.tab(next).filter(|_| error.info().contains("tab"))
        });
        let place = tab.unwrap_or(place);
        let help = if tab.is_some() {
            Some("indent with spaces: YAML does not allow tabs".to_owned())
        } else if error.info().contains("mapping values are not allowed") {
            Some("check the indentation, and put text that contains `: ` in quotes".to_owned())
        } else if [place.line, place.line.saturating_sub(1).max(1)]
            .into_iter()
            .any(|line| self.report.line(Place { line, ..place }).contains("filter:"))
        {
            Some("put the filter in single quotes: `filter: 'service == \"shop\"'`".to_owned())
        } else {
            None
        };
        self.report.error(place, "yaml-syntax", format!("not YAML: {}", error.info()), help);
        place.line
    }

    /// What the file has from a place to the end of its line.
    fn written(&self, place: Place) -> &'s str {
        let line = self.report.line(place);
        line.char_indices().nth(place.column - 1).map_or("", |(at, _)| &line[at..])
    }

    /// The tag, or the `&&`, because of which there is a syntax error at a place.
    fn tag_before(&self, place: Place, error: &ScanError) -> Option<Place> {
        if self.written(place).starts_with('!') && ["tag", "handle"].iter().any(|word| error.info().contains(word)) {
            return Some(place);
        }
        [place.line, place.line.saturating_sub(1).max(1)].into_iter().find_map(|line| {
            let text = self.report.line(Place { line, ..place });
            let (before, behind) = text.split_once("filter:")?;
            let value = behind.trim_start();
            let skipped = before.chars().count() + "filter:".len() + behind.chars().count() - value.chars().count();
            (value.starts_with('!') || value.starts_with("&&")).then_some(Place { line, column: skipped + 1, ..place })
        })
    }

    /// Reports a tag, or an anchor that is one only because `&&` is not in quotes.
    fn tagged(&mut self, place: Place) {
        self.tagged_line = Some(place.line);
        let help = match self.whole_filter(place) {
            Some(filter) => format!("put the filter in single quotes: `filter: '{}'`", filter.replace('\'', "''")),
            None => format!("put the {} in single quotes", if self.is_filter(place) { "filter" } else { "value" }),
        };
        let word = self.written(place).split_whitespace().next().filter(|word| word.starts_with(['!', '&']));
        let kind = if word.is_some_and(|word| word.starts_with('&')) { "anchor" } else { "tag" };
        let width = word.map_or(1, |word| word.chars().count());
        let message = format!("`{}` is a YAML {kind} here", word.unwrap_or("!..."));
        self.report.error(Place { width, ..place }, "unsupported-yaml-tag", message, Some(help));
    }

    /// Whether a value that begins at a place is a filter.
    fn is_filter(&self, place: Place) -> bool {
        self.awaited() == Some("filter") || self.report.line(place).contains("filter:")
    }

    /// The filter without quotes that begins at a place, if it ends with its line.
    fn whole_filter(&self, place: Place) -> Option<&'s str> {
        let (line, rest) = (self.report.line(place), self.written(place));
        let before = line[..line.len() - rest.len()].trim_end().strip_suffix("filter:")?;
        // In braces it ends before the line does.
        let is_whole = before.trim_start_matches([' ', '-']).is_empty() && !rest.contains(" #");
        (is_whole && rest.len() <= LONG_LINE).then_some(rest.trim_end())
    }

    /// The key whose value comes next.
    fn awaited(&self) -> Option<&str> {
        match &self.open.last()?.content {
            Content::Map { key, .. } => key.as_ref().map(|key| key.text.as_str()),
            Content::List(_) => None,
        }
    }

    /// Reports text behind the closing quote of a value, at its place.
    fn ended_early(&mut self, place: Place) {
        let line = self.report.line(place);
        let before = &line[..line.len() - self.written(place).len()];
        let (message, help) = match before.trim_end().ends_with('\'') {
            true => (
                "not YAML: text behind the closing single quote",
                "within single quotes a quote is written twice (`''`); or write `|-` and the text on the next line, \
                 indented and without quotes",
            ),
            false => (
                "not YAML: text behind the closing double quote",
                "put the whole value in single quotes: `'...'`; or write `|-` and the text on the next line, indented \
                 and without quotes",
            ),
        };
        self.report.error(place, "yaml-syntax", message.to_owned(), Some(help.to_owned()));
    }

    /// The event and its place, after a tag that means something else was reported. A filter is then checked as it was
    /// meant: what the tag has left of it is half a condition.
    fn without_tag<'e>(&mut self, event: Event<'e>, span: Span) -> (Event<'e>, Place) {
        let node = self.place(span);
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.as_deref())
            }
            _ => return (event, node),
        };
        if self.tagged_line == Some(node.line) && self.report.line(node).len() > LONG_LINE {
            return (event, node);
        }
        let place = match tag.filter(|tag| !is_core(tag)) {
            Some(_) => self.property(node, "!").unwrap_or(node),
            None if anchor > 0 => match self.property(node, "&&") {
                Some(place) => place,
                None => return (event, node),
            },
            None => return (event, node),
        };
        self.doubtful = true;
        self.tagged(place);
        if !self.is_filter(place) {
            return (event, node);
        }
        let one_line = span.end.line() == span.start.line();
        let meant = match &event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if text.is_empty() || one_line => self.whole_filter(place),
            _ => None,
        };
        self.broken |= meant.is_none();
        match meant {
            Some(filter) => (Event::Scalar(filter.to_owned().into(), ScalarStyle::Plain, anchor, None), place),
            None => (event, node),
        }
    }

    /// The place of a tag or an anchor, by its first characters, between the last event and a node.
    fn property(&self, node: Place, first: &str) -> Option<Place> {
        let (from, behind) = self.behind;
        (from..=node.line).find_map(|line| {
            let text = self.report.line(Place { line, ..node });
            if text.len() > LONG_LINE {
                return None;
            }
            let skipped = if line == from { behind } else { 0 };
            let end = if line == node.line { node.column - 1 } else { usize::MAX };
            let part: String = text.chars().take(end).skip(skipped).collect();
            let part = part.split('#').next().unwrap_or_default();
            let (before, _) = part.split_once(first)?;
            let begins = before.is_empty() || before.ends_with([' ', '\t', '[', '{', ',', ':', '-']);
            begins.then(|| Place { line, column: skipped + before.chars().count() + 1, width: 1, ..node })
        })
    }

    /// The place of a tab that indents the line of a place.
    fn tab(&self, place: Place) -> Option<Place> {
        let line = self.report.line(place);
        let rest = line.trim_start_matches(' ');
        rest.starts_with('\t').then(|| Place { column: line.len() - rest.len() + 1, width: 1, ..place })
    }

    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), usize> {
        match event {
            Event::DocumentStart(_) => {
                self.anchors.clear();
                (self.broken, self.doubtful) = (false, false);
            }
            Event::DocumentEnd => {
                if let Some(root) = self.root.take().filter(|_| !self.broken) {
                    self.documents.push(Document { root, doubtful: self.doubtful });
                }
            }
            Event::SequenceStart(anchor, _) => self.begin(place, anchor, Content::List(Vec::new()))?,
            Event::MappingStart(anchor, _) => {
                let content = Content::Map { entries: Vec::new(), names: Names::default(), key: None };
                self.begin(place, anchor, content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Scalar(text, _, 0, None) if self.awaits_key() && text != "<<" => {
                let weight = NODE + text.len();
                self.key(Key { text: text.into_owned(), place }, weight);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let quoted_by_tag = tag.is_some_and(|tag| is_core(&tag) && tag.suffix.ends_with("str"));
                let plain = style == ScalarStyle::Plain && !quoted_by_tag;
                let value = match text.as_ref() {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
                    text => Value::Scalar(Scalar { text: text.to_owned(), plain }),
                };
                let weight = NODE + text.len();
                self.add(Rc::new(Node { place, value }), anchor, weight);
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some((node, weight)) => {
                    self.repeated = self.repeated.saturating_add(weight);
                    if self.repeated > MAX_REPEATED {
                        let message = format!("the aliases in this file expand to more than {MAX_REPEATED} bytes");
                        self.refuse(place, "too-many-aliases", message);
                        return Err(place.line);
                    }
                    self.add(node, 0, weight);
                }
                None => {
                    let message = "the alias refers to an anchor that is unknown, or not complete yet".to_owned();
                    self.refuse(place, "yaml-syntax", message);
                    self.add(Rc::new(Node { place, value: Value::Null }), 0, NODE);
                }
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
        Ok(())
    }

    fn begin(&mut self, place: Place, anchor: usize, content: Content) -> Result<(), usize> {
        if self.open.len() == MAX_NESTING {
            self.refuse(place, "too-deep", too_deep());
            return Err(place.line);
        }
        self.open.push(Open { place, anchor, content, weight: NODE });
        Ok(())
    }

    fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let mut place = open.place;
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => {
                // A map without braces starts with its first key.
                if let Some((key, _)) = entries.first()
                    && (key.place.line, key.place.column) == (place.line, place.column)
                {
                    place = key.place;
                }
                Value::Map(entries)
            }
        };
        self.add(Rc::new(Node { place, value }), open.anchor, open.weight);
    }

    /// Whether what comes next is the key of a map.
    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Map { key: None, .. }, .. }))
    }

    /// A plain key, which most are: no node is needed for it.
    fn key(&mut self, name: Key, weight: usize) {
        if let Some(Open { content: Content::Map { key, .. }, weight: sum, .. }) = self.open.last_mut() {
            *sum = sum.saturating_add(weight);
            *key = Some(name);
        }
    }

    /// A complete node: an item, a key, a value, or the document.
    fn add(&mut self, node: Rc<Node>, anchor: usize, weight: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        if let Some(open) = self.open.last_mut() {
            open.weight = open.weight.saturating_add(weight);
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { key: key @ None, .. }) => {
                let text = match &node.value {
                    Value::Scalar(scalar) => Some(scalar.text.clone()),
                    Value::Null => Some("null".to_owned()),
                    Value::List(_) | Value::Map(_) => None,
                };
                *key = Some(Key { text: text.clone().unwrap_or_default(), place: node.place });
                if text.as_deref() == Some("<<") {
                    let message = "merge keys (`<<`) are not supported: write the fields out".to_owned();
                    self.refuse(node.place, "unsupported-yaml-merge", message);
                } else if text.is_none() {
                    self.refuse(node.place, "yaml-syntax", "a key must be text, not a list or a map".to_owned());
                }
            }
            Some(Content::Map { entries, names, key }) => {
                let Some(key) = key.take() else { return };
                if names.admit(&key.text, entries) {
                    entries.push((key, node));
                } else {
                    let message = format!("the key `{}` appears twice", key.text);
                    self.doubtful = true;
                    let help = Some("leave one out".to_owned());
                    self.report.error(key.place, "duplicate-key", message, help);
                }
            }
        }
    }

    fn refuse(&mut self, place: Place, code: &'static str, message: String) {
        self.broken = true;
        self.report.error(place, code, message, None);
    }

    fn place(&self, span: Span) -> Place {
        let width = if span.end.line() == span.start.line() { span.end.col() - span.start.col() } else { usize::MAX };
        Place {
            file: self.file,
            line: self.lines + span.start.line().max(1),
            column: span.start.col() + 1,
            width: width.max(1),
        }
    }
}
