//! Which faults happen, to whom and for how long: decided from a seed alone.

use std::time::Duration;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Milliseconds, from and to.
type Span = std::ops::Range<u64>;

/// How long a killed process stays away: shorter and longer than its session.
const AWAY: Span = 100..9_000;
/// How long a killed broker or database stays away.
const SERVICE_AWAY: Span = 300..6_000;
/// How much longer than the session a process is held.
const HELD_BEYOND: Span = 1_000..6_000;
/// From the end of a fault to the next, where nobody waits for recovery.
const PAUSE: Span = 200..4_000;

/// What a process of the cluster does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Takes events over HTTP.
    Gateway,
    /// Events to tallies.
    Tally,
    /// Tallies to burn rates.
    Burn,
    /// Log to store.
    Sink,
    /// Burn rates to transitions, and these to webhooks.
    Alerter,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Gateway, Kind::Tally, Kind::Burn, Kind::Sink, Kind::Alerter];

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gateway => "gateway",
            Kind::Tally => "tally",
            Kind::Burn => "burn",
            Kind::Sink => "sink",
            Kind::Alerter => "alerter",
        }
    }
}

/// One process of the cluster: its kind, and which of the two.
pub type Target = (Kind, usize);

/// Processes of each kind.
pub const OF_A_KIND: usize = 2;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// kill -9 of a process; it is started again after this time.
    Kill(Target, Duration),
    /// SIGSTOP of a process for this time, longer than its session, then SIGCONT.
    Hold(Target, Duration),
    /// kill -9 of the broker; it is started again after this time.
    Broker(Duration),
    /// kill -9 of the database; it is started again after this time.
    Database(Duration),
}

impl Fault {
    /// What it is, without to whom and for how long.
    pub fn kind(self) -> String {
        match self {
            Fault::Kill((kind, _), _) => format!("kill -9 {}", kind.name()),
            Fault::Hold((kind, _), _) => format!("hold {}", kind.name()),
            Fault::Broker(_) => "kill -9 broker".to_owned(),
            Fault::Database(_) => "kill -9 database".to_owned(),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, span) = match self {
            Fault::Kill((kind, n), span) => (format!("kill -9 of {}-{}", kind.name(), n + 1), span),
            Fault::Hold((kind, n), span) => (format!("hold of {}-{}", kind.name(), n + 1), span),
            Fault::Broker(span) => ("kill -9 of the broker".to_owned(), span),
            Fault::Database(span) => ("kill -9 of the database".to_owned(), span),
        };
        write!(f, "{what} for {:.1} s", span.as_secs_f64())
    }
}

/// What comes after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next one when alerts of what happened after this one have arrived.
    Recovery,
    /// The next one after this time, recovered or not.
    Pause(Duration),
}

/// Faults at the same time, and what comes after the last has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Each with how long it waits for its turn.
    pub faults: Vec<(Duration, Fault)>,
    /// What comes after.
    pub then: Then,
}

/// The faults of a run, from its seed.
#[derive(Debug)]
pub struct Plan {
    rng: ChaCha8Rng,
    session: Duration,
}

impl Plan {
    /// A plan. `session`: the session time-out of the processes.
    pub fn new(seed: u64, session: Duration) -> Plan {
        Plan { rng: ChaCha8Rng::seed_from_u64(seed), session }
    }

    /// One of each: every kind of process is killed, broker and database are, one process that reads is held. In any
    /// order, some at the same time.
    pub fn one_of_each(&mut self) -> Vec<Round> {
        let mut faults: Vec<Fault> = Kind::ALL.iter().map(|kind| self.kill(*kind)).collect();
        faults.extend([self.broker(), self.database()]);
        let readers = [Kind::Tally, Kind::Burn, Kind::Sink, Kind::Alerter];
        let reader = readers.choose(&mut self.rng).copied().unwrap_or(Kind::Tally);
        faults.push(self.hold(reader));
        faults.shuffle(&mut self.rng);
        let mut rounds: Vec<Round> = faults.chunks(2).map(|pair| self.round(pair)).collect();
        // Each kind of end is there, and the last round is seen to its end.
        for (n, round) in rounds.iter_mut().enumerate() {
            round.then = if n % 2 == 1 { Then::Recovery } else { Then::Pause(millis(&mut self.rng, PAUSE)) };
        }
        rounds
    }

    /// The next round of a run without end.
    pub fn next_round(&mut self) -> Round {
        let first = self.any();
        let mut faults = vec![first];
        if self.rng.random_bool(0.35) {
            // The same process cannot be killed and held at once.
            let second = self.any();
            faults.extend((whom(&second) != whom(&first)).then_some(second));
        }
        self.round(&faults)
    }

    fn round(&mut self, faults: &[Fault]) -> Round {
        let after = |rng: &mut ChaCha8Rng, n: usize| if n == 0 { Duration::ZERO } else { millis(rng, 0..3_000) };
        let faults = faults.iter().enumerate().map(|(n, fault)| (after(&mut self.rng, n), *fault)).collect();
        let then = if self.rng.random_bool(0.6) { Then::Recovery } else { Then::Pause(millis(&mut self.rng, PAUSE)) };
        Round { faults, then }
    }

    fn any(&mut self) -> Fault {
        let kind = Kind::ALL.choose(&mut self.rng).copied().unwrap_or(Kind::Tally);
        match self.rng.random_range(0..10) {
            0..=4 => self.kill(kind),
            5 | 6 => self.hold(kind),
            7 | 8 => self.broker(),
            _ => self.database(),
        }
    }

    fn kill(&mut self, kind: Kind) -> Fault {
        Fault::Kill((kind, self.rng.random_range(0..OF_A_KIND)), millis(&mut self.rng, AWAY))
    }

    fn hold(&mut self, kind: Kind) -> Fault {
        let held = self.session + millis(&mut self.rng, HELD_BEYOND);
        Fault::Hold((kind, self.rng.random_range(0..OF_A_KIND)), held)
    }

    fn broker(&mut self) -> Fault {
        Fault::Broker(millis(&mut self.rng, SERVICE_AWAY))
    }

    fn database(&mut self) -> Fault {
        Fault::Database(millis(&mut self.rng, SERVICE_AWAY))
    }
}

/// Who is hit; none: a service.
fn whom(fault: &Fault) -> Result<Target, String> {
    match fault {
        Fault::Kill(target, _) | Fault::Hold(target, _) => Ok(*target),
        Fault::Broker(_) | Fault::Database(_) => Err(fault.kind()),
    }
}

fn millis(rng: &mut impl Rng, span: Span) -> Duration {
    Duration::from_millis(rng.random_range(span))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SESSION: Duration = Duration::from_secs(6);

    #[test]
    fn a_seed_makes_the_same_plan_and_another_seed_another() {
        let rounds = |seed| {
            let mut plan = Plan::new(seed, SESSION);
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
            let rounds = Plan::new(seed, SESSION).one_of_each();
            let faults: Vec<Fault> = rounds.iter().flat_map(|r| r.faults.iter().map(|(_, f)| *f)).collect();
            let kinds: BTreeSet<String> = faults.iter().map(|f| f.kind()).collect();
            assert_eq!((faults.len(), kinds.len()), (8, 8), "seed {seed}: {kinds:?}");
            assert_eq!(rounds.last().map(|r| r.then), Some(Then::Recovery));
            for fault in faults {
                assert!(!matches!(fault, Fault::Hold(_, held) if held <= SESSION), "{fault}");
            }
        }
    }

    #[test]
    fn in_a_round_nobody_is_hit_twice() {
        let mut plan = Plan::new(1, SESSION);
        for round in std::iter::repeat_with(|| plan.next_round()).take(500) {
            let hit: Vec<_> = round.faults.iter().map(|(_, fault)| whom(fault)).collect();
            assert!(hit.len() < 2 || hit[0] != hit[1], "{round:?}");
        }
    }
}
