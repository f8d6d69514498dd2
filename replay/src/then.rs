//! Alerts of then, from the topic that has them.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use slipstream_log::{Log, RecordRef, TopicPartition};
use slipstream_role::names::ALERTER;
use slipstream_role::reading::{ReadError, Reader, decoded};
use slipstream_schemas::records::AlertTransition;
use slipstream_schemas::{Topic, codec};
use slipstream_store::alerts::{AlertEpisode, AlertState};

use crate::error::ReplayError;
use crate::outcome::Clock;

/// Name in log lines.
const READER: &str = "replay";

/// Every transition that the log still has, by tick, alert, episode and seq.
///
/// # Errors
/// When the log cannot be read.
pub async fn transitions(log: &dyn Log) -> Result<Vec<AlertTransition>, ReplayError> {
    let reader = Reader { log, role: READER };
    let partitions = reader.partitions(Topic::Alerts).await?;
    let found = try_join_all(partitions.into_iter().map(|partition| of_partition(reader, partition))).await?;
    let mut found = found.concat();
    found.sort_by(|a, b| (a.tick, &a.alert_id, a.episode, a.seq).cmp(&(b.tick, &b.alert_id, b.episode, b.seq)));
    Ok(found)
}

async fn of_partition(reader: Reader<'_>, partition: TopicPartition) -> Result<Vec<AlertTransition>, ReadError> {
    let (first, end) = reader.bounds(partition).await?;
    let mut found = Vec::new();
    let take = |record: RecordRef<'_>| -> Result<(), ReadError> {
        found.push(decoded(partition, record, codec::decode::<AlertTransition>)?);
        Ok(())
    };
    reader.each(partition, first, end, take).await?;
    Ok(found)
}

/// The last transition of each alert that was open when tick `at` began; `None` if no alerter ever looked.
///
/// # Errors
/// When the log cannot be read.
pub async fn open_before(log: &dyn Log, at: i64) -> Result<Option<Vec<AlertTransition>>, ReplayError> {
    let transitions = transitions(log).await?;
    let is_known = !transitions.is_empty() || has_alerter(log).await?;
    Ok(is_known.then(|| open_at(&transitions, at)))
}

/// Whether an alerter ever wrote or committed anything: an import into a directory, for one, needs none.
async fn has_alerter(log: &dyn Log) -> Result<bool, ReplayError> {
    let reader = Reader { log, role: READER };
    for partition in reader.partitions(Topic::Alerts).await? {
        if reader.bounds(partition).await?.1 > 0 {
            return Ok(true);
        }
    }
    for partition in reader.partitions(Topic::BurnRates).await? {
        if log.committed(ALERTER, partition).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The last transition of each alert that was open when tick `at` began.
fn open_at(transitions: &[AlertTransition], at: i64) -> Vec<AlertTransition> {
    let mut last: BTreeMap<&str, &AlertTransition> = BTreeMap::new();
    for transition in transitions.iter().filter(|t| t.tick < at) {
        last.insert(&transition.alert_id, transition);
    }
    let is_open = |t: &&AlertTransition| AlertState::after(t.kind).is_open();
    last.into_values().filter(is_open).cloned().collect()
}

/// An episode of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// The alert's id.
    pub id: String,
    /// The tick of its pending.
    pub episode: i64,
    /// The tick of its end; `None` if it is open.
    pub end: Option<i64>,
}

impl Episode {
    /// Whether it is this one.
    pub fn is_of(&self, alert: &AlertEpisode) -> bool {
        (&self.id, self.episode) == (&alert.id, alert.episode)
    }
}

/// An alert that was asked for is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAlert {
    /// No alert has this id.
    #[error("there is no alert {id}{}; {}", nearest(.near), .clock.lists())]
    Unknown {
        /// What was asked for.
        id: String,
        /// Ids that are like it.
        near: Vec<String>,
        /// Among the alerts by this clock.
        clock: Clock,
    },
    /// The alert has other episodes.
    #[error("alert {id} has no episode {episode}; its episodes: {}", .known.iter().map(i64::to_string).collect::<Vec<_>>().join(", "))]
    NoEpisode {
        /// The alert.
        id: String,
        /// What was asked for.
        episode: i64,
        /// Those it has, the newest last.
        known: Vec<i64>,
        /// By this clock.
        clock: Clock,
    },
}

fn nearest(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; the nearest: {}", near.join(", ")) }
}

/// Ids that an error names.
const NEAR: usize = 3;

impl Clock {
    /// Where its alerts are to be found.
    fn lists(self) -> &'static str {
        match self {
            Clock::Log => "`slipstream query alerts` lists them",
            Clock::Event => "`slipstream replay --clock event` lists them",
        }
    }
}

/// Finds an episode of an alert by the first set of definitions that has it, the last one if none is named. It ends when it ends by
/// each set that has it. Transitions are in the order of their ticks.
///
/// # Errors
/// When there is none.
pub fn find_in(sets: &[Vec<AlertTransition>], named: (&str, Option<i64>), clock: Clock) -> Result<Episode, NoAlert> {
    let first = sets.iter().find_map(|set| find(set, named, clock).ok());
    let Some(found) = first else { return find(&sets.concat(), named, clock) };
    let same = (found.id.as_str(), Some(found.episode));
    let ends: Option<Vec<i64>> =
        sets.iter().filter_map(|set| find(set, same, clock).ok()).map(|of_set| of_set.end).collect();
    Ok(Episode { end: ends.and_then(|ends| ends.into_iter().max()), ..found })
}

fn find(transitions: &[AlertTransition], (id, episode): (&str, Option<i64>), clock: Clock) -> Result<Episode, NoAlert> {
    let mine: Vec<&AlertTransition> = transitions.iter().filter(|t| t.alert_id == id).collect();
    let mut known: Vec<i64> = mine.iter().map(|t| t.episode).collect();
    known.sort_unstable();
    known.dedup();
    let Some(newest) = known.last() else {
        let ids: BTreeMap<&str, i64> = transitions.iter().map(|t| (t.alert_id.as_str(), t.tick)).collect();
        let mut ids: Vec<(usize, i64, &str)> =
            ids.into_iter().map(|(other, tick)| (strsim::osa_distance(id, other), -tick, other)).collect();
        ids.sort_unstable();
        let near = ids.into_iter().take(NEAR).map(|(_, _, other)| other.to_owned()).collect();
        return Err(NoAlert::Unknown { id: id.to_owned(), near, clock });
    };
    let wanted = episode.unwrap_or(*newest);
    let of_it: Vec<&&AlertTransition> = mine.iter().filter(|t| t.episode == wanted).collect();
    let Some(last) = of_it.last() else {
        return Err(NoAlert::NoEpisode { id: id.to_owned(), episode: wanted, known, clock });
    };
    let is_over = !AlertState::after(last.kind).is_open();
    Ok(Episode { id: id.to_owned(), episode: wanted, end: is_over.then_some(last.tick) })
}

/// Finds an episode of an alert in the log; the last one if none is named.
///
/// # Errors
/// When there is none, or the log cannot be read.
pub async fn episode(log: &dyn Log, named: (&str, Option<i64>)) -> Result<Episode, ReplayError> {
    Ok(find_in(&[transitions(log).await?], named, Clock::Log)?)
}
