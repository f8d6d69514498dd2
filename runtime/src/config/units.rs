//! Durations and sizes as people write them.

use std::time::Duration;

/// What a duration may be, for error messages.
pub(super) const DURATION: &str = "a duration from 0s to 36500d, like `250ms`, `30s` or `1h30m`";
/// What a duration that may not be zero may be.
pub(super) const POSITIVE: &str = "a duration from 1ms to 36500d, like `250ms`, `30s` or `1h30m`";
/// What a size may be.
pub(super) const SIZE: &str = "a size from 1 byte to 1024GiB, like `65536`, `64KiB` or `16MiB`";
/// What a count may be.
pub(super) const COUNT: &str = "a whole number from 1 to 1000000000";

/// Longer than anything lasts, and far from where sums of times overflow.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);
const LARGEST: usize = 1 << 40;
const MOST: usize = 1_000_000_000;

/// `1h30m`: whole numbers with ms, s, m, h, d (24 h) or w, largest unit first not required; 36,500 days at most.
///
/// ```
/// use std::time::Duration;
///
/// use slipstream_runtime::config::duration;
///
/// assert_eq!(duration("1d12h"), Some(Duration::from_secs(36 * 3_600)));
/// assert_eq!(duration("1.5d"), None);
/// ```
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let (number, behind) = split(rest, |c| c.is_ascii_digit());
        let (unit, behind) = split(behind, |c| c.is_ascii_alphabetic());
        let scale = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(scale)?)?;
        rest = behind;
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis)).filter(|duration| *duration <= LONGEST)
}

/// `16MiB`: a whole number above zero with nothing, KiB, MiB or GiB (powers of 1,024) or KB, MB, GB (powers of 1,000).
pub(super) fn size(text: &str) -> Option<usize> {
    let (number, unit) = split(text, |c| c.is_ascii_digit() || c == '_');
    let scale: usize = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    let bytes = number.replace('_', "").parse::<usize>().ok()?.checked_mul(scale)?;
    (1..=LARGEST).contains(&bytes).then_some(bytes)
}

/// `50_000`: a whole number.
pub(super) fn count(text: &str) -> Option<usize> {
    text.replace('_', "").parse::<usize>().ok().filter(|n| (1..=MOST).contains(n))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// A duration above zero.
pub(super) fn positive(text: &str) -> Option<Duration> {
    duration(text).filter(|d| !d.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("250ms", Some(250)),
            ("30s", Some(30_000)),
            ("1h30m", Some(5_400_000)),
            ("35d", Some(3_024_000_000)),
            ("2w", Some(1_209_600_000)),
            ("0s", Some(0)),
            ("", None),
            ("30", None),
            ("s", None),
            ("1.5h", None),
            ("-1s", None),
            ("10y", None),
            ("99999999999999999999s", None),
            ("9999999999999999d", None),
            ("36500d", Some(3_153_600_000_000)),
            ("36500d1ms", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", None),
            ("0MiB", None),
            ("65536", Some(65_536)),
            ("1_000", Some(1_000)),
            ("64KiB", Some(65_536)),
            ("16 MiB", Some(16 << 20)),
            ("2GB", Some(2_000_000_000)),
            ("", None),
            ("MiB", None),
            ("1TiBit", None),
            ("-1", None),
            ("99999999999GiB", None),
            ("99999999999999999999", None),
            ("1024GiB", Some(1 << 40)),
            ("1025GiB", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn counts() {
        for (text, n) in
            [("1", Some(1)), ("50_000", Some(50_000)), ("0", None), ("1e3", None), ("99999999999999999999", None)]
        {
            assert_eq!(count(text), n, "{text}");
        }
    }

    #[test]
    fn zero_is_no_length_of_time() {
        assert_eq!((positive("0s"), positive("0"), positive("1ms")), (None, None, Some(Duration::from_millis(1))));
    }
}
