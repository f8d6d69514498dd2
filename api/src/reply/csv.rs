//! Rows as CSV (RFC 4180), with a head. What has parts of its own, such as attributes, is JSON in its cell.

use csv::{Terminator, WriterBuilder};
use serde::Serialize;
use serde_json::Value;

use crate::refusal::Refusal;

/// The columns of all rows.
pub(super) fn table<R: Serialize>(columns: &[&str], rows: &[R]) -> Result<Vec<u8>, Refusal> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(columns).map_err(broken)?;
    for row in rows {
        let row = serde_json::to_value(row).map_err(broken)?;
        writer.write_record(columns.iter().map(|column| cell(row.get(column)))).map_err(broken)?;
    }
    writer.into_inner().map_err(broken)
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
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
        let text = String::from_utf8(table(&["a", "b", "c", "d"], &rows).unwrap()).unwrap();
        assert_eq!(text, "a,b,c,d\r\n\"x, \"\"y\"\"\nz\",,\"{\"\"k\"\":1}\",0.5\r\n,,{},true\r\n");
    }
}
