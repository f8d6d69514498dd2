//! A strict reader of XML: every element closed in order, every attribute quoted and there once, every `&` a known entity.

/// An element.
#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Node>,
}

/// What is in an element.
#[derive(Debug)]
pub enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    /// An attribute's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// It and every element in it, in order.
    pub fn all(&self) -> Vec<&Element> {
        let inner = self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        });
        std::iter::once(self).chain(inner.flat_map(Element::all)).collect()
    }

    /// Those of a name.
    pub fn named(&self, name: &str) -> Vec<&Element> {
        self.all().into_iter().filter(|element| element.name == name).collect()
    }

    /// That with an id.
    pub fn by_id(&self, id: &str) -> &Element {
        self.all()
            .into_iter()
            .find(|element| element.get("id") == Some(id))
            .unwrap_or_else(|| panic!("no element {id}"))
    }

    /// The section under the heading with an id.
    pub fn section(&self, id: &str) -> &Element {
        let is_it = |element: &&Element| element.name == "section" && element.get("aria-labelledby") == Some(id);
        self.all().into_iter().find(is_it).unwrap_or_else(|| panic!("no section {id}"))
    }

    /// Its text; spaces that do not break are as others.
    pub fn text(&self) -> String {
        let parts = self.children.iter().map(|node| match node {
            Node::Element(element) => element.text(),
            Node::Text(text) => text.replace('\u{a0}', " "),
        });
        parts.collect()
    }
}

/// Parses a page; panics where it is not well-formed.
pub fn parse(page: &str) -> Element {
    let rest = page.strip_prefix("<!DOCTYPE html>\n").expect("a document type");
    let mut open = vec![Element::default()];
    let mut rest = rest;
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        if !text.is_empty() {
            open.last_mut().expect("the page").children.push(Node::Text(unescaped(text)));
        }
        let Some(tag) = after.strip_prefix('<') else { break };
        let (tag, after) = tag.split_once('>').unwrap_or_else(|| panic!("a tag is not closed: {after:.80}"));
        rest = after;
        read_tag(tag, &mut open);
    }
    let mut page = open.pop().expect("the page");
    assert!(open.is_empty(), "{} is not closed", page.name);
    page.children.retain(|node| !matches!(node, Node::Text(text) if text.trim().is_empty()));
    match (page.children.pop(), page.children.pop()) {
        (Some(Node::Element(root)), None) => root,
        other => panic!("not one root element: {other:?}"),
    }
}

fn read_tag(tag: &str, open: &mut Vec<Element>) {
    if let Some(name) = tag.strip_prefix('/') {
        let closed = open.pop().expect("an open element");
        assert_eq!(closed.name, name, "closed in another order");
        return open.last_mut().expect("the page").children.push(Node::Element(closed));
    }
    let is_void = tag.ends_with('/');
    let tag = tag.strip_suffix('/').unwrap_or(tag);
    let (name, mut rest) = tag.split_at(tag.find(' ').unwrap_or(tag.len()));
    assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "not a name: {name:?}");
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    while !rest.is_empty() {
        let attribute = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no space before {rest:?}"));
        let (key, value) = attribute.split_once("=\"").unwrap_or_else(|| panic!("no value: {attribute:?}"));
        let (value, after) = value.split_once('"').unwrap_or_else(|| panic!("not quoted: {attribute:?}"));
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "not a name: {key:?}");
        assert!(element.get(key).is_none(), "{key} twice in {tag:?}");
        element.attributes.push((key.to_owned(), unescaped(value)));
        rest = after;
    }
    if is_void {
        open.last_mut().expect("the page").children.push(Node::Element(element));
    } else {
        open.push(element);
    }
}

fn unescaped(text: &str) -> String {
    let allowed = |c: char| !c.is_control() || c == '\n' || c == '\t' || c == '\u{85}';
    assert!(text.chars().all(allowed), "a character that XML does not allow: {text:?}");
    assert!(!text.contains(['<', '>']), "not escaped: {text:?}");
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').unwrap_or_else(|| panic!("a bare &: {part:?}"));
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            _ => panic!("an unknown entity: {entity}"),
        });
        out.push_str(rest);
    }
    out
}
