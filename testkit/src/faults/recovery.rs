//! How late alerts were, and how long there were none: from the end of the tick that caused a transition to its arrival
//! at the receiver, and from one arrival to the next.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use slipstream_schemas::records::AlertTransition;
use slipstream_slo::hash::target_partition;

use super::cluster::Injected;
use super::told::Key;

/// Later than this is not healthy, nor is a longer silence: what the parts of the way take together when nothing is wrong,
/// twice.
pub const HEALTHY: Duration = Duration::from_secs(5);

/// How alerting was, healthy and after each fault.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// Half of all arrivals were not later than this.
    pub median: Duration,
    /// The latest arrival.
    pub most: Duration,
    /// By kind of fault.
    pub faults: BTreeMap<String, Faults>,
    /// How long after a round began alerts were late or silent, half of all rounds at most; of a round that goes on and
    /// on, how long at a stretch.
    pub typical: Duration,
    /// The same at most, and what the round was.
    pub longest: (Duration, String),
}

/// The faults of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// How many.
    pub times: usize,
    /// How long after it began alerts were late or silent, at most, if it was the only one; `None` if it never was.
    pub alone: Option<Duration>,
    /// The same, if there was another one at the same time.
    pub with_another: Option<Duration>,
}

/// Measures the arrivals of all due transitions. The `partitions` of tallies are independent: each has its own
/// silences. Who is silent after the `last` event is right.
pub fn recovery(
    transitions: &[AlertTransition],
    first: &HashMap<Key, SystemTime>,
    rounds: &[Vec<Injected>],
    partitions: u32,
    last: SystemTime,
) -> Recovery {
    let arrivals = arrivals(transitions, first, partitions);
    let mut late: Vec<Duration> = arrivals.iter().map(Arrival::late).collect();
    late.sort();
    let mut result = Recovery {
        median: late.get(late.len() / 2).copied().unwrap_or_default(),
        most: late.last().copied().unwrap_or_default(),
        ..Recovery::default()
    };
    let ailments = ailments(&arrivals, partitions, last);
    let began = |round: &Vec<Injected>| round.iter().map(|fault| fault.at).min();
    let mut all = Vec::new();
    for (n, round) in rounds.iter().enumerate() {
        let (Some(begin), next) = (began(round), rounds.get(n + 1).and_then(began)) else { continue };
        let of_it = |a: &&Ailment| a.since >= begin && next.is_none_or(|next| a.since < next);
        let took = match round.iter().any(|injected| injected.fault.goes_on()) {
            true => ailments.iter().filter(of_it).map(Ailment::lasted).max().unwrap_or_default(),
            false => {
                let recovered = ailments.iter().filter(of_it).map(|a| a.until).max().unwrap_or(begin);
                recovered.duration_since(begin).unwrap_or_default()
            }
        };
        for fault in round {
            let faults = result.faults.entry(fault.fault.kind()).or_default();
            faults.times += 1;
            let most = if round.len() == 1 { &mut faults.alone } else { &mut faults.with_another };
            *most = (*most).max(Some(took));
        }
        if took > result.longest.0 {
            let names: Vec<String> = round.iter().map(|injected| injected.fault.to_string()).collect();
            result.longest = (took, names.join(", "));
        }
        all.push(took);
    }
    all.sort();
    result.typical = all.get(all.len() / 2).copied().unwrap_or_default();
    result
}

/// A transition, and when the receiver first had it.
struct Arrival {
    partition: u32,
    /// The end of its tick.
    made: SystemTime,
    arrived: SystemTime,
}

impl Arrival {
    fn late(&self) -> Duration {
        self.arrived.duration_since(self.made).unwrap_or_default()
    }
}

/// In order of arrival.
fn arrivals(transitions: &[AlertTransition], first: &HashMap<Key, SystemTime>, partitions: u32) -> Vec<Arrival> {
    let of = |t: &AlertTransition| {
        let arrived = *first.get(&(t.alert_id.clone(), t.episode, t.seq))?;
        let made = UNIX_EPOCH + Duration::from_secs(u64::try_from(t.tick + 1).ok()?);
        Some(Arrival { partition: target_partition(&t.slo, partitions), made, arrived })
    };
    let mut arrivals: Vec<Arrival> = transitions.iter().filter_map(of).collect();
    arrivals.sort_by_key(|a| a.arrived);
    arrivals
}

/// A span in which something was amiss that should not have been any more.
struct Ailment {
    since: SystemTime,
    until: SystemTime,
}

impl Ailment {
    /// How long it lasted, and what is healthy before it.
    fn lasted(&self) -> Duration {
        self.until.duration_since(self.since).unwrap_or_default() + HEALTHY
    }
}

/// Alerts that came too late, and silences.
fn ailments(arrivals: &[Arrival], partitions: u32, last: SystemTime) -> Vec<Ailment> {
    let late = arrivals.iter().map(|a| (a.made, a.arrived));
    let mut spans: Vec<(SystemTime, SystemTime)> = late.collect();
    for partition in 0..partitions {
        let times: Vec<SystemTime> = arrivals.iter().filter(|a| a.partition == partition).map(|a| a.arrived).collect();
        spans.extend(times.windows(2).map(|pair| (pair[0], pair[1])).filter(|(_, until)| *until <= last));
    }
    let ailments = spans.into_iter().map(|(from, until)| Ailment { since: from + HEALTHY, until });
    ailments.filter(|ailment| ailment.until > ailment.since).collect()
}

/// Whether each of these alerts was delivered for an episode that began at or after `since`.
pub fn recovered(alerts: &[String], first: &HashMap<Key, SystemTime>, since: SystemTime) -> bool {
    let second = since.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64 + 1);
    alerts.iter().all(|alert| first.keys().any(|(id, episode, _)| id == alert && *episode >= second))
}
