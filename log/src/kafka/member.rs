//! A member of a group on Kafka. The crate's rebalance hooks run inside of its poll, where calls deadlock: we read the
//! consumer's events ourselves, note what changes, and act between them. Records wait in a queue per partition, so that
//! one that is paused or not reported yet does not hold up the others, and is not fetched any further.

mod commits;
mod delivery;
mod identity;
mod rebalance;
mod seat;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::Offset as At;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use slipstream_schemas::{Cause, LogTime, Topic};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::blocking::blocking;
use super::buffer::Buffer;
use super::client::Reader;
use super::errors::{log_error, of_code};
use super::native::{Event, Events, Place, Records};
use super::positions::{self, Committed};
use super::settings;
use super::shared::Shared;
use super::transactions::Transactions;
use crate::port::{
    CommitError, Consumer, Fetch, Horizon, LogError, Offset, Polled, Position, Share, Step, TopicPartition,
};
use identity::{AGAIN, Identity};
use seat::Seat;

/// What decides whether a partition has something to deliver.
const GLANCE: Fetch = Fetch { records: 1, bytes: 1 };
/// How long a seek may take.
const SEEK: Duration = Duration::from_secs(10);
/// Visibility of a record may lag its append by this much (L7).
const VISIBLE_WITHIN_MS: i64 = 500;

pub(super) struct Member {
    shared: Arc<Shared>,
    group: String,
    seat: Seat,
    identity: Identity,
    consumer: Arc<Reader>,
    events: Events,
    woken: Arc<Notify>,
    transactions: Option<Transactions>,
    /// A commit is in doubt: its producer's successor has to resolve it before positions are read.
    in_doubt: bool,
    held: BTreeMap<TopicPartition, Held>,
    paused: BTreeSet<TopicPartition>,
    /// To be reported as lost at the next poll.
    revoked: Vec<TopicPartition>,
    /// Revocations that librdkafka waits for us to acknowledge.
    to_unassign: Vec<Place>,
    lookups: JoinSet<Lookup>,
    served: Option<TopicPartition>,
    commits: u32,
    ends: Option<Ends>,
    horizon_floor: LogTime,
    failed: Option<LogError>,
    /// The consumer was fenced: another one has its name.
    fenced: bool,
    /// When it recently rejoined because of that.
    rejoined: Vec<Instant>,
}

/// The state of the lookup of committed positions.
type Lookup = (Vec<TopicPartition>, Result<Vec<(TopicPartition, Committed)>, KafkaError>);

struct Held {
    state: State,
    /// What librdkafka has fetched; not read before the assignment is reported.
    queue: Records,
    buffer: Buffer,
    /// The next offset for the caller.
    next: Offset,
    /// Everything below it was fetched, and there was nothing more.
    end: Option<Offset>,
    /// Since when it should deliver something and does not.
    silent: Option<Instant>,
    /// librdkafka's position of an earlier assignment, until it begins to fetch.
    stale: Option<Offset>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Ours, but its committed position is not known yet.
    Looking,
    /// The position is known, and is reported next.
    Found(Option<Position>),
    /// Reported to the caller; with the position as committed last.
    Told(Option<Position>),
}

struct Ends {
    at: Instant,
    /// The broker's clock, read before the ends were looked up.
    clock: LogTime,
    ends: BTreeMap<TopicPartition, Offset>,
}

impl Member {
    pub(super) async fn join(
        shared: &Arc<Shared>,
        group: &str,
        topics: &[Topic],
        share: Share,
    ) -> Result<Member, LogError> {
        let mut partitions = Vec::with_capacity(topics.len());
        for topic in topics {
            partitions.push(shared.partitions(*topic).await?);
        }
        let identity = Identity::of(shared, topics).await?;
        let n = shared.next_member(group);
        let seat = Seat { group: group.to_owned(), topics: topics.to_vec(), n, partitions, share };
        let link = seat.take(shared)?;
        let id = format!("{}{group}-{}-{n}", shared.options.prefix, shared.identity);
        let config = settings::transactional(&shared.options, &id);
        let transactions = Transactions::new(config, shared.names.clone(), Arc::clone(&shared.clock));
        Ok(Member {
            shared: Arc::clone(shared),
            group: group.to_owned(),
            seat,
            identity,
            consumer: link.consumer,
            events: link.events,
            woken: link.woken,
            transactions: Some(transactions),
            in_doubt: false,
            held: BTreeMap::new(),
            paused: BTreeSet::new(),
            revoked: Vec::new(),
            to_unassign: Vec::new(),
            lookups: JoinSet::new(),
            served: None,
            commits: 0,
            ends: None,
            horizon_floor: LogTime(i64::MIN),
            failed: None,
            fenced: false,
            rejoined: Vec::new(),
        })
    }

    /// Processes librdkafka's events of the group, without waiting.
    fn pump(&mut self) {
        let mut change = Change::None;
        while self.events.next(0, &mut |event| {
            change = match event {
                Event::Assign(partitions) => Change::Assign(partitions),
                Event::Revoke { partitions, lost } => Change::Revoke(partitions, lost),
                Event::Error { code, fatal, text, place } => Change::Error { code, fatal, text, place },
            }
        }) {
            self.change(std::mem::replace(&mut change, Change::None));
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            // Further events of a fenced client do not matter.
            _ if self.fenced => {}
            Change::None => {}
            Change::Assign(partitions) => self.given(&partitions),
            Change::Revoke(partitions, lost) => self.taken(partitions, lost),
            Change::Error { .. } if self.is_fenced() => {
                self.fenced = true;
                self.expelled();
            }
            Change::Error { code, fatal, text, place } => {
                let topic =
                    place.as_ref().and_then(|(name, _)| self.shared.names.place(name, 0)).map(|place| place.topic);
                let doing = match place {
                    Some((topic, partition)) => format!("reading {topic}/{partition}"),
                    None => format!("reading as a member of the group {}", self.group),
                };
                // A topic may be unavailable while the cluster starts; errors that are fatal to the client end it.
                let error = of_code(&self.shared.names, doing.clone(), Some(code), Cause::worded(text.clone(), code));
                match (fatal, &error) {
                    (true, _) => self.failed = Some(LogError::Fatal { doing, cause: Cause::worded(text, code) }),
                    (false, LogError::Fatal { .. }) => match topic.filter(|_| is_missing(code)) {
                        Some(topic) => self.identity.doubt(topic, Some(error)),
                        None => self.failed = Some(error),
                    },
                    (false, _) => {
                        tracing::info!(%error, "librdkafka reports");
                        topic.into_iter().for_each(|topic| self.identity.doubt(topic, None));
                    }
                }
            }
        }
    }
}

impl Member {
    /// Tells librdkafka where to continue; false if the partition was lost in the meantime.
    async fn sought(&mut self, partition: TopicPartition, offset: Offset) -> Result<bool, KafkaError> {
        let deadline = Instant::now() + SEEK;
        loop {
            let topic = self.shared.names.of(partition.topic).to_owned();
            let consumer = Arc::clone(&self.consumer);
            let sought = blocking(move || {
                consumer.seek(&topic, partition.partition as i32, At::Offset(offset), Duration::from_secs(5))
            });
            match sought.await {
                Ok(()) => return Ok(true),
                // librdkafka is still looking up its start position.
                Err(error) if Instant::now() < deadline => {
                    tracing::debug!(%error, %partition, "seeking again");
                    self.pump();
                    if self.revoked.contains(&partition) {
                        return Ok(false);
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// What is said of a topic that was deleted, and may come back as another one.
fn is_missing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as E;
    matches!(code, E::UnknownTopic | E::UnknownTopicOrPartition | E::UnknownTopicId)
}

enum Change {
    None,
    Assign(Vec<Place>),
    Revoke(Vec<Place>, bool),
    Error { code: RDKafkaErrorCode, fatal: bool, text: String, place: Option<Place> },
}

#[async_trait]
impl Consumer for Member {
    async fn poll(&mut self, fetch: Fetch, wait: Duration) -> Result<Polled, LogError> {
        let deadline = Instant::now() + wait;
        loop {
            self.shared.alive()?;
            while let Some(learned) = self.lookups.try_join_next() {
                match learned {
                    Ok(lookup) => self.learned(lookup),
                    Err(error) => tracing::warn!(%error, "looking up committed positions failed"),
                }
            }
            self.pump();
            self.identity.look(&self.shared)?;
            if self.fenced {
                self.rejoin().await?;
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if let Some(polled) = self.rebalanced() {
                return Ok(polled);
            }
            // Before any records: with some of others always there it would never be their turn.
            self.judge_times().await?;
            if let Some(polled) = self.records(fetch) {
                return Ok(polled);
            }
            if self.has_producers_times() {
                continue;
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(Polled::Nothing);
            }
            // A look at ids wakes nobody.
            let until = if self.identity.is_in_doubt() { deadline.min(now + AGAIN) } else { deadline };
            let woken = Arc::clone(&self.woken);
            tokio::select! {
                biased;
                Some(learned) = self.lookups.join_next() => {
                    if let Ok(lookup) = learned {
                        self.learned(lookup);
                    }
                }
                () = woken.notified() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        let doing = || format!("seeking {partition} to {offset}");
        // Lost since the last poll, as the next one reports.
        if self.revoked.contains(&partition) {
            return Ok(());
        }
        if !matches!(self.held.get(&partition), Some(Held { state: State::Told(_), .. })) {
            let cause = "the partition is not assigned to this consumer".into();
            return Err(LogError::Fatal { doing: doing(), cause });
        }
        match self.sought(partition, offset).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(log_error(&self.shared.names, doing(), &error)),
        }
        if let Some(held) = self.held.get_mut(&partition) {
            let floor = match held.state {
                State::Told(Some(position)) if position.offset <= offset => position.log_time,
                _ => LogTime(i64::MIN),
            };
            (held.buffer, held.next, held.end) = (Buffer::new(partition, offset, floor), offset, None);
            held.stale = None;
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        self.paused.extend(partitions);
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.paused.remove(partition);
        }
    }

    async fn commit(&mut self, step: &Step) -> Result<(), CommitError> {
        self.shared.alive().map_err(|e| CommitError::Fatal(Cause::of(e)))?;
        if let Err(refused) = self.check(step) {
            if let CommitError::Lost(lost) = &refused {
                let ours: Vec<TopicPartition> = lost.iter().filter(|p| self.held.contains_key(p)).copied().collect();
                self.moved(&ours).map_err(|e| CommitError::Fatal(Cause::of(e)))?;
            }
            return Err(refused);
        }
        match self.transact(step).await {
            Ok(()) => {
                for advance in &step.positions {
                    if let Some(held) = self.held.get_mut(&advance.partition) {
                        held.state = State::Told(Some(advance.to));
                    }
                }
                Ok(())
            }
            Err(failure) => Err(self.refused(step, failure)),
        }
    }

    async fn committed(&mut self, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        if self.in_doubt {
            self.decide_doubt().await?;
        }
        if self.fenced {
            self.rejoin().await?;
        }
        let (consumer, names) = (Arc::clone(&self.consumer), self.shared.names.clone());
        let ids = self.identity.ids().clone();
        let found = blocking(move || positions::committed(&consumer, &names, &ids, &[partition])).await;
        let found = found.map_err(|e| {
            log_error(&self.shared.names, format!("looking up the position of {} in {partition}", self.group), &e)
        })?;
        let found = found.into_iter().find(|(p, _)| *p == partition);
        let position = found.map_or(Ok(None), |(place, committed)| committed.position(&self.group, place))?;
        // A commit in doubt that turns out to be done has moved it.
        if let Some(Held { state: State::Told(at), .. }) = self.held.get_mut(&partition) {
            *at = position;
        }
        Ok(position)
    }

    async fn horizon(&mut self, partition: TopicPartition) -> Result<Option<Horizon>, LogError> {
        let Some((clock, end)) = self.ends(partition).await? else { return Ok(None) };
        self.pump();
        if matches!(self.held.get(&partition), Some(Held { state: State::Told(_), .. })) {
            self.fill(partition, GLANCE);
        }
        let Some(held) = self.held.get(&partition) else { return Ok(None) };
        // Only markers and aborted records are left before the end: for the caller this is the end.
        let (next, waits) = (held.next, held.buffer.len() > 0);
        let drained = !waits && (self.has_read(partition, end) || self.is_silent(partition, end).await?);
        let end = if drained { next } else { end.max(next) };
        self.horizon_floor = self.horizon_floor.max(LogTime(clock.0 - VISIBLE_WITHIN_MS));
        Ok(Some(Horizon { end, time: self.horizon_floor }))
    }
}
