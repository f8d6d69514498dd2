//! Which faults happen, to which process and for how long: decided by a seed alone.

use std::time::Duration;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fault::{End, Move, STALLED};
pub use super::fault::{Fault, Kind, OF_A_KIND, Target};

/// Milliseconds, from and to.
type Span = std::ops::Range<u64>;

/// How long a killed process stays away: shorter and longer than its session.
const AWAY: Span = 100..9_000;
/// How long a killed broker or database stays away.
const SERVICE_AWAY: Span = 300..6_000;
/// How much longer than the session a process is held.
const HELD_BEYOND: Span = 1_000..6_000;
/// How often the number of processes of a kind changes.
const SCALED: Span = 2_000..6_000;
/// Between two moves of a storm.
const MOVES: Span = 2_000..4_000;
/// From the end of a fault to the next, without waiting for recovery.
const PAUSE: Span = 200..4_000;
/// Length of a storm, in an endless run and in the short one.
const STORM: Duration = Duration::from_secs(60);
const SQUALL: Duration = Duration::from_secs(10);

/// What follows a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next one when alerts of what happened after this one have arrived.
    Recovery,
    /// The next one after this time, recovered or not.
    Pause(Duration),
}

/// Simultaneous faults, and what follows after the last has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Each with how long it waits for its turn.
    pub faults: Vec<(Duration, Fault)>,
    /// What follows.
    pub then: Then,
}

/// Time-outs of the processes, which decide what a fault of some length means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Of a member's session.
    pub session: Duration,
    /// Of a transaction of the processes that can be stalled; shorter than the session.
    pub transaction: Duration,
}

/// The faults of a run, from its seed.
#[derive(Debug)]
pub struct FaultPlan {
    rng: ChaCha8Rng,
    timeouts: Timeouts,
    rounds: usize,
}

impl FaultPlan {
    /// A plan.
    pub fn new(seed: u64, timeouts: Timeouts) -> FaultPlan {
        FaultPlan { rng: ChaCha8Rng::seed_from_u64(seed), timeouts, rounds: 0 }
    }

    /// One of each: every kind of process is killed, broker and database are, a gateway and a process that reads are held.
    /// In any order, most at the same time as another. A storm last, and everything sent again after it.
    pub fn one_of_each(&mut self) -> Vec<Round> {
        let mut faults: Vec<Fault> = Kind::ALL.iter().map(|kind| self.kill(*kind)).collect();
        let reader = self.one_of(&Kind::MEMBERS);
        faults.extend([self.broker(), self.database(), self.hold(reader), self.hold(Kind::Gateway)]);
        faults.extend([self.stall(), self.scale(), self.twin(), self.fence()]);
        faults.shuffle(&mut self.rng);
        let mut rounds = Vec::new();
        while let Some(first) = faults.pop() {
            let other = faults.iter().rposition(|fault| fault.goes_with(&first)).map(|n| faults.remove(n));
            rounds.push(self.round([first].into_iter().chain(other).collect()));
        }
        let storm = self.storm(SQUALL);
        rounds.push(self.round(vec![storm, Fault::Again]));
        // Each kind of end is there, and the last round is seen to its end.
        let last = rounds.len() - 1;
        for (n, round) in rounds.iter_mut().enumerate() {
            let recovers = n == last || n % 3 == 2;
            round.then = if recovers { Then::Recovery } else { Then::Pause(millis(&mut self.rng, PAUSE)) };
        }
        rounds
    }

    /// The next round of an endless run. The first ones are those that each run must have.
    pub fn next_round(&mut self) -> Round {
        self.rounds += 1;
        let first = match self.rounds {
            1 => self.restart(Kind::Tally),
            2 => self.storm(STORM),
            3 => self.stall(),
            4 => self.twin(),
            5 => self.fence(),
            6 => self.scale(),
            _ => self.any(),
        };
        let mut faults = vec![first];
        if self.rng.random_bool(0.35) {
            let second = self.any();
            faults.extend(second.goes_with(&faults[0]).then_some(second));
        }
        // Copies that arrive while partitions have just moved, or are moving.
        if matches!(faults[0], Fault::Storm(_) | Fault::Restart(_) | Fault::Scale(..)) && faults.len() == 1 {
            faults.push(Fault::Again);
        }
        self.round(faults)
    }

    fn round(&mut self, faults: Vec<Fault>) -> Round {
        let after = |rng: &mut ChaCha8Rng, n: usize, fault: &Fault| match (n, fault) {
            (0, _) => Duration::ZERO,
            (_, Fault::Again) => millis(rng, 500..8_000),
            _ => millis(rng, 0..3_000),
        };
        let faults = faults.into_iter().enumerate().map(|(n, f)| (after(&mut self.rng, n, &f), f)).collect();
        let then = if self.rng.random_bool(0.6) { Then::Recovery } else { Then::Pause(millis(&mut self.rng, PAUSE)) };
        Round { faults, then }
    }

    fn any(&mut self) -> Fault {
        let kind = self.one_of(&Kind::ALL);
        match self.rng.random_range(0..100) {
            0..=27 => self.kill(kind),
            28..=41 => self.hold(kind),
            42..=53 => self.broker(),
            54..=59 => self.database(),
            60..=69 => self.stall(),
            70..=77 => self.restart(kind),
            78..=85 => self.scale(),
            86..=89 => self.twin(),
            90..=94 => self.fence(),
            _ => Fault::Again,
        }
    }

    fn one_of(&mut self, kinds: &[Kind]) -> Kind {
        kinds.choose(&mut self.rng).copied().unwrap_or(Kind::Tally)
    }

    fn kill(&mut self, kind: Kind) -> Fault {
        Fault::Kill((kind, self.rng.random_range(0..OF_A_KIND)), millis(&mut self.rng, AWAY))
    }

    fn hold(&mut self, kind: Kind) -> Fault {
        let held = self.timeouts.session + millis(&mut self.rng, HELD_BEYOND);
        Fault::Hold((kind, self.rng.random_range(0..OF_A_KIND)), held)
    }

    /// Longer than its transaction by what the broker takes to look, shorter than its session.
    fn stall(&mut self) -> Fault {
        let Timeouts { session, transaction } = self.timeouts;
        let (from, to) = (transaction.as_millis() as u64 + 1_100, session.as_millis() as u64 - 500);
        let held = millis(&mut self.rng, from..to.max(from + 1));
        Fault::Stall((self.one_of(&Kind::WRITERS), STALLED), held)
    }

    fn broker(&mut self) -> Fault {
        Fault::Broker(millis(&mut self.rng, SERVICE_AWAY))
    }

    fn database(&mut self) -> Fault {
        Fault::Database(millis(&mut self.rng, SERVICE_AWAY))
    }

    fn restart(&mut self, kind: Kind) -> Fault {
        Fault::Restart((kind, self.rng.random_range(0..OF_A_KIND)))
    }

    fn scale(&mut self) -> Fault {
        Fault::Scale(self.one_of(&Kind::ALL), self.end(), millis(&mut self.rng, SCALED))
    }

    fn twin(&mut self) -> Fault {
        Fault::Twin(self.one_of(&Kind::MEMBERS))
    }

    fn fence(&mut self) -> Fault {
        Fault::Fence(self.one_of(&Kind::NAMED))
    }

    fn end(&mut self) -> End {
        if self.rng.random_bool(0.5) { End::Asked } else { End::Killed }
    }

    fn storm(&mut self, lasts: Duration) -> Fault {
        let mut moves = Vec::new();
        let mut at = Duration::ZERO;
        while at < lasts {
            let after = if moves.is_empty() { Duration::ZERO } else { millis(&mut self.rng, MOVES) };
            at += after;
            let kind = self.one_of(&Kind::ALL);
            let what = match self.rng.random_range(0..2) {
                0 => Move::Restart((kind, self.rng.random_range(0..OF_A_KIND))),
                _ => Move::Third(self.one_of(&Kind::MEMBERS), self.end()),
            };
            moves.push((after, what));
        }
        Fault::Storm(moves)
    }
}

fn millis(rng: &mut impl Rng, span: Span) -> Duration {
    Duration::from_millis(rng.random_range(span))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const TIMEOUTS: Timeouts = Timeouts { session: Duration::from_secs(6), transaction: Duration::from_secs(3) };

    #[test]
    fn a_seed_makes_the_same_plan_and_another_seed_another() {
        let rounds = |seed| {
            let mut plan = FaultPlan::new(seed, TIMEOUTS);
            let mut rounds = plan.one_of_each();
            rounds.extend((0..20).map(|_| plan.next_round()));
            rounds
        };
        assert_eq!(rounds(7), rounds(7));
        assert_ne!(rounds(7), rounds(8));
    }

    #[test]
    fn the_short_plan_has_one_of_each_and_sees_its_end() {
        for seed in 0..50 {
            let rounds = FaultPlan::new(seed, TIMEOUTS).one_of_each();
            let faults: Vec<&Fault> = rounds.iter().flat_map(|r| r.faults.iter().map(|(_, f)| f)).collect();
            let kinds: BTreeSet<String> = faults.iter().map(|f| f.kind()).collect();
            assert_eq!((faults.len(), kinds.len()), (15, 15), "seed {seed}: {kinds:?}");
            assert_eq!(rounds.last().map(|r| r.then), Some(Then::Recovery));
            for fault in faults {
                assert!(!matches!(fault, Fault::Hold(_, held) if *held <= TIMEOUTS.session), "{fault}");
                assert!(!matches!(fault, Fault::Stall(_, held) if *held >= TIMEOUTS.session), "{fault}");
            }
        }
    }

    #[test]
    fn a_run_without_end_comes_to_everything() {
        let mut plan = FaultPlan::new(3, TIMEOUTS);
        let rounds: Vec<Round> = std::iter::repeat_with(|| plan.next_round()).take(500).collect();
        let words = |fault: &Fault| fault.kind().rsplit_once(' ').map_or(fault.kind(), |(what, _)| what.to_owned());
        let faults = || rounds.iter().flat_map(|round| round.faults.iter().map(|(_, fault)| fault));
        let kinds: BTreeSet<String> = faults().map(words).collect();
        let expected = ["fence", "hold", "kill -9", "restart", "scale", "send", "stall", "storm", "twin"];
        assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        for round in &rounds {
            let [(_, first), (_, second)] = &round.faults[..] else { continue };
            assert!(first.goes_with(second), "{round:?}");
        }
    }

    #[test]
    fn a_storm_moves_somebody_every_few_seconds_for_a_minute() {
        let mut plan = FaultPlan::new(1, TIMEOUTS);
        let storm = std::iter::repeat_with(|| plan.next_round()).nth(1).map(|round| round.faults[0].1.clone());
        let Some(Fault::Storm(moves)) = storm else { panic!("{storm:?}") };
        let lasts: Duration = moves.iter().map(|(after, _)| *after).sum();
        assert!(lasts >= STORM && (15..=31).contains(&moves.len()), "{} in {lasts:?}", moves.len());
        assert!(moves.iter().skip(1).all(|(after, _)| (2..=4).contains(&after.as_secs())), "{moves:?}");
    }
}
