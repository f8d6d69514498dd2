//! Aggregates: what the rollups of an hour, and of a day (UTC) of event time, add up to.
//!
//! An hour is **closed** once log time is well past its end; from then on the aggregates have it. A closed hour whose rollups
//! change (late events, retention) is **stale** until it is made anew, and so is its day. Which hours are closed and which are
//! stale is written in the transaction that changes the rollups, so a question never takes an aggregate for more than it is: it
//! reads the rollups of stale and open hours, and aggregates of the others. What is read is therefore exact at any time; making
//! aggregates anew ([`crate::Store::refresh`]) only makes it quick.

use slipstream_schemas::LogTime;

/// An hour in microseconds.
pub const HOUR_US: i64 = 3_600_000_000;

/// A day in microseconds.
pub const DAY_US: i64 = 24 * HOUR_US;

/// How long after its end an hour is closed. Most of what comes late has come by then, and need not be added up twice.
pub const SETTLE_MS: i64 = 2 * 60_000;

/// Rollups that one call adds up, about: the caller has other things to do in between.
pub const SLICE_ROWS: i64 = 40_000;

/// What a call of [`crate::Store::refresh`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Refreshed {
    /// Hours made anew.
    pub hours: u64,
    /// Days made anew.
    pub days: u64,
    /// Hours and days that are still stale: call again.
    pub stale: u64,
}

/// How far the aggregates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct AggregateState {
    /// Hours before it are in the aggregates, microseconds; `None` if nothing is stored.
    pub closed: Option<i64>,
    /// How many hours and days before it are not up to date.
    pub stale: u64,
}

/// The hours that are closed at a log time end at this microsecond.
pub fn closed_at(now: LogTime) -> i64 {
    let settled = now.0.saturating_sub(SETTLE_MS).saturating_mul(1_000);
    settled.saturating_sub(settled.rem_euclid(HOUR_US))
}

/// Start of the hour that an event time falls into.
pub fn hour_of(time: i64) -> i64 {
    time - time.rem_euclid(HOUR_US)
}

/// Start of the day that an event time falls into.
pub fn day_of(time: i64) -> i64 {
    time - time.rem_euclid(DAY_US)
}

/// The days of some hours, in order, each once.
pub fn days_of(hours: &[i64]) -> Vec<i64> {
    let mut days: Vec<i64> = hours.iter().map(|hour| day_of(*hour)).collect();
    days.sort_unstable();
    days.dedup();
    days
}

/// Hours in order, as spans of consecutive ones `[from, to)`.
pub fn runs(hours: &[i64], unit: i64) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for hour in hours {
        match runs.last_mut().filter(|(_, end)| end == hour) {
            Some((_, end)) => *end = hour + unit,
            None => runs.push((*hour, hour + unit)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_closed_once_it_has_settled() {
        let hour_ms = HOUR_US / 1_000;
        for (now, closed) in [(hour_ms, 0), (hour_ms + SETTLE_MS - 1, 0), (hour_ms + SETTLE_MS, HOUR_US), (0, -HOUR_US)]
        {
            assert_eq!(closed_at(LogTime(now)), closed, "{now}");
        }
        assert!(closed_at(LogTime(i64::MAX)) > 0 && closed_at(LogTime(i64::MIN)) < 0);
    }

    #[test]
    fn consecutive_hours_are_one_run() {
        assert_eq!(runs(&[0, HOUR_US, 3 * HOUR_US], HOUR_US), [(0, 2 * HOUR_US), (3 * HOUR_US, 4 * HOUR_US)]);
        assert_eq!(days_of(&[-1, 0, HOUR_US, DAY_US]), [-DAY_US, 0, DAY_US]);
    }
}
