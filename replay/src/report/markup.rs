//! Writing the page: an element at a time, always closed, and every text and attribute escaped. The page is well-formed XML, too.

use slipstream_schemas::visible::acts;

/// A page being written. Names of tags and attributes are literals; everything else goes through [`escape`].
#[derive(Debug, Default)]
pub struct Markup {
    out: String,
}

/// Attributes of an element: name and value.
pub type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Markup {
    /// An element and what is in it.
    pub fn within(&mut self, tag: &'static str, attributes: Attributes<'_>, content: impl FnOnce(&mut Markup)) {
        self.begin(tag, attributes);
        self.out.push('>');
        content(self);
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
        if is_block(tag) {
            self.out.push('\n');
        }
    }

    /// An element with text.
    pub fn leaf(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.within(tag, attributes, |m| m.text(text));
    }

    /// An element with nothing in it.
    pub fn void(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.begin(tag, attributes);
        self.out.push_str("/>");
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        escape(text, &mut self.out);
    }

    /// The style sheet, which HTML reads as it is: nothing in it is escaped, so it must not have what would have to be.
    pub fn style(&mut self, sheet: &'static str) {
        debug_assert!(!sheet.contains(['<', '>', '&']), "the style sheet would end, or not be XML");
        self.within("style", &[], |m| m.out.push_str(sheet));
    }

    /// A link where the address is one of the web; otherwise its text.
    pub fn link(&mut self, address: &str) {
        if is_web(address) {
            self.leaf("a", &[("href", address), ("rel", "noopener noreferrer")], address);
        } else {
            self.text(address);
        }
    }

    /// What was written, after a document type.
    pub fn into_page(self) -> String {
        format!("<!DOCTYPE html>\n{}", self.out)
    }

    fn begin(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, &mut self.out);
            self.out.push('"');
        }
    }
}

/// Only addresses of the web are links: `javascript:` and the like must not be clicked.
fn is_web(address: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        address.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
            && address.len() > scheme.len()
    })
}

/// After these a line ends, so that the file can be read and compared; in others a line break would be a space.
const BLOCKS: [&str; 27] = [
    "head",
    "meta",
    "style",
    "body",
    "header",
    "main",
    "section",
    "footer",
    "p",
    "h1",
    "h2",
    "h3",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "figure",
    "figcaption",
    "svg",
    "g",
    "dl",
    "div",
    "path",
    "details",
    "summary",
    "pre",
];

fn is_block(tag: &str) -> bool {
    BLOCKS.contains(&tag)
}

/// Characters that XML does not allow become U+FFFD; those that would show a text in another order, or as another, are
/// written out.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c if acts(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        let mut m = Markup::default();
        m.leaf("p", &[("title", "\"'><b>")], "<script>&\u{0}");
        assert_eq!(m.out, "<p title=\"&quot;&#39;&gt;&lt;b&gt;\">&lt;script&gt;&amp;\u{fffd}</p>\n");
    }

    #[test]
    fn texts_are_shown_in_their_own_order() {
        let mut m = Markup::default();
        m.text("/pay\u{202e}gpj.exe\u{200b} עברית");
        assert_eq!(m.out, "/pay\\u{202e}gpj.exe\\u{200b} עברית");
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        let rows = [
            ("https://example.com/1", true),
            ("HTTP://example.com", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("https://", false),
            (" https://example.com", false),
            ("ü", false),
        ];
        for (address, expected) in rows {
            assert_eq!(is_web(address), expected, "{address}");
        }
    }
}
