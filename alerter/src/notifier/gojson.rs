//! JSON as Go's encoding/json writes it, byte for byte: receivers hash, sign and compare bodies.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Compact, and with `<`, `>`, `&`, U+2028 and U+2029 escaped, as Go does unless told otherwise.
struct Go;

impl Formatter for Go {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| escaped(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(c))?;
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

fn escaped(c: char) -> bool {
    matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

/// The value with a newline behind it, as Go's `Encoder` ends a document.
pub fn encode(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1_024);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Go))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A string as Go's `%q` writes it: quoted, with what cannot be printed escaped.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if printable(c) => out.push(c),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Rust's table of what can be printed stands for Go's: they differ in combining marks and in new Unicode versions only.
fn printable(c: char) -> bool {
    c.is_ascii_graphic() || c == '\'' || c == ' ' || c.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        let cases = [
            ("a < b && c > d", r#""a \u003c b \u0026\u0026 c \u003e d""#),
            ("line\u{2028}par\u{2029}", r#""line\u2028par\u2029""#),
            ("tab\t nl\n bs\u{8} ff\u{c} esc\u{1b} del\u{7f}", "\"tab\\t nl\\n bs\\b ff\\f esc\\u001b del\u{7f}\""),
            ("quote \" slash / back \\ é 🙂", r#""quote \" slash / back \\ é 🙂""#),
        ];
        for (text, want) in cases {
            assert_eq!(String::from_utf8(encode(&text).unwrap()).unwrap(), format!("{want}\n"));
        }
    }

    #[test]
    fn quoting_follows_gos_percent_q() {
        let cases = [
            ("plain 'x'", r#""plain 'x'""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\u{7}\u{8}\u{b}\u{c}\n\r\t", r#""\a\b\v\f\n\r\t""#),
            ("\u{0}\u{1b}\u{7f}", r#""\x00\x1b\x7f""#),
            ("é \u{a0} \u{200b} \u{e0001}", r#""é \u00a0 \u200b \U000e0001""#),
        ];
        for (text, want) in cases {
            assert_eq!(quote(text), want);
        }
    }
}
