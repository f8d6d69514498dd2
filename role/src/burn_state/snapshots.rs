//! When burn writes which chunks of its state.
//!
//! A new owner folds again what came since the oldest chunk. So all of them are written in turn within [`ROUND`], whatever
//! they hold; one that did not change costs a record of its head.

use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{Outgoing, TopicPartition};
use slipstream_schemas::records::BurnChunk;
use slipstream_schemas::{Topic, codec};
use slipstream_slo::burn::Burn;
use tokio::time::Instant;

/// Snapshot chunks of a partition: an SLO's chunk is by the hash of its name. As many as make one of 25,000 series small
/// enough for a step.
pub const CHUNKS: u32 = 64;
/// In this time every chunk is written once.
const ROUND: Duration = Duration::from_secs(30);
/// A step takes chunks until they have this many bytes; at least one.
const STEP_BYTES: usize = 512 << 10;
/// As much is written at an orderly end.
const LAST_BYTES: usize = 32 << 20;
/// Bytes of chunks a second, whatever the round takes then.
const BYTES_A_SECOND: usize = 4 << 20;

/// Whose turn it is.
pub struct Snapshots {
    to: TopicPartition,
    next: u32,
    due: Instant,
}

impl Snapshots {
    /// Chunks go to this partition of burn-snapshots.
    pub fn begin(to: TopicPartition, now: Instant) -> Self {
        Snapshots { to, next: 0, due: now + ROUND / CHUNKS }
    }

    /// The records of the chunks that are due.
    pub fn due(&mut self, burn: &mut Burn, now: Instant) -> Vec<Outgoing> {
        match now >= self.due {
            true => self.take(burn, now, STEP_BYTES),
            false => Vec::new(),
        }
    }

    /// The records of all chunks, or of those whose turn is next where they are too much for one step.
    pub fn last(&mut self, burn: &mut Burn, now: Instant) -> Vec<Outgoing> {
        self.take(burn, now, LAST_BYTES)
    }

    fn take(&mut self, burn: &mut Burn, now: Instant, most: usize) -> Vec<Outgoing> {
        let (mut records, mut bytes, mut chunks) = (Vec::new(), 0, 0);
        while chunks < CHUNKS && bytes < most {
            let parts = burn.save(self.next as i32);
            if parts.is_empty() {
                break;
            }
            for record in parts.iter().map(|part| record(self.to, part)) {
                bytes += record.value.as_ref().map_or(0, Bytes::len);
                records.push(record);
            }
            self.next = (self.next + 1) % CHUNKS;
            chunks += 1;
        }
        let at_rate = Duration::from_secs_f64(bytes as f64 / BYTES_A_SECOND as f64);
        self.due = now + (ROUND * chunks / CHUNKS).max(at_rate);
        records
    }
}

/// The partition of sli-tallies and the chunk that a key names; `None` if it is of another number of chunks.
pub fn chunk_of_key(key: &[u8]) -> Option<(u32, Option<i32>)> {
    let mut parts = std::str::from_utf8(key).ok()?.split('/');
    let partition = parts.next()?.parse().ok()?;
    let present = parts.next()?.parse() == Ok(CHUNKS);
    // Keys of former versions have no number of chunks.
    let chunk = parts.next()?.parse().ok().filter(|_| present && parts.next().is_some());
    Some((partition, chunk))
}

/// Keyed by its place, so that compaction keeps the newest. Word that nothing changed takes no chunk's place, nor does a
/// chunk that of another number of them: until all are there those count.
fn record(to: TopicPartition, chunk: &BurnChunk) -> Outgoing {
    let part = if chunk.parts == 0 { "unchanged".to_owned() } else { chunk.part.to_string() };
    Outgoing {
        topic: Topic::BurnSnapshots,
        partition: Some(to.partition),
        key: Some(Bytes::from(format!("{}/{}/{}/{part}", chunk.partition, chunk.chunks, chunk.chunk))),
        value: Some(Bytes::from(codec::encode(chunk))),
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::chunk_of_key;

    #[test]
    fn a_key_names_a_chunk_of_the_present_number_only() {
        for (key, want) in [
            ("3/64/17/0", Some((3, Some(17)))),
            ("3/64/17/unchanged", Some((3, Some(17)))),
            ("3/16/5/0", Some((3, None))),
            ("3/5/0", Some((3, None))),
            ("3/64/0", Some((3, None))),
            ("nonsense", None),
        ] {
            assert_eq!(chunk_of_key(key.as_bytes()), want, "{key}");
        }
    }
}
