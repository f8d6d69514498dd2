//! When burn writes which chunks of its state.
//!
//! A new owner folds the tallies since the oldest chunk again. So all chunks are written in turn within [`ROUND`],
//! whatever they contain; an unchanged one costs only a record with its header.

use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{Outgoing, TopicPartition};
use slipstream_schemas::records::BurnChunk;
use slipstream_schemas::{Topic, codec};
use slipstream_slo::burn::Burn;
use tokio::time::Instant;

/// Snapshot chunks of a partition: the hash of an SLO's name decides its chunk. Enough to make one of 25,000 series small
/// enough for a step.
pub const CHUNKS: u32 = 64;
/// In this time every chunk is written once.
const ROUND: Duration = Duration::from_secs(30);
/// A step contains chunks up to this many bytes; at least one.
const STEP_BYTES: usize = 512 << 10;
/// This much is written at an orderly shutdown.
const LAST_BYTES: usize = 32 << 20;
/// Maximum bytes of chunks per second, even if the round takes longer then.
const BYTES_A_SECOND: usize = 4 << 20;

/// The next chunk in turn.
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

    /// The records of all chunks, or, if they are too much for one step, of the next ones in turn.
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

/// Keyed by its place, so that compaction keeps the newest. An unchanged marker does not replace a chunk, nor does a
/// chunk replace one of another number of chunks: those are used until all new ones exist.
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
