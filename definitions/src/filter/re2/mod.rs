//! RE2's regular expressions, the ones of CEL, as patterns of the `regex` crate that match the same strings.
//!
//! The crate's own syntax resembles RE2's, but patterns that both accept do not always have the same meaning: `\w` is
//! Unicode there and ASCII in RE2, `[a&&b]` is an intersection there and three characters in RE2. So patterns are
//! parsed here by RE2's grammar, and what is written for the crate has one meaning only: `\d` becomes `[0-9]`, a space
//! `\x{20}`.
//!
//! A filter asks whether a pattern matches, not where: greediness and captures are parsed and dropped.

mod class;
mod escape;
mod repeat;
mod unicode;

use self::repeat::Count;

/// Maximum nesting of groups, below the limit of the `regex` crate.
const MAX_DEPTH: usize = 50;

/// Why a pattern is refused: what is wrong, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) help: Option<String>,
}

impl Refusal {
    fn new<T>(reason: impl Into<String>, help: &str) -> Result<T, Refusal> {
        let help = (!help.is_empty()).then(|| help.to_owned());
        Err(Refusal { reason: reason.into(), help })
    }
}

/// The pattern for the `regex` crate that matches the same strings as `source` in RE2.
pub(super) fn translate(source: &str) -> Result<String, Refusal> {
    let mut translator = Translator { rest: source, ..Translator::default() };
    let mut repeated = false;
    while let Some(next) = translator.next() {
        repeated = match next {
            '*' => translator.repeat(Count::new(0, None), repeated)?,
            '+' => translator.repeat(Count::new(1, None), repeated)?,
            '?' => translator.repeat(Count::new(0, Some(1)), repeated)?,
            '{' => match Count::parse(translator.rest) {
                Some((count, rest)) => {
                    translator.rest = rest;
                    translator.repeat(count, repeated)?
                }
                None => translator.literal(u32::from('{')),
            },
            other => translator.once(other)?,
        };
    }
    if !translator.groups.is_empty() {
        return Refusal::new("a `(` is not closed", "close it with `)`, or write `\\\\(` for the character itself");
    }
    Ok(translator.out)
}

/// What `(?ims)` sets. `U` swaps greedy and lazy, which does not change results here.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    fold_case: bool,
    multi_line: bool,
    dot_all: bool,
}

/// An open group, and what to go back to when it closes.
#[derive(Debug)]
struct Group {
    start: usize,
    flags: Flags,
    heaviest: u32,
}

/// What was written last and a repetition would repeat.
#[derive(Debug)]
struct Atom {
    start: usize,
    /// How often the most repeated part of it is repeated.
    weight: u32,
    /// Whether it ends with a repetition, which the crate would take for one operator with the next.
    repeated: bool,
}

#[derive(Debug, Default)]
struct Translator<'s> {
    rest: &'s str,
    out: String,
    flags: Flags,
    groups: Vec<Group>,
    atom: Option<Atom>,
    /// The greatest weight of the atoms before the last one in this group.
    heaviest: u32,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.rest = chars.as_str();
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Anything but a repetition. Returns false, because it is none.
    fn once(&mut self, next: char) -> Result<bool, Refusal> {
        match next {
            '(' if self.eat("?") => self.special_group()?,
            '(' => self.open(self.flags)?,
            ')' => self.close()?,
            '|' => {
                self.settle();
                self.out.push('|');
            }
            '^' => self.push(if self.flags.multi_line { "(?m:^)" } else { r"\A" }),
            '$' => self.push(if self.flags.multi_line { "(?m:$)" } else { r"\z" }),
            '.' => self.push(if self.flags.dot_all { "(?s:.)" } else { r"[^\n]" }),
            '[' => {
                let class = self.class()?;
                self.push(&class);
            }
            '\\' => self.escape()?,
            literal => {
                self.literal(u32::from(literal));
            }
        }
        Ok(false)
    }

    fn escape(&mut self) -> Result<(), Refusal> {
        for (escape, meaning) in [("A", r"\A"), ("z", r"\z"), ("b", r"(?-u:\b)"), ("B", r"(?-u:\B)")] {
            if self.eat(escape) {
                self.push(meaning);
                return Ok(());
            }
        }
        if self.eat("Q") {
            let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            for literal in quoted.chars() {
                self.literal(u32::from(literal));
            }
            return Ok(());
        }
        if let Some(class) = self.class_escape()? {
            let class = self.folded(&format!("[{class}]"));
            self.push(&class);
            return Ok(());
        }
        let literal = self.escaped_character()?;
        self.literal(literal);
        Ok(())
    }

    fn literal(&mut self, code: u32) -> bool {
        let text = match class::character(code) {
            Some(text) if char::from_u32(code).is_some_and(|c| c.is_ascii() && !c.is_ascii_alphabetic()) => text,
            Some(text) => self.folded(&text),
            // A surrogate, which no string has.
            None => class::NEVER.to_owned(),
        };
        self.push(&text);
        false
    }

    /// `text` with the letter case that applies here.
    fn folded(&self, text: &str) -> String {
        if self.flags.fold_case { format!("(?i:{text})") } else { text.to_owned() }
    }

    /// Writes something that a repetition would repeat as a whole.
    fn push(&mut self, text: &str) {
        self.settle();
        self.atom = Some(Atom { start: self.out.len(), weight: 1, repeated: false });
        self.out.push_str(text);
    }

    /// The last atom will not be repeated any more.
    fn settle(&mut self) {
        if let Some(atom) = self.atom.take() {
            self.heaviest = self.heaviest.max(atom.weight);
        }
    }

    fn open(&mut self, flags: Flags) -> Result<(), Refusal> {
        if self.groups.len() == MAX_DEPTH {
            return Refusal::new(format!("groups nest deeper than {MAX_DEPTH} levels"), "write it with fewer brackets");
        }
        self.settle();
        self.groups.push(Group { start: self.out.len(), flags: self.flags, heaviest: self.heaviest });
        self.heaviest = 0;
        self.flags = flags;
        self.out.push_str("(?:");
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refusal> {
        let Some(Group { start, flags, heaviest }) = self.groups.pop() else {
            return Refusal::new("a `)` closes nothing", "write `\\\\)` for the character itself");
        };
        self.settle();
        self.atom = Some(Atom { start, weight: self.heaviest.max(1), repeated: false });
        self.heaviest = heaviest;
        self.flags = flags;
        self.out.push(')');
        Ok(())
    }

    /// What follows `(?`: a name, flags, or a group that does not capture.
    fn special_group(&mut self) -> Result<(), Refusal> {
        let inside = self.rest;
        if !inside.starts_with("<=") && !inside.starts_with("<!") && (self.eat("P<") || self.eat("<")) {
            return self.named_group();
        }
        let mut flags = self.flags;
        let (mut on, mut any) = (true, true);
        loop {
            match self.next() {
                Some('i') => flags.fold_case = on,
                Some('m') => flags.multi_line = on,
                Some('s') => flags.dot_all = on,
                Some('U') => {}
                Some('-') if on => {
                    (on, any) = (false, false);
                    continue;
                }
                Some(':') if any => return self.open(flags),
                Some(')') if any => {
                    self.flags = flags;
                    return Ok(());
                }
                _ => return no_group(inside),
            }
            any = true;
        }
    }

    fn named_group(&mut self) -> Result<(), Refusal> {
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match self.rest.split_once('>') {
            Some((name, rest)) if !name.is_empty() && name.chars().all(named) => {
                self.rest = rest;
                self.open(self.flags)
            }
            _ => Refusal::new("invalid group name", "a name has letters, digits and `_`: `(?P<name>...)`"),
        }
    }
}

/// Refuses a group that RE2 does not have; `inside` is what follows `(?`.
fn no_group<T>(inside: &str) -> Result<T, Refusal> {
    let begins = |parts: &[&str]| parts.iter().any(|part| inside.starts_with(part));
    if begins(&["=", "!", "<=", "<!"]) {
        let help = "write two conditions: `x.matches(\"a\") && !x.matches(\"b\")`";
        return Refusal::new("RE2 has no look-around", help);
    }
    if begins(&["P=", "P>", "R", "0", "1", "&"]) {
        return Refusal::new("RE2 has no back references and no recursion", escape::NO_REFERENCES);
    }
    if begins(&[">", "|"]) {
        return Refusal::new("RE2 has no atomic groups", "write `(?:...)`: RE2 never backtracks");
    }
    if begins(&["#"]) {
        return Refusal::new("RE2 has no comments in patterns", "CEL has them behind the filter: `// ...`");
    }
    let shown: String = inside.chars().take_while(|c| !matches!(c, ')' | ':')).take(8).collect();
    Refusal::new(format!("RE2 does not know the group `(?{shown}`"), "the flags are i, m, s and U: `(?i)`, `(?i:...)`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_has_one_meaning_only() {
        for (source, expected) in [
            ("^/a$", r"\A\x{2F}a\z"),
            ("(?m)^$", "(?m:^)(?m:$)"),
            (".(?s).", r"[^\n](?s:.)"),
            (r"\d\W", r"[0-9][[^0-9A-Z\x{5F}-\x{5F}a-z]]"),
            (r"\b\B", r"(?-u:\b)(?-u:\B)"),
            ("(?i)k7", "(?i:k)7"),
            ("{id}", r"\x{7B}id\x{7D}"),
            ("a{,2}", r"a\x{7B}\x{2C}2\x{7D}"),
            ("a{2,}?b*?", "a{2,}b*"),
            ("a(?i)*", "a*"),
            ("a*(?i)*", "(?:a*)*"),
            ("(?P<n>a|b)+", "(?:a|b)+"),
            (r"\Qa.b\E*", r"a\x{2E}b*"),
            (r"\07\x{e9}", r"\x{7}\x{E9}"),
            (r"\x{d800}", class::NEVER),
        ] {
            assert_eq!(translate(source).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn groups_nest_as_deep_as_the_engine_allows() {
        let nested = |levels: usize| format!("{}a{}", "((?i)b|[^c]".repeat(levels), ")+".repeat(levels));
        let pattern = translate(&nested(MAX_DEPTH)).unwrap();
        assert!(regex::Regex::new(&pattern).is_ok(), "{pattern}");
        assert!(translate(&nested(MAX_DEPTH + 1)).is_err());
    }
}
