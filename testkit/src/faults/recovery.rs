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
    /// By kind of fault: how long after the fault began alerts were late, at most, and how many faults there were.
    pub until_recovered: BTreeMap<String, (Duration, usize)>,
}

impl Lateness {
    /// The kind of fault that took longest, and how long.
    pub fn longest(&self) -> Option<(&str, Duration)> {
        let longest = self.until_recovered.iter().max_by_key(|(_, (time, _))| *time);
        longest.map(|(kind, (time, _))| (kind.as_str(), *time))
    }
}

/// Measures all due transitions that arrived. One that is late belongs to the newest fault that began before it arrived,
/// or to one of those that began with that.
pub fn lateness(
    transitions: &[AlertTransition],
    first: &HashMap<Key, SystemTime>,
    injected: &[Vec<Injected>],
) -> Lateness {
    let mut late: Vec<(Duration, SystemTime, SystemTime)> = Vec::new();
    for t in transitions {
        let Some(arrived) = first.get(&(t.alert_id.clone(), t.episode, t.seq)) else { continue };
        let made = UNIX_EPOCH + Duration::from_secs(u64::try_from(t.tick + 1).unwrap_or_default());
        late.push((arrived.duration_since(made).unwrap_or_default(), made, *arrived));
    }
    late.sort();
    let mut result = Lateness::default();
    result.median = late.get(late.len() / 2).map(|l| l.0).unwrap_or_default();
    result.most = late.last().map(|l| l.0).unwrap_or_default();
    for (n, round) in injected.iter().enumerate() {
        let Some(began) = round.iter().map(|i| i.at).min() else { continue };
        let next = injected.get(n + 1).and_then(|next| next.iter().map(|i| i.at).min());
        // A transition is this round's if it was made before the next one began.
        let of_it = late.iter().filter(|(_, made, arrived)| *arrived >= began && next.is_none_or(|next| *made < next));
        let last_late = of_it.filter(|(late, _, _)| *late > HEALTHY).map(|(_, _, arrived)| *arrived).max();
        for fault in round {
            let took = last_late.and_then(|at| at.duration_since(fault.at).ok()).unwrap_or_default();
            let (most, times) = result.until_recovered.entry(fault.fault.kind()).or_default();
            *most = took.max(*most);
            *times += 1;
        }
    }
    result
}

/// Whether every one of these alerts has been told of an episode that began at or after `since`.
pub fn recovered(alerts: &[String], first: &HashMap<Key, SystemTime>, since: SystemTime) -> bool {
    let second = since.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64 + 1);
    alerts.iter().all(|alert| first.keys().any(|(id, episode, _)| id == alert && *episode >= second))
}
