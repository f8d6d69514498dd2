//! Matchers of labels, as Alertmanager writes them: `service="payment"`, `severity=~"page|critical"`.
//!
//! A label that an alert lacks is empty, so `team=""` matches what has no team, and `team!="x"` too. Regular expressions match
//! all of a value.

use std::fmt;

use regex::Regex;
use slipstream_schemas::records::{LabelMatcher, MatchOp};

/// A value is no longer than this, nor is a list of matchers longer than a few of them.
const LONGEST: usize = 4_096;

/// What is wrong with a matcher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// No operator, or nothing before it.
    #[error("`{text}` is not a matcher: write LABEL=VALUE, LABEL!=VALUE, LABEL=~REGEX or LABEL!~REGEX")]
    Malformed {
        /// What was found.
        text: String,
    },
    /// A quote that is not closed, or something behind it.
    #[error("`{text}`: the value's quotes are not closed, or something follows them")]
    Quotes {
        /// What was found.
        text: String,
    },
    /// A regular expression that is none.
    #[error("`{text}` is not a regular expression: {problem}")]
    Regex {
        /// What was found.
        text: String,
        /// Why, in one line.
        problem: String,
    },
    /// Longer than [`LONGEST`].
    #[error("a matcher is longer than {LONGEST} bytes")]
    Long,
    /// A list without one.
    #[error("expected at least one matcher, such as service=\"payment\"")]
    None,
}

/// What a label must be.
#[derive(Debug, Clone)]
pub struct Matcher {
    written: LabelMatcher,
    regex: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Matcher {}

impl Matcher {
    /// A matcher as recorded.
    ///
    /// # Errors
    /// When its regular expression is none.
    pub fn new(written: LabelMatcher) -> Result<Self, MatcherError> {
        let regex = match written.op {
            MatchOp::Eq | MatchOp::Ne => None,
            MatchOp::Re | MatchOp::Nre => Some(compiled(&written.value)?),
        };
        Ok(Matcher { written, regex })
    }

    /// Reads `LABEL OP VALUE`; the value may stand in double quotes, with `\"`, `\\` and `\n` in it.
    ///
    /// # Errors
    /// See [`MatcherError`].
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(MatcherError::Long);
        }
        let malformed = || MatcherError::Malformed { text: text.to_owned() };
        let at = text.find(['=', '!']).ok_or_else(malformed)?;
        let (label, rest) = text.split_at(at);
        // The longest sign: `=~` begins as `=` does.
        let ops = MatchOp::ALL.into_iter().filter(|op| rest.starts_with(op.sign()));
        let op = ops.max_by_key(|op| op.sign().len()).ok_or_else(malformed)?;
        let label = unquoted(label.trim())?;
        if label.is_empty() {
            return Err(malformed());
        }
        let value = unquoted(rest[op.sign().len()..].trim())?;
        Matcher::new(LabelMatcher { label, op, value })
    }

    /// As recorded.
    pub fn written(&self) -> &LabelMatcher {
        &self.written
    }

    /// The label and the value that it must have, where nothing else matches.
    pub fn exactly(&self) -> Option<(&str, &str)> {
        let LabelMatcher { label, op, value } = &self.written;
        (*op == MatchOp::Eq && !value.is_empty()).then_some((label.as_str(), value.as_str()))
    }

    /// Whether it asks for a regular expression that nothing empty matches.
    pub fn is_regular(&self) -> bool {
        self.written.op == MatchOp::Re && !self.matches("")
    }

    /// Whether a value matches.
    pub fn matches(&self, value: &str) -> bool {
        let regex = || self.regex.as_ref().is_some_and(|regex| regex.is_match(value));
        match self.written.op {
            MatchOp::Eq => value == self.written.value,
            MatchOp::Ne => value != self.written.value,
            MatchOp::Re => regex(),
            MatchOp::Nre => !regex(),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = self.written.op.sign();
        let escaped = self.written.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match self.written.label.chars().all(plain) {
            true => write!(f, "{}{sign}\"{escaped}\"", self.written.label),
            false => write!(f, "{:?}{sign}\"{escaped}\"", self.written.label),
        }
    }
}

/// Matchers that all have to match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matchers(Vec<Matcher>);

impl Matchers {
    /// Matchers as recorded.
    ///
    /// # Errors
    /// When one is wrong.
    pub fn new(written: &[LabelMatcher]) -> Result<Self, MatcherError> {
        written.iter().cloned().map(Matcher::new).collect::<Result<_, _>>().map(Matchers)
    }

    /// Reads one or more matchers with commas between, with or without braces: `{service="payment", severity!="info"}`.
    ///
    /// # Errors
    /// When one is wrong, or there is none.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        let text = text.trim();
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        let matchers = split(inner).into_iter().filter(|part| !part.trim().is_empty());
        let matchers: Vec<Matcher> = matchers.map(Matcher::parse).collect::<Result<_, _>>()?;
        if matchers.is_empty() { Err(MatcherError::None) } else { Ok(Matchers(matchers)) }
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, others: Matchers) -> Matchers {
        self.0.extend(others.0);
        self
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Matcher> {
        self.0.iter()
    }

    /// As recorded.
    pub fn written(&self) -> Vec<LabelMatcher> {
        self.0.iter().map(|matcher| matcher.written.clone()).collect()
    }

    /// Whether there are none: then everything matches.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all match; `label` gives a label's value.
    pub fn match_all<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.0.iter().all(|matcher| matcher.matches(label(&matcher.written.label).unwrap_or_default()))
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(Matcher::to_string).collect();
        write!(f, "{{{}}}", all.join(", "))
    }
}

/// A regular expression for all of a value.
pub(crate) fn whole(pattern: &str) -> String {
    format!("^(?s:{pattern})$")
}

fn compiled(pattern: &str) -> Result<Regex, MatcherError> {
    Regex::new(&whole(pattern)).map_err(|error| {
        let problem = error.to_string();
        let last = problem.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        MatcherError::Regex { text: pattern.to_owned(), problem: last }
    })
}

/// At the commas outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

fn unquoted(text: &str) -> Result<String, MatcherError> {
    let Some(rest) = text.strip_prefix('"') else { return Ok(text.to_owned()) };
    let wrong = || MatcherError::Quotes { text: text.to_owned() };
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' if chars.as_str().is_empty() => return Ok(value),
            '"' => return Err(wrong()),
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(escaped @ ('"' | '\\')) => value.push(escaped),
                // As in a regular expression: `\d`.
                Some(other) => value.extend(['\\', other]),
                None => return Err(wrong()),
            },
            c => value.push(c),
        }
    }
    Err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_matched_as_alertmanager_matches_them() {
        let cases = [
            ("service=payment", "payment", true),
            ("service=payment", "payments", false),
            (r#"service="pay, ment""#, "pay, ment", true),
            (r#"service = "a\"b\\c\nd" "#, "a\"b\\c\nd", true),
            ("service!=payment", "", true),
            ("service=", "", true),
            ("service=~pay|search", "pay", true),
            ("service=~pay|search", "payment", false),
            ("service=~pay.*", "payment", true),
            ("service=~a.b", "a\nb", true),
            (r"service=~\d+", "42", true),
            (r#"service=~"\d+""#, "42", true),
            ("service!~pay.*", "payment", false),
            ("service!~pay.*", "", true),
        ];
        for (text, value, want) in cases {
            let matchers = Matchers::parse(text).unwrap();
            assert_eq!(matchers.match_all(|label| (label == "service").then_some(value)), want, "{text} on {value:?}");
            let again = Matchers::parse(&matchers.to_string()).unwrap();
            assert_eq!(again, matchers, "{matchers} reads back");
        }
    }

    #[test]
    fn several_have_to_match_all() {
        let matchers = Matchers::parse(r#"{service="payment", severity=~"page|ticket", team!="a,b"}"#).unwrap();
        assert_eq!(matchers.iter().count(), 3);
        let labels = [("service", "payment"), ("severity", "page")];
        let of = |name: &str| labels.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        assert!(matchers.match_all(of));
        assert!(!matchers.and(Matchers::parse("severity=ticket").unwrap()).match_all(of));
    }

    #[test]
    fn what_is_no_matcher_is_refused_with_what_to_write() {
        let cases = [
            ("payment", "write LABEL=VALUE"),
            ("=payment", "write LABEL=VALUE"),
            ("a!b", "write LABEL=VALUE"),
            ("a=\"b", "quotes"),
            ("a=\"b\"c", "quotes"),
            ("a=~(", "not a regular expression"),
            ("{}", "at least one matcher"),
            (" , ", "at least one matcher"),
        ];
        for (text, said) in cases {
            let error = Matchers::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert_eq!(Matcher::parse(&format!("a={}", "b".repeat(LONGEST))), Err(MatcherError::Long));
    }
}
