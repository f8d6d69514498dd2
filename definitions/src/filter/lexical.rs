//! Mistakes within one token: strings, quotes, numbers, `<>`. The parser reports them as characters that it cannot
//! read, and not always where they are. So this looks for them in filters that the parser has refused.

use super::error::FilterError;

/// More characters of a filter than this are not repeated in a message.
const SHOWN: usize = 40;
const ESCAPES: &str = "an escape is `\\x41`, `\\u00e9`, `\\U0001f600` or `\\101`; for a backslash write `\\\\`, or use a raw \
                       string: `r\"...\"`";

/// The first such mistake. None is looked for behind what begins no token: the parser has stopped there, at the earlier
/// one, and in `# don't count` the quote would be taken for a string that is not closed.
pub(super) fn mistake(source: &str) -> Option<FilterError> {
    let mut scanner = Scanner { chars: source.chars().collect(), at: 0 };
    while let Some(next) = scanner.peek(0).filter(|next| scanner.begins_token(*next)) {
        if let Err(mistake) = scanner.token(next) {
            return Some(mistake);
        }
    }
    None
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn peek_is(&self, ahead: usize, belongs: impl Fn(char) -> bool) -> bool {
        self.peek(ahead).is_some_and(belongs)
    }

    /// Reads on while characters belong, at most so many.
    fn take(&mut self, most: usize, belongs: impl Fn(char) -> bool) -> String {
        let taken: String = self.chars[self.at..].iter().take(most).copied().take_while(|c| belongs(*c)).collect();
        self.at += taken.chars().count();
        taken
    }

    fn rest_of(&mut self, belongs: impl Fn(char) -> bool) -> String {
        self.take(usize::MAX, belongs)
    }

    /// Whether a token, or one of the mistakes, can begin with this character, which is the next one.
    fn begins_token(&self, next: char) -> bool {
        match next {
            '=' | '&' | '|' => self.peek(1) == Some(next),
            '"' | '\'' | '`' | '!' | '<' | '>' | '+' | '-' | '*' | '/' | '%' => true,
            '.' | ',' | ':' | '?' | '(' | ')' | '[' | ']' | '{' | '}' => true,
            c => is_letter(c) || c.is_ascii_digit() || c.is_whitespace() || is_typographic(c),
        }
    }

    fn token(&mut self, next: char) -> Result<(), FilterError> {
        match next {
            '"' | '\'' => return self.string(false),
            '`' => {
                self.at += 1;
                self.rest_of(|c| c != '`');
            }
            '/' if self.peek(1) == Some('/') => {
                self.rest_of(|c| c != '\n');
            }
            '<' if self.peek(1) == Some('>') => {
                return Err(self.error(2, "there is no operator `<>`", "\"not equal\" is written `!=`"));
            }
            '=' | '&' | '|' => self.at += 1,
            '!' | '<' | '>' if self.peek(1) == Some('=') => self.at += 1,
            c if is_typographic(c) => return Err(self.typographic(c)),
            c if c.is_ascii_digit() => return self.number(),
            '.' if self.peek_is(1, |c| c.is_ascii_digit()) => return self.number(),
            c if is_letter(c) => {
                let name = self.rest_of(|c| is_letter(c) || c.is_ascii_digit()).to_ascii_lowercase();
                let is_prefix = matches!(name.as_str(), "r" | "b" | "br");
                if is_prefix && self.peek_is(0, |c| matches!(c, '"' | '\'')) {
                    return self.string(name.ends_with('r'));
                }
                return Ok(());
            }
            _ => {}
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self, is_raw: bool) -> Result<(), FilterError> {
        let open = self.at;
        let quote = self.chars[open];
        let is_triple = self.chars[open..].starts_with(&[quote; 3]);
        let mark = if is_triple { 3 } else { 1 };
        self.at += mark;
        while let Some(next) = self.peek(0) {
            if next == quote && (!is_triple || self.chars[self.at..].starts_with(&[quote; 3])) {
                self.at += mark;
                return Ok(());
            }
            match next {
                '\\' if !is_raw => self.escape()?,
                '\n' | '\r' if !is_triple => break,
                _ => self.at += 1,
            }
        }
        let inside = &self.chars[open + mark..self.at];
        let help = match inside.iter().rev().find(|c| is_typographic(**c)) {
            Some(other) => format!("it ends with the quote it begins with: `{quote}`, not `{other}`"),
            None => "a string ends with the quote it begins with; a backslash in it is written `\\\\`; \
                     `\"\"\"...\"\"\"` may span lines"
                .to_owned(),
        };
        self.at = open;
        Err(self.error(1, "the string is not closed", &help))
    }

    /// An escape, at its backslash.
    fn escape(&mut self) -> Result<(), FilterError> {
        let Some(kind) = self.peek(1) else {
            self.at += 1;
            return Ok(());
        };
        let (before, digits, radix) = match kind {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`' => {
                self.at += 2;
                return Ok(());
            }
            'x' | 'X' => (2, 2, 16),
            'u' => (2, 4, 16),
            'U' => (2, 8, 16),
            '0'..='3' => (1, 3, 8),
            // The end of a line within the string: whoever reads on reports it.
            '\n' | '\r' => {
                self.at += 1;
                return Ok(());
            }
            other => {
                let instead = format!("for a backslash write `\\\\{other}`, or use a raw string: `r\"...\"`");
                return Err(self.error(2, &format!("a string has no escape `\\{other}`"), &instead));
            }
        };
        let start = self.at;
        self.at += before;
        let code = self.take(digits, |c| c.is_digit(radix));
        let end = std::mem::replace(&mut self.at, start);
        let shown: String = self.chars[start..end].iter().collect();
        if code.len() < digits {
            return Err(self.error(end - start, &format!("the escape `{shown}` is incomplete"), ESCAPES));
        }
        let is_character = u32::from_str_radix(&code, radix).is_ok_and(|code| char::from_u32(code).is_some());
        if !is_character {
            return Err(self.error(end - start, &format!("the escape `{shown}` is not a Unicode character"), ESCAPES));
        }
        self.at = end;
        Ok(())
    }

    fn number(&mut self) -> Result<(), FilterError> {
        let start = self.at;
        let is_negative = self.chars[..start].iter().rev().find(|c| !c.is_whitespace()) == Some(&'-');
        let (digits, radix) = match self.chars[start..].starts_with(&['0', 'x']) {
            true => {
                self.at += 2;
                (self.rest_of(|c| c.is_ascii_hexdigit()), 16)
            }
            false => {
                let digits = self.rest_of(|c| c.is_ascii_digit());
                if self.fraction() | self.exponent() {
                    return self.decimal(start);
                }
                (digits, 10)
            }
        };
        let most = match self.peek(0) {
            // Refused for being unsigned.
            Some('u' | 'U') => u128::from(u64::MAX),
            _ if is_negative => 1 << 63,
            _ => (1 << 63) - 1,
        };
        let fits = u128::from_str_radix(&digits, radix).is_ok_and(|value| value <= most);
        if digits.is_empty() || fits {
            return Ok(());
        }
        let help = format!("whole numbers are from {} to {}", i64::MIN, i64::MAX);
        Err(self.out_of_range(start, &help))
    }

    fn fraction(&mut self) -> bool {
        let is_fraction = self.peek(0) == Some('.') && self.peek_is(1, |c| c.is_ascii_digit());
        if is_fraction {
            self.at += 1;
            self.rest_of(|c| c.is_ascii_digit());
        }
        is_fraction
    }

    fn exponent(&mut self) -> bool {
        let sign = usize::from(self.peek_is(1, |c| matches!(c, '+' | '-')));
        let is_exponent = self.peek_is(0, |c| matches!(c, 'e' | 'E')) && self.peek_is(1 + sign, |c| c.is_ascii_digit());
        if is_exponent {
            self.at += 1 + sign;
            self.rest_of(|c| c.is_ascii_digit());
        }
        is_exponent
    }

    /// A decimal number that was read from `start`.
    fn decimal(&mut self, start: usize) -> Result<(), FilterError> {
        let text: String = self.chars[start..self.at].iter().collect();
        if text.parse::<f64>().is_ok_and(f64::is_finite) {
            return Ok(());
        }
        Err(self.out_of_range(start, "decimal numbers are up to 1.797e308"))
    }

    fn out_of_range(&mut self, start: usize, help: &str) -> FilterError {
        let width = std::mem::replace(&mut self.at, start) - start;
        let shown: String = self.chars[start..start + width.min(SHOWN)].iter().collect();
        let more = if width > SHOWN { "…" } else { "" };
        self.error(width, &format!("the number `{shown}{more}` is out of range"), help)
    }

    /// A quote of a word processor, at it; with its partner on the same line, the whole string.
    fn typographic(&self, quote: char) -> FilterError {
        let is_end = |c: char| if is_single(quote) { is_single(c) } else { is_double(c) };
        let rest = &self.chars[self.at + 1..];
        let inside: String = rest.iter().copied().take_while(|c| !is_end(*c) && *c != '\n').collect();
        let length = inside.chars().count();
        let is_closed = rest.get(length).is_some_and(|c| is_end(*c));
        let is_plain = is_closed && length <= SHOWN && !inside.contains(['"', '\\']);
        let help = format!("use plain quotes: `\"{}\"`", if is_plain { &inside } else { "..." });
        self.error(if is_closed { length + 2 } else { 1 }, &format!("cannot read `{quote}`"), &help)
    }

    /// An error here.
    fn error(&self, width: usize, what: &str, help: &str) -> FilterError {
        FilterError {
            code: "filter-syntax",
            message: format!("CEL syntax: {what}"),
            help: Some(help.to_owned()),
            start: self.at,
            width,
        }
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_typographic(c: char) -> bool {
    is_single(c) || is_double(c)
}

fn is_single(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201B}' | '\u{2032}' | '‹' | '›')
}

fn is_double(c: char) -> bool {
    matches!(c, '\u{201C}'..='\u{201F}' | '\u{2033}' | '«' | '»')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_found_where_they_are() {
        for (source, marked, says) in [
            (r#"service == "\q""#, r"\q", r"a string has no escape `\q`: for a backslash write `\\q`"),
            (r#"endpoint.matches("\d+\.")"#, r"\d", r#"write `\\d`, or use a raw string: `r"...""#),
            (r#"service == "a\.b""#, r"\.", r"write `\\.`"),
            (r#"service == "\400""#, r"\4", "no escape"),
            (r#"service == '\u00'"#, r"\u00", "incomplete"),
            (r#"service == "\09""#, r"\0", "incomplete"),
            (r#"service == "\ud800""#, r"\ud800", "not a Unicode character"),
            (r#"service == "\U00110000""#, r"\U00110000", "not a Unicode character"),
            ("service == \"checkout\n&& true", "\"", "may span lines"),
            ("service == 'checkout", "'", "not closed"),
            ("service == \"checkout”", "\"", "`\"`, not `”`"),
            ("true && service == \"\"\"x\"", "\"", "not closed"),
            ("service == “checkout”", "“checkout”", "use plain quotes: `\"checkout\"`"),
            ("service == ‘checkout’", "‘checkout’", "use plain quotes: `\"checkout\"`"),
            ("service == „checkout“ && true", "„checkout“", "use plain quotes: `\"checkout\"`"),
            ("service == “check", "“", "use plain quotes: `\"...\"`"),
            ("status_code <> 200", "<>", "`!=`"),
            ("status_code < 9223372036854775808", "9223372036854775808", "from -9223372036854775808 to"),
            ("status_code < -9223372036854775809", "9223372036854775809", "`9223372036854775809` is out of range"),
            ("status_code < 0x8000000000000000", "0x8000000000000000", "`0x8000000000000000` is out of range"),
            ("status_code < 18446744073709551616u", "18446744073709551616", "out of range"),
            ("latency_ms < 1.5e999", "1.5e999", "decimal numbers are up to"),
            ("status_code >= 200 && service != 'a", "'", "not closed"),
            (r#"service == "\q" # don't count"#, r"\q", "no escape"),
        ] {
            let found = mistake(source).unwrap_or_else(|| panic!("{source}: nothing found"));
            let place: String = source.chars().skip(found.start).take(found.width).collect();
            let said = format!("{}: {}", found.message, found.help.as_deref().unwrap_or_default());
            assert!(place == marked && said.contains(says), "{source}: {place:?}, {said}");
        }
    }

    #[test]
    fn behind_what_begins_no_token_nothing_is_looked_for() {
        for source in [
            "service == \"a\" # don't count",
            "service == \"a\"; it's",
            "service == \"a\" && ~method == 'b",
            r#"service == \"a\""#,
            "service = it's",
            "service == \"a\" & method == 'b",
            "größe == 'x",
        ] {
            assert_eq!(mistake(source), None, "{source}");
        }
    }

    #[test]
    fn what_is_right_is_no_mistake() {
        for source in [
            r#"service == "\\ \" \n \x41 \u00e9 \U0001f600 \101 \?" && status_code < 500"#,
            r#"endpoint.matches(r"^\d+\.\q$") || endpoint.matches(R'\w')"#,
            "service == \"\"\"a \"b\"\n c\"\"\" && method == '' && endpoint == \"“x” <>\"",
            "status_code < 9223372036854775807 && status_code > -9223372036854775808 && status_code > - 9223372036854775808",
            "latency_ms < .99999999999999999999 && latency_ms < 1e300 && latency_ms < 99999999999999999999.5e-3",
            "attributes.`a\"b` == \"x\" // it’s <> “fine",
            "status_code < 18446744073709551615u && status_code < 0x7FFFFFFFFFFFFFFF",
        ] {
            assert_eq!(mistake(source), None, "{source}");
        }
    }
}
