//! Events that the store refused: they are dead letters, and a part that is read from the store lacks them.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join;
use slipstream_log::{Fetch, Log, LogError, Offset, RecordRef, TopicPartition};
use slipstream_schemas::decode::ErrorClass;
use slipstream_schemas::{LogTime, Topic, dead_letter};

use super::join::StorePart;
use super::noted::Gap;
use crate::error::ReplayError;

/// What was refused of a partition.
struct Refused {
    /// The sink is at least once here: a letter may be there twice.
    offsets: BTreeSet<Offset>,
    first: LogTime,
    last: LogTime,
    message: String,
}

/// What a part of the store lacks because the store refused it, by partition. Times are those of the dead letters, which come
/// right behind the events; those that came just before the part are told, too, if the sink was behind.
///
/// # Errors
/// When the log cannot be read.
pub async fn refused(log: &dyn Log, part: &StorePart) -> Result<Vec<Gap>, ReplayError> {
    let mut found: BTreeMap<u32, Refused> = BTreeMap::new();
    let topic = Topic::DeadLetters;
    let places: Vec<_> =
        (0..log.partitions(topic).await?).map(|partition| TopicPartition { topic, partition }).collect();
    let times: Vec<_> = places.iter().map(|place| (*place, part.span.from)).collect();
    let (bounds, begins) = try_join(log.all_bounds(&places), log.all_offsets_at(&times)).await?;
    for ((place, (_, end)), begin) in places.into_iter().zip(bounds).zip(begins) {
        let mut next = begin;
        while next < end {
            let batch = match log.read(place, next, end, Fetch::default()).await {
                Ok(batch) if batch.is_empty() => break,
                Ok(batch) => batch,
                Err(LogError::OutOfRange { first, .. }) if first > next => {
                    next = first;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            batch.iter().for_each(|letter| note(&mut found, part, &letter));
            next = batch.next;
        }
    }
    Ok(found.into_iter().map(|(partition, refused)| refused.told(partition)).collect())
}

fn note(found: &mut BTreeMap<u32, Refused>, part: &StorePart, letter: &RecordRef<'_>) {
    let header = |name| letter.header(name).and_then(|value| std::str::from_utf8(value).ok());
    let refused = header(dead_letter::ERROR) == Some(ErrorClass::RefusedByStore.name())
        && header(dead_letter::TOPIC) == Some(Topic::RequestEvents.name());
    let place = (header(dead_letter::PARTITION).map(str::parse), header(dead_letter::OFFSET).map(str::parse));
    let (true, (Some(Ok(partition)), Some(Ok(offset)))) = (refused, place) else { return };
    if part.below.get(&partition).is_none_or(|below| offset >= *below) {
        return;
    }
    let (at, message) = (letter.log_time(), header(dead_letter::MESSAGE).unwrap_or("no reason was told").to_owned());
    let known = found.entry(partition).or_insert(Refused { offsets: BTreeSet::new(), first: at, last: at, message });
    known.offsets.insert(offset);
    (known.first, known.last) = (known.first.min(at), known.last.max(at));
}

impl Refused {
    fn told(self, partition: u32) -> Gap {
        let events = match self.offsets.len() {
            1 => "1 event".to_owned(),
            n => format!("{n} events"),
        };
        let reason = format!("the store refused {events}, kept as dead letters: {}", self.message);
        Gap { partition, from: self.first, to: LogTime(self.last.0 + 1), reason }
    }
}
