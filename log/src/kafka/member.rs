//! A member of a group on Kafka. The crate's rebalance hooks run inside of its poll, where working deadlocks: we read the
//! consumer's events ourselves, note what changes, and act between them. Records wait in a buffer per partition, so that
//! one that is paused or not yet told does not hold the others up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset as At, TopicPartitionList};
use slipstream_schemas::{LogTime, Topic};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::buffer::Buffer;
use super::client::{Reader, Told};
use super::errors::{log_error, of_code};
use super::native::{self, Came, Event, Events, Place, Records};
use super::positions::{self, list_of};
use super::settings;
use super::shared::{Shared, blocking};
use super::transactions::{Failure, Moves, Transactions};
use crate::port::{CommitError, Consumer, Fetch, Horizon, LogError, Offset, Polled, Position, Step, TopicPartition};

/// What is looked at to know whether a partition has something to deliver.
const GLANCE: Fetch = Fetch { records: 1, bytes: 1 };
/// After a failure to learn committed positions, so long until the next try.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a partition may be silent though its end is not reached.
const SILENT: Duration = Duration::from_secs(1);
/// How long a seek may take.
const SEEK: Duration = Duration::from_secs(10);
/// Who is fenced joins again so often within this time.
const REJOINS: usize = 3;
const REJOINS_WITHIN: Duration = Duration::from_secs(60);
/// Ends of partitions are asked for at most this often.
const ENDS_EVERY: Duration = Duration::from_millis(80);
/// Visibility of a record may lag its append by this much (L7).
const VISIBLE_WITHIN_MS: i64 = 500;

pub(super) struct Member {
    shared: Arc<Shared>,
    group: String,
    seat: Seat,
    consumer: Arc<Reader>,
    events: Events,
    woken: Arc<Notify>,
    transactions: Option<Transactions>,
    /// A commit is in doubt: its producer's successor has to decide it before positions are read.
    in_doubt: bool,
    held: BTreeMap<TopicPartition, Held>,
    paused: BTreeSet<TopicPartition>,
    /// Told as lost at the next poll.
    revoked: Vec<TopicPartition>,
    /// Revocations that librdkafka waits for us to agree to.
    to_unassign: Vec<Place>,
    lookups: JoinSet<Lookup>,
    served: Option<TopicPartition>,
    commits: u32,
    ends: Option<Ends>,
    horizon_floor: LogTime,
    failed: Option<LogError>,
    /// The consumer was told that its name is somebody else's.
    fenced: bool,
    /// When it joined again because of that, of late.
    rejoined: Vec<Instant>,
}

/// A place in a group.
struct Seat {
    group: String,
    topics: Vec<Topic>,
    /// Which of the group's members in this process.
    n: u64,
    /// Partitions that its topics have.
    partitions: u32,
}

/// A consumer that has taken a seat.
struct Link {
    consumer: Arc<Reader>,
    events: Events,
    woken: Arc<Notify>,
}

impl Seat {
    fn take(&self, shared: &Shared) -> Result<Link, LogError> {
        let names = &shared.names;
        let doing = || format!("joining the group {}", shared.options.group_name(&self.group));
        let config = settings::member(&shared.options, &self.group, self.n, self.partitions);
        let mut consumer: Reader = config.create_with_context(Told).map_err(|e| log_error(names, doing(), &e))?;
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        consumer.set_nonempty_callback(move || wake.notify_one());
        let topics: Vec<&str> = self.topics.iter().map(|t| names.of(*t)).collect();
        consumer.subscribe(&topics).map_err(|e| log_error(names, doing(), &e))?;
        let consumer = Arc::new(consumer);
        let events = Events::of(&consumer)
            .ok_or_else(|| LogError::Fatal { doing: doing(), cause: "the consumer has no queue".to_owned() })?;
        Ok(Link { consumer, events, woken })
    }
}

/// What is known of committed positions.
type Lookup = (Vec<TopicPartition>, Result<Vec<(TopicPartition, Option<Position>)>, KafkaError>);

struct Held {
    state: State,
    /// What librdkafka has fetched; not read before the state is told.
    queue: Records,
    buffer: Buffer,
    /// Offset that the caller is to get next.
    next: Offset,
    /// Everything below it was fetched, and nothing more was there.
    end: Option<Offset>,
    /// Since when it should bring something and does not.
    silent: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Ours, but its committed position is not known yet.
    Looking,
    /// The position is known, and is told next.
    Found(Option<Position>),
    /// The caller knows; with the position as committed last.
    Told(Option<Position>),
}

struct Ends {
    at: Instant,
    /// The broker's clock, heard before the ends were asked for.
    clock: LogTime,
    ends: BTreeMap<TopicPartition, Offset>,
}

impl Member {
    pub(super) async fn join(shared: &Arc<Shared>, group: &str, topics: &[Topic]) -> Result<Member, LogError> {
        let mut partitions = 0;
        for topic in topics {
            partitions += shared.partitions(*topic).await?;
        }
        let n = shared.next_member(group);
        let seat = Seat { group: group.to_owned(), topics: topics.to_vec(), n, partitions };
        let link = seat.take(shared)?;
        let id = format!("{}{group}-{}-{n}", shared.options.prefix, shared.identity);
        let config = settings::transactional(&shared.options, &id);
        let transactions = Transactions::new(config, shared.names.clone(), Arc::clone(&shared.clock));
        Ok(Member {
            shared: Arc::clone(shared),
            group: group.to_owned(),
            seat,
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

    /// Takes in what librdkafka says of the group, without waiting.
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

    /// Takes in records of a partition, without waiting, until they are a whole fetch.
    fn fill(&mut self, place: TopicPartition, fetch: Fetch) {
        let mut failed = None;
        let Some(held) = self.held.get_mut(&place) else { return };
        while !held.buffer.fills(fetch) {
            let Held { queue, buffer, next, end, silent, .. } = held;
            let room = buffer.room(fetch);
            let came = queue.take(room, 0, &mut |came| match came {
                Came::Record(record) => {
                    (*end, *silent) = (None, None);
                    if record.offset >= *next {
                        buffer.push(&record);
                    }
                }
                Came::End(offset) => {
                    *end = Some(offset);
                    buffer.reached(offset);
                }
                Came::Error { code, text } => failed = Some((code, text)),
            });
            if came == 0 {
                break;
            }
        }
        if let Some((code, text)) = failed {
            let place = Some((self.shared.names.of(place.topic).to_owned(), place.partition as i32));
            self.change(Change::Error { code, fatal: false, text, place });
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            // A client that is fenced has nothing more to say.
            _ if self.fenced => {}
            Change::None => {}
            Change::Assign(partitions) => self.gained(&partitions),
            Change::Revoke(partitions, lost) => self.going(partitions, lost),
            Change::Error { .. } if self.is_fenced() => {
                self.fenced = true;
                self.expelled();
            }
            Change::Error { code, fatal, text, place } => {
                let doing = match place {
                    Some((topic, partition)) => format!("reading {topic}/{partition}"),
                    None => format!("reading as a member of {}", self.group),
                };
                // A topic may be away while the cluster starts; what is fatal to the client ends it.
                let error = of_code(&self.shared.names, doing.clone(), Some(code), text.clone());
                match (fatal, &error) {
                    (true, _) => self.failed = Some(LogError::Fatal { doing, cause: text }),
                    (false, LogError::Fatal { .. }) => self.failed = Some(error),
                    (false, _) => tracing::info!(%error, "librdkafka reports"),
                }
            }
        }
    }

    /// librdkafka begins to fetch from the committed position at once, as soon as no transaction is open on it; ours to
    /// learn is the log time. Others flow meanwhile.
    fn gained(&mut self, partitions: &[Place]) {
        let mut places = Vec::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            let Some(place) = self.shared.names.place(topic, *partition) else { continue };
            // The old one first: it is the same queue.
            self.held.remove(&place);
            let Some(queue) = Records::of(&self.consumer, topic, *partition, &self.woken) else { continue };
            let buffer = Buffer::new(place, 0, LogTime(i64::MIN));
            self.held.insert(place, Held { state: State::Looking, queue, buffer, next: 0, end: None, silent: None });
            places.push(place);
        }
        if let Err(error) = self.consumer.incremental_assign(&list_places(partitions)) {
            self.failed = Some(log_error(&self.shared.names, "taking partitions over", &error));
            return;
        }
        self.look(places, Duration::ZERO);
    }

    fn look(&mut self, places: Vec<TopicPartition>, after: Duration) {
        let (consumer, names) = (Arc::clone(&self.consumer), self.shared.names.clone());
        self.lookups.spawn(async move {
            tokio::time::sleep(after).await;
            let asked = places.clone();
            let found = blocking(move || positions::committed(&consumer, &names, &asked)).await;
            (places, found)
        });
    }

    /// Positions that were learned. What was taken away meanwhile is not held any more.
    fn learned(&mut self, (places, found): Lookup) {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::info!(%error, group = self.group, "committed positions are not known yet; asking again");
                let still = |p: &TopicPartition| self.held.get(p).is_some_and(|h| h.state == State::Looking);
                let places: Vec<TopicPartition> = places.into_iter().filter(still).collect();
                if !places.is_empty() {
                    self.look(places, LOOK_AGAIN);
                }
                return;
            }
        };
        for (place, position) in found {
            if let Some(held) = self.held.get_mut(&place).filter(|h| h.state == State::Looking) {
                held.state = State::Found(position);
                if let Some(position) = position {
                    held.buffer.raise(position.log_time);
                    held.next = position.offset;
                }
            }
        }
    }

    /// Partitions that go: told first, agreed to then. What was lost may be somebody else's already.
    fn going(&mut self, partitions: Vec<Place>, lost: bool) {
        for place in partitions.iter().filter_map(|(t, p)| self.shared.names.place(t, *p)) {
            let known = matches!(self.held.get(&place), Some(Held { state: State::Told(_), .. }));
            if known {
                self.revoked.push(place);
            }
            // A step that is being settled may still be committed before we agree, unless the partition was lost.
            if lost || !known {
                self.held.remove(&place);
            }
        }
        self.to_unassign.extend(partitions);
    }

    /// Not ours any more by what the broker said, before librdkafka tells.
    fn expelled(&mut self) {
        let told = |h: &Held| matches!(h.state, State::Told(_));
        self.revoked.extend(self.held.iter().filter(|(_, h)| told(h)).map(|(p, _)| *p));
        self.held.clear();
    }

    fn is_fenced(&self) -> bool {
        let fatal = self.consumer.client().fatal_error();
        fatal.is_some_and(|(code, _)| code == RDKafkaErrorCode::FencedInstanceId)
    }

    /// Joins with a new client. A member with a name that it keeps is fenced by itself when the broker was away for longer
    /// than its session: it comes again, and a heartbeat of its former life arrives after that. Where that goes on there
    /// are two processes with one name, and the one that notices first ends (L5).
    async fn rejoin(&mut self) -> Result<(), LogError> {
        self.rejoined.retain(|at| at.elapsed() < REJOINS_WITHIN);
        if self.rejoined.len() >= REJOINS {
            let doing = format!("reading as a member of {}", self.group);
            let name = self.shared.options.instance.as_deref().unwrap_or_default();
            let cause = format!("another process has joined as `{name}`: `kafka.instance` must be a process's own");
            return Err(LogError::Fatal { doing, cause });
        }
        tracing::warn!(group = self.group, "fenced by who joined under the same name; joining again");
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

    /// A position has moved without us: told as lost, and looked up again.
    fn moved(&mut self, places: &[TopicPartition]) -> Result<(), LogError> {
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
            .map_err(|e| log_error(&self.shared.names, "looking a position up again", &e))?;
        self.gained(&again);
        Ok(())
    }

    fn rebalanced(&mut self) -> Option<Polled> {
        if !self.revoked.is_empty() || !self.to_unassign.is_empty() {
            let told = std::mem::take(&mut self.revoked);
            let going = std::mem::take(&mut self.to_unassign);
            for place in told.iter().copied().chain(going.iter().filter_map(|(t, p)| self.shared.names.place(t, *p))) {
                // Looked up again since: it stays.
                if self.held.get(&place).is_some_and(|h| matches!(h.state, State::Told(_))) {
                    self.held.remove(&place);
                }
                self.paused.remove(&place);
            }
            if !going.is_empty()
                && let Err(error) = self.consumer.incremental_unassign(&list_places(&going))
            {
                tracing::warn!(%error, group = self.group, "partitions could not be given up");
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

    /// Records of the partition whose turn it is, of those that have some.
    fn records(&mut self, fetch: Fetch) -> Option<Polled> {
        let flowing = |(p, h): &(&TopicPartition, &Held)| {
            !self.paused.contains(p) && matches!(h.state, State::Told(_)) && (h.buffer.len() > 0 || h.queue.waiting())
        };
        let mut turns: Vec<TopicPartition> = self.held.iter().filter(flowing).map(|(p, _)| *p).collect();
        let first = turns.partition_point(|p| Some(*p) <= self.served);
        turns.rotate_left(first);
        for place in turns {
            self.fill(place, fetch);
            let Some(held) = self.held.get_mut(&place) else { continue };
            if let Some(batch) = held.buffer.take(fetch) {
                held.next = batch.next;
                self.served = Some(place);
                return Some(Polled::Records(batch));
            }
        }
        None
    }

    /// What is wrong with a step before anybody is asked.
    fn check(&self, step: &Step) -> Result<(), CommitError> {
        crate::port::well_formed(step.positions.iter().copied()).map_err(CommitError::Fatal)?;
        let ours = |a: &crate::port::Advance| matches!(self.held.get(&a.partition), Some(Held { state: State::Told(at), .. }) if at.is_none_or(|p| p == a.from));
        let lost: Vec<TopicPartition> = step.positions.iter().filter(|a| !ours(a)).map(|a| a.partition).collect();
        if lost.is_empty() { Ok(()) } else { Err(CommitError::Lost(lost)) }
    }

    async fn transact(&mut self, step: &Step) -> Result<(), Failure> {
        let names = self.shared.names.clone();
        let group = self.consumer.group_metadata();
        // Without a generation the broker would take the offsets of whoever comes (KIP-447 allows it).
        let (Some(group), true) = (group, native::generation(&self.consumer) >= 0) else {
            return Err(Failure::NotAMember("the group has no such member".to_owned()));
        };
        let offsets = list_of(&names, &step.positions).map_err(|e| Failure::Fatal(e.to_string()))?;
        let outputs = self.shared.place(&step.outputs, self.commits).await.map_err(|e| match e {
            LogError::Fatal { .. } => Failure::Fatal(e.to_string()),
            _ => Failure::Aborted(e.to_string()),
        })?;
        self.commits = self.commits.wrapping_add(1);
        let fault = self.shared.options.faults.next_commit(&self.group);
        let Some(mut transactions) = self.transactions.take() else {
            return Err(Failure::Fatal("a commit was dropped half way; this member cannot commit any more".to_owned()));
        };
        let moves = Moves { offsets, group };
        let (transactions, result) = blocking(move || {
            let result = transactions.run(&outputs, Some(&moves), fault);
            (transactions, result)
        })
        .await;
        self.transactions = Some(transactions);
        result.map(|_| ())
    }

    fn refused(&mut self, step: &Step, failure: Failure) -> CommitError {
        let all = || step.positions.iter().map(|a| a.partition).collect();
        match failure {
            Failure::Aborted(cause) | Failure::Fenced(cause) => {
                // Whether the partitions are still ours is told by the group.
                self.pump();
                let lost: Vec<TopicPartition> =
                    step.positions.iter().map(|a| a.partition).filter(|p| !self.held.contains_key(p)).collect();
                if lost.is_empty() { CommitError::Aborted(cause) } else { CommitError::Lost(lost) }
            }
            Failure::InDoubt(cause) => {
                self.in_doubt = true;
                CommitError::InDoubt(cause)
            }
            Failure::NotAMember(cause) => {
                tracing::warn!(cause, group = self.group, "expelled from the group; partitions come anew");
                self.expelled();
                CommitError::Lost(all())
            }
            Failure::Fatal(cause) => CommitError::Fatal(cause),
        }
    }

    /// A new producer of the same name fences the old one: what was in doubt is committed or aborted when it is ready.
    async fn decide_doubt(&mut self) -> Result<(), LogError> {
        let Some(mut transactions) = self.transactions.take() else { return Ok(()) };
        let (transactions, ready) = blocking(move || {
            let ready = transactions.ready();
            (transactions, ready)
        })
        .await;
        self.transactions = Some(transactions);
        ready.map_err(|failure| {
            let doing = "deciding a transaction in doubt".to_owned();
            match failure {
                Failure::Fatal(cause) => LogError::Fatal { doing, cause },
                other => LogError::Transient { doing, cause: format!("{other:?}") },
            }
        })?;
        self.in_doubt = false;
        Ok(())
    }

    /// Whether a partition that should bring something, and for a while does not, has nothing but markers and aborted
    /// records below its end. librdkafka tells an end once; one that was purged with what a pause threw away is not told
    /// again.
    async fn is_silent(&mut self, partition: TopicPartition, end: Offset) -> Result<bool, LogError> {
        let Some(held) = self.held.get_mut(&partition) else { return Ok(false) };
        let from = held.next;
        if end <= from || held.silent.get_or_insert_with(Instant::now).elapsed() < SILENT {
            return Ok(false);
        }
        held.silent = None;
        let shared = Arc::clone(&self.shared);
        let one = Fetch { records: 1, ..Fetch::default() };
        let found = blocking(move || shared.ranges.read(partition, from, end, one)).await?;
        let nothing = found.is_empty() && found.next >= end;
        if let Some(held) = self.held.get_mut(&partition).filter(|h| nothing && h.next == from && h.buffer.len() == 0) {
            held.end = Some(end);
            return Ok(true);
        }
        Ok(false)
    }

    /// Ends of the partitions, and the broker's clock as it was heard before they were asked for.
    async fn ends(&mut self, place: TopicPartition) -> Result<Option<(LogTime, Offset)>, LogError> {
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

enum Change {
    None,
    Assign(Vec<Place>),
    Revoke(Vec<Place>, bool),
    Error { code: RDKafkaErrorCode, fatal: bool, text: String, place: Option<Place> },
}

fn list_places(places: &[Place]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        list.add_partition(topic, *partition);
    }
    list
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
                    Err(error) => tracing::warn!(%error, "a look at committed positions was lost"),
                }
            }
            self.pump();
            if self.fenced {
                self.rejoin().await?;
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if let Some(polled) = self.rebalanced() {
                return Ok(polled);
            }
            if let Some(polled) = self.records(fetch) {
                return Ok(polled);
            }
            let woken = Arc::clone(&self.woken);
            tokio::select! {
                biased;
                Some(learned) = self.lookups.join_next() => {
                    if let Ok(lookup) = learned {
                        self.learned(lookup);
                    }
                }
                () = woken.notified() => {}
                () = sleep_until(deadline) => return Ok(Polled::Nothing),
            }
        }
    }

    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        let doing = || format!("seeking {partition} to {offset}");
        if !matches!(self.held.get(&partition), Some(Held { state: State::Told(_), .. })) {
            let cause = "the partition is not assigned to this consumer".to_owned();
            return Err(LogError::Fatal { doing: doing(), cause });
        }
        let deadline = Instant::now() + SEEK;
        let names = self.shared.names.clone();
        loop {
            let (consumer, topic) = (Arc::clone(&self.consumer), names.of(partition.topic).to_owned());
            let sought = blocking(move || {
                consumer.seek(&topic, partition.partition as i32, At::Offset(offset), Duration::from_secs(5))
            });
            match sought.await {
                Ok(()) => break,
                // librdkafka is still looking up where to begin.
                Err(error) if Instant::now() < deadline => {
                    tracing::debug!(%error, %partition, "seeking again");
                    self.pump();
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => return Err(log_error(&names, doing(), &error)),
            }
        }
        if let Some(held) = self.held.get_mut(&partition) {
            let floor = match held.state {
                State::Told(Some(position)) if position.offset <= offset => position.log_time,
                _ => LogTime(i64::MIN),
            };
            (held.buffer, held.next, held.end) = (Buffer::new(partition, offset, floor), offset, None);
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
        self.shared.alive().map_err(|e| CommitError::Fatal(e.to_string()))?;
        if let Err(refused) = self.check(step) {
            if let CommitError::Lost(lost) = &refused {
                let ours: Vec<TopicPartition> = lost.iter().filter(|p| self.held.contains_key(p)).copied().collect();
                self.moved(&ours).map_err(|e| CommitError::Fatal(e.to_string()))?;
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
        let found = blocking(move || positions::committed(&consumer, &names, &[partition])).await;
        let found = found.map_err(|e| {
            log_error(&self.shared.names, format!("asking where {} stands in {partition}", self.group), &e)
        })?;
        let position = found.into_iter().find(|(p, _)| *p == partition).and_then(|(_, position)| position);
        // A commit in doubt that turns out done has moved it.
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
        // Between what was delivered and the end are only markers and aborted records: for the caller it is the end.
        let (next, waits) = (held.next, held.buffer.len() > 0);
        let drained = !waits && (held.end.is_some_and(|seen| seen >= end) || self.is_silent(partition, end).await?);
        let end = if drained { next } else { end.max(next) };
        self.horizon_floor = self.horizon_floor.max(LogTime(clock.0 - VISIBLE_WITHIN_MS));
        Ok(Some(Horizon { end, time: self.horizon_floor }))
    }
}
