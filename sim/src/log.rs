//! The log as one process has it: the memory log, far away, on a bad day. What it does wrong Kafka does too.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use slipstream_log::memory::MemoryLog;
use slipstream_log::{
    Appended, Batch, CommitError, Consumer, Fetch, Horizon, Log, LogError, Offset, Outgoing, Polled, Position, Share,
    Step, TopicPartition,
};
use slipstream_schemas::{Cause, LogTime, Topic};
use slipstream_slo::hash::fnv1a64;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::weather::Weather;

/// How far behind the broker's clock a horizon is, milliseconds: a record that becomes visible later breaks L7.
pub const HORIZON_MS: i64 = 500;

/// How often a member checks what it owns, at least.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// No topic of these worlds has more.
pub const MOST_PARTITIONS: u32 = 3;

/// What a process shares with the world: its identity, what it owns, and how it ended.
#[derive(Debug, Default)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// It was killed: the coordinator does not know yet.
    pub killed: AtomicBool,
    owned: Mutex<BTreeSet<TopicPartition>>,
}

impl Identity {
    /// A process that owns nothing yet.
    pub fn new(name: String) -> Arc<Identity> {
        Arc::new(Identity { name, ..Identity::default() })
    }

    /// A partition that it believes to own.
    pub fn owns_any(&self) -> Option<TopicPartition> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner).first().copied()
    }

    fn gains(&self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner).extend(partitions);
    }

    fn loses(&self, partitions: &[TopicPartition]) {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner).retain(|p| !partitions.contains(p));
    }
}

/// Consumers of processes that were killed: they own their partitions until their sessions time out.
pub type Graves = Arc<Mutex<JoinSet<()>>>;

/// See the module.
pub struct SimLog {
    /// The log itself.
    pub inner: Arc<MemoryLog>,
    /// Faults for its users.
    pub weather: Arc<Weather>,
    /// Its user.
    pub identity: Arc<Identity>,
    /// Where its consumers go when it is killed.
    pub graves: Graves,
}

impl SimLog {
    fn who(&self) -> &str {
        &self.identity.name
    }

    /// A request: it takes a while, and may fail.
    async fn ask(&self, what: &'static str) -> Result<(), LogError> {
        ask(&self.weather, self.who(), what).await
    }

    /// A look at the definitions may take seconds.
    async fn look(&self, topic: Topic) {
        if topic == Topic::SloDefinitions && self.weather.strikes(|c| c.slow_looks) {
            let ms = self.weather.dice.between(500, 6_000);
            self.weather.fault(self.who(), "slow look", &format!("{ms} ms"));
            sleep(Duration::from_millis(ms as u64)).await;
        }
    }
}

async fn ask(weather: &Weather, who: &str, what: &'static str) -> Result<(), LogError> {
    weather.pause(who).await;
    if weather.is_away() || weather.strikes(|c| c.transient) {
        weather.fault(who, "not answered", what);
        return Err(LogError::Transient { doing: what.to_owned(), cause: "injected".into() });
    }
    Ok(())
}

#[async_trait]
impl Log for SimLog {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn total_order(&self) -> bool {
        self.inner.total_order()
    }

    async fn partitions(&self, topic: Topic) -> Result<u32, LogError> {
        self.ask("asking for partitions").await?;
        self.inner.partitions(topic).await
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<Vec<Appended>, LogError> {
        let topics: Vec<Topic> = records.iter().map(|record| record.topic).collect();
        let appended = self.inner.publish(records).await?;
        for (topic, at) in topics.into_iter().zip(&appended) {
            self.weather.reveal_after(&self.inner, TopicPartition { topic, partition: at.partition }, 0);
        }
        Ok(appended)
    }

    async fn publish_atomically(&self, writer: &str, records: Vec<Outgoing>) -> Result<Vec<Appended>, CommitError> {
        self.inner.publish_atomically(writer, records).await
    }

    async fn take_writer(&self, writer: &str) -> Result<(), CommitError> {
        self.inner.take_writer(writer).await
    }

    async fn bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.ask("asking for bounds").await?;
        self.look(partition.topic).await;
        self.inner.bounds(partition).await
    }

    async fn settled_bounds(&self, partition: TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.ask("asking for bounds").await?;
        let written = self.inner.written(partition);
        loop {
            let (first, end) = self.inner.bounds(partition).await?;
            if end >= written {
                return Ok((first, end));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn read(&self, partition: TopicPartition, from: Offset, to: Offset, fetch: Fetch) -> Result<Batch, LogError> {
        self.ask("reading").await?;
        self.inner.read(partition, from, to, shortened(&self.weather, fetch)).await
    }

    async fn offset_at(&self, partition: TopicPartition, time: LogTime) -> Result<Offset, LogError> {
        self.ask("looking up a log time").await?;
        self.inner.offset_at(partition, time).await
    }

    async fn committed(&self, group: &str, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.ask("looking up a committed position").await?;
        self.inner.committed(group, partition).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic], share: Share) -> Result<Box<dyn Consumer>, LogError> {
        self.ask("joining a group").await?;
        let inner = Some(self.inner.subscribe(group, topics, share).await?);
        Ok(Box::new(SimConsumer {
            inner,
            log: Arc::clone(&self.inner),
            weather: Arc::clone(&self.weather),
            identity: Arc::clone(&self.identity),
            graves: Arc::clone(&self.graves),
        }))
    }
}

fn shortened(weather: &Weather, fetch: Fetch) -> Fetch {
    if weather.strikes(|c| c.short_fetches) {
        return Fetch { records: weather.dice.pick(&[1, 1, 2, 5, 20]), ..fetch };
    }
    fetch
}

struct SimConsumer {
    /// `None` if it is dead.
    inner: Option<Box<dyn Consumer>>,
    log: Arc<MemoryLog>,
    weather: Arc<Weather>,
    identity: Arc<Identity>,
    graves: Graves,
}

impl SimConsumer {
    fn inner(&mut self) -> Result<&mut dyn Consumer, LogError> {
        let gone = || LogError::Fatal { doing: "using a consumer".to_owned(), cause: "it is dead".into() };
        Ok(self.inner.as_mut().ok_or_else(gone)?.as_mut())
    }

    fn say(&self, what: &str) {
        self.weather.say(&self.identity.name, what);
    }

    fn fault(&self, kind: &'static str, detail: &str) {
        self.weather.fault(&self.identity.name, kind, detail);
    }

    fn told(&self, polled: &Polled) {
        match polled {
            Polled::Nothing => {}
            Polled::Assigned(gained) => {
                self.identity.gains(gained.iter().map(|(p, _)| *p));
                for (partition, position) in gained {
                    let at = position.unwrap_or_default();
                    self.say(&format!("gains {partition} at {}, log time {}", at.offset, at.log_time.0));
                }
            }
            Polled::Revoked(lost) => {
                self.identity.loses(lost);
                self.say(&format!("loses {}", list(lost)));
            }
            Polled::Records(batch) => {
                self.say(&format!("reads {} [..{}), {} records", batch.partition, batch.next, batch.len()));
            }
        }
    }

    /// What it wrote is visible at once, or later.
    fn show(&self, step: &Step) {
        let of = |o: &Outgoing| match o.partition {
            Some(partition) => partition..partition + 1,
            None => 0..MOST_PARTITIONS,
        };
        let all = step.outputs.iter().flat_map(|o| of(o).map(|partition| TopicPartition { topic: o.topic, partition }));
        let mut partitions: BTreeSet<TopicPartition> = all.collect();
        partitions.retain(|p| self.log.written(*p) > 0);
        if partitions.is_empty() {
            return;
        }
        let late = self.weather.strikes(|c| c.late_outputs);
        let ms = if late { self.weather.dice.pick(&[3, 20, 120, 400]) } else { 0 };
        if late {
            self.fault("outputs visible late", &format!("{ms} ms"));
        }
        partitions.into_iter().for_each(|p| self.weather.reveal_after(&self.log, p, ms));
    }
}

fn list(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A step as one line: its range, the number of outputs, and a hash of their bytes.
fn line(step: &Step) -> String {
    let moves = step.positions.iter().map(|a| {
        let (from, to) = (a.from, a.to);
        format!("{} {}@{} to {}@{}", a.partition, from.offset, from.log_time.0, to.offset, to.log_time.0)
    });
    let bytes = step.outputs.iter().map(|o| format!("{:?}{:?}{:?}{:?}", o.topic, o.partition, o.key, o.value));
    let bytes: Vec<String> = bytes.collect();
    let hash = fnv1a64(bytes.iter().map(String::as_str));
    format!("{}; {} outputs {hash:016x}", moves.collect::<Vec<_>>().join(", "), step.outputs.len())
}

/// How a commit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    Aborted,
    InDoubtDone,
    InDoubtNot,
}

#[async_trait]
impl Consumer for SimConsumer {
    async fn poll(&mut self, fetch: Fetch, wait: Duration) -> Result<Polled, LogError> {
        let (weather, who) = (Arc::clone(&self.weather), Arc::clone(&self.identity));
        ask(&weather, &who.name, "polling").await?;
        let fetch = shortened(&weather, fetch);
        let deadline = Instant::now() + wait;
        loop {
            // Polled without waiting: the order in which the log's own bell wakes its waiters does not depend on the
            // seed.
            let bell = weather.bell();
            let polled = self.inner()?.poll(fetch, Duration::ZERO).await?;
            if !matches!(polled, Polled::Nothing) || Instant::now() >= deadline {
                self.told(&polled);
                return Ok(polled);
            }
            let _ = timeout_at(deadline.min(Instant::now() + HEARTBEAT), bell).await;
        }
    }

    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        self.inner()?.seek(partition, offset).await
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        if let Some(inner) = &mut self.inner {
            inner.pause(partitions);
        }
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        if let Some(inner) = &mut self.inner {
            inner.resume(partitions);
        }
    }

    async fn commit(&mut self, step: &Step) -> Result<(), CommitError> {
        let (weather, who) = (Arc::clone(&self.weather), Arc::clone(&self.identity));
        weather.pause(&who.name).await;
        let fates = [Fate::Aborted, Fate::InDoubtDone, Fate::InDoubtNot];
        let strikes = weather.strikes(|c| c.commits);
        let fate = if weather.is_away() || strikes { weather.dice.pick(&fates) } else { Fate::Well };
        if matches!(fate, Fate::Well | Fate::InDoubtDone) {
            weather.log_time();
            let committed = self.inner().map_err(|e| CommitError::Fatal(Cause::of(e)))?.commit(step).await;
            let how = committed.as_ref().err().map_or("commits".to_owned(), |e| format!("is refused ({e})"));
            self.say(&format!("{how} {}", line(step)));
            if committed.is_ok() {
                self.show(step);
            }
            committed?;
        }
        // A process that is killed here has committed without learning of it.
        weather.pause(&who.name).await;
        match fate {
            Fate::Well => Ok(()),
            Fate::Aborted => {
                self.fault("commit aborted", "");
                Err(CommitError::Aborted("injected".into()))
            }
            Fate::InDoubtDone => {
                self.fault("commit in doubt, done", "");
                Err(CommitError::InDoubt("injected".into()))
            }
            Fate::InDoubtNot => {
                self.fault("commit in doubt, not done", "");
                Err(CommitError::InDoubt("injected".into()))
            }
        }
    }

    async fn committed(&mut self, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        let (weather, who) = (Arc::clone(&self.weather), Arc::clone(&self.identity));
        ask(&weather, &who.name, "looking up a committed position").await?;
        self.inner()?.committed(partition).await
    }

    /// As on Kafka: the broker's clock, less what a record may need to be seen; then the end.
    async fn horizon(&mut self, partition: TopicPartition) -> Result<Option<Horizon>, LogError> {
        if self.weather.strikes(|c| c.no_horizon) {
            return Ok(None);
        }
        let heard = self.weather.log_time() - HORIZON_MS - self.weather.dice.between(0, 100);
        let (weather, who) = (Arc::clone(&self.weather), Arc::clone(&self.identity));
        ask(&weather, &who.name, "looking up a horizon").await?;
        let end = self.inner()?.horizon(partition).await?.map(|h| h.end);
        Ok(end.map(|end| Horizon { end, time: LogTime(heard) }))
    }
}

impl Drop for SimConsumer {
    /// A session that was not ended continues until the coordinator misses its heartbeats.
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        if !self.identity.killed.load(Ordering::SeqCst) {
            return;
        }
        let ms = self.weather.dice.pick(&[0, 200, 1_000, 3_500]);
        let mut graves = self.graves.lock().unwrap_or_else(PoisonError::into_inner);
        graves.spawn(async move {
            sleep(Duration::from_millis(ms)).await;
            drop(inner);
        });
    }
}
