//! OpenSLO's duration shorthand: a number and one letter, such as `5m`, `1h`, `28d`. A month counts as 30 days, a quarter
//! as 90, a year as 365.

use crate::calendar::Unit;

const SECONDS: [(char, i64); 7] =
    [('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800), ('M', 2_592_000), ('Q', 7_776_000), ('Y', 31_536_000)];

/// Why a text is not a duration.
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

/// What was probably meant by a text that is not a duration: `30 days`, `1 month`, `90min`, `60s`.
pub fn meant(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, word) = (&text[..digits], text[digits..].trim().to_lowercase());
    let begins = |names: &[&str]| names.iter().any(|name| word == *name || word == format!("{name}s"));
    let letter = match word.as_str() {
        word if ["s", "sec", "secs", "second", "seconds"].contains(&word) => {
            let seconds: i64 = number.parse().ok()?;
            return (seconds > 0 && seconds % 60 == 0).then(|| format(seconds)).or_else(|| Some("1m".to_owned()));
        }
        _ if begins(&["min", "minute"]) => 'm',
        _ if begins(&["hour", "hr"]) => 'h',
        // A window is mostly one of days.
        "" if !number.is_empty() => 'd',
        _ if begins(&["d", "day"]) => 'd',
        _ if begins(&["week", "wk"]) => 'w',
        _ if begins(&["month", "mon"]) => 'M',
        _ if begins(&["q", "quarter"]) => 'Q',
        _ if begins(&["y", "year", "yr"]) => 'Y',
        word if ["m", "h", "w"].contains(&word) => word.chars().next()?,
        _ => return None,
    };
    let meant = format!("{number}{letter}");
    parse(&meant).ok().map(|_| meant)
}

/// Count and unit of an OpenSLO duration, for calendars.
pub fn units(text: &str) -> Result<(i64, Unit), DurationError> {
    parse(text)?;
    let letter = text.chars().next_back().and_then(Unit::of_letter).ok_or(DurationError::Syntax)?;
    let count = text[..text.len() - 1].parse().map_err(|_| DurationError::TooLong)?;
    Ok((count, letter))
}

/// Seconds of a duration in one of our annotations, which allow seconds (`30s`) as well.
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
    fn guesses_what_was_meant() {
        for (text, expected) in [
            ("30 days", Some("30d")),
            ("30D", Some("30d")),
            ("1 month", Some("1M")),
            ("90min", Some("90m")),
            ("1 Year", Some("1Y")),
            ("4 weeks", Some("4w")),
            ("5 m", Some("5m")),
            ("120s", Some("2m")),
            ("30s", Some("1m")),
            ("days", None),
            ("1h30m", None),
            ("soon", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(meant(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for (seconds, text) in [(300, "5m"), (3_600, "1h"), (259_200, "3d"), (604_800, "7d"), (90, "90s"), (0, "0s")] {
            assert_eq!(format(seconds), text);
            assert_eq!(parse_annotation(text), Ok(seconds));
        }
    }
}
