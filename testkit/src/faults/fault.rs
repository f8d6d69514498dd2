//! The faults of a cluster, and their descriptions.

use std::fmt;
use std::time::Duration;

use slipstream_role::names;

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
    /// Those that read as members of a group.
    pub const MEMBERS: [Kind; 4] = [Kind::Tally, Kind::Burn, Kind::Sink, Kind::Alerter];
    /// Those whose transactions are under way most of the time.
    pub const WRITERS: [Kind; 2] = [Kind::Tally, Kind::Burn];
    /// Those whose producers are known by the process's name.
    pub const NAMED: [Kind; 3] = [Kind::Tally, Kind::Burn, Kind::Alerter];

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gateway => "gateway",
            Kind::Tally => names::TALLY,
            Kind::Burn => names::BURN,
            Kind::Sink => names::SINK,
            Kind::Alerter => names::ALERTER,
        }
    }
}

/// One process of the cluster: its kind, and which of them. [`NAMED`] keeps its name over restarts, the others are
/// someone new each time.
pub type Target = (Kind, usize);

/// Processes of each kind, as a rule.
pub const OF_A_KIND: usize = 2;
/// Which process of a kind keeps its name (static membership).
pub const NAMED: usize = 0;
/// Which process of a kind has transactions that time out before its session does.
pub const STALLED: usize = 1;
/// Which process of a kind is added and removed.
pub const THIRD: usize = OF_A_KIND;

/// How a process ends that is not to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// SIGTERM.
    Asked,
    /// kill -9.
    Killed,
}

/// One of many in a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// SIGTERM, and started again at once.
    Restart(Target),
    /// The third of a kind is added, or removed if it exists.
    Third(Kind, End),
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// kill -9 of a process; it is started again after this time.
    Kill(Target, Duration),
    /// SIGSTOP of a process for this time, longer than its session, then SIGCONT.
    Hold(Target, Duration),
    /// SIGSTOP in the middle of a transaction, for longer than the broker waits for its end and not as long as the
    /// session; then SIGCONT.
    Stall(Target, Duration),
    /// kill -9 of the broker; it is started again after this time.
    Broker(Duration),
    /// kill -9 of the database; it is started again after this time.
    Database(Duration),
    /// SIGTERM; it is started again at once.
    Restart(Target),
    /// Three processes of a kind, then two, one, and two again, each for this time.
    Scale(Kind, End, Duration),
    /// A rebalance every few seconds: each move with how long after the one before.
    Storm(Vec<(Duration, Move)>),
    /// A second process of the same name, until one of the two ends.
    Twin(Kind),
    /// A producer of the same name, which fences the one of the process.
    Fence(Kind),
    /// Clients send what was acknowledged of late again.
    Again,
}

impl Fault {
    /// The kind of fault, without target and duration.
    pub fn kind(&self) -> String {
        match self {
            Fault::Kill((kind, _), _) => format!("kill -9 {}", kind.name()),
            Fault::Hold((kind, _), _) => format!("hold {}", kind.name()),
            Fault::Stall((kind, _), _) => format!("stall {}", kind.name()),
            Fault::Broker(_) => "kill -9 broker".to_owned(),
            Fault::Database(_) => "kill -9 database".to_owned(),
            Fault::Restart((kind, _)) => format!("restart {}", kind.name()),
            Fault::Scale(kind, ..) => format!("scale {}", kind.name()),
            Fault::Storm(_) => "storm".to_owned(),
            Fault::Twin(kind) => format!("twin {}", kind.name()),
            Fault::Fence(kind) => format!("fence {}", kind.name()),
            Fault::Again => "send again".to_owned(),
        }
    }

    /// The kinds of processes that it affects; empty if it affects a service, or nothing.
    pub fn whom(&self) -> Vec<Kind> {
        match self {
            Fault::Kill((kind, _), _) | Fault::Hold((kind, _), _) | Fault::Stall((kind, _), _) => vec![*kind],
            Fault::Restart((kind, _)) | Fault::Scale(kind, ..) | Fault::Twin(kind) | Fault::Fence(kind) => vec![*kind],
            Fault::Storm(_) => Kind::ALL.to_vec(),
            Fault::Broker(_) | Fault::Database(_) | Fault::Again => Vec::new(),
        }
    }

    /// Whether it is many one after the other.
    pub fn goes_on(&self) -> bool {
        matches!(self, Fault::Storm(_) | Fault::Scale(..) | Fault::Twin(_))
    }

    /// Whether broker and database have to be there for it: processes are to end in order, or a transaction is looked for.
    pub fn needs_services(&self) -> bool {
        match self {
            Fault::Kill(..) | Fault::Hold(..) | Fault::Broker(_) | Fault::Database(_) | Fault::Again => false,
            Fault::Stall(..) | Fault::Restart(_) | Fault::Scale(..) | Fault::Storm(_) => true,
            Fault::Twin(_) | Fault::Fence(_) => true,
        }
    }

    /// Whether both may happen at the same time.
    pub fn goes_with(&self, other: &Fault) -> bool {
        let service = |fault: &Fault| matches!(fault, Fault::Broker(_) | Fault::Database(_));
        let alike = self.kind() == other.kind() || self.whom().iter().any(|kind| other.whom().contains(kind));
        let in_the_way = self.needs_services() && service(other) || other.needs_services() && service(self);
        !alike && !in_the_way
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |(kind, n): &Target| format!("{}-{}", kind.name(), n + 1);
        let (what, span) = match self {
            Fault::Kill(target, span) => (format!("kill -9 of {}", name(target)), span),
            Fault::Hold(target, span) => (format!("pause of {}", name(target)), span),
            Fault::Stall(target, span) => (format!("pause of {} in a transaction", name(target)), span),
            Fault::Broker(span) => ("kill -9 of the broker".to_owned(), span),
            Fault::Database(span) => ("kill -9 of the database".to_owned(), span),
            Fault::Scale(kind, end, span) => {
                let how = if *end == End::Asked { "SIGTERM" } else { "kill -9" };
                (format!("3, 2, 1 and 2 of {} by {how}, each", kind.name()), span)
            }
            Fault::Restart(target) => return write!(f, "restart of {}", name(target)),
            Fault::Storm(moves) => {
                let span: Duration = moves.iter().map(|(after, _)| *after).sum();
                return write!(
                    f,
                    "{} processes added, removed and restarted within {:.0} s",
                    moves.len(),
                    span.as_secs_f64()
                );
            }
            Fault::Twin(kind) => return write!(f, "a second {}", name(&(*kind, NAMED))),
            Fault::Fence(kind) => return write!(f, "a second producer with the name of {}'s", name(&(*kind, NAMED))),
            Fault::Again => return write!(f, "recent events are sent again"),
        };
        write!(f, "{what} for {:.1} s", span.as_secs_f64())
    }
}
