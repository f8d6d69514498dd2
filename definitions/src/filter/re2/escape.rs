//! Characters that are written with a backslash.

use super::{Refusal, Translator};

pub(super) const NO_REFERENCES: &str = "list the texts that may be repeated: `(aa|bb)`";
const HEX: &str = "write `\\\\x7F` with two hexadecimal digits, or `\\\\x{10FFFF}`";

impl Translator<'_> {
    /// The character of an escape, whose backslash was read.
    pub(super) fn escaped_character(&mut self) -> Result<u32, Refusal> {
        let rest = self.rest;
        let Some(escaped) = self.next() else {
            return Refusal::new("it ends with a backslash", "write `\\\\\\\\` for the character itself");
        };
        Ok(match escaped {
            '0' => self.octal(0),
            '1'..='7' if self.rest.starts_with(|c: char| c.is_digit(8)) => {
                self.octal(escaped.to_digit(8).unwrap_or_default())
            }
            '1'..='9' => return Refusal::new("RE2 has no back references", NO_REFERENCES),
            'x' => return self.hexadecimal(),
            'a' => 0x07,
            'f' => 0x0C,
            'n' => 0x0A,
            'r' => 0x0D,
            't' => 0x09,
            'v' => 0x0B,
            mark if mark.is_ascii() && !mark.is_ascii_alphanumeric() => u32::from(mark),
            other => return Refusal::new(format!("RE2 has no escape `\\{other}`"), instead(rest)),
        })
    }

    /// Up to two more octal digits.
    fn octal(&mut self, first: u32) -> u32 {
        let mut value = first;
        for _ in 0..2 {
            let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
            self.next();
            value = value * 8 + digit;
        }
        value
    }

    /// `7F` or `{10FFFF}`.
    fn hexadecimal(&mut self) -> Result<u32, Refusal> {
        let (digits, rest) = match self.rest.strip_prefix('{') {
            Some(inside) => inside.split_once('}').unwrap_or_default(),
            None => self.rest.split_at_checked(2).unwrap_or_default(),
        };
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
        let significant = digits.trim_start_matches('0');
        let value = match significant {
            "" => Some(0),
            _ => u32::from_str_radix(significant, 16).ok(),
        };
        match value.filter(|value| plain && *value <= u32::from(char::MAX)) {
            Some(value) => {
                self.rest = rest;
                Ok(value)
            }
            None => Refusal::new("invalid character code after `\\x`", HEX),
        }
    }
}

/// What to write instead of an escape that RE2 does not have.
fn instead(escape: &str) -> &'static str {
    match escape.as_bytes().first() {
        Some(b'Z') => "the end of the text is `$` or `\\\\z`",
        Some(b'u' | b'U') => "write a character by its code as `\\\\x{E9}`",
        Some(b'h') => "white space is `\\\\s`, a space or tab `[ \\\\t]`",
        Some(b'R' | b'N') => "a line break is `\\\\n`, anything else `.`",
        _ => "a letter without a backslash means itself",
    }
}
