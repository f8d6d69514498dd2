//! Durations and sizes as people write them.

use std::time::Duration;

/// What a duration looks like, for error messages.
pub(super) const DURATION: &str = "a duration like `250ms`, `30s`, `1h30m` or `35d`";
/// What a size looks like, for error messages.
pub(super) const SIZE: &str = "a size in bytes like `65536`, `64KiB` or `16MiB`";

/// `1h30m`: whole numbers with ms, s, m, h, d or w, largest unit first not required.
pub(super) fn duration(text: &str) -> Option<Duration> {
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
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// `16MiB`: a whole number with nothing, KiB, MiB or GiB (powers of 1,024) or KB, MB, GB (powers of 1,000).
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
    number.replace('_', "").parse::<usize>().ok()?.checked_mul(scale)
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
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", Some(0)),
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
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }
}
