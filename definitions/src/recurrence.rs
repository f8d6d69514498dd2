//! Times that come again: every Sunday at two for two hours, by the clock of a place.
//!
//! They begin by a line of crontab(5) in a time zone and last a number of seconds. Where clocks go forward, a time that does
//! not exist is left out or, where the line names one fixed time, comes at the next one that exists; where they go back, a fixed
//! time comes once. That is what cron itself does.

use std::sync::Arc;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use slipstream_schemas::records::Recurrence as Written;

/// The longest that one of them lasts: a silence that should never end has no recurrence.
pub const LONGEST_SECONDS: i64 = 31 * 86_400;

/// What is wrong with a recurrence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// Not a line of crontab(5).
    #[error(
        "`{text}` is not a time of cron ({problem}): write minute, hour, day of month, month, day of week, such as 0 2 * * SUN"
    )]
    Cron {
        /// What was found.
        text: String,
        /// Why.
        problem: String,
    },
    /// No such zone.
    #[error("there is no time zone `{0}`: write a name of the IANA database, such as Europe/Berlin")]
    Zone(String),
    /// It lasts no time, or too long.
    #[error("each lasts from 1 s to 31 d, not {0} s")]
    Length(i64),
    /// Never, as on 31 February.
    #[error("`{0}` never comes")]
    Never(String),
}

/// A recurrence that can be worked with.
#[derive(Debug, Clone)]
pub struct Recurrence {
    cron: Arc<Cron>,
    zone: TimeZone,
    seconds: i64,
}

impl Recurrence {
    /// Reads one as recorded.
    ///
    /// # Errors
    /// See [`RecurrenceError`].
    pub fn new(written: &Written) -> Result<Self, RecurrenceError> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&written.cron).map_err(|error| RecurrenceError::Cron {
            text: written.cron.clone(),
            problem: error.to_string().trim_end_matches('.').to_owned(),
        })?;
        let zone = TimeZoneDatabase::bundled().get(&written.zone);
        let zone = zone.map_err(|_| RecurrenceError::Zone(written.zone.clone()))?;
        if !(1..=LONGEST_SECONDS).contains(&written.seconds) {
            return Err(RecurrenceError::Length(written.seconds));
        }
        let found = Recurrence { cron: Arc::new(cron), zone, seconds: written.seconds };
        let comes = found.begin_after(0).is_some();
        comes.then_some(found).ok_or_else(|| RecurrenceError::Never(written.cron.clone()))
    }

    /// The one that holds a second, as `[from, to)`; `None` if none does. Where several overlap, the one that began last.
    pub fn at(&self, second: i64) -> Option<(i64, i64)> {
        let at = Timestamp::from_second(second).ok()?.to_zoned(self.zone.clone());
        let begin = self.cron.find_previous_occurrence(&at, true).ok()?.timestamp().as_second();
        (second < begin + self.seconds).then_some((begin, begin + self.seconds))
    }

    /// When the next one begins after a second.
    pub fn begin_after(&self, second: i64) -> Option<i64> {
        let at = Timestamp::from_second(second).ok()?.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&at, false).ok().map(|begin| begin.timestamp().as_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cron: &str, zone: &str, seconds: i64) -> Written {
        Written { cron: cron.to_owned(), zone: zone.to_owned(), seconds }
    }

    fn second(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn they_come_by_the_clock_of_the_place() {
        // Sundays from two to four in Berlin: 01:00Z in winter, 00:00Z in summer.
        let sundays = Recurrence::new(&written("0 2 * * SUN", "Europe/Berlin", 7_200)).unwrap();
        let cases = [
            ("2026-01-11T00:59:59Z", false),
            ("2026-01-11T01:00:00Z", true),
            ("2026-01-11T02:59:59Z", true),
            ("2026-01-11T03:00:00Z", false),
            ("2026-07-12T00:00:00Z", true),
            ("2026-07-12T02:00:00Z", false),
            ("2026-07-13T00:30:00Z", false),
            // Clocks go forward at two: it begins at three, which is the same instant.
            ("2026-03-29T00:59:59Z", false),
            ("2026-03-29T01:00:00Z", true),
            ("2026-03-29T02:59:59Z", true),
            ("2026-03-29T03:00:00Z", false),
            // Clocks go back at three: two o'clock comes twice, the silence once.
            ("2026-10-25T00:00:00Z", true),
            ("2026-10-25T01:59:59Z", true),
            ("2026-10-25T02:00:00Z", false),
        ];
        for (at, want) in cases {
            assert_eq!(sundays.at(second(at)).is_some(), want, "{at}");
        }
        let next = sundays.begin_after(second("2026-01-11T01:00:00Z"));
        assert_eq!(next, Some(second("2026-01-18T01:00:00Z")));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let cases = [
            (written("0 2 * *", "UTC", 60), "not a time of cron"),
            (written("0 0 2 * * SUN", "UTC", 60), "not a time of cron"),
            (written("0 2 * * SUN", "Europe/Atlantis", 60), "no time zone `Europe/Atlantis`"),
            (written("0 2 * * SUN", "UTC", 0), "each lasts from 1 s"),
            (written("0 2 * * SUN", "UTC", LONGEST_SECONDS + 1), "to 31 d"),
            (written("0 0 31 2 *", "UTC", 60), "never comes"),
        ];
        for (recurrence, said) in cases {
            let error = Recurrence::new(&recurrence).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
