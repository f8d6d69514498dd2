//! Whether alerting works from end to end, by what its roles have committed. Pure.
//!
//! Tally and burn move on whether anything happens or not: without requests they commit the time up to which they know
//! that there are none. The alerter and the notifier read what comes, and stand still where nothing comes: they are late
//! only by what they have not read.

use std::collections::BTreeMap;
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

/// What roles have not begun with, and since when each of that is known: a topic may gain partitions while everything runs, and
/// the roles find them a while later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotBegun(BTreeMap<(String, TopicPartition), LogTime>);

impl NotBegun {
    /// What is seen at `now`, a log time. A role that has begun with nothing of a topic does not run: nothing is new to it.
    #[must_use]
    pub fn seen(&self, standings: &[Standing], now: LogTime) -> NotBegun {
        let runs = |of: &Standing| {
            let same = |other: &&Standing| other.role == of.role && other.partition.topic == of.partition.topic;
            standings.iter().filter(same).any(|other| other.reached != Reached::Until(None))
        };
        let new = standings.iter().filter(|standing| standing.reached == Reached::Until(None) && runs(standing));
        let since = |key| (self.0.get(&key).copied().unwrap_or(now), key);
        let all = new.map(|standing| since((standing.role.clone(), standing.partition)));
        NotBegun(all.map(|(since, key)| (key, since)).collect())
    }

    /// For how long it is known that a role has not begun with a partition.
    fn known_for(&self, standing: &Standing, now: LogTime) -> Option<Duration> {
        self.0.get(&(standing.role.clone(), standing.partition)).map(|since| between(*since, now))
    }
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

/// The first standing that is later than `max_delay` at `now`, a log time; `None` if alerting works. What is not begun is late
/// once it has been known for so long.
pub fn broken(standings: &[Standing], not_begun: &NotBegun, now: LogTime, max_delay: Duration) -> Option<Broken> {
    standings.iter().find_map(|standing| {
        let late = match standing.reached {
            Reached::AllBut(None) => return None,
            Reached::Until(None) => None,
            Reached::Until(Some(at)) | Reached::AllBut(Some(at)) => Some(between(at, now)),
        };
        let is_late = late.or_else(|| not_begun.known_for(standing, now)).is_none_or(|late| late > max_delay);
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
            let not_begun = NotBegun::default().seen(&standings, NOW);
            let found = broken(&standings, &not_begun, NOW, Duration::from_secs(60)).map(|broken| broken.to_string());
            match want {
                Some(want) => {
                    assert!(found.as_deref().is_some_and(|found| found.starts_with(want)), "{what}: {found:?}")
                }
                None => assert_eq!(found, None, "{what}"),
            }
        }
    }

    #[test]
    fn a_partition_that_is_new_has_max_delay_to_be_begun_with() {
        let tally = |partition, at| Standing {
            partition: TopicPartition { topic: Topic::RequestEvents, partition },
            ..standing("tally", Topic::RequestEvents, Reached::Until(at))
        };
        let mut not_begun = NotBegun::default();
        let mut look = |second: i64, standings: &[Standing]| {
            let now = LogTime(NOW.0 + second * 1_000);
            not_begun = not_begun.seen(standings, now);
            broken(standings, &not_begun, now, Duration::from_secs(60)).map(|broken| broken.to_string())
        };
        let begun = |second: i64| tally(0, ago(-second));
        let late = Some("tally has not begun with request-events/1".to_owned());
        assert_eq!(look(0, &[begun(0)]), None);
        for (second, want) in [(10, None), (40, None), (70, None), (71, late.clone()), (90, late.clone())] {
            assert_eq!(look(second, &[begun(second), tally(1, None)]), want, "{second}");
        }
        assert_eq!(look(100, &[begun(100), tally(1, ago(-100))]), None, "it has begun");
        assert_eq!(
            look(110, &[begun(110), tally(1, ago(-110)), tally(2, None)]),
            None,
            "another one counts for itself"
        );
        assert_eq!(look(120, &[tally(1, None)]), late, "a role that has begun with nothing does not run");
    }
}
