//! Times as PostgreSQL has them: `timestamptz`, microseconds since 2000.

use bytes::{BufMut, BytesMut};
use slipstream_schemas::{EventTime, LogTime};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// 2000-01-01 in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;
/// The years 0 to 9998, in microseconds since 1970. Other times, which no clock shows, are cut to it.
const EARLIEST: i64 = -62_167_219_200_000_000;
const LATEST: i64 = 253_370_764_800_000_000;
const DAY_MS: i64 = 86_400_000;

/// A timestamptz, as microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub i64);

impl Stamp {
    /// Of an event time.
    pub fn event(time: EventTime) -> Self {
        Stamp(time.0)
    }

    /// Of a log time.
    pub fn log(time: LogTime) -> Self {
        Stamp::millis(time.0)
    }

    /// Of milliseconds since 1970.
    pub fn millis(ms: i64) -> Self {
        Stamp(ms.saturating_mul(1_000))
    }

    /// Of seconds since 1970.
    pub fn seconds(seconds: i64) -> Self {
        Stamp(seconds.saturating_mul(1_000_000))
    }

    /// As PostgreSQL sends it.
    pub fn wire(self) -> i64 {
        self.0.clamp(EARLIEST, LATEST) - EPOCH
    }
}

impl ToSql for Stamp {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_i64(self.wire());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Stamp {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Stamp(i64::from_be_bytes(raw.try_into()?).saturating_add(EPOCH)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

/// A day (UTC) of log time, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// The day that a log time falls on.
pub fn day(time: LogTime) -> Day {
    let Stamp(micros) = Stamp::log(time);
    Day(micros.clamp(EARLIEST, LATEST).div_euclid(DAY_MS * 1_000) as i32)
}

impl Day {
    /// When it begins.
    pub fn begin(self) -> Stamp {
        Stamp::millis(i64::from(self.0) * DAY_MS)
    }

    /// The same as a literal.
    pub fn begin_sql(self) -> String {
        self.written("%Y-%m-%d 00:00:00+00")
    }

    /// Digits of year, month and day.
    pub fn digits(self) -> String {
        self.written("%Y%m%d")
    }

    /// The day of such digits.
    pub fn from_digits(digits: &str) -> Option<Self> {
        let date = jiff::civil::Date::strptime("%Y%m%d", digits).ok()?;
        let begin = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        i32::try_from(begin.as_millisecond().div_euclid(DAY_MS)).ok().map(Day)
    }

    fn written(self, format: &str) -> String {
        jiff::Timestamp::from_microsecond(self.begin().0).unwrap_or_default().strftime(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_names_that_read_back() {
        let rows = [(0, "19700101"), (1_700_000_000_000, "20231114"), (-1, "19691231"), (i64::MAX, "99990101")];
        for (ms, digits) in rows {
            let day = day(LogTime(ms));
            assert_eq!(day.digits(), digits);
            assert_eq!(Day::from_digits(digits), Some(day));
        }
        assert_eq!(Day(1).begin_sql(), "1970-01-02 00:00:00+00");
        assert_eq!(Day::from_digits("2023111x"), None);
    }

    #[test]
    fn a_time_comes_back_as_it_went() {
        for micros in [0, 1, -1, 1_700_000_000_000_001, 4_102_444_800_000_000] {
            let wire = Stamp(micros).wire().to_be_bytes();
            assert_eq!(Stamp::from_sql(&Type::TIMESTAMPTZ, &wire).unwrap(), Stamp(micros));
        }
        assert_eq!(Stamp::millis(i64::MAX).wire(), Stamp(LATEST).wire());
    }
}
