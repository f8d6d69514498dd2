//! The clients of a log's readers, and the readers that stand in the middle of a range.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::RangeClient;
use super::reader::{RangeReader, Standing};
use crate::kafka::names::Names;
use crate::kafka::settings::KafkaOptions;
use crate::port::{LogError, Offset, TopicPartition};

/// How many readers are left where they stand: a replay has one for each partition, and each has fetched ahead.
const STANDING: usize = 64;
/// How many clients are kept. One reads everything; further ones are for ranges of one partition that are read at the same
/// time.
const CLIENTS: usize = 4;

/// See the module.
pub(super) struct Pool {
    options: KafkaOptions,
    names: Names,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    clients: Vec<Arc<RangeClient>>,
    /// The one that waits longest is first.
    standing: Vec<RangeReader>,
}

impl Pool {
    pub fn new(options: &KafkaOptions, names: Names) -> Pool {
        Pool { options: options.clone(), names, held: Mutex::default() }
    }

    /// A reader that stands at `from`, with the end that it knows, if all of the range was there when that was looked up.
    pub fn continuing(&self, partition: TopicPartition, (from, to): (Offset, Offset)) -> Option<(RangeReader, Offset)> {
        let mut held = self.held();
        let known = |(place, reader): (usize, &RangeReader)| Some((place, reader.knows(partition, (from, to))?));
        let (place, end) = held.standing.iter().enumerate().find_map(known)?;
        Some((held.standing.remove(place), end))
    }

    /// A reader that stands at a place, or is put there. One that stands elsewhere in the partition is left there: a client
    /// that has no reader of the partition takes the new one.
    pub fn reader(&self, partition: TopicPartition, at: Standing) -> Result<RangeReader, LogError> {
        let client = {
            let mut held = self.held();
            if let Some(there) = held.standing.iter().position(|reader| reader.stands_at(partition, at.next)) {
                return Ok(held.standing.remove(there));
            }
            match held.clients.iter().find(|client| client.take(partition)) {
                Some(client) => Arc::clone(client),
                None => {
                    let client = Arc::new(RangeClient::open(&self.options, &self.names)?);
                    client.take(partition);
                    held.clients.push(Arc::clone(&client));
                    client
                }
            }
        };
        RangeReader::start(client, &self.names, partition, at)
    }

    /// Leaves a reader where it stands.
    pub fn leave(&self, reader: RangeReader) {
        let mut held = self.held();
        // One whose client failed for another reader is not used again.
        if !held.clients.iter().any(|client| Arc::ptr_eq(client, &reader.client)) {
            drop(held);
            return drop(reader);
        }
        held.standing.push(reader);
        let gone = (held.standing.len() > STANDING).then(|| held.standing.remove(0));
        // Releasing a partition waits for the client.
        drop(held);
        drop(gone);
    }

    /// Releases a reader that has its range, and clients that are too many.
    pub fn release(&self, reader: RangeReader) {
        drop(reader);
        let mut held = self.held();
        let surplus = held.clients.iter().skip(CLIENTS).position(|client| client.is_free());
        let gone = surplus.map(|at| held.clients.remove(CLIENTS + at));
        drop(held);
        drop(gone);
    }

    /// Whoever reads next has another client: this one failed.
    pub fn retire(&self, failed: RangeReader) {
        let mut held = self.held();
        let of_it = |client: &Arc<RangeClient>| Arc::ptr_eq(client, &failed.client);
        held.clients.retain(|client| !of_it(client));
        let (gone, standing) = std::mem::take(&mut held.standing).into_iter().partition(|r| of_it(&r.client));
        held.standing = standing;
        drop(held);
        drop::<Vec<RangeReader>>(gone);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
