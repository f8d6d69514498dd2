//! Collects diagnostics while definitions are read, each with its place in a file.

use crate::diagnostic::{Diagnostic, Severity, Snippet, Tier};
use crate::suggest;

use super::source::SourceFile;

/// A place in a set of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index of the file.
    pub file: usize,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Characters meant; what is beyond the line's end does not count.
    pub width: usize,
}

impl Place {
    /// The start of a file.
    pub fn start(file: usize) -> Place {
        Place { file, line: 1, column: 1, width: 1 }
    }
}

/// Maximum errors that are kept, and maximum warnings; of further ones only the number is reported.
const MAX_KEPT: usize = 10_000;
/// Maximum comparisons for all suggestions of a load.
const MAX_COMPARED: usize = 1_000_000;
/// Characters of a line that a snippet keeps on either side of the marked part.
const AROUND: usize = 200;

/// What was found, before its line is looked up.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    file: usize,
    line: usize,
    column: usize,
    tier: Tier,
    severity: Severity,
    code: &'static str,
    message: String,
    help: Option<String>,
    width: usize,
}

/// The diagnostics of a load.
pub struct Report<'s> {
    sources: &'s [SourceFile],
    /// Per file: byte at which each line begins.
    lines: Vec<Vec<usize>>,
    found: Vec<Found>,
    errors: usize,
    warnings: usize,
    compared: usize,
    /// Whether anybody reads warnings.
    warns: bool,
}

/// The bytes at which lines begin. In YAML a carriage return also ends a line.
pub fn line_starts(text: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = text.as_bytes();
    let ends = move |at: &usize| match bytes[*at] {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    std::iter::once(0).chain((0..bytes.len()).filter(ends).map(|at| at + 1))
}

impl<'s> Report<'s> {
    /// A report in which nothing was found yet, errors and warnings.
    pub fn new(sources: &'s [SourceFile]) -> Report<'s> {
        let starts = |source: &SourceFile| line_starts(&source.text).collect();
        let lines = sources.iter().map(starts).collect();
        Report { sources, lines, found: Vec::new(), errors: 0, warnings: 0, compared: 0, warns: true }
    }

    /// A report of errors alone.
    pub(crate) fn of_errors(sources: &'s [SourceFile]) -> Report<'s> {
        Report { warns: false, ..Report::new(sources) }
    }

    /// Whether looking for what deserves a warning is worth it.
    pub(crate) fn warns(&self) -> bool {
        self.warns
    }

    /// Says that something is wrong; `code` is kebab-case, `help` what to write instead.
    pub fn error(&mut self, place: Place, code: &'static str, message: String, help: Option<String>) {
        self.errors += 1;
        if self.errors <= MAX_KEPT {
            self.add(place, Severity::Error, code, message, help);
        }
    }

    /// Says that something is probably not meant.
    pub fn warning(&mut self, place: Place, code: &'static str, message: String, help: Option<String>) {
        self.warnings += usize::from(self.warns);
        if self.warns && self.warnings <= MAX_KEPT {
            self.add(place, Severity::Warning, code, message, help);
        }
    }

    /// How many errors there are so far: a part whose reading adds one is not used.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// The suggestion for a word among many known ones. After a million comparisons there are no more: a load
    /// must end.
    pub fn nearest<'n>(&mut self, word: &str, known: impl ExactSizeIterator<Item = &'n str>) -> Option<&'n str> {
        self.compared += known.len();
        if self.compared > MAX_COMPARED {
            return None;
        }
        suggest::nearest(word, &known.collect::<Vec<_>>())
    }

    fn add(&mut self, place: Place, severity: Severity, code: &'static str, message: String, help: Option<String>) {
        let Place { file, line, column, width } = place;
        self.found.push(Found { file, line, column, tier: Tier::of(code), severity, code, message, help, width });
    }

    /// A place in words: `line 3 of slos.yaml`.
    pub fn place(&self, place: Place) -> String {
        let file = self.sources.get(place.file).map_or("", |source| source.path.as_str());
        format!("line {} of {file}", place.line)
    }

    /// The source line of a place, without its end.
    pub fn line(&self, place: Place) -> &'s str {
        let Some(lines) = self.lines.get(place.file) else { return "" };
        let text = self.sources.get(place.file).map_or("", |source| source.text.as_str());
        let start = lines.get(place.line - 1).copied().unwrap_or(text.len());
        let end = lines.get(place.line).copied().unwrap_or(text.len());
        text[start..end].trim_end_matches(['\n', '\r']).trim_start_matches('\u{FEFF}')
    }

    /// Everything found, by file and place, and there by tier; what was found twice (through two references) once.
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found.sort_unstable();
        self.found.dedup();
        let found = std::mem::take(&mut self.found);
        let mut cursor = Cursor::default();
        let mut diagnostics: Vec<Diagnostic> =
            found.into_iter().map(|found| self.diagnostic(found, &mut cursor)).collect();
        for (count, severity, words) in
            [(self.errors, Severity::Error, "errors"), (self.warnings, Severity::Warning, "warnings")]
        {
            let last = diagnostics.iter().rfind(|diagnostic| diagnostic.severity == severity).cloned();
            if let Some(last) = last.filter(|_| count > MAX_KEPT) {
                let message = format!("{} more {words} are not shown", count - MAX_KEPT);
                let (code, tier) = ("too-many-diagnostics", Tier::of("too-many-diagnostics"));
                diagnostics.push(Diagnostic { code, tier, message, help: None, ..last });
            }
        }
        diagnostics
    }

    fn diagnostic(&self, found: Found, cursor: &mut Cursor) -> Diagnostic {
        let Found { file, line, column, tier, severity, code, message, help, width } = found;
        let source = self.line(Place { file, line, column, width });
        let snippet = cursor.snippet((file, line), source, column, width);
        let file = self.sources.get(file).map_or_else(String::new, |source| source.path.clone());
        Diagnostic { file, line, column, severity, tier, code, message, help, snippet }
    }
}

/// The place of the last snippet in a line. Columns ascend, so a long line is walked once, however many diagnostics it
/// has.
#[derive(Default)]
struct Cursor {
    line: (usize, usize),
    byte: usize,
    /// Characters before `byte`.
    characters: usize,
}

impl Cursor {
    fn snippet(&mut self, line: (usize, usize), source: &str, column: usize, width: usize) -> Snippet {
        if line != self.line || column <= self.characters {
            *self = Cursor { line, ..Cursor::default() };
        }
        let wanted = column - 1 - self.characters;
        let ahead = source[self.byte..].char_indices().take(wanted + 1).enumerate().last();
        if let Some((passed, (bytes, character))) = ahead {
            // The last one taken is the one at the column, unless the line ends before it.
            let (passed, bytes) =
                if passed == wanted { (passed, bytes) } else { (passed + 1, bytes + character.len_utf8()) };
            (self.byte, self.characters) = (self.byte + bytes, self.characters + passed);
        }
        let back: usize = source[..self.byte].chars().rev().take(AROUND).map(char::len_utf8).sum();
        let skipped = self.characters - source[self.byte - back..self.byte].chars().count();
        let room = source[self.byte..].chars().take(width.min(AROUND)).count();
        let ahead: usize = source[self.byte..].chars().take(room + AROUND).map(char::len_utf8).sum();
        let text = source[self.byte - back..self.byte + ahead].to_owned();
        Snippet { text, skipped, width: room.max(1) }
    }
}
