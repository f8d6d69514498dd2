//! When the watchdog speaks: once an interval. Pure: time is an argument, milliseconds.

use std::time::Duration;

use slipstream_runtime::config::Watchdog;

/// Attempts in one round. A message that is not taken is one of many: the next one comes.
const ATTEMPTS: u32 = 3;
/// Between two of them at most.
const AGAIN: Duration = Duration::from_secs(10);
/// How soon a chain that is broken is looked at again, so that the message comes as soon as it works.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The receiver answered, whatever it said.
    Answered,
    /// It did not.
    Failed,
    /// Nothing was sent.
    Withheld,
}

/// The rounds of a watchdog.
#[derive(Debug)]
pub struct Rounds {
    interval: i64,
    /// When the present round began: it names its message.
    began: i64,
    failed: u32,
    next_at: i64,
}

impl Rounds {
    /// The first round is at once.
    pub fn new(watchdog: &Watchdog, now: i64) -> Self {
        Rounds { interval: millis(watchdog.interval), began: now, failed: 0, next_at: now }
    }

    /// The round in which the watchdog speaks now; `None` if it is not its turn.
    pub fn due(&mut self, now: i64) -> Option<i64> {
        if now < self.next_at {
            return None;
        }
        if self.failed == 0 {
            // After a standstill nothing is made up for.
            let late = now - self.next_at >= self.interval;
            self.began = if late { now } else { self.next_at };
        }
        Some(self.began)
    }

    /// A turn that was due is over.
    pub fn ended(&mut self, turn: Turn, now: i64) {
        let next_round = (self.began + self.interval).max(now);
        self.failed = if turn == Turn::Failed { self.failed + 1 } else { 0 };
        let again = now + millis(AGAIN).min(self.interval / 4);
        self.next_at = match turn {
            Turn::Withheld => now + millis(LOOK_AGAIN).min(self.interval),
            Turn::Failed if self.failed < ATTEMPTS && again < next_round => again,
            Turn::Failed | Turn::Answered => {
                self.failed = 0;
                next_round
            }
        };
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays turns that end at once; returns when each was, and the round it was of, in seconds.
    fn play(interval: u64, turns: &[Turn]) -> Vec<(i64, i64)> {
        let interval = Duration::from_secs(interval);
        let watchdog = Watchdog { receiver: "switch".to_owned(), interval, max_delay: interval };
        let mut rounds = Rounds::new(&watchdog, 0);
        let mut clock = 0..;
        let mut next = |turn: &Turn| {
            let (now, round) = clock.by_ref().find_map(|s| Some((s * 1_000, rounds.due(s * 1_000)?))).unwrap();
            rounds.ended(*turn, now);
            (now / 1_000, round / 1_000)
        };
        turns.iter().map(&mut next).collect()
    }

    #[test]
    fn it_speaks_once_an_interval() {
        use Turn::{Answered, Failed, Withheld};
        let cases = [
            ("as it should be", 60, vec![Answered; 3], vec![(0, 0), (60, 60), (120, 120)]),
            (
                "a failure is repaired in its round",
                60,
                vec![Failed, Answered, Answered],
                vec![(0, 0), (10, 0), (60, 60)],
            ),
            (
                "three failures are enough",
                60,
                vec![Failed, Failed, Failed, Failed],
                vec![(0, 0), (10, 0), (20, 0), (60, 60)],
            ),
            (
                "of short rounds too",
                20,
                vec![Failed, Failed, Failed, Answered],
                vec![(0, 0), (5, 0), (10, 0), (20, 20)],
            ),
            (
                "as soon as the chain works",
                60,
                vec![Withheld, Withheld, Answered, Answered],
                vec![(0, 0), (5, 5), (10, 10), (70, 70)],
            ),
        ];
        for (what, interval, turns, want) in cases {
            assert_eq!(play(interval, &turns), want, "{what}");
        }
    }

    #[test]
    fn after_a_standstill_nothing_is_made_up_for() {
        let interval = Duration::from_secs(60);
        let watchdog = Watchdog { receiver: "switch".to_owned(), interval, max_delay: interval };
        let mut rounds = Rounds::new(&watchdog, 0);
        assert_eq!(rounds.due(600_000), Some(600_000));
        rounds.ended(Turn::Answered, 601_000);
        assert_eq!((rounds.due(659_999), rounds.due(660_000)), (None, Some(660_000)));
    }
}
