//! Classes: `[a-z]`, `\d`, `[[:alpha:]]`.

use std::fmt::Write as _;

use super::{Refusal, Translator, unicode};

/// An empty class.
pub(super) const NEVER: &str = r"[^\x{0}-\x{10FFFF}]";

type Ranges = &'static [(char, char)];

const DIGIT: Ranges = &[('0', '9')];
/// Not the vertical tab.
const SPACE: Ranges = &[('\t', '\n'), ('\x0C', '\r'), (' ', ' ')];
const WORD: Ranges = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

const NAMED: [(&str, Ranges); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7F')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1F'), ('\x7F', '\x7F')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

/// The character as it is written in a pattern and in a class; `None` for a surrogate, which no string has.
pub(super) fn character(code: u32) -> Option<String> {
    let character = char::from_u32(code)?;
    Some(if character.is_ascii_alphanumeric() { character.to_string() } else { format!("\\x{{{code:X}}}") })
}

impl Translator<'_> {
    /// A class whose `[` was read.
    pub(super) fn class(&mut self) -> Result<String, Refusal> {
        let negated = self.eat("^");
        let mut items = String::new();
        let mut first = true;
        // A leading `]` is a character.
        while first || !self.eat("]") {
            first = false;
            if self.rest.is_empty() {
                return Refusal::new(
                    "a `[` is not closed",
                    "close it with `]`, or write `\\\\[` for the character itself",
                );
            }
            self.item(&mut items)?;
        }
        let class = match (items.is_empty(), negated) {
            (true, false) => NEVER.to_owned(),
            (true, true) => "(?s:.)".to_owned(),
            (false, false) => format!("[{items}]"),
            (false, true) => format!("[^{items}]"),
        };
        Ok(self.folded(&class))
    }

    fn item(&mut self, items: &mut String) -> Result<(), Refusal> {
        if let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) {
            self.rest = rest;
            return named(name, items);
        }
        if self.rest.starts_with('\\') {
            let before = self.rest;
            self.next();
            if let Some(class) = self.class_escape()? {
                items.push_str(&class);
                return Ok(());
            }
            self.rest = before;
        }
        let low = self.class_character()?;
        let mut high = low;
        // A trailing `-` is a character.
        if self.rest.starts_with('-') && self.rest.len() > 1 && !self.rest.starts_with("-]") {
            self.next();
            if self.rest.starts_with('\\') && self.rest[1..].starts_with(['d', 'D', 's', 'S', 'w', 'W', 'p', 'P']) {
                let class: String = self.rest.chars().take(2).collect();
                return Refusal::new(
                    format!("a range in `[...]` ends with the class `{class}`"),
                    "write `-` first or last for the character itself: `[a\\\\d-]`",
                );
            }
            high = self.class_character()?;
        }
        if high < low {
            return Refusal::new("a range in `[...]` is reversed", "write `-` first or last for the character itself");
        }
        add(items, low, high);
        Ok(())
    }

    fn class_character(&mut self) -> Result<u32, Refusal> {
        match self.next() {
            Some('\\') => self.escaped_character(),
            Some(character) => Ok(u32::from(character)),
            None => Refusal::new("a `[` is not closed", "close it with `]`"),
        }
    }

    /// `\d`, `\pL` and similar, after the backslash, as an item of a class. `None` if it is another escape.
    pub(super) fn class_escape(&mut self) -> Result<Option<String>, Refusal> {
        let ranges = match self.rest.chars().next() {
            Some('d' | 'D') => DIGIT,
            Some('s' | 'S') => SPACE,
            Some('w' | 'W') => WORD,
            Some('p' | 'P') => return self.unicode_class().map(Some),
            _ => return Ok(None),
        };
        let negated = self.next().is_some_and(|letter| letter.is_ascii_uppercase());
        Ok(Some(group(ranges, negated)))
    }

    /// `pL`, `p{Greek}`, `P{^Greek}`.
    fn unicode_class(&mut self) -> Result<String, Refusal> {
        let mut negated = self.next() == Some('P');
        let name = if self.eat("{") {
            let Some((name, rest)) = self.rest.split_once('}') else {
                return Refusal::new("a `\\p{` is not closed", "write `\\\\p{Greek}`");
            };
            self.rest = rest;
            name.to_owned()
        } else {
            self.next().map(String::from).unwrap_or_default()
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negated = !negated;
                name
            }
            None => &name,
        };
        unicode::class(name, negated)
    }
}

/// `[:alpha:]` and `[:^alpha:]`.
fn named(name: &str, items: &mut String) -> Result<(), Refusal> {
    let plain = name.trim_start_matches('^');
    let Some((_, ranges)) = NAMED.iter().find(|(known, _)| *known == plain).filter(|_| name.len() - plain.len() <= 1)
    else {
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        return Refusal::new(format!("there is no class `[:{name}:]`"), &format!("the names are {}", names.join(", ")));
    };
    items.push_str(&group(ranges, plain != name));
    Ok(())
}

fn group(ranges: Ranges, negated: bool) -> String {
    let mut items = String::new();
    ranges.iter().for_each(|(low, high)| add(&mut items, u32::from(*low), u32::from(*high)));
    if negated { format!("[^{items}]") } else { items }
}

/// Adds a range. Surrogates at its ends are removed: no string has them.
fn add(items: &mut String, low: u32, high: u32) {
    let surrogate = |code: &u32| (0xD800..=0xDFFF).contains(code);
    let low = Some(low).filter(|low| !surrogate(low)).unwrap_or(0xE000);
    let high = Some(high).filter(|high| !surrogate(high)).unwrap_or(0xD7FF);
    if let (Some(from), Some(to), true) = (character(low), character(high), low <= high) {
        let _ = write!(items, "{from}-{to}");
    }
}
