//! Records of partitions in turn, and the ends of partitions (L7).

use std::sync::Arc;
use std::time::Duration;

use slipstream_schemas::LogTime;
use tokio::time::Instant;

use super::{Change, Ends, Held, Member, State};
use crate::kafka::blocking::blocking;
use crate::kafka::native::{self, Came};
use crate::port::{Fetch, LogError, Offset, Polled, TopicPartition};

/// How long a partition may be silent although its end is not reached.
const SILENT: Duration = Duration::from_secs(1);
/// Ends of partitions are looked up at most this often.
const ENDS_EVERY: Duration = Duration::from_millis(80);

impl Member {
    /// Reads records of a partition, without waiting, until they make a whole fetch.
    pub(super) fn fill(&mut self, place: TopicPartition, fetch: Fetch) {
        let (mut failed, mut went_back) = (None, false);
        let Some(held) = self.held.get_mut(&place) else { return };
        while !held.buffer.fills(fetch) {
            let Held { queue, buffer, next, end, silent, .. } = held;
            let room = buffer.room(fetch);
            let came = queue.take(room, 0, &mut |came| match came {
                Came::Record(record) => {
                    (*end, *silent) = (None, None);
                    // What was read while a rebalance paused the partition comes again; a topic that was recreated begins again.
                    if record.offset >= (*next).max(buffer.next()) {
                        buffer.push(&record);
                    } else {
                        went_back = true;
                    }
                }
                // Members get no events for ends: see their settings.
                Came::End(_) => {}
                Came::Error { code, text } => failed = Some((code, text)),
            });
            if came == 0 {
                break;
            }
        }
        if went_back {
            self.identity.doubt(place.topic, None);
        }
        if let Some((code, text)) = failed {
            let place = Some((self.shared.names.of(place.topic).to_owned(), place.partition as i32));
            self.change(Change::Error { code, fatal: false, text, place });
        }
    }

    /// Asks whether records may be taken that came with their producers' times, before any is delivered.
    pub(super) async fn judge_times(&mut self) -> Result<(), LogError> {
        for (place, held) in &mut self.held {
            if let Some(found) = held.buffer.producers_times() {
                self.shared.check_times(*place, found).await?;
                held.buffer.accept_producers_times();
            }
        }
        Ok(())
    }

    /// Whether some wait to be judged.
    pub(super) fn has_producers_times(&self) -> bool {
        self.held.values().any(|held| held.buffer.producers_times().is_some())
    }

    /// Records of the next partition in turn that has some.
    pub(super) fn records(&mut self, fetch: Fetch) -> Option<Polled> {
        let flowing = |(p, h): &(&TopicPartition, &Held)| {
            !self.paused.contains(p)
                && !self.identity.doubts(p.topic)
                && matches!(h.state, State::Told(_))
                && (h.buffer.len() > 0 || h.queue.waiting())
        };
        let mut turns: Vec<TopicPartition> = self.held.iter().filter(flowing).map(|(p, _)| *p).collect();
        let first = turns.partition_point(|p| Some(*p) <= self.served);
        turns.rotate_left(first);
        for place in turns {
            self.fill(place, fetch);
            let doubted = self.identity.doubts(place.topic);
            let judged = |held: &&mut Held| !doubted && held.buffer.producers_times().is_none();
            let Some(held) = self.held.get_mut(&place).filter(judged) else { continue };
            if let Some(batch) = held.buffer.take(fetch) {
                held.next = batch.next;
                self.served = Some(place);
                return Some(Polled::Records(batch));
            }
        }
        None
    }

    /// Whether everything below `end` was read. Transaction markers are read without being delivered, and move
    /// librdkafka's position.
    pub(super) fn has_read(&self, partition: TopicPartition, end: Offset) -> bool {
        let Some(held) = self.held.get(&partition) else { return false };
        let read =
            || native::position(&self.consumer, self.shared.names.of(partition.topic), partition.partition as i32);
        let beyond = |read: Option<Offset>| read != held.stale && read.is_some_and(|read| read >= end);
        held.next >= end || held.end.is_some_and(|seen| seen >= end) || beyond(read())
    }

    /// Whether a partition that should deliver something, but does not for a while, has nothing but markers and aborted
    /// records below its end: librdkafka's position does not show those that are not read.
    pub(super) async fn is_silent(&mut self, partition: TopicPartition, end: Offset) -> Result<bool, LogError> {
        let Some(held) = self.held.get_mut(&partition) else { return Ok(false) };
        let from = held.next;
        if end <= from || held.silent.get_or_insert_with(Instant::now).elapsed() < SILENT {
            return Ok(false);
        }
        held.silent = None;
        let shared = Arc::clone(&self.shared);
        let one = Fetch { records: 1, ..Fetch::default() };
        let found = blocking(move || shared.ranges.read(partition, from, end, one)).await?.batch;
        let nothing = found.is_empty() && found.next >= end;
        if let Some(held) = self.held.get_mut(&partition).filter(|h| nothing && h.next == from && h.buffer.len() == 0) {
            held.end = Some(end);
            return Ok(true);
        }
        Ok(false)
    }

    /// Ends of the partitions, and the broker's clock as read before they were looked up.
    pub(super) async fn ends(&mut self, place: TopicPartition) -> Result<Option<(LogTime, Offset)>, LogError> {
        let fresh = self.ends.as_ref().filter(|e| e.at.elapsed() < ENDS_EVERY && e.ends.contains_key(&place));
        if fresh.is_none() {
            let clock = self.shared.broker_clock().await?;
            let places: Vec<TopicPartition> = self.held.keys().filter(|p| p.topic == place.topic).copied().collect();
            let shared = Arc::clone(&self.shared);
            let ends = blocking(move || shared.ranges.ends(&places)).await?;
            self.ends = Some(Ends { at: Instant::now(), clock, ends: ends.into_iter().collect() });
        }
        Ok(self.ends.as_ref().and_then(|e| Some((e.clock, *e.ends.get(&place)?))))
    }
}
