//! A log, a receiver in trouble and one that is well, in virtual time; and whether both know what they have to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use slipstream_alerter::notifier::dispatch::{Answer, Delivery};
use slipstream_alerter::notifier::payload::{Alert, Status};
use slipstream_alerter::notifier::transport::Transport;
use slipstream_alerter::notifier::{Outside, run_outside};
use slipstream_alerter::{AlerterError, Links, ReceiverConfig};
use slipstream_log::clock::ManualClock;
use slipstream_log::memory::MemoryLog;
use slipstream_log::{Fetch, Log, TopicPartition};
use slipstream_runtime::Shutdown;
use slipstream_runtime::health::Health;
use slipstream_schemas::records::{Notification, Outcome, TransitionKind};
use slipstream_schemas::{Topic, codec};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{happens, log};

/// The receiver that is well.
const WELL: &str = "well";

/// Of the attempts that end in doubt the receiver takes each one of so many.
const TAKES_EACH: usize = 3;

/// How a notifier ends before the next one begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    Stopped,
    Killed,
}

/// An alert that was taken: when, its id, episode and seq, and whether it fires.
type Taken = (Instant, String, i64, i32, Status);

/// What happens at a second: id, episode, seq and kind.
pub type Step = (u64, String, u64, i32, TransitionKind);

/// What happened, and when.
type Happened = (Instant, String, i64, i32, TransitionKind);

/// A receiver; during its outage it gives one answer alone.
struct Desk {
    trouble: Option<(Answer, Duration, Instant, Instant)>,
    troubled: AtomicUsize,
    taken: Mutex<Vec<Taken>>,
    /// Episodes whose beginning it may have taken, although it did not say so: of them it may be told the end.
    doubtful: Mutex<BTreeSet<(String, i64)>>,
}

impl Desk {
    fn new(trouble: Option<(Answer, Duration, Instant, Instant)>) -> Arc<Desk> {
        Arc::new(Desk { trouble, troubled: AtomicUsize::new(0), taken: Mutex::default(), doubtful: Mutex::default() })
    }

    fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Desk {
    fn host(&self) -> &str {
        "desk.test"
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        if let Some((answer, takes, from, to)) = &self.trouble
            && (*from..*to).contains(&Instant::now())
        {
            let attempt = self.troubled.fetch_add(1, Ordering::SeqCst);
            let doubt = matches!(answer, Answer::Failed { doubt: true, .. });
            if doubt {
                let begun = delivery.message.alerts.iter().map(taken).map(|(_, id, episode, ..)| (id, episode));
                self.doubtful.lock().unwrap().extend(begun);
            }
            tokio::time::sleep(*takes).await;
            if doubt && attempt.is_multiple_of(TAKES_EACH) {
                self.taken.lock().unwrap().extend(delivery.message.alerts.iter().map(taken));
            }
            return answer.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.taken.lock().unwrap().extend(delivery.message.alerts.iter().map(taken));
        Answer::Delivered { status: 200 }
    }
}

fn taken(alert: &Alert) -> Taken {
    let key: Vec<&str> = alert.annotations["idempotency_key"].split('/').collect();
    (Instant::now(), key[0].to_owned(), key[1].parse().unwrap(), key[2].parse().unwrap(), alert.status)
}

/// A notifier that runs.
struct Running {
    tasks: JoinSet<Result<(), AlerterError>>,
    shutdown: Shutdown,
}

impl Running {
    async fn end(mut self, how: End) {
        if how == End::Killed {
            return self.tasks.shutdown().await;
        }
        self.shutdown.cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }
}

pub struct World {
    log: Arc<MemoryLog>,
    clock: ManualClock,
    began: (Instant, i64),
    name: &'static str,
    desk: Arc<Desk>,
    well: Arc<Desk>,
    most_pending: AtomicUsize,
    happened: Mutex<Vec<Happened>>,
}

impl World {
    /// `outage`: from when to when the receiver of that name gives this answer, seconds from now.
    pub fn new(name: &'static str, answer: Answer, takes: Duration, (from, to): (u64, u64)) -> World {
        let (log, clock) = log();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let desk = Desk::new(Some((answer, takes, at(from), at(to))));
        let began = (now, clock.now());
        let (well, most_pending, happened) = (Desk::new(None), AtomicUsize::new(0), Mutex::default());
        World { log, clock, began, name, desk, well, most_pending, happened }
    }

    fn notifier(&self, name: &str, desk: &Arc<Desk>) -> Running {
        let (shutdown, mut tasks) = (Shutdown::new(), JoinSet::new());
        let transport = Arc::clone(desk) as Arc<dyn Transport>;
        let outside = Outside { transport, now_ms: self.now(), time_of_day: None };
        let receiver = ReceiverConfig::webhook(name, "http://desk.test/hook");
        let (log, links) = (Arc::clone(&self.log) as _, Links::default());
        tasks.spawn(run_outside(log, receiver, links, outside, Health::default(), shutdown.clone()));
        Running { tasks, shutdown }
    }

    /// Milliseconds since the epoch.
    fn now(&self) -> i64 {
        self.began.1 + i64::try_from(self.began.0.elapsed().as_millis()).unwrap()
    }

    /// Waits until a second, and sets the log's clock.
    async fn until(&self, second: u64) {
        loop {
            let pending = usize::try_from(self.gauge("slipstream_notifier_pending")).unwrap();
            self.most_pending.fetch_max(pending, Ordering::SeqCst);
            self.clock.set(self.now());
            let left = (self.began.0 + Duration::from_secs(second)).saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
    }

    fn gauge(&self, name: &str) -> i64 {
        let families = prometheus::default_registry().gather();
        let family = families.iter().find(|family| family.name() == name);
        let mine =
            |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|label| label.value() == self.name);
        family
            .and_then(|family| family.get_metric().iter().find(mine))
            .map_or(0, |found| found.get_gauge().get_value() as i64)
    }

    /// Lets a story happen, with restarts of the notifier of the receiver in trouble.
    pub async fn live(&self, story: &[Step], restarts: &[(u64, End)], over: u64) {
        let well = self.notifier(WELL, &self.well);
        let mut running = self.notifier(self.name, &self.desk);
        let (mut story, mut restarts) = (story.iter().peekable(), restarts.iter().peekable());
        for second in 0..over {
            self.until(second).await;
            while let Some((_, id, episode, seq, kind)) = story.next_if(|(at, ..)| *at <= second) {
                let episode = i64::try_from(*episode).unwrap();
                happens(&self.log, id, episode, *seq, *kind).await;
                self.happened.lock().unwrap().push((Instant::now(), id.clone(), episode, *seq, *kind));
            }
            if let Some((_, how)) = restarts.next_if(|(at, _)| *at == second) {
                running.end(*how).await;
                running = self.notifier(self.name, &self.desk);
            }
        }
        running.end(End::Stopped).await;
        well.end(End::Stopped).await;
        assert!(story.next().is_none() && restarts.next().is_none(), "all of it has happened");
    }

    /// Attempts that were made in vain.
    pub fn troubled(&self) -> usize {
        self.desk.troubled.load(Ordering::SeqCst)
    }

    /// The most transitions that the notifier held at a time.
    pub fn most_pending(&self) -> usize {
        self.most_pending.load(Ordering::SeqCst)
    }

    /// Whether both receivers know what they have to; the one that is well, within this time.
    pub async fn judge(&self, soon: Duration) {
        let happened = self.happened.lock().unwrap().clone();
        for (name, desk) in [(self.name, &self.desk), (WELL, &self.well)] {
            let taken = desk.taken();
            in_order(name, &taken, &desk.doubtful.lock().unwrap());
            account(name, &happened, &taken, &outcomes(&self.log, name).await);
        }
        let first = self.well.taken().into_iter().rev().map(|(at, id, episode, seq, _)| ((id, episode, seq), at));
        let first: BTreeMap<_, _> = first.collect();
        for (at, id, episode, seq, _) in happened {
            let told =
                first.get(&(id.clone(), episode, seq)).unwrap_or_else(|| panic!("{WELL} never heard of {id}/{seq}"));
            assert!(told.duration_since(at) <= soon, "{WELL} heard of {id}/{seq} {:?} late", told.duration_since(at));
        }
    }
}

/// What became of transitions: by alert, episode and seq.
type Outcomes = BTreeMap<(String, i64, i32), Vec<Outcome>>;

async fn outcomes(log: &MemoryLog, receiver: &str) -> Outcomes {
    let mut found = Outcomes::new();
    for partition in 0..log.partitions(Topic::Notifications).await.unwrap() {
        let partition = TopicPartition { topic: Topic::Notifications, partition };
        let (mut next, end) = log.bounds(partition).await.unwrap();
        while next < end {
            let batch = log.read(partition, next, end, Fetch::default()).await.unwrap();
            for record in batch.iter() {
                let note: Notification = codec::decode(record.value().unwrap()).unwrap();
                if note.receiver == receiver && note.outcome != Outcome::Failed {
                    found.entry((note.alert_id, note.episode, note.seq)).or_default().push(note.outcome);
                }
            }
            next = batch.next;
        }
    }
    found
}

/// Of no alert is something older told after something newer, and no end without its beginning (A2).
fn in_order(receiver: &str, taken: &[Taken], doubtful: &BTreeSet<(String, i64)>) {
    let mut last: BTreeMap<&str, (i64, i32)> = BTreeMap::new();
    let mut open: BTreeSet<(&str, i64)> = BTreeSet::new();
    for (_, id, episode, seq, status) in taken {
        let before = last.insert(id, (*episode, *seq)).unwrap_or((0, 0));
        assert!(before <= (*episode, *seq), "{receiver}: {id} {before:?} was told before {episode}/{seq}");
        match status {
            Status::Firing => drop(open.insert((id, *episode))),
            // A severity that is told ends the one before in the same body, and goes on.
            Status::Resolved => {
                let began = open.contains(&(id.as_str(), *episode)) || doubtful.contains(&(id.clone(), *episode));
                assert!(began, "{receiver}: {id} ended and never began");
            }
        }
    }
}

/// Every transition has an outcome; what was delivered was taken; what was not due had come to nothing; and the receiver's last word of
/// an alert that it knows is the truth (A3).
fn account(receiver: &str, happened: &[Happened], taken: &[Taken], outcomes: &Outcomes) {
    let last: BTreeMap<&str, &Happened> = happened.iter().map(|one| (one.1.as_str(), one)).collect();
    let told: BTreeSet<(&str, i64, i32)> =
        taken.iter().map(|(_, id, episode, seq, _)| (id.as_str(), *episode, *seq)).collect();
    for (_, id, episode, seq, kind) in happened {
        let key = (id.clone(), *episode, *seq);
        let became = outcomes.get(&key).unwrap_or_else(|| panic!("{receiver}: nothing became of {key:?} {kind:?}"));
        if became.contains(&Outcome::Delivered) {
            assert!(told.contains(&(id, *episode, *seq)), "{receiver}: {key:?} is recorded as delivered and was not");
        }
        let is_last = last[id.as_str()].2 == *episode && last[id.as_str()].3 == *seq;
        let knows = told.iter().any(|(of, begun, _)| of == id && begun == episode);
        let is_due = is_last && (*kind != TransitionKind::Resolved || knows);
        assert!(!is_due || became.contains(&Outcome::Delivered), "{receiver}: {key:?} {kind:?} was due: {became:?}");
    }
    for (id, (_, _, episode, seq, kind)) in last {
        let Some(said) = taken.iter().rfind(|(_, of, ..)| of == id) else { continue };
        let fires = *kind != TransitionKind::Resolved;
        let truth = (*episode, *seq, if fires { Status::Firing } else { Status::Resolved });
        let knew_it = (said.2, said.3, said.4) == truth;
        let never_heard = !fires && !taken.iter().any(|(_, of, begun, ..)| of == id && begun == episode);
        assert!(knew_it || never_heard, "{receiver}: the last of {id} is {said:?}, and {truth:?} is true");
    }
}
