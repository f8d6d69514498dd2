//! Whether alerting works from end to end, by what its roles have committed. Pure.
//!
//! Tally and burn move on whether anything happens or not: without requests they commit the time up to which they know
//! that there are none. The alerter and the notifier read what comes, and stand still where nothing comes: they are late
//! only by what they have not read.

use std::fmt;
use std::time::Duration;

use slipstream_log::TopicPartition;
use slipstream_schemas::LogTime;

/// How far a role has read a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The role.
    pub role: String,
    /// What it reads.
    pub partition: TopicPartition,
    /// How far.
    pub reached: Reached,
}

/// How far something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Up to this log time, which moves on all the time; `None` if it never began.
    Until(Option<LogTime>),
    /// All but what begins at this log time; `None` if that is nothing.
    AllBut(Option<LogTime>),
}

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The first role that is late, as in the pipeline: those behind it wait for it.
    pub role: String,
    /// Where.
    pub partition: TopicPartition,
    /// By how much; `None` if it never began.
    pub late: Option<Duration>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { role, partition, late } = self;
        match late {
            Some(late) => write!(f, "{role} is {} s late with {partition}", late.as_secs()),
            None => write!(f, "{role} has not begun with {partition}"),
        }
    }
}

/// The first standing that is later than `max_delay` at `now`, a log time; `None` if alerting works.
pub fn broken(standings: &[Standing], now: LogTime, max_delay: Duration) -> Option<Broken> {
    standings.iter().find_map(|standing| {
        let late = match standing.reached {
            Reached::AllBut(None) => return None,
            Reached::Until(None) => None,
            Reached::Until(Some(at)) | Reached::AllBut(Some(at)) => Some(between(at, now)),
        };
        let is_late = late.is_none_or(|late| late > max_delay);
        is_late.then(|| Broken { role: standing.role.clone(), partition: standing.partition, late })
    })
}

fn between(at: LogTime, now: LogTime) -> Duration {
    Duration::from_millis(u64::try_from(now.0.saturating_sub(at.0)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::Topic;

    use super::*;

    const NOW: LogTime = LogTime(1_769_940_000_000);

    fn standing(role: &str, topic: Topic, reached: Reached) -> Standing {
        Standing { role: role.to_owned(), partition: TopicPartition { topic, partition: 0 }, reached }
    }

    fn ago(seconds: i64) -> Option<LogTime> {
        Some(LogTime(NOW.0 - seconds * 1_000))
    }

    #[test]
    fn it_works_while_nobody_is_late_and_the_first_who_is_late_is_named() {
        let tally = |at| standing("tally", Topic::RequestEvents, Reached::Until(at));
        let burn = |at| standing("burn", Topic::SliTallies, Reached::Until(at));
        let alerter = |at| standing("alerter", Topic::BurnRates, Reached::AllBut(at));
        let cases = [
            ("all is well", vec![tally(ago(1)), burn(ago(2)), alerter(ago(3))], None),
            ("no traffic, no burn rates", vec![tally(ago(0)), burn(ago(1)), alerter(None)], None),
            ("a clock that is ahead", vec![tally(ago(-30)), burn(ago(-30))], None),
            ("just in time", vec![tally(ago(60))], None),
            ("a stuck tally", vec![tally(ago(61)), burn(ago(1))], Some("tally is 61 s late with request-events/0")),
            ("a stuck burn", vec![tally(ago(1)), burn(ago(300))], Some("burn is 300 s late with sli-tallies/0")),
            (
                "a stuck alerter",
                vec![tally(ago(1)), burn(ago(1)), alerter(ago(90))],
                Some("alerter is 90 s late with burn-rates/0"),
            ),
            ("all of them", vec![tally(ago(400)), burn(ago(400)), alerter(ago(400))], Some("tally is 400 s late")),
            ("one that never ran", vec![tally(ago(1)), burn(None)], Some("burn has not begun with sli-tallies/0")),
        ];
        for (what, standings, want) in cases {
            let found = broken(&standings, NOW, Duration::from_secs(60)).map(|broken| broken.to_string());
            match want {
                Some(want) => {
                    assert!(found.as_deref().is_some_and(|found| found.starts_with(want)), "{what}: {found:?}")
                }
                None => assert_eq!(found, None, "{what}"),
            }
        }
    }
}
