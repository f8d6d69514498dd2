//! Partitions that are gained and lost: noted as librdkafka reports it, handled between polls.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use slipstream_schemas::LogTime;
use tokio::time::Instant;

use super::seat::Link;
use super::{Held, Lookup, Member, State};
use crate::kafka::blocking::blocking;
use crate::kafka::buffer::Buffer;
use crate::kafka::errors::log_error;
use crate::kafka::native::{self, Place, Records};
use crate::kafka::positions;
use crate::port::{LogError, Polled, Share, TopicPartition};

/// Wait after a failed lookup of committed positions.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A fenced member rejoins this often within this time.
const REJOINS: usize = 3;
const REJOINS_WITHIN: Duration = Duration::from_secs(60);

impl Member {
    /// The group gives partitions. Who is given the first has the whole, where it is not divided: the broker takes commits of
    /// all partitions of a group from any member of its present generation (KIP-447), and from no other.
    pub(super) fn given(&mut self, partitions: &[Place]) {
        match self.seat.share {
            Share::Divided => self.gained(partitions),
            Share::Whole if self.seat.decides(&self.shared.names, partitions) => {
                let whole = self.seat.whole(&self.shared.names);
                self.gained(&whole);
            }
            // Nothing of it is ours; librdkafka waits for an answer all the same.
            Share::Whole => self.gained(&[]),
        }
    }

    /// The group takes partitions back.
    pub(super) fn taken(&mut self, partitions: Vec<Place>, lost: bool) {
        match self.seat.share {
            Share::Divided => self.going(partitions, lost),
            Share::Whole if self.seat.decides(&self.shared.names, &partitions) => {
                let whole = self.seat.whole(&self.shared.names);
                self.going(whole, lost);
            }
            Share::Whole => self.release(&[]),
        }
    }

    fn release(&self, partitions: &[Place]) {
        if let Err(error) = self.consumer.incremental_unassign(&list_places(partitions)) {
            tracing::warn!(%error, group = self.group, "partitions could not be released");
        }
    }

    /// librdkafka begins to fetch from the committed position as soon as no transaction is open on it; we only have to
    /// look up the log time. Other partitions keep flowing in the meantime.
    pub(super) fn gained(&mut self, partitions: &[Place]) {
        let mut places = Vec::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            let Some(place) = self.shared.names.place(topic, *partition) else { continue };
            // The old one first: it is the same queue.
            self.held.remove(&place);
            let Some(queue) = Records::of(&self.consumer, topic, *partition, &self.woken) else { continue };
            let buffer = Buffer::new(place, 0, LogTime(i64::MIN));
            let stale = native::position(&self.consumer, topic, *partition);
            let held = Held { state: State::Looking, queue, buffer, next: 0, end: None, silent: None, stale };
            self.held.insert(place, held);
            places.push(place);
        }
        if let Err(error) = self.consumer.incremental_assign(&list_places(partitions)) {
            self.failed = Some(log_error(&self.shared.names, "taking over partitions", &error));
            return;
        }
        if !places.is_empty() {
            self.look(places, Duration::ZERO);
        }
    }

    pub(super) fn look(&mut self, places: Vec<TopicPartition>, after: Duration) {
        let (consumer, names) = (Arc::clone(&self.consumer), self.shared.names.clone());
        let ids = self.identity.ids().clone();
        self.lookups.spawn(async move {
            tokio::time::sleep(after).await;
            let asked = places.clone();
            let found = blocking(move || positions::committed(&consumer, &names, &ids, &asked)).await;
            (places, found)
        });
    }

    /// Handles positions that were looked up. Partitions that were lost in the meantime are not held any more.
    pub(super) fn learned(&mut self, (places, found): Lookup) {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::info!(
                    %error,
                    group = self.group,
                    "committed positions are not known yet; retrying. If it does not end: docs/operations-kafka.md, \"A broker that dies\""
                );
                let still = |p: &TopicPartition| self.held.get(p).is_some_and(|h| h.state == State::Looking);
                let places: Vec<TopicPartition> = places.into_iter().filter(still).collect();
                if !places.is_empty() {
                    self.look(places, LOOK_AGAIN);
                }
                return;
            }
        };
        for (place, committed) in found {
            let position = match committed.position(&self.group, place) {
                Ok(position) => position,
                Err(error) => {
                    self.failed = Some(error);
                    return;
                }
            };
            if let Some(held) = self.held.get_mut(&place).filter(|h| h.state == State::Looking) {
                held.state = State::Found(position);
                if let Some(position) = position {
                    held.buffer.raise(position.log_time);
                    held.next = position.offset;
                }
            }
        }
    }

    /// Partitions that are revoked: reported first, then acknowledged. Lost ones may already have another owner.
    pub(super) fn going(&mut self, partitions: Vec<Place>, lost: bool) {
        for place in partitions.iter().filter_map(|(t, p)| self.shared.names.place(t, *p)) {
            let known = matches!(self.held.get(&place), Some(Held { state: State::Told(_), .. }));
            if known {
                self.revoked.push(place);
            }
            // A step that is being settled may still be committed before we acknowledge, unless the partition was lost.
            if lost || !known {
                self.held.remove(&place);
            }
        }
        self.to_unassign.extend(partitions);
    }

    /// Not ours any more according to the broker, before librdkafka reports it.
    pub(super) fn expelled(&mut self) {
        let told = |h: &Held| matches!(h.state, State::Told(_));
        self.revoked.extend(self.held.iter().filter(|(_, h)| told(h)).map(|(p, _)| *p));
        self.held.clear();
    }

    pub(super) fn is_fenced(&self) -> bool {
        let fatal = self.consumer.client().fatal_error();
        fatal.is_some_and(|(code, _)| code == RDKafkaErrorCode::FencedInstanceId)
    }

    /// Joins with a new client. A member with a static name is fenced by itself if the broker was away for longer
    /// than its session: it rejoins, and a heartbeat of its former life arrives after that. If that persists, there
    /// are two processes with the same name, and the one that notices first ends (L5).
    pub(super) async fn rejoin(&mut self) -> Result<(), LogError> {
        self.rejoined.retain(|at| at.elapsed() < REJOINS_WITHIN);
        if self.rejoined.len() >= REJOINS {
            let doing = format!("reading as a member of the group {}", self.group);
            let name = self.shared.options.instance.as_deref().unwrap_or_default();
            let cause =
                format!("another process has joined as `{name}`: `kafka.instance` must be unique to each process");
            return Err(LogError::Fatal { doing, cause: cause.into() });
        }
        tracing::warn!(group = self.group, "fenced by another member with the same name; rejoining");
        self.rejoined.push(Instant::now());
        self.lookups.abort_all();
        while self.lookups.join_next().await.is_some() {}
        self.to_unassign.clear();
        let Link { consumer, events, woken } = self.seat.take(&self.shared)?;
        let former = (std::mem::replace(&mut self.events, events), std::mem::replace(&mut self.consumer, consumer));
        (self.woken, self.fenced) = (woken, false);
        // The queue before the client whose queue it is; closing waits.
        blocking(move || drop(former)).await;
        Ok(())
    }

    /// A position was moved by another process: reported as lost, and looked up again.
    pub(super) fn moved(&mut self, places: &[TopicPartition]) -> Result<(), LogError> {
        let mut again = Vec::new();
        for place in places {
            if self.held.remove(place).is_some() {
                self.revoked.push(*place);
                again.push((self.shared.names.of(place.topic).to_owned(), place.partition as i32));
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        self.consumer
            .incremental_unassign(&list_places(&again))
            .map_err(|e| log_error(&self.shared.names, "looking up a position again", &e))?;
        self.gained(&again);
        Ok(())
    }

    pub(super) fn rebalanced(&mut self) -> Option<Polled> {
        if !self.revoked.is_empty() || !self.to_unassign.is_empty() {
            let told = std::mem::take(&mut self.revoked);
            let going = std::mem::take(&mut self.to_unassign);
            for place in told.iter().copied().chain(going.iter().filter_map(|(t, p)| self.shared.names.place(t, *p))) {
                // Looked up again since: keep it.
                if self.held.get(&place).is_some_and(|h| matches!(h.state, State::Told(_))) {
                    self.held.remove(&place);
                }
                self.paused.remove(&place);
            }
            if !going.is_empty() {
                self.release(&going);
            }
            if !told.is_empty() {
                return Some(Polled::Revoked(told));
            }
        }
        let mut gained = Vec::new();
        for (place, held) in &mut self.held {
            if let State::Found(position) = held.state {
                held.state = State::Told(position);
                gained.push((*place, position));
            }
        }
        (!gained.is_empty()).then_some(Polled::Assigned(gained))
    }
}

fn list_places(places: &[Place]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        list.add_partition(topic, *partition);
    }
    list
}
