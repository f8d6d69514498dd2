//! How late alerts were: from the end of the tick that made a transition to its arrival at the receiver.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use slipstream_schemas::records::AlertTransition;

use super::cluster::Injected;
use super::told::Key;

/// Later than this is not healthy: what the parts of the way take together when nothing is wrong, twice.
pub const HEALTHY: Duration = Duration::from_secs(5);

/// How late alerts were, healthy and after each fault.
#[derive(Debug, Clone, Default)]
pub struct Lateness {
    /// Half of all arrivals were not later than this.
    pub median: Duration,
    /// The latest arrival.
    pub most: Duration,
    /// By kind of fault.
    pub faults: BTreeMap<String, Faults>,
    /// How long after a round began alerts were late, at most, and what the round was.
    pub longest: (Duration, String),
}

/// The faults of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// How many.
    pub times: usize,
    /// How long after it began alerts were late, at most, where it was the only one; none: it never was.
    pub alone: Option<Duration>,
}

/// Measures all due transitions that arrived. One that is late belongs to the newest round that had begun when it was made.
pub fn lateness(
    transitions: &[AlertTransition],
    first: &HashMap<Key, SystemTime>,
    rounds: &[Vec<Injected>],
) -> Lateness {
    let arrivals = arrivals(transitions, first);
    let mut by_time: Vec<Duration> = arrivals.iter().map(Arrival::late).collect();
    by_time.sort();
    let mut result = Lateness {
        median: by_time.get(by_time.len() / 2).copied().unwrap_or_default(),
        most: by_time.last().copied().unwrap_or_default(),
        ..Lateness::default()
    };
    let began = |round: &[Injected]| round.iter().map(|fault| fault.at).min();
    for (n, round) in rounds.iter().enumerate() {
        let (Some(begin), next) = (began(round), rounds.get(n + 1).and_then(|next| began(next))) else { continue };
        let of_it = |a: &&Arrival| a.arrived >= begin && next.is_none_or(|next| a.made < next) && a.late() > HEALTHY;
        let recovered = arrivals.iter().filter(of_it).map(|a| a.arrived).max().unwrap_or(begin);
        let took = recovered.duration_since(begin).unwrap_or_default();
        for fault in round {
            let faults = result.faults.entry(fault.fault.kind()).or_default();
            faults.times += 1;
            faults.alone = if round.len() == 1 { faults.alone.max(Some(took)) } else { faults.alone };
        }
        if took > result.longest.0 {
            let names: Vec<String> = round.iter().map(|injected| injected.fault.to_string()).collect();
            result.longest = (took, names.join(", "));
        }
    }
    result
}

/// A transition, and when the receiver first had it.
struct Arrival {
    /// The end of its tick.
    made: SystemTime,
    arrived: SystemTime,
}

impl Arrival {
    fn late(&self) -> Duration {
        self.arrived.duration_since(self.made).unwrap_or_default()
    }
}

fn arrivals(transitions: &[AlertTransition], first: &HashMap<Key, SystemTime>) -> Vec<Arrival> {
    let of = |t: &AlertTransition| {
        let arrived = *first.get(&(t.alert_id.clone(), t.episode, t.seq))?;
        let made = UNIX_EPOCH + Duration::from_secs(u64::try_from(t.tick + 1).ok()?);
        Some(Arrival { made, arrived })
    };
    transitions.iter().filter_map(of).collect()
}

/// Whether every one of these alerts has been told of an episode that began at or after `since`.
pub fn recovered(alerts: &[String], first: &HashMap<Key, SystemTime>, since: SystemTime) -> bool {
    let second = since.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64 + 1);
    alerts.iter().all(|alert| first.keys().any(|(id, episode, _)| id == alert && *episode >= second))
}
