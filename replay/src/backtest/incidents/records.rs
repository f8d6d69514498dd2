//! CSV text to records of fields (RFC 4180), each with its place.
//!
//! A reader of our own, because a diagnostic needs the column of a field, and because a quote that is not closed, or stands
//! in the middle of a field, must be an error: other readers take it for text and swallow the lines behind it.

use slipstream_definitions::document::MAX_FILE;
use slipstream_definitions::document::report::{Place, Report};

/// A field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its characters, without the quotes around it.
    pub(super) text: String,
    /// Where it begins.
    pub(super) place: Place,
}

/// Reads all records but empty lines. One with an error in it is reported and left out.
pub(super) fn read(report: &mut Report<'_>, text: &str) -> Vec<Vec<Field>> {
    if text.len() > MAX_FILE {
        let message = format!("the file is larger than the limit of {MAX_FILE} bytes");
        report.error(Place::start(0), "file-too-large", message, Some("split it into several files".to_owned()));
        return Vec::new();
    }
    let mut reader = Reader::new(text.strip_prefix('\u{FEFF}').unwrap_or(text));
    let mut records = Vec::new();
    while reader.peek().is_some() {
        let errors = report.errors();
        let record = reader.record(report);
        let is_empty = matches!(record.as_slice(), [only] if only.text.trim().is_empty());
        if report.errors() == errors && !is_empty {
            records.push(record);
        }
    }
    records
}

struct Reader<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    line: usize,
    column: usize,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Reader<'t> {
        Reader { rest: text.chars().peekable(), line: 1, column: 1 }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn place(&self) -> Place {
        Place { file: 0, line: self.line, column: self.column, width: 1 }
    }

    /// The next character; the end of a line is one `\n`, however it is written.
    fn next(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        if !matches!(character, '\n' | '\r') {
            self.column += 1;
            return Some(character);
        }
        if character == '\r' && self.peek() == Some('\n') {
            self.rest.next();
        }
        (self.line, self.column) = (self.line + 1, 1);
        Some('\n')
    }

    /// The fields up to the end of the line, which is taken too.
    fn record(&mut self, report: &mut Report<'_>) -> Vec<Field> {
        let mut fields = Vec::new();
        loop {
            let place = self.place();
            let text = if self.peek() == Some('"') { self.quoted(report, place) } else { self.plain(report) };
            let width = text.chars().count().max(1);
            fields.push(Field { text, place: Place { width, ..place } });
            if self.next() != Some(',') {
                return fields;
            }
        }
    }

    /// Up to a comma or the end of the line, which stay.
    fn plain(&mut self, report: &mut Report<'_>) -> String {
        let mut text = String::new();
        while let Some(character) = self.peek().filter(|next| !matches!(next, ',' | '\n' | '\r')) {
            if character == '"' {
                let help = "put the whole field in quotes, and write a quote in it twice (`\"\"`)".to_owned();
                let message = "not CSV: a quote within a field that does not begin with one".to_owned();
                report.error(self.place(), "csv-syntax", message, Some(help));
                self.skip();
                return text;
            }
            text.extend(self.next());
        }
        text
    }

    /// A field in quotes, the first of which comes next.
    fn quoted(&mut self, report: &mut Report<'_>, begin: Place) -> String {
        let mut text = String::new();
        self.next();
        loop {
            match self.next() {
                Some('"') if self.peek() == Some('"') => text.extend(self.next()),
                Some('"') => break,
                Some(character) => text.push(character),
                None => {
                    let message = "not CSV: this quote is not closed".to_owned();
                    report.error(begin, "csv-syntax", message, None);
                    return text;
                }
            }
        }
        if self.peek().is_some_and(|next| !matches!(next, ',' | '\n' | '\r')) {
            let help = Some("within quotes a quote is written twice (`\"\"`)".to_owned());
            report.error(self.place(), "csv-syntax", "not CSV: text behind the closing quote".to_owned(), help);
            self.skip();
        }
        text
    }

    /// Goes to the end of the line: what is left of it after an error says nothing.
    fn skip(&mut self) {
        while self.peek().is_some_and(|next| !matches!(next, '\n' | '\r')) {
            self.next();
        }
    }
}
