//! Times of the report: UTC, with the date only where the range has more than one.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// Microseconds since 1970.
pub type Micros = i64;

/// A second.
pub const SECOND: Micros = 1_000_000;

/// Reads RFC 3339; `None` if it is none.
pub fn parse(text: &str) -> Option<Micros> {
    text.parse::<Timestamp>().ok().map(|time| time.as_microsecond())
}

/// `format` as strftime has it.
pub fn format(time: Micros, format: &str) -> String {
    let Ok(time) = Timestamp::from_microsecond(time) else { return String::new() };
    let zoned = time.to_zoned(TimeZone::fixed(Offset::UTC));
    zoned.strftime(format).to_string()
}

/// How times of a range are told.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Beginning.
    pub from: Micros,
    /// End; after the beginning.
    pub to: Micros,
}

impl Times {
    /// Of a range; one that cannot be read, or of no length, is a second.
    pub fn new(from: &str, to: &str) -> Self {
        let from = parse(from).unwrap_or(0);
        let to = parse(to).unwrap_or(from).max(from + SECOND);
        Times { from, to }
    }

    /// `10:02:11`, with the date where it is not the one day of the range.
    pub fn at(&self, time: Micros) -> String {
        format(time, if self.is_the_day_of(time) { "%H:%M:%S" } else { "%-d %b %H:%M:%S" })
    }

    /// [`Times::at`] of RFC 3339; what cannot be read is shown as it is.
    pub fn at_text(&self, text: &str) -> String {
        parse(text).map_or_else(|| text.to_owned(), |time| self.at(time))
    }

    /// With milliseconds: for single requests.
    pub fn exactly(&self, text: &str) -> String {
        let Some(time) = parse(text) else { return text.to_owned() };
        format(time, if self.is_the_day_of(time) { "%H:%M:%S.%3f" } else { "%-d %b %H:%M:%S.%3f" })
    }

    /// `29 November 2026, 10:00:00 to 11:00:00 UTC`.
    pub fn range(&self) -> String {
        let day = "%-d %B %Y, %H:%M:%S";
        let end = if self.is_the_day_of(self.to) { "%H:%M:%S" } else { day };
        format!("{} to {} UTC", format(self.from, day), format(self.to, end))
    }

    fn is_the_day_of(&self, time: Micros) -> bool {
        // A range up to midnight has one day.
        let day = |time: Micros| time.div_euclid(86_400 * SECOND);
        day(self.from) == day(self.to - 1) && day(time) == day(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_told_where_the_range_has_several() {
        let day = Times::new("2026-11-29T10:00:00Z", "2026-11-30T00:00:00Z");
        let days = Times::new("2026-11-29T10:00:00Z", "2026-11-30T00:00:01Z");
        let rows = [
            (day, "2026-11-29T12:00:00.25Z", "12:00:00", "12:00:00.250"),
            (day, "2026-11-28T12:00:00Z", "28 Nov 12:00:00", "28 Nov 12:00:00.000"),
            (days, "2026-11-29T12:00:00Z", "29 Nov 12:00:00", "29 Nov 12:00:00.000"),
            (days, "<never>", "<never>", "<never>"),
        ];
        for (times, text, at, exactly) in rows {
            assert_eq!((times.at_text(text).as_str(), times.exactly(text).as_str()), (at, exactly));
        }
        assert_eq!(day.range(), "29 November 2026, 10:00:00 to 30 November 2026, 00:00:00 UTC");
    }
}
