//! Values as people write them, and the errors for others.

use std::time::Duration;

use slipstream_schemas::decode::SERVICE_BYTES;

/// More than one process can generate, so certainly a mistake.
const MOST_PER_SECOND: f64 = 1_000_000.0;

const SHORTEST: Duration = Duration::from_millis(1);
/// 87,840 hours, ten years: no event is older than that.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);
const EXPECTED: &str = "expected a duration from 1ms to 87840h, like 90s, 5m or 2h";

/// Requests per second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= MOST_PER_SECOND);
    rate.ok_or_else(|| "expected a number above 0 and at most 1000000".to_owned())
}

/// The name of a service, as events may have it.
pub(super) fn service_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("expected a name".to_owned()),
        long if long.len() > SERVICE_BYTES => {
            Err(format!("expected at most {SERVICE_BYTES} bytes, found {}", long.len()))
        }
        odd if odd.chars().any(char::is_control) => Err("expected a name without control characters".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// A whole number within bounds.
pub(super) fn whole<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<T, String> {
    let number = text.parse::<u64>().ok().filter(|n| (least..=most).contains(n)).and_then(|n| T::try_from(n).ok());
    number.ok_or_else(|| format!("expected a whole number from {least} to {most}"))
}

/// How many rows there may be at most.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    whole(text, 1, 1_000_000_000)
}

/// A seed.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    whole(text, 0, u64::MAX)
}

/// A status code, as events may have it.
pub(super) fn status_code(text: &str) -> Result<u16, String> {
    whole(text, 100, 599)
}

/// A duration as people write it: `90s`, `5m`, `2h`, `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|e| format!("{e}; {EXPECTED}"))?;
    let sensible = |d: &Duration| (SHORTEST..=LONGEST).contains(d);
    Duration::try_from(span).ok().filter(sensible).ok_or_else(|| EXPECTED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_their_bounds_are_told_the_bounds() {
        for text in ["-1", "18446744073709551616", "99999999999999999999", "1e3", ""] {
            assert_eq!(seed(text).unwrap_err(), "expected a whole number from 0 to 18446744073709551615", "{text}");
        }
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(status_code("99999999999999999999").unwrap_err(), "expected a whole number from 100 to 599");
        assert_eq!((status_code("503"), limit("1")), (Ok(503), Ok(1)));
        assert!(status_code("600").is_err() && limit("0").is_err());
    }

    #[test]
    fn a_duration_has_some_length() {
        for text in ["0s", "0ms", "1us", "87841h", "-5s", "99999999999999999999s", "soon"] {
            let said = duration(text).unwrap_err();
            assert!(said.ends_with("expected a duration from 1ms to 87840h, like 90s, 5m or 2h"), "{text}: {said}");
        }
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("87840h"), Ok(LONGEST));
    }
}
