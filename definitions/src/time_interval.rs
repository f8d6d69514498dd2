//! Time intervals, as Alertmanager has them: `weekdays: ['monday:friday'], times: [{start_time: 09:00, end_time: 17:00}]`.
//!
//! Everything that an interval names has to hold; of several ranges of one kind, any. Days of the month count from the end where
//! they are negative, and a range that reaches beyond a month ends with it. Local time is that of the zone `location`.

mod allowance;

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};

pub use allowance::ever_allows;

/// A range of whole numbers, both ends in it.
type Range = RangeInclusive<i32>;

/// What is wrong with an interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// Not a time of day.
    #[error("expected a time of day from 00:00 to 24:00, found `{0}`")]
    Time(String),
    /// It ends before it begins.
    #[error("{0} is not before {1}: for a time over midnight write two")]
    Order(String, String),
    /// Not one of them.
    #[error("expected {expected}, found `{found}`")]
    Range {
        /// What it could have been.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// No such zone.
    #[error("there is no time zone `{0}`: write a name of the IANA database, such as Europe/Berlin")]
    Zone(String),
}

/// When something applies. An empty one always does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeInterval {
    /// Minutes of the day, the end not in it.
    times: Vec<(i32, i32)>,
    /// 0 is Sunday.
    weekdays: Vec<Range>,
    days_of_month: Vec<Range>,
    months: Vec<Range>,
    years: Vec<Range>,
    zone: TimeZone,
}

impl Default for TimeInterval {
    fn default() -> Self {
        TimeInterval {
            times: Vec::new(),
            weekdays: Vec::new(),
            days_of_month: Vec::new(),
            months: Vec::new(),
            years: Vec::new(),
            zone: TimeZone::UTC,
        }
    }
}

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl TimeInterval {
    /// Adds a range of times of day: `09:00` to `17:00`.
    ///
    /// # Errors
    /// When one is none, or they are the wrong way round.
    pub fn time(&mut self, start: &str, end: &str) -> Result<(), IntervalError> {
        let (from, to) = (minute(start)?, minute(end)?);
        if from >= to {
            return Err(IntervalError::Order(start.to_owned(), end.to_owned()));
        }
        self.times.push((from, to));
        Ok(())
    }

    /// Adds a day of the week, or a range of them: `monday:friday`. Unlike in Alertmanager one may go beyond Saturday:
    /// `saturday:sunday`.
    ///
    /// # Errors
    /// When it is none.
    pub fn weekday(&mut self, text: &str) -> Result<(), IntervalError> {
        let wrong =
            || IntervalError::Range { expected: "a weekday or a range, such as monday:friday", found: text.to_owned() };
        let day = |word: &str| named(word, &WEEKDAYS, 0).ok_or_else(wrong);
        let (first, last) = ends(text);
        let (first, last) = (day(first)?, day(last)?);
        if first <= last {
            self.weekdays.push(first..=last);
        } else {
            self.weekdays.extend([first..=6, 0..=last]);
        }
        Ok(())
    }

    /// Adds a day of the month, or a range of them: `1:5`, `-3:-1`.
    ///
    /// # Errors
    /// When it is none.
    pub fn day_of_month(&mut self, text: &str) -> Result<(), IntervalError> {
        let expected = "a day of the month or a range, such as 1:5 or -3:-1";
        let day = |word: &str| word.parse().ok().filter(|day: &i32| *day != 0 && day.abs() <= 31);
        let wrong = || IntervalError::Range { expected, found: text.to_owned() };
        let (first, last) = ends(text);
        let (first, last) = (day(first).ok_or_else(wrong)?, day(last).ok_or_else(wrong)?);
        // Where both count from the same side, their order is known now.
        if (first > 0) == (last > 0) && first > last {
            return Err(wrong());
        }
        self.days_of_month.push(first..=last);
        Ok(())
    }

    /// Adds a month, or a range of them: `december`, `1:3`.
    ///
    /// # Errors
    /// When it is none.
    pub fn month(&mut self, text: &str) -> Result<(), IntervalError> {
        let number = |word: &str| word.parse().ok().filter(|month| (1..=12).contains(month));
        let month = |word: &str| named(word, &MONTHS, 1).or_else(|| number(word));
        self.months.push(range(text, "a month or a range, such as january:march or 1:3", month)?);
        Ok(())
    }

    /// Adds a year, or a range of them: `2026:2027`.
    ///
    /// # Errors
    /// When it is none.
    pub fn year(&mut self, text: &str) -> Result<(), IntervalError> {
        let year = |word: &str| word.parse().ok().filter(|year| (1970..=9999).contains(year));
        self.years.push(range(text, "a year or a range, such as 2026:2027", year)?);
        Ok(())
    }

    /// Whose time it is; UTC if not said.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn location(&mut self, zone: &str) -> Result<(), IntervalError> {
        let found = TimeZoneDatabase::bundled().get(zone);
        self.zone = found.map_err(|_| IntervalError::Zone(zone.to_owned()))?;
        Ok(())
    }

    /// Whether it holds a second.
    pub fn contains(&self, second: i64) -> bool {
        let Ok(at) = Timestamp::from_second(second) else { return false };
        let at = at.to_zoned(self.zone.clone());
        let minute = i32::from(at.hour()) * 60 + i32::from(at.minute());
        let any = |ranges: &[Range], value: i32| ranges.is_empty() || ranges.iter().any(|range| range.contains(&value));
        let (day, days) = (i32::from(at.day()), i32::from(at.date().days_in_month()));
        (self.times.is_empty() || self.times.iter().any(|(from, to)| (*from..*to).contains(&minute)))
            && any(&self.weekdays, weekday_number(at.weekday()))
            && (self.days_of_month.is_empty() || self.days_of_month.iter().any(|range| is_day(range, day, days)))
            && any(&self.months, i32::from(at.month()))
            && any(&self.years, i32::from(at.year()))
    }
}

fn weekday_number(weekday: Weekday) -> i32 {
    i32::from(weekday.to_sunday_zero_offset())
}

fn is_day(range: &Range, day: i32, days: i32) -> bool {
    let of = |day: i32| if day < 0 { days + day + 1 } else { day };
    (of(*range.start()).max(1)..=of(*range.end()).min(days)).contains(&day)
}

fn minute(text: &str) -> Result<i32, IntervalError> {
    let wrong = || IntervalError::Time(text.to_owned());
    let (hour, minute) = text.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2).ok_or_else(wrong)?;
    let (hour, minute): (i32, i32) = (hour.parse().map_err(|_| wrong())?, minute.parse().map_err(|_| wrong())?);
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) || (hour, minute) == (24, 0);
    fits.then_some(hour * 60 + minute).ok_or_else(wrong)
}

fn ends(text: &str) -> (&str, &str) {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    (first.trim(), last.trim())
}

fn named(word: &str, names: &[&str], first: i32) -> Option<i32> {
    (first..).zip(names).find(|(_, name)| word.eq_ignore_ascii_case(name)).map(|(number, _)| number)
}

fn range(text: &str, expected: &'static str, read: impl Fn(&str) -> Option<i32>) -> Result<Range, IntervalError> {
    let (first, last) = ends(text);
    match (read(first), read(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(IntervalError::Range { expected, found: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn everything_that_is_named_has_to_hold() {
        let mut office = TimeInterval::default();
        office.weekday("monday:friday").unwrap();
        office.time("09:00", "17:00").unwrap();
        office.location("Europe/Berlin").unwrap();
        let cases = [
            ("2026-11-30T07:59:59Z", false),
            ("2026-11-30T08:00:00Z", true),
            ("2026-11-30T15:59:59Z", true),
            ("2026-11-30T16:00:00Z", false),
            ("2026-11-29T10:00:00Z", false),
            ("2026-07-06T07:00:00Z", true),
        ];
        for (at, want) in cases {
            assert_eq!(office.contains(second(at)), want, "{at}");
        }
        assert!(TimeInterval::default().contains(0));
    }

    #[test]
    fn a_week_has_no_end() {
        let mut weekend = TimeInterval::default();
        weekend.weekday("saturday:sunday").unwrap();
        let days = ["2026-11-27", "2026-11-28", "2026-11-29", "2026-11-30"];
        let held = days.map(|day| weekend.contains(second(&format!("{day}T12:00:00Z"))));
        assert_eq!(held, [false, true, true, false]);
    }

    #[test]
    fn days_may_count_from_the_end_and_a_month_ends_where_it_ends() {
        let of = |days: &str| {
            let mut interval = TimeInterval::default();
            interval.day_of_month(days).unwrap();
            interval
        };
        let cases = [
            ("-1", "2026-02-28T12:00:00Z", true),
            ("-1", "2026-02-27T12:00:00Z", false),
            ("28:31", "2026-02-28T12:00:00Z", true),
            ("1:-1", "2026-02-14T12:00:00Z", true),
            ("-31:1", "2026-02-01T12:00:00Z", true),
            ("-31:1", "2026-02-02T12:00:00Z", false),
            ("31", "2026-02-28T12:00:00Z", false),
        ];
        for (days, at, want) in cases {
            assert_eq!(of(days).contains(second(at)), want, "{days} at {at}");
        }
    }

    #[test]
    fn months_and_years_have_ranges() {
        let mut holidays = TimeInterval::default();
        holidays.month("december").unwrap();
        holidays.month("1:2").unwrap();
        holidays.year("2026:2027").unwrap();
        assert!(holidays.contains(second("2026-12-24T00:00:00Z")));
        assert!(holidays.contains(second("2027-01-01T00:00:00Z")));
        assert!(!holidays.contains(second("2026-03-01T00:00:00Z")));
        assert!(!holidays.contains(second("2028-01-01T00:00:00Z")));
    }

    #[test]
    fn what_is_none_is_refused() {
        let mut interval = TimeInterval::default();
        let wrong = [
            interval.time("9:00", "17:00"),
            interval.time("09:00", "24:01"),
            interval.time("22:00", "06:00"),
            interval.weekday("mon"),
            interval.day_of_month("0"),
            interval.day_of_month("5:1"),
            interval.day_of_month("-1:-3"),
            interval.month("13"),
            interval.year("26"),
            interval.location("Mars/Olympus"),
        ];
        assert!(wrong.iter().all(Result::is_err), "{wrong:?}");
        assert_eq!(interval, TimeInterval::default());
    }
}
