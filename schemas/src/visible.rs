//! Text from outside as a terminal may show it.
//!
//! Endpoints, attributes and file names are chosen by clients. Printed as they are, they could move the cursor, recolour a
//! terminal, add lines that look like ours (ESC, CR, LF), or show text in another order than it has (bidirectional
//! controls). Here it is decided what of them is written as an escape. Machine output keeps its values: JSON has escapes
//! of its own for the same characters ([`acts`]), and a parser reads what the client sent.

use std::borrow::Cow;

/// Whether a character acts on a terminal or on its neighbours instead of being seen: control characters, separators of
/// lines, bidirectional controls, and what has no width.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

/// The text with everything that [`acts`] written as an escape: `\n`, `\t`, `\u{1b}`.
///
/// ```
/// use slipstream_schemas::visible::visible;
/// assert_eq!(visible("/größe"), "/größe");
/// assert_eq!(visible("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
/// ```
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, acts)
}

/// [`visible`], but lines stay lines: for messages of several lines.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && acts(c))
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match hidden(c) {
            // Not `escape_debug`, which passes some of these.
            true if matches!(c, '\n' | '\r' | '\t') => out.extend(c.escape_default()),
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_escaped_and_all_else_stays() {
        for (text, shown) in [
            ("", ""),
            ("/orders/{id}?q=ü 日本 🙂 עברית", "/orders/{id}?q=ü 日本 🙂 עברית"),
            ("a\r\nb\tc", r"a\r\nb\tc"),
            ("\u{1b}[31mred\u{7}", r"\u{1b}[31mred\u{7}"),
            ("\u{9b}2J\u{7f}\u{0}", r"\u{9b}2J\u{7f}\u{0}"),
            ("user\u{202e}gpj.exe\u{2066}x\u{2069}", r"user\u{202e}gpj.exe\u{2066}x\u{2069}"),
            ("zero\u{200b}width\u{feff}\u{ad}", r"zero\u{200b}width\u{feff}\u{ad}"),
            ("two\u{2028}lines\u{85}", r"two\u{2028}lines\u{85}"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_lines("a\nb\rc"), "a\nb\\rc");
        assert!(matches!(visible("plain"), Cow::Borrowed(_)), "nothing is copied that need not be");
    }
}
