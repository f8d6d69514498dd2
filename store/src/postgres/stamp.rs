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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_where_its_log_times_do() {
        let day_ms = 86_400_000;
        for (ms, number) in [(0, 0), (day_ms - 1, 0), (day_ms, 1), (-1, -1), (1_700_000_000_000, 19_675)] {
            assert_eq!(day(LogTime(ms)), Day(number), "{ms}");
        }
        assert_eq!(Day(1).begin(), Stamp::millis(day_ms));
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
