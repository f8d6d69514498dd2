//! Collects diagnostics while definitions are read, each with its place in a file.

use crate::diagnostic::{Diagnostic, Severity, Snippet};

use super::SourceFile;

/// Where something stands in a set of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Index of the file.
    pub(crate) file: usize,
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// Characters meant; what is beyond the line's end does not count.
    pub(crate) width: usize,
}

impl Place {
    /// The beginning of a file.
    pub(crate) fn start(file: usize) -> Place {
        Place { file, line: 1, column: 1, width: 1 }
    }
}

/// The diagnostics of a load.
pub(crate) struct Report<'s> {
    sources: &'s [SourceFile],
    /// Per file: byte at which each line begins.
    lines: Vec<Vec<usize>>,
    found: Vec<(Place, Diagnostic)>,
    errors: usize,
}

impl<'s> Report<'s> {
    pub(crate) fn new(sources: &'s [SourceFile]) -> Report<'s> {
        let starts = |source: &SourceFile| {
            let breaks = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(breaks).collect()
        };
        Report { sources, lines: sources.iter().map(starts).collect(), found: Vec::new(), errors: 0 }
    }

    pub(crate) fn error(&mut self, place: Place, code: &'static str, message: String, help: Option<String>) {
        self.errors += 1;
        self.add(place, Severity::Error, code, message, help);
    }

    pub(crate) fn warning(&mut self, place: Place, code: &'static str, message: String, help: Option<String>) {
        self.add(place, Severity::Warning, code, message, help);
    }

    /// How many errors there are so far: a part whose reading adds one is not used.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    fn add(&mut self, place: Place, severity: Severity, code: &'static str, message: String, help: Option<String>) {
        let text = self.line(place).trim_start_matches('\u{FEFF}').to_owned();
        let room = text.chars().count().saturating_sub(place.column - 1).max(1);
        let snippet = Snippet { text, width: place.width.clamp(1, room) };
        let file = self.sources.get(place.file).map_or_else(String::new, |source| source.path.clone());
        let (line, column) = (place.line, place.column);
        self.found.push((place, Diagnostic { file, line, column, severity, code, message, help, snippet }));
    }

    /// A place in words: `line 3 of slos.yaml`.
    pub(crate) fn place(&self, place: Place) -> String {
        let file = self.sources.get(place.file).map_or("", |source| source.path.as_str());
        format!("line {} of {file}", place.line)
    }

    /// The source line of a place, without its end.
    pub(crate) fn line(&self, place: Place) -> &'s str {
        self.lines_from(place).next().unwrap_or_default()
    }

    /// The source lines from a place's on.
    pub(crate) fn lines_from(&self, place: Place) -> std::str::Lines<'s> {
        let start = self.lines.get(place.file).and_then(|lines| lines.get(place.line - 1));
        let text = self.sources.get(place.file).map_or("", |source| source.text.as_str());
        start.and_then(|start| text.get(*start..)).unwrap_or_default().lines()
    }

    /// Everything found, by file and place; what was found twice (through two references) once.
    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|(place, _)| (place.file, place.line, place.column));
        self.found.dedup();
        self.found.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }
}
