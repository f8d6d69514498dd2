//! Times and durations in results, for people and machines.

use jiff::Timestamp;
use slipstream_schemas::EventTime;

/// RFC 3339 in UTC with all six digits of a microsecond: `2026-11-20T20:30:00.000000Z`.
pub fn micros(time: EventTime) -> String {
    time.rfc3339()
}

/// RFC 3339 in UTC of whole Unix seconds: `2026-11-20T20:30:00Z`.
pub fn seconds(unix: i64) -> String {
    match Timestamp::from_second(unix) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => format!("{unix} seconds since 1970"),
    }
}

/// A length of time in its largest whole unit: `30d`, `6h`, `5m`, `90s`.
pub fn length(seconds: i64) -> String {
    for (unit, letter) in [(86_400, 'd'), (3_600, 'h'), (60, 'm')] {
        if seconds > 0 && seconds % unit == 0 {
            return format!("{}{letter}", seconds / unit);
        }
    }
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_all_their_digits() {
        assert_eq!(micros(EventTime(1_674_981_729_479_000)), "2023-01-29T08:42:09.479000Z");
        assert_eq!(micros(EventTime(0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(seconds(1_674_981_729), "2023-01-29T08:42:09Z");
        assert_eq!(micros(EventTime(i64::MAX)), "9223372036854775807 microseconds since 1970");
    }

    #[test]
    fn lengths_have_their_largest_unit() {
        let rows = [(2_592_000, "30d"), (21_600, "6h"), (300, "5m"), (90, "90s"), (0, "0s"), (5_400, "90m")];
        for (seconds, text) in rows {
            assert_eq!(length(seconds), text);
        }
    }
}
