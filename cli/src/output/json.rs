//! JSON that a terminal may show: what would act on it is written as `\u009b`. To a parser that is the same value.

use std::io::{self, Write};

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use slipstream_schemas::visible::acts;

/// Writes a document over several lines, and a line end.
pub(super) fn write(mut out: impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut out, Visible(PrettyFormatter::new())))?;
    out.write_all(b"\n")?;
    // A buffer that is dropped keeps its errors to itself.
    out.flush()
}

/// Writes a document that is text already, as it is but for what a terminal would act on: that can only lie in its strings.
///
/// # Errors
/// When it is no JSON, or cannot be written.
pub(super) fn write_text(mut out: impl Write, text: &str) -> io::Result<()> {
    serde_json::from_str::<IgnoredAny>(text)?;
    let mut rest = text.trim_end();
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| *c >= '\u{7f}' && acts(*c)) {
        out.write_all(&rest.as_bytes()[..at])?;
        escaped(&mut out, c)?;
        rest = &rest[at + c.len_utf8()..];
    }
    out.write_all(rest.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

fn escaped(out: &mut (impl Write + ?Sized), c: char) -> io::Result<()> {
    c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
}

/// Strings are handled here, the rest by [`PrettyFormatter`].
struct Visible<'a>(PrettyFormatter<'a>);

impl Formatter for Visible<'_> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| acts(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            escaped(out, c)?;
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_text_stays_the_same_json() {
        let value = json!({"endpoint": "/na\u{ef}ve\u{200d}\u{9b}", "attributes": {"x": "\u{202e}gpj"}, "n": -1.5});
        let text = serde_json::to_string_pretty(&value).unwrap() + "\n\n";
        let mut bytes = Vec::new();
        write_text(&mut bytes, &text).unwrap();
        let shown = String::from_utf8(bytes).unwrap();
        assert!(!shown.chars().any(|c| c != '\n' && acts(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        assert!(write_text(Vec::new(), "<html>").is_err());
    }

    #[test]
    fn a_parser_reads_the_same_and_a_terminal_sees_no_control() {
        let value = json!({"a\u{9b}": ["x\u{1b}[31m\n\u{7f}", "user\u{202e}gpj", {}, []], "ü 🙂": 1.5});
        let mut bytes = Vec::new();
        write(&mut bytes, &value).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && acts(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        let plain = json!({"events": [{"service": "größe", "n": 1}], "next": null});
        let mut bytes = Vec::new();
        write(&mut bytes, &plain).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), serde_json::to_string_pretty(&plain).unwrap() + "\n");
    }
}
