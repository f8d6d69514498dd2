//! Which field of an access log is the latency.
//!
//! Nothing in a line says what a number after the agent is, nor its unit: nginx's `$request_time` is in seconds, Apache's
//! `%D` in microseconds. So the user, who knows the format, gives both; without that nothing is guessed.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::access_log::fields;

/// The longest latency of an event: a day.
const LONGEST_MS: f64 = 86_400_000.0;
/// Digits that a number keeps exactly.
const DIGITS: usize = 18;

/// A field of access-log lines, and the unit of the number in it: `last:s`, `last-1:us`, `rt:ms`.
///
/// ```
/// use slipstream_producer::import::LatencyField;
///
/// let field: LatencyField = "rt:s".parse()?;
/// assert_eq!(field.to_string(), "rt:s");
/// assert!("last".parse::<LatencyField>().is_err(), "a unit must be given");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyField {
    place: Place,
    unit: Unit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// So many fields before the last.
    FromEnd(usize),
    /// The value of `name=value`.
    Named(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
}

/// What a line has as its latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Latency<'a> {
    /// Milliseconds.
    Measured(f64),
    /// A dash: nothing was measured.
    None,
    /// The field is not there.
    Missing,
    /// The field holds something else.
    Unreadable(&'a [u8], Unreadable),
}

/// Why what a field holds is no latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unreadable {
    NoNumber,
    Negative,
    Exponent,
    TooManyDigits,
    TooLarge,
}

impl Unreadable {
    /// What is said of the field.
    pub(super) fn said(self) -> &'static str {
        match self {
            Unreadable::NoNumber => "is not a number",
            Unreadable::Negative => "is negative",
            Unreadable::Exponent => "has an exponent; only numbers like 0.123 are read",
            Unreadable::TooManyDigits => "has more than 18 digits",
            Unreadable::TooLarge => "is too large, more than a day; is the unit right?",
        }
    }

    /// Why `text`, which is no number as they are read, is none.
    fn of(text: &[u8]) -> Self {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let has_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
        match text.strip_prefix('-') {
            Some(_) if is_number => Unreadable::Negative,
            None if is_number && text.contains(['e', 'E']) => Unreadable::Exponent,
            None if is_number && has_digits(text) && text.len() > DIGITS => Unreadable::TooManyDigits,
            _ => Unreadable::NoNumber,
        }
    }
}

impl LatencyField {
    /// The latency among the fields after the bytes of a response.
    pub(super) fn of<'a>(&self, fields: &'a [u8]) -> Latency<'a> {
        let field = match &self.place {
            Place::FromEnd(n) => fields::from_end(fields, *n),
            Place::Named(name) => fields::named(fields, name),
        };
        match field {
            Some(b"-") => Latency::None,
            Some(field) => match self.unit.milliseconds(field) {
                Some(ms) if ms <= LONGEST_MS => Latency::Measured(ms),
                Some(_) => Latency::Unreadable(field, Unreadable::TooLarge),
                None => Latency::Unreadable(field, Unreadable::of(field)),
            },
            None => Latency::Missing,
        }
    }

    /// The field without its unit, as it was given.
    pub(super) fn place(&self) -> Cow<'_, str> {
        match &self.place {
            Place::FromEnd(0) => "last".into(),
            Place::FromEnd(n) => format!("last-{n}").into(),
            Place::Named(name) => name.into(),
        }
    }
}

impl Unit {
    const ALL: [(Unit, &'static str); 3] =
        [(Unit::Seconds, "s"), (Unit::Milliseconds, "ms"), (Unit::Microseconds, "us")];

    /// Digits by which a number in this unit is moved to become milliseconds.
    fn shift(self) -> i32 {
        match self {
            Unit::Seconds => 3,
            Unit::Milliseconds => 0,
            Unit::Microseconds => -3,
        }
    }

    /// A number like `0.123`. Its digits are shifted, not multiplied, so 1.001 s is exactly 1001 ms.
    fn milliseconds(self, text: &[u8]) -> Option<f64> {
        let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
            Some(point) => (&text[..point], &text[point + 1..]),
            None => (text, &b""[..]),
        };
        if whole.is_empty()
            || whole.len() + fraction.len() > DIGITS
            || (fraction.is_empty() && whole.len() < text.len())
        {
            return None;
        }
        let mut digits = 0_u64;
        for byte in whole.iter().chain(fraction) {
            digits = 10 * digits + u64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        }
        let shift = self.shift() - fraction.len() as i32;
        let power = 10_f64.powi(shift.abs());
        Some(if shift < 0 { digits as f64 / power } else { digits as f64 * power })
    }
}

impl FromStr for LatencyField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, unit) = text.rsplit_once(':').unwrap_or((text, ""));
        let unit = Unit::ALL.iter().find(|(_, name)| *name == unit).map(|(unit, _)| *unit).ok_or(
            "say which field, and the unit of its number (s, ms or us): `last:s` is the line's last field, `last-1:us` the \
             one before it, `rt:s` the value of `rt=…`",
        )?;
        let place = match place.strip_prefix("last") {
            Some("") => Place::FromEnd(0),
            Some(before) if before.starts_with('-') => {
                let n = before[1..].parse().ok().filter(|n| (1..=64).contains(n));
                Place::FromEnd(n.ok_or_else(|| format!("`{place}`: expected `last`, or `last-1` up to `last-64`"))?)
            }
            _ => Place::Named(name(place)?),
        };
        Ok(LatencyField { place, unit })
    }
}

/// The name of `name=value`; it may end with `=`.
fn name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('=').unwrap_or(text);
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b','));
    is_name
        .then(|| name.to_owned())
        .ok_or_else(|| format!("`{text}` is not the name of a field; expected one like `rt` in `rt=0.123`"))
}

impl fmt::Display for LatencyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = Unit::ALL.iter().find(|(unit, _)| *unit == self.unit);
        write!(f, "{}:{}", self.place(), unit.map_or("", |(_, name)| *name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_milliseconds_digit_for_digit() {
        for (field, fields, want) in [
            ("last:s", r#" "-" "c" 0.123"#, Some(123.0)),
            ("last:s", r#" "-" "c" "1.001""#, Some(1_001.0)),
            ("last:s", r#" "-" "c" 0.000"#, Some(0.0)),
            ("last:s", r#" "-" "c" 7"#, Some(7_000.0)),
            ("last:ms", r#" "-" "c" 201.9"#, Some(201.9)),
            ("last:us", r#" "-" "c" 1234"#, Some(1.234)),
            ("last:us", " 4567", Some(4.567)),
            ("last-1:s", r#" "-" "c" 0.5 ."#, Some(500.0)),
            ("last-2:s", r#" "-" "c" 0.5 "x y" ."#, Some(500.0)),
            ("rt:s", r#" "-" "c" rt=0.123"#, Some(123.0)),
            ("rt=:s", r#" "-" "c" "rt=0.123" uct=9"#, Some(123.0)),
            ("rt:ms", r#" "-" "c" rt="12""#, Some(12.0)),
            ("last:s", r#" "-" "c" 86400"#, Some(86_400_000.0)),
        ] {
            let got = field.parse::<LatencyField>().unwrap().of(fields.as_bytes());
            assert_eq!(Some(got), want.map(Latency::Measured), "{field} of {fields}");
        }
    }

    #[test]
    fn what_is_no_number_is_no_latency() {
        use Unreadable::{Exponent, Negative, NoNumber, TooLarge, TooManyDigits};
        for (field, fields, want) in [
            ("last:s", r#" "-" "c" -"#, Latency::None),
            ("rt:s", r#" "-" "c" rt=-"#, Latency::None),
            ("last:s", r#" "-" "curl/8""#, Latency::Unreadable(b"curl/8", NoNumber)),
            ("last:s", "", Latency::Missing),
            ("last-20:s", r#" "-" "c" 0.1"#, Latency::Missing),
            ("rt:s", r#" "-" "c" urt=0.1"#, Latency::Missing),
            ("rt:s", r#" "-" "c" rt="#, Latency::Unreadable(b"", NoNumber)),
            ("rt:s", r#" "-" "c" rt=0.001, 0.002"#, Latency::Unreadable(b"0.001, 0.002", NoNumber)),
            ("last:s", r#" "-" "c" -1"#, Latency::Unreadable(b"-1", Negative)),
            ("last:s", r#" "-" "c" -0.5"#, Latency::Unreadable(b"-0.5", Negative)),
            ("last:s", r#" "-" "c" -x"#, Latency::Unreadable(b"-x", NoNumber)),
            ("last:s", r#" "-" "c" NaN"#, Latency::Unreadable(b"NaN", NoNumber)),
            ("last:s", r#" "-" "c" 1e3"#, Latency::Unreadable(b"1e3", Exponent)),
            ("last:s", r#" "-" "c" 0,5"#, Latency::Unreadable(b"0,5", NoNumber)),
            ("last:s", r#" "-" "c" 5."#, Latency::Unreadable(b"5.", NoNumber)),
            ("last:s", r#" "-" "c" .5"#, Latency::Unreadable(b".5", NoNumber)),
            ("last:s", r#" "-" "c" 86401"#, Latency::Unreadable(b"86401", TooLarge)),
            ("last:s", r#" "-" "c" 99999999"#, Latency::Unreadable(b"99999999", TooLarge)),
            ("last:s", r#" "-" "c" 1234567890123456789"#, Latency::Unreadable(b"1234567890123456789", TooManyDigits)),
        ] {
            assert_eq!(field.parse::<LatencyField>().unwrap().of(fields.as_bytes()), want, "{field} of {fields}");
        }
    }

    #[test]
    fn a_field_is_said_with_its_unit() {
        for text in ["last:s", "last-1:ms", "rt:us", "x-response-time:s", "lasting:s"] {
            assert_eq!(text.parse::<LatencyField>().unwrap().to_string(), text);
        }
        for text in
            ["", "last", "last:", "last:sec", "last:S", ":s", "last-0:s", "last-65:s", "last-x:s", "a b:s", "a=b:s"]
        {
            assert!(text.parse::<LatencyField>().is_err(), "{text}");
        }
    }
}
