//! A deliberately simple recount, directly from the log and the wording of the redelivery rule. It shares no code with
//! the folds it judges.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result};
use slipstream_log::{Fetch, Log, TopicPartition};
use slipstream_schemas::decode::{Attributes, Provenance, decode};
use slipstream_schemas::{LogTime, RequestEvent, Topic};

/// An event that counts: valid, and no redelivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// Partition of request-events.
    pub partition: u32,
    /// Offset there.
    pub offset: i64,
    /// When the log took it.
    pub log_time: LogTime,
    /// Its content.
    pub event: RequestEvent,
}

/// The result of a log of requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recount {
    /// What counts, by partition and offset.
    pub accepted: Vec<Accepted>,
    /// Later copies.
    pub redelivered: usize,
    /// Records that break a rule.
    pub invalid: usize,
}

/// Reads request-events from its first to its end offset. `window_ms` is W of the rule: record o is a duplicate if its
/// event_id occurs at a lower offset of the same partition in log-time generation g(o) or g(o) - 1, where
/// g = floor(log time / W); dropped copies count as occurrences; only valid events count.
pub async fn recount(log: &dyn Log, window_ms: i64) -> Result<Recount> {
    let mut total = Recount::default();
    for partition in 0..log.partitions(Topic::RequestEvents).await? {
        let mut seen: HashMap<String, HashSet<i64>> = HashMap::new();
        for (offset, log_time, valid) in events(log, partition).await? {
            let Some(event) = valid else {
                total.invalid += 1;
                continue;
            };
            let generation = log_time.0.div_euclid(window_ms);
            let generations = seen.entry(event.event_id.clone()).or_default();
            let duplicate = generations.contains(&generation) || generations.contains(&(generation - 1));
            generations.insert(generation);
            if duplicate {
                total.redelivered += 1;
            } else {
                total.accepted.push(Accepted { partition, offset, log_time, event });
            }
        }
    }
    Ok(total)
}

/// Every record of a partition; `None` if it is not a valid event.
async fn events(log: &dyn Log, partition: u32) -> Result<Vec<(i64, LogTime, Option<RequestEvent>)>> {
    let place = TopicPartition { topic: Topic::RequestEvents, partition };
    let (mut at, end) = log.bounds(place).await?;
    let mut all = Vec::new();
    while at < end {
        let batch = log.read(place, at, end, Fetch::default()).await.with_context(|| format!("recounting {place}"))?;
        for record in batch.iter() {
            let from = Provenance { topic: place.topic.name(), partition, offset: record.offset() };
            let event = decode(record.value().unwrap_or_default(), &from, Attributes::Read).ok();
            all.push((record.offset(), record.log_time(), event.map(|e| e.to_owned_event())));
        }
        at = batch.next;
    }
    Ok(all)
}

impl Recount {
    /// Weight of good and of all events per slot of SLI time (whole seconds of min(event time, log time)), among those
    /// that `counts`.
    pub fn per_slot(
        &self,
        counts: impl Fn(&RequestEvent) -> bool,
        good: impl Fn(&RequestEvent) -> bool,
    ) -> BTreeMap<i64, (i64, i64)> {
        let mut slots: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for Accepted { log_time, event, .. } in self.accepted.iter().filter(|a| counts(&a.event)) {
            let slot = event.time.0.min(log_time.0 * 1_000).div_euclid(1_000_000);
            let (sum_good, total) = slots.entry(slot).or_default();
            *total += i64::from(event.weight);
            *sum_good += if good(event) { i64::from(event.weight) } else { 0 };
        }
        slots
    }

    /// Weight of all events that `counts`.
    pub fn weight(&self, counts: impl Fn(&RequestEvent) -> bool) -> i64 {
        self.accepted.iter().filter(|a| counts(&a.event)).map(|a| i64::from(a.event.weight)).sum()
    }
}

#[cfg(test)]
mod tests {
    use slipstream_log::Outgoing;
    use slipstream_log::clock::{Clock, ManualClock};
    use slipstream_log::memory::{MemoryLog, MemoryOptions};

    use super::*;

    #[tokio::test]
    async fn copies_count_once_within_two_generations_and_dropped_ones_prolong_it() {
        let clock = ManualClock::at(1_000);
        let log = MemoryLog::new(MemoryOptions { clock: Clock::Manual(clock.clone()), ..MemoryOptions::default() });
        let event = |id: &str, status: u16| {
            format!(
                r#"{{"event_id": "{id}", "time": 900000, "service": "s", "endpoint": "/", "method": "GET", "status_code": {status}, "weight": 2}}"#
            )
        };
        for (at, value) in [
            (1_000, event("a", 200)),
            (1_100, event("b", 500)),
            (1_900, event("a", 200)), // generation 1 again
            (2_500, event("a", 200)), // generation 2: 1 is still remembered
            (3_500, event("a", 200)), // generation 3: the dropped copy in 2 counts as an occurrence
            (5_000, event("a", 200)), // generation 5: 4 has none
            (5_100, "no event".to_owned()),
        ] {
            clock.set(at);
            let (topic, value) = (Topic::RequestEvents, Some(value.into()));
            let record = Outgoing { topic, partition: Some(0), key: None, value, headers: Vec::new() };
            log.publish(vec![record]).await.unwrap();
        }
        let found = recount(&*log, 1_000).await.unwrap();
        let offsets: Vec<i64> = found.accepted.iter().map(|a| a.offset).collect();
        assert_eq!((offsets, found.redelivered, found.invalid), (vec![0, 1, 5], 3, 1));
        assert_eq!(found.weight(|e| e.status_code < 500), 4);
        let slots = found.per_slot(|_| true, |e| e.status_code < 500);
        assert_eq!(slots, BTreeMap::from([(0, (4, 6))]));
    }
}
