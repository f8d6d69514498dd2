//! How a set of rules would have done over a range: facts in, figures out.
//!
//! The engine reads the events and hands over what fired ([`facts::Fired`]) and what was counted ([`history::History`]).
//! Here is what follows from it: against labelled incidents ([`incidents`], [`labels`]) what was found, missed and false, and
//! how soon ([`figures`], [`score`]); and which target and rule would fit ([`suggest`]): every candidate is evaluated on the
//! counts ([`sliding`]), and those that no other outdoes are the [`curve`]. [`report`] is the contract of `--json`, [`tables`]
//! what people see. [`mod@run`] asks the engine; nothing else here has a clock or does I/O. Times are Unix seconds.

pub mod alerts;
pub mod curve;
pub mod definition;
pub mod episodes;
pub mod facts;
pub mod figures;
pub mod history;
pub mod incidents;
pub mod labels;
pub mod report;
pub mod run;
pub mod score;
pub mod sliding;
pub mod suggest;
pub mod tables;
pub mod target;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use slipstream_definitions::definition::Ratio;

/// Seconds in a week.
const WEEK: f64 = 604_800.0;
/// In less time than this, seconds, a rate per week says nothing: one alert would be 168 a week, or many more.
const LEAST_FOR_RATES: i64 = 3_600;

/// A range of time: from `from` up to `to`, exclusive; Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// Its first second, as RFC 3339 in JSON.
    #[serde(serialize_with = "as_text")]
    pub from: i64,
    /// The second behind its last one, as RFC 3339 in JSON.
    #[serde(serialize_with = "as_text")]
    pub to: i64,
}

impl Range {
    /// How long it is; 0 if it ends before it begins.
    pub fn seconds(self) -> i64 {
        self.to.saturating_sub(self.from).max(0)
    }

    /// Whether a second is in it.
    pub fn contains(self, second: i64) -> bool {
        (self.from..self.to).contains(&second)
    }

    /// How often in a week something happens that happened `count` times in it. `None` if it is shorter than an hour.
    pub fn a_week(self, count: u64) -> Option<f64> {
        a_week(count, self.seconds())
    }
}

/// How often in a week something happens that happened `count` times in so many seconds. `None` in less than an hour.
fn a_week(count: u64, seconds: i64) -> Option<f64> {
    (seconds >= LEAST_FOR_RATES).then(|| count as f64 * WEEK / seconds as f64)
}

/// The middle value, or the mean of the two in the middle. `None` of nothing.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values.get(values.len().saturating_sub(1) / 2)?, values.get(values.len() / 2)?);
    Some(lower + (upper - lower) / 2.0)
}

/// Unix seconds as RFC 3339 in UTC.
fn text(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |time| time.to_string())
}

/// `1 page`, `7 pages`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `99.95 %`.
fn exact_percent(ratio: Ratio) -> String {
    let percent = ratio.checked_mul(Ratio { num: 100, den: 1 }).and_then(Ratio::to_decimal);
    format!("{} %", percent.unwrap_or_else(|| (ratio.as_f64() * 100.0).to_string()))
}

fn as_text<S: Serializer>(second: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        for (values, want) in
            [(vec![], None), (vec![3.0], Some(3.0)), (vec![9.0, 1.0, 4.0], Some(4.0)), (vec![4.0, 1.0], Some(2.5))]
        {
            assert_eq!(median(values), want);
        }
    }

    #[test]
    fn a_short_range_has_no_rates() {
        let range = |from, to| Range { from, to };
        assert_eq!(range(100, 100).a_week(3), None);
        assert_eq!((range(100, 40).seconds(), range(100, 40).a_week(3)), (0, None));
        assert_eq!(range(0, 604_800 / 2).a_week(3), Some(6.0));
        assert_eq!((range(0, 3_600).a_week(1), range(0, 3_599).a_week(1)), (Some(168.0), None));
        assert!(range(0, 10).contains(0) && !range(0, 10).contains(10));
    }
}
