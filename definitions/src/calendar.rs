//! Periods of a calendar, in a time zone: a month from the first to the first, whatever its length, daylight saving
//! included.
//!
//! The n-th period begins n units after the start, counted in civil time from the start itself: from 31 January on,
//! months begin on the last of February and on 31 March. Minutes and hours are exact lengths of time. Periods before the
//! start are counted backwards in the same way.
//!
//! Time zones come from the copy of the IANA database that is part of the program, not from the machine: two processes
//! must not disagree.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};
use serde::{Serialize, Serializer};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// A unit of calendars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// `m`.
    Minute,
    /// `h`.
    Hour,
    /// `d`.
    Day,
    /// `w`.
    Week,
    /// `M`.
    Month,
    /// `Q`: three months.
    Quarter,
    /// `Y`.
    Year,
}

impl Unit {
    /// The unit of an OpenSLO duration.
    pub fn of_letter(letter: char) -> Option<Unit> {
        Some(match letter {
            'm' => Unit::Minute,
            'h' => Unit::Hour,
            'd' => Unit::Day,
            'w' => Unit::Week,
            'M' => Unit::Month,
            'Q' => Unit::Quarter,
            'Y' => Unit::Year,
            _ => return None,
        })
    }

    /// Its letter in an OpenSLO duration.
    pub fn letter(self) -> char {
        match self {
            Unit::Minute => 'm',
            Unit::Hour => 'h',
            Unit::Day => 'd',
            Unit::Week => 'w',
            Unit::Month => 'M',
            Unit::Quarter => 'Q',
            Unit::Year => 'Y',
        }
    }

    /// What it lasts by rule, seconds: a month 30 days, a quarter 90, a year 365.
    pub fn nominal_seconds(self) -> i64 {
        match self {
            Unit::Minute => 60,
            Unit::Hour => HOUR,
            Unit::Day => DAY,
            Unit::Week => 7 * DAY,
            Unit::Month => 30 * DAY,
            Unit::Quarter => 90 * DAY,
            Unit::Year => 365 * DAY,
        }
    }
}

/// Periods of `count` units from a start on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    count: i64,
    unit: Unit,
    start: DateTime,
    zone: TimeZone,
    name: String,
}

/// One of them, in Unix seconds: `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First second.
    pub start: i64,
    /// First second of the next one.
    pub end: i64,
}

impl Period {
    /// Whether a second lies in it.
    pub fn contains(self, second: i64) -> bool {
        (self.start..self.end).contains(&second)
    }

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        self.end - self.start
    }
}

impl Calendar {
    /// Most units of a period.
    pub const MAX_COUNT: i64 = 1_000;

    /// Periods of `count` (1 to [`Calendar::MAX_COUNT`]) units from `start` on, in the time zone with that IANA name.
    /// `None` if there is no such zone, or the count is out of range.
    pub fn new(count: i64, unit: Unit, start: DateTime, zone: &str) -> Option<Calendar> {
        let found = TimeZoneDatabase::bundled().get(zone).ok()?;
        (1..=Calendar::MAX_COUNT).contains(&count).then(|| Calendar {
            count,
            unit,
            start,
            zone: found,
            name: zone.to_owned(),
        })
    }

    /// How many units a period has.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// The unit.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// When the periods begin, in civil time of the zone.
    pub fn start(&self) -> DateTime {
        self.start
    }

    /// A period's length as OpenSLO writes it: `1M`.
    pub fn duration(&self) -> String {
        format!("{}{}", self.count, self.unit.letter())
    }

    /// The start as OpenSLO writes it: `2026-01-31 12:30:00`.
    pub fn start_time(&self) -> String {
        self.start.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// IANA name of the zone.
    pub fn zone(&self) -> &str {
        &self.name
    }

    /// What a period lasts by rule, seconds.
    pub fn nominal_seconds(&self) -> i64 {
        self.count * self.unit.nominal_seconds()
    }

    /// The period that holds a second.
    pub fn period_at(&self, second: i64) -> Period {
        let second = second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second() - 1);
        // The guess is off by a few at most, for units differ a little in length.
        let begin = self.begin(0);
        let mut n = (second - begin).div_euclid(self.nominal_seconds());
        while self.begin(n) > second {
            n -= 1;
        }
        while self.begin(n + 1) <= second {
            n += 1;
        }
        Period { start: self.begin(n), end: self.begin(n + 1) }
    }

    /// Unix second at which the n-th period begins, clamped to four-digit years.
    fn begin(&self, n: i64) -> i64 {
        let units = self.count.saturating_mul(n);
        let bound = if n < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let start = self.zone.to_timestamp(self.start);
        let found = match self.unit {
            Unit::Minute | Unit::Hour => {
                start.ok().map(|at| at.as_second().saturating_add(units.saturating_mul(self.unit.nominal_seconds())))
            }
            Unit::Day => self.civil(Span::new().try_days(units).ok()),
            Unit::Week => self.civil(Span::new().try_weeks(units).ok()),
            Unit::Month => self.civil(Span::new().try_months(units).ok()),
            Unit::Quarter => self.civil(Span::new().try_months(units.saturating_mul(3)).ok()),
            Unit::Year => self.civil(Span::new().try_years(units).ok()),
        };
        found.unwrap_or(bound.as_second())
    }

    /// The start plus civil time. A local time that daylight saving skips is taken an hour later, of one that
    /// it has twice the first.
    fn civil(&self, span: Option<Span>) -> Option<i64> {
        let at = self.start.checked_add(span?).ok()?;
        Some(self.zone.to_timestamp(at).ok()?.as_second())
    }
}

impl Serialize for Calendar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            duration: String,
            start_time: String,
            time_zone: &'a str,
        }
        Written { duration: self.duration(), start_time: self.start_time(), time_zone: &self.name }
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
