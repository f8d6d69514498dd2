//! What was probably meant by a filter that the parser refuses: operators and spellings of other languages, and what is
//! left out.

const REGULAR: &str = "a regular expression is matched with `service.matches(\"^check\")`";
const OPTIONAL: &str =
    "there are no optional values: an attribute that may be missing is tested with `has(attributes.key)`";
const COMMENT: &str = "a comment begins with `//`, and ends with the line";
const DIVISION: &str = "`//` begins a comment: whole numbers are divided with `/`";

/// Words that are no names in CEL.
const KEYWORDS: [&str; 4] = ["in", "true", "false", "null"];

/// A filter and where the parser has stopped.
struct Refused<'s> {
    /// The source.
    chars: &'s [char],
    /// The same without what is in strings and comments.
    code: Vec<char>,
    /// What of the code is before the place of the error.
    before: String,
    /// What begins there; empty at the end of the filter.
    rest: String,
}

/// What to write instead of what is at a character of a filter; `at_end`: something is missing behind it.
pub(super) fn help(source: &str, start: usize, at_end: bool) -> Option<String> {
    let chars: Vec<char> = source.chars().collect();
    let code = code(&chars);
    let (before, rest) = code.split_at(if at_end { code.len() } else { start.min(code.len()) });
    let (before, rest) = (before.iter().collect(), rest.iter().collect());
    let refused = Refused { chars: &chars, code, before, rest };
    refused
        .range()
        .or_else(|| refused.number())
        .or_else(|| refused.attribute())
        .or_else(|| refused.operator().map(str::to_owned))
        .or_else(|| refused.word().map(str::to_owned))
        .or_else(|| refused.name())
        .or_else(|| refused.string().map(str::to_owned))
        .or_else(|| refused.unclosed().filter(|_| at_end))
}

/// What to write if a filter is cut off by `// 100`.
pub(super) fn division(source: &str) -> Option<String> {
    let chars: Vec<char> = source.chars().collect();
    is_divided(&chars, &code(&chars)).then(|| DIVISION.to_owned())
}

/// The name of a character that nobody sees, and what to do with it.
pub(super) fn invisible(character: char) -> Option<(&'static str, &'static str)> {
    const SPACE: &str = "replace it with a plain space";
    const NOTHING: &str = "leave it out";
    Some(match character {
        '\u{A0}' => ("a no-break space", SPACE),
        '\u{202F}' => ("a narrow no-break space", SPACE),
        '\u{3000}' => ("an ideographic space", SPACE),
        '\u{200B}' => ("a zero-width space", NOTHING),
        '\u{200C}' | '\u{200D}' | '\u{2060}' => ("a joiner without width", NOTHING),
        '\u{FEFF}' => ("a byte order mark", NOTHING),
        c if c.is_whitespace() && !c.is_ascii() => ("a space of another kind", SPACE),
        c if c.is_control() && !c.is_ascii_whitespace() => ("a control character", NOTHING),
        _ => return None,
    })
}

impl Refused<'_> {
    /// The code before, without spaces at its end.
    fn end(&self) -> &str {
        self.before.trim_end()
    }

    fn is_word(&self, word: &str) -> bool {
        let mut rest = self.rest.chars();
        let is_word = word.chars().all(|c| rest.next().is_some_and(|next| next.eq_ignore_ascii_case(&c)));
        is_word && !rest.next().is_some_and(is_part)
    }

    /// Numbers that CEL does not write so.
    fn number(&self) -> Option<String> {
        let (before, rest) = (self.before.as_str(), self.rest.as_str());
        let after_number = before.ends_with(|c: char| c.is_ascii_digit());
        if before.ends_with('0') && rest.starts_with('X') {
            return Some("a hexadecimal number begins with `0x`, in lower case".to_owned());
        }
        if before.ends_with('0') && rest.starts_with(['o', 'O', 'b', 'B']) {
            return Some("numbers are decimal, or hexadecimal with `0x`: there are no octal or binary ones".to_owned());
        }
        if after_number && rest.starts_with('_') {
            return Some("numbers have no `_` in them".to_owned());
        }
        if let Some(number) = rest.strip_prefix('+').map(|rest| digits(rest.trim_start())).filter(|n| !n.is_empty())
            && (self.end().is_empty() || self.end().ends_with(|c: char| "<>=(,&|[!+-*/%?:".contains(c)))
        {
            return Some(format!("write `{number}` without the `+`"));
        }
        // `500.`
        let stops_at_point = rest.starts_with('.') && !rest[1..].starts_with(is_part);
        let whole = if stops_at_point { Some(before) } else { self.end().strip_suffix('.') };
        if let Some(whole) = whole.map(last_word).filter(|whole| is_digits(whole)) {
            return Some(format!("write `{whole}.0`"));
        }
        self.separated()
    }

    /// `1,000`, but not the `,` of `x in (500,502)`.
    fn separated(&self) -> Option<String> {
        let is_list = self.before.rsplit_once('(').is_some_and(|(before, _)| before.trim_end().ends_with(" in"));
        let mut number = last_word(&self.before).to_owned();
        if is_list || !is_digits(&number) || number.len() > 3 {
            return None;
        }
        let mut rest = self.rest.as_str();
        while let Some(behind) = rest.strip_prefix(',') {
            let group = digits(behind);
            if group.len() != 3 || !is_digits(group) {
                break;
            }
            number.push_str(group);
            rest = &behind[3..];
        }
        (rest.len() < self.rest.len()).then(|| format!("numbers have no separators: write `{number}`"))
    }

    /// `in 200..299` and `between 200 and 299`.
    fn range(&self) -> Option<String> {
        let code: String = self.code.iter().collect();
        let (name, low, high) = if self.is_word("between") {
            let mut numbers =
                self.rest.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|part| !part.is_empty());
            (last_word(self.end()), numbers.next()?.to_owned(), numbers.next()?.to_owned())
        } else {
            let (low, high) = code.split_once("..")?;
            let before = low.trim_end_matches(|c: char| c.is_ascii_digit());
            let low = &low[before.len()..];
            let name = before.trim_end().trim_end_matches(['(', '[']).trim_end().strip_suffix("in")?;
            (last_word(name.trim_end()), low.to_owned(), digits(high.trim_start_matches(['.', '='])).to_owned())
        };
        let is_range = !name.is_empty() && !low.is_empty() && !high.is_empty();
        is_range.then(|| format!("write `{name} >= {low} && {name} <= {high}`"))
    }

    /// `attributes.in`, `attributes.2xx`, `attributes."key"`, `attributes?.key`.
    fn attribute(&self) -> Option<String> {
        let is_optional = self.before.ends_with("attributes") && self.rest.starts_with("?.");
        if is_optional || self.before.contains("attributes?.") {
            return Some(OPTIONAL.to_owned());
        }
        if self.rest.starts_with(".?") || self.rest.starts_with("[?") {
            return Some(OPTIONAL.to_owned());
        }
        // The parser stops at the `.` or behind it.
        let reached = (self.before.chars().count() + 2).min(self.code.len());
        let seen: String = self.code[..reached].iter().collect();
        let at = seen.rfind("attributes.").map(|at| seen[..at].chars().count() + "attributes.".len())?;
        let behind = &self.chars[at.min(self.chars.len())..];
        let key: String = match behind.first()? {
            quote @ ('"' | '\'') => behind[1..].iter().take_while(|c| *c != quote).collect(),
            _ => behind.iter().take_while(|c| is_part(**c) || **c == '-').collect(),
        };
        let is_name = !behind[0].is_ascii_digit() && !KEYWORDS.contains(&key.as_str()) && !is_quote(behind[0]);
        // A name was read without complaint.
        (!is_name && at + key.chars().count() + 2 >= self.before.chars().count())
            .then(|| format!("write `attributes[{key:?}]`"))
    }

    fn operator(&self) -> Option<&'static str> {
        let (before, rest) = (self.before.as_str(), self.rest.as_str());
        let is_tilde = rest.starts_with('~');
        Some(if rest.starts_with("!~") || (before.ends_with('!') && is_tilde) {
            "write `!service.matches(\"^check\")`"
        } else if is_tilde || rest.starts_with("=~") {
            REGULAR
        } else if rest.starts_with('#') || rest.starts_with("/*") || (before.ends_with('/') && rest.starts_with('*')) {
            COMMENT
        } else if rest.starts_with('≤') {
            "write `<=`"
        } else if rest.starts_with('≥') {
            "write `>=`"
        } else if rest.starts_with('≠') {
            "write `!=`"
        } else if rest.starts_with(',')
            && before.rsplit_once('(').is_some_and(|(before, _)| before.trim_end().ends_with(" in"))
        {
            "a list is written in square brackets: `x in [\"a\", \"b\"]`"
        } else if rest.starts_with('=') && !rest.starts_with("==") {
            "equality is written `==`"
        } else if rest.starts_with('&') && !rest.starts_with("&&") {
            "\"and\" is written `&&`"
        } else if rest.starts_with('|') && !rest.starts_with("||") {
            "\"or\" is written `||`"
        } else {
            return None;
        })
    }

    fn word(&self) -> Option<&'static str> {
        let after_number = self.before.ends_with(|c: char| c.is_ascii_digit());
        Some(if self.is_word("like") {
            "write `endpoint.startsWith(\"/api\")`, or `endpoint.matches(\"^/api/v[0-9]\")`"
        } else if after_number && self.rest.starts_with(char::is_alphabetic) {
            "numbers have no unit: latency_ms is in milliseconds; a class of status codes is written `status_code >= 500`"
        } else if self.is_word("is") {
            self.is()
        } else if self.is_word("and") {
            "\"and\" is written `&&`"
        } else if self.is_word("or") {
            "\"or\" is written `||`"
        } else if self.is_word("not") || self.end().to_lowercase().ends_with("not") {
            "\"not\" is written `!`, as in `!(x in [...])`"
        } else {
            return None;
        })
    }

    /// `latency_ms is null`.
    fn is(&self) -> &'static str {
        let words: Vec<String> = self.rest.split_whitespace().take(3).map(str::to_lowercase).collect();
        match words.get(1).map(String::as_str) {
            Some("not") if words.get(2).is_some_and(|word| word.starts_with("null")) => "write `!= null`",
            Some("not") => "\"is not\" is written `!=`",
            Some(word) if word.starts_with("null") => "write `== null`",
            _ => "\"is\" is written `==`",
        }
    }

    /// `$status_code` and `${status_code}`.
    fn name(&self) -> Option<String> {
        let behind = self.rest.strip_prefix('$')?.trim_start_matches('{');
        let name: String = behind.chars().take_while(|c| is_part(*c)).collect();
        Some(if name.is_empty() { "leave the `$` out".to_owned() } else { format!("write `{name}`, without `$`") })
    }

    /// A string where none can be.
    fn string(&self) -> Option<&'static str> {
        if !self.rest.starts_with(is_quote) {
            return None;
        }
        let end = self.end();
        let prefix = last_word(&self.before);
        if self.open().is_some_and(|at| self.code[at] == '[') && end.ends_with(is_quote) {
            return Some("the elements of a list are separated by `,`");
        }
        if !prefix.is_empty() && prefix.len() <= 2 {
            return Some("a string is written `\"...\"`, or `r\"...\"` if its backslashes are meant as they are");
        }
        let ends_condition = end.ends_with(is_quote) || end.ends_with(is_part) || end.ends_with([')', ']']);
        ends_condition.then_some("conditions are joined with `&&` or `||`; a quote within a string is written `\\\"`")
    }

    /// What ends too early: at a comment, or in a bracket.
    fn unclosed(&self) -> Option<String> {
        if is_divided(self.chars, &self.code) {
            return Some(DIVISION.to_owned());
        }
        let at = self.open()?;
        let before = &self.code[..at];
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        let column = before.iter().rev().take_while(|c| **c != '\n').count() + 1;
        let of = if self.code.contains(&'\n') { format!("line {line} of the filter") } else { "the filter".to_owned() };
        Some(format!("close the `{}` at column {column} of {of}", self.code[at]))
    }

    /// The last bracket that is open where the parser has stopped.
    fn open(&self) -> Option<usize> {
        let mut open = Vec::new();
        for (at, next) in self.before.chars().enumerate() {
            match next {
                '(' | '[' | '{' => open.push(at),
                ')' | ']' | '}' => {
                    open.pop();
                }
                _ => {}
            }
        }
        open.pop()
    }
}

/// The source with a NUL for each character within a string, and a space for each of a comment.
fn code(chars: &[char]) -> Vec<char> {
    let mut code = chars.to_vec();
    let mut at = 0;
    while let Some(next) = chars.get(at) {
        if is_quote(*next) {
            let is_raw = at > 0 && matches!(chars[at - 1], 'r' | 'R');
            let behind = string_end(chars, at, is_raw);
            code[at + 1..(behind - 1).max(at + 1)].fill('\0');
            at = behind;
        } else if chars[at..].starts_with(&['/', '/']) {
            let length = chars[at..].iter().take_while(|c| **c != '\n').count();
            code[at..at + length].fill(' ');
            at += length;
        } else {
            at += 1;
        }
    }
    code
}

/// Behind the string that begins at a quote, or the end of the filter.
fn string_end(chars: &[char], open: usize, is_raw: bool) -> usize {
    let quote = chars[open];
    let mark = if chars[open..].starts_with(&[quote; 3]) { 3 } else { 1 };
    let mut at = open + mark;
    while at < chars.len() {
        if chars[at..].starts_with(&[quote; 3][..mark]) {
            return at + mark;
        }
        at += if chars[at] == '\\' && !is_raw { 2 } else { 1 };
    }
    chars.len()
}

/// Whether a comment begins with a number: in other languages `//` divides.
fn is_divided(chars: &[char], code: &[char]) -> bool {
    let mut pairs = chars.windows(2).enumerate().filter(|(at, pair)| *pair == ['/', '/'] && code[*at] == ' ');
    pairs.any(|(at, _)| {
        let mut behind = chars[at + 2..].iter().skip_while(|c| **c == ' ');
        behind.next().is_some_and(char::is_ascii_digit)
    })
}

/// The name or number at the end of a text.
fn last_word(text: &str) -> &str {
    &text[text.trim_end_matches(is_part).len()..]
}

/// The digits at the beginning of a text, with a decimal point among them.
fn digits(text: &str) -> &str {
    let behind = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..behind].trim_end_matches('.')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}
