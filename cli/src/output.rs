//! How results look: a table for people, JSON for machines. Results go to standard output, all else to standard error.
//!
//! Anything printed here may come from a client or a file. So everything but our own colours passes [`visible_lines`];
//! cells of tables pass [`visible`], which escapes line ends as well.

mod json;

use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use slipstream_schemas::cause::chain;
use slipstream_schemas::visible::{visible, visible_lines};

/// A table with a head row; columns named in `right` are aligned right.
pub fn table(head: &[&str], right: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(head.to_vec());
    for (i, name) in head.iter().enumerate() {
        if let Some(column) = table.column_mut(i) {
            column.set_padding((0, 2));
            if right.contains(name) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| visible(cell)));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Writes text to standard output.
///
/// # Errors
/// When standard output is closed.
pub fn print(text: &str) -> io::Result<()> {
    print_as_is(&visible_lines(text))
}

/// Writes text to standard output that has colours, or is meant for a program: its values are [`visible`] already.
///
/// # Errors
/// When standard output is closed.
pub fn print_as_is(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// Writes one JSON document to standard output.
///
/// # Errors
/// When standard output is closed.
pub fn print_json(value: &impl Serialize) -> io::Result<()> {
    json::write(io::BufWriter::new(io::stdout().lock()), value)
}

/// Writes a JSON document that is text already, and a line end.
///
/// # Errors
/// When it is no JSON, or standard output is closed.
pub fn print_json_text(text: &str) -> io::Result<()> {
    json::write_text(io::BufWriter::new(io::stdout().lock()), text)
}

/// Writes a table in CSV to standard output: to a program as it is, to a terminal without what would control that.
///
/// # Errors
/// When standard output is closed.
pub fn print_csv(table: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        let lines = String::from_utf8_lossy(table).replace("\r\n", "\n");
        return out.write_all(visible_lines(&lines).as_bytes());
    }
    out.write_all(table)
}

/// The result of printing, for a command whose exit code says more than that it printed: a reader who has seen enough
/// (`slipstream slo validate slos/ | head`) is no failure, and no success either.
///
/// # Errors
/// All others.
pub fn enough(printed: io::Result<()>) -> io::Result<()> {
    match printed {
        Err(closed) if closed.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// A line of progress or advice on standard error.
pub fn say(text: impl std::fmt::Display) {
    say_as_is(&visible_lines(&text.to_string()));
}

/// A line on standard error that has colours: its values are [`visible`] already.
pub fn say_as_is(text: &str) {
    // Standard error that is closed harms nothing.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error with its causes, without repetition.
pub fn causes(error: &anyhow::Error) -> String {
    chain(error.as_ref())
}

/// Whether standard error is a terminal that wants colours (<https://no-color.org>).
pub fn colour_on_stderr() -> bool {
    io::stderr().is_terminal() && no_wish_against_colour()
}

/// Whether standard output is a terminal that wants colours.
pub fn colour_on_stdout() -> bool {
    io::stdout().is_terminal() && no_wish_against_colour()
}

fn no_wish_against_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_is_quoted_is_not_said_twice() {
        let error = anyhow::Error::msg("disk full").context("writing f: disk full").context("importing f");
        assert_eq!(causes(&error), "importing f: writing f: disk full");
    }

    #[test]
    fn a_table_has_a_head_and_aligned_columns() {
        let text = table(&["service", "hits"], &["hits"], [vec!["web".to_owned(), "7".to_owned()]]);
        assert_eq!(text, "service  hits\nweb         7\n");
    }

    #[test]
    fn a_cell_is_one_line_whatever_is_in_it() {
        let hostile = "\u{1b}[2J/pay\nok\r\tx\u{202e}".to_owned();
        let text = table(&["endpoint", "hits"], &["hits"], [vec![hostile, "7".to_owned()]]);
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(text.contains(r"\u{1b}[2J/pay\nok\r\tx\u{202e}"), "{text:?}");
    }
}
