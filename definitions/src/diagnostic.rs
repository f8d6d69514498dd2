//! What is wrong with a definition, where, and what to do about it; and how it is printed.

use std::fmt::Write;

use serde::Serialize;
use slipstream_schemas::visible::{acts, visible};

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition is accepted, with the effect in the message.
    Warning,
}

/// What a diagnostic is about: a document whose syntax is broken is not held against the schema, and one that breaks the
/// schema has no meaning yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Whether it is YAML or JSON at all, within its limits.
    Syntax,
    /// Which fields an object has, and of which kind.
    Schema,
    /// What the fields say: filters, references, numbers that do not go together, what is not supported.
    Meaning,
}

const SYNTAX: [&str; 11] = [
    "yaml-syntax",
    "duplicate-key",
    "empty-file",
    "file-too-large",
    "not-utf-8",
    "too-deep",
    "too-many-aliases",
    "too-many-diagnostics",
    "too-many-documents",
    "unsupported-yaml-merge",
    "unsupported-yaml-tag",
];
const SCHEMA: [&str; 20] = [
    "assumed-kind",
    "assumed-window",
    "conflicting-fields",
    "invalid-annotation",
    "invalid-api-version",
    "invalid-duration",
    "invalid-name",
    "invalid-number",
    "invalid-start-time",
    "invalid-value",
    "missing-field",
    "too-long",
    "unknown-annotation",
    "unknown-field",
    "unsupported-api-version",
    "unsupported-metadata-size",
    "unsupported-name",
    "unsupported-number-of-alert-policies",
    "unsupported-number-of-objectives",
    "wrong-type",
];

impl Tier {
    /// The tier of a diagnostic's code; [`Tier::Meaning`] for an unknown one.
    pub fn of(code: &str) -> Tier {
        if SYNTAX.contains(&code) {
            Tier::Syntax
        } else if SCHEMA.contains(&code) {
            Tier::Schema
        } else {
            Tier::Meaning
        }
    }
}

/// A finding about a definition file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file's path, as passed.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Error or warning.
    pub severity: Severity,
    /// The stage that found it; follows from the code.
    pub tier: Tier,
    /// Kebab-case and stable. Codes for valid OpenSLO that is not supported start with `unsupported-`.
    pub code: &'static str,
    /// What was found and what was expected, in one sentence.
    pub message: String,
    /// What to write instead, if known.
    pub help: Option<String>,
    /// The offending text in its line.
    #[serde(skip)]
    pub snippet: Snippet,
}

/// A source line and the part of it that is marked, which starts at the diagnostic's column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snippet {
    /// The line, or for a long one the part around the column.
    pub text: String,
    /// How many characters of the line are before the text.
    pub skipped: usize,
    /// How many characters are meant, at least 1.
    pub width: usize,
}

impl Diagnostic {
    /// Whether it refuses the definition.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Longest part of a source line that is shown, characters.
const SHOWN: usize = 120;

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BLUE: &str = "\x1b[1;34m";

/// The diagnostics as a compiler would print them, each with its source line and a marker under the offending text.
/// `colour` adds ANSI escapes; nothing of the source acts on a terminal.
pub fn render(diagnostics: &[Diagnostic], colour: bool) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        render_one(&mut out, diagnostic, colour);
    }
    out
}

fn render_one(out: &mut String, diagnostic: &Diagnostic, colour: bool) {
    let paint = |style: &str, text: &str| if colour { format!("{style}{text}{RESET}") } else { text.to_owned() };
    let (style, weight) = match diagnostic.severity {
        Severity::Error => (RED, "error"),
        Severity::Warning => (YELLOW, "warning"),
    };
    let Snippet { text, skipped, width } = &diagnostic.snippet;
    let (line, start) = window(text, diagnostic.column.saturating_sub(*skipped), *skipped > 0);
    let number = diagnostic.line.to_string();
    let gutter = " ".repeat(number.len());
    let bar = paint(BLUE, "|");
    let room = line.chars().count().saturating_sub(start).max(1);
    let marker = paint(style, &"^".repeat((*width).clamp(1, room)));
    let place = format!("{}:{}:{}", visible(&diagnostic.file), diagnostic.line, diagnostic.column);
    let head = paint(style, &format!("{weight}[{}]", diagnostic.code));
    let message = paint(BOLD, &visible(&diagnostic.message));
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{head}: {message}");
    let _ = writeln!(out, "{gutter}{} {place}", paint(BLUE, "-->"));
    let _ = writeln!(out, "{gutter} {bar}");
    let _ = writeln!(out, "{} {bar} {line}", paint(BLUE, &number));
    let _ = writeln!(out, "{gutter} {bar} {}{marker}", " ".repeat(start));
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "{gutter} {} help: {}", paint(BLUE, "="), visible(help));
    }
    out.push('\n');
}

/// The part of a line around a column (from 1), and the index of the column in it. `cut`: the line started before
/// that.
fn window(line: &str, column: usize, cut: bool) -> (String, usize) {
    let characters: Vec<char> = line.trim_end().chars().map(one_column).collect();
    let start = column.saturating_sub(1).min(characters.len());
    let from = if start < SHOWN { 0 } else { start - SHOWN / 2 };
    let to = characters.len().min(from + SHOWN);
    let shown: String = characters[from..to].iter().collect();
    if from == 0 && !cut { (shown, start) } else { (format!("...{shown}"), start - from + 3) }
}

/// A tab takes one column, as it is counted. What would act on the terminal is replaced, not escaped: the marker below has
/// to stay under its text.
fn one_column(character: char) -> char {
    match character {
        '\t' => ' ',
        character if acts(character) => '\u{FFFD}',
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(text: &str, column: usize, width: usize) -> Diagnostic {
        Diagnostic {
            file: "slo.yaml".into(),
            line: 12,
            column,
            severity: Severity::Error,
            tier: Tier::of("invalid-target"),
            code: "invalid-target",
            message: "99.9 is not below 1".into(),
            help: Some("write 0.999".into()),
            snippet: Snippet { text: text.into(), skipped: 0, width },
        }
    }

    #[test]
    fn looks_like_a_compilers() {
        let text = render(&[diagnostic("      target: 99.9", 15, 4)], false);
        let expected = "\
error[invalid-target]: 99.9 is not below 1
  --> slo.yaml:12:15
   |
12 |       target: 99.9
   |               ^^^^
   = help: write 0.999

";
        assert_eq!(text, expected);
    }

    #[test]
    fn colour_is_only_escapes() {
        let coloured = render(&[diagnostic("      target: 99.9", 15, 4)], true);
        let mut plain = coloured.clone();
        for escape in [RESET, BOLD, RED, YELLOW, BLUE] {
            plain = plain.replace(escape, "");
        }
        assert_ne!(coloured, plain);
        assert_eq!(plain, render(&[diagnostic("      target: 99.9", 15, 4)], false));
    }

    #[test]
    fn a_marker_stays_under_its_text_in_long_and_hostile_lines() {
        for (text, column, width) in
            [("x".repeat(5_000), 3_000, 10), ("\ttarget: \u{1b}[31mé".into(), 10, 400), (String::new(), 7, 3)]
        {
            let rendered = render(&[diagnostic(&text, column, width)], false);
            assert!(!rendered.contains('\u{1b}'));
            let lines: Vec<&str> = rendered.lines().collect();
            let (source, marker) = (lines[3].chars().count(), lines[4].chars().count());
            assert!(source <= SHOWN + 10 && marker <= source + 1, "{rendered}");
        }
    }
}
