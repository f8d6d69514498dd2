//! Durations and times as test files write them.

use jiff::Timestamp;

const UNITS: [(&str, i64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// The longest duration there is, seconds: a thousand years.
const LONGEST: i64 = 1_000 * 31_536_000;

/// A time: since the start of the test, or by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// Seconds since the start.
    Since(i64),
    /// Unix seconds.
    Moment(i64),
}

impl Time {
    /// Reads a duration or a moment.
    pub(crate) fn parse(text: &str) -> Result<Time, String> {
        if let Some(seconds) = parse(text) {
            return Ok(Time::Since(seconds));
        }
        moment(text).map(Time::Moment).ok_or_else(|| {
            format!("expected a time since the start such as 1h30m, or a moment such as 2026-01-05T10:00:00Z, found `{text}`")
        })
    }

    /// Seconds since `start`.
    pub(crate) fn since(self, start: i64) -> i64 {
        match self {
            Time::Since(seconds) => seconds,
            Time::Moment(unix) => unix.saturating_sub(start),
        }
    }
}

/// Unix seconds of an RFC 3339 moment.
pub(crate) fn moment(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|moment| moment.as_second())
}

/// Seconds of a duration: `90s`, `1h30m`, `0`.
pub(crate) fn parse(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?;
        sum = sum.checked_add(number.checked_mul(*unit)?).filter(|sum| *sum <= LONGEST)?;
        rest = &rest[letters..];
    }
    (!text.is_empty()).then_some(sum)
}

/// As a person writes it: `1h30m`, `10m52s`, `0s`; with a minus where it is negative.
pub(crate) fn format(seconds: i64) -> String {
    if seconds == 0 {
        return "0s".to_owned();
    }
    let mut rest = seconds.unsigned_abs();
    let mut text = if seconds < 0 { "-".to_owned() } else { String::new() };
    for (name, unit) in &UNITS[1..] {
        let unit = unit.unsigned_abs();
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_durations() {
        for (text, seconds, written) in [
            ("0", 0, "0s"),
            ("90s", 90, "1m30s"),
            ("1h30m", 5_400, "1h30m"),
            ("1w", 604_800, "7d"),
            ("29d23h59m59s", 2_591_999, "29d23h59m59s"),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
            assert_eq!(format(seconds), written);
        }
        assert_eq!(format(-75), "-1m15s");
        for wrong in
            ["", "m", "1", "1.5h", "1h 30m", "-1h", "1M", "1min", "5µ", "99999999999999999999d", "99999999999w"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_is_since_the_start_or_a_moment() {
        assert_eq!(Time::parse("10m").map(|t| t.since(1_000)), Ok(600));
        assert_eq!(Time::parse("1970-01-01T01:00:00+00:30").map(|t| t.since(1_000)), Ok(800));
        assert!(Time::parse("soon").is_err());
    }
}
