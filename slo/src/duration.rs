//! OpenSLO's duration shorthand: a number and one letter, such as `5m`, `1h`, `28d`. A month counts as 30 days, a quarter
//! as 90, a year as 365.

use crate::calendar::Unit;

const SECONDS: [(char, i64); 7] =
    [('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800), ('M', 2_592_000), ('Q', 7_776_000), ('Y', 31_536_000)];

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a number and one of the letters.
    #[error("expected a number and one of m, h, d, w, M, Q, Y, such as 30d")]
    Syntax,
    /// Seconds, which OpenSLO does not have.
    #[error("expected at least minutes: OpenSLO durations have no seconds")]
    Seconds,
    /// Longer than a thousand years.
    #[error("expected a duration below a thousand years")]
    TooLong,
}

/// Seconds of an OpenSLO duration.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    match text.strip_suffix('s') {
        Some(number) if is_number(number) => Err(DurationError::Seconds),
        _ => parse_with(text, &SECONDS),
    }
}

/// Count and unit of an OpenSLO duration, for calendars.
pub fn units(text: &str) -> Result<(i64, Unit), DurationError> {
    parse(text)?;
    let letter = text.chars().next_back().and_then(Unit::of_letter).ok_or(DurationError::Syntax)?;
    let count = text[..text.len() - 1].parse().map_err(|_| DurationError::TooLong)?;
    Ok((count, letter))
}

/// Seconds of a duration in an annotation of ours, where seconds (`30s`) are allowed too.
pub fn parse_annotation(text: &str) -> Result<i64, DurationError> {
    match text.strip_suffix('s') {
        Some(number) if is_number(number) => times(number, 1),
        _ => parse_with(text, &SECONDS),
    }
}

fn parse_with(text: &str, units: &[(char, i64)]) -> Result<i64, DurationError> {
    let unit = units.iter().find(|(letter, _)| text.ends_with(*letter)).ok_or(DurationError::Syntax)?;
    let number = &text[..text.len() - 1];
    if !is_number(number) {
        return Err(DurationError::Syntax);
    }
    times(number, unit.1)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn times(number: &str, seconds: i64) -> Result<i64, DurationError> {
    let number: i64 = number.parse().map_err(|_| DurationError::TooLong)?;
    number.checked_mul(seconds).filter(|seconds| *seconds <= 1_000 * 31_536_000).ok_or(DurationError::TooLong)
}

/// The shortest spelling in days, hours, minutes or seconds: `5m`, `1h`, `3d`, `90s`.
pub fn format(seconds: i64) -> String {
    for (letter, unit) in [('d', 86_400), ('h', 3_600), ('m', 60)] {
        if seconds != 0 && seconds % unit == 0 {
            return format!("{}{letter}", seconds / unit);
        }
    }
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_shorthand() {
        for (text, expected) in [
            ("5m", Ok(300)),
            ("1h", Ok(3_600)),
            ("28d", Ok(28 * 86_400)),
            ("2w", Ok(14 * 86_400)),
            ("1M", Ok(30 * 86_400)),
            ("1Q", Ok(90 * 86_400)),
            ("1Y", Ok(365 * 86_400)),
            ("0m", Ok(0)),
            ("30s", Err(DurationError::Seconds)),
            ("", Err(DurationError::Syntax)),
            ("m", Err(DurationError::Syntax)),
            ("1.5h", Err(DurationError::Syntax)),
            ("-1h", Err(DurationError::Syntax)),
            ("1h30m", Err(DurationError::Syntax)),
            ("30D", Err(DurationError::Syntax)),
            ("5µ", Err(DurationError::Syntax)),
            ("99999999999999999999d", Err(DurationError::TooLong)),
            ("9999999999Y", Err(DurationError::TooLong)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse_annotation("30s"), Ok(30));
        assert_eq!(parse_annotation("2m"), Ok(120));
    }

    #[test]
    fn writes_what_it_reads() {
        for (seconds, text) in [(300, "5m"), (3_600, "1h"), (259_200, "3d"), (604_800, "7d"), (90, "90s"), (0, "0s")] {
            assert_eq!(format(seconds), text);
            assert_eq!(parse_annotation(text), Ok(seconds));
        }
    }
}
