//! Tells one receiver about alerts: the thin loop around [`dispatch`], which decides what to send when, and [`ledger`],
//! which knows up to where a position may move. [`payload`] is Alertmanager's webhook version 4, [`words`] what it
//! says, [`identity`] is how a receiver identifies an alert; [`restore`] rebuilds what a receiver was sent;
//! [`transport`] makes one attempt. [`watchdog`] tells a dead man's switch that all of it works.
//!
//! Reads `alerts` in its own consumer group, so a dead receiver delays only itself. While requests are in progress it
//! continues reading. A position is committed together with the outcomes that it covers (A3). What the receiver refuses
//! is recorded as refused, so that it holds up nothing, and sent again while it is true; a later success is recorded
//! separately.
//!
//! After a crash what lies beyond the committed position is decided again: what had been delivered from there is sent
//! again with the same keys. What failed in doubt is noted, and what was under way when the notifier stopped or lost its partition, so
//! whoever takes over knows what the receiver may have. One thing cannot be
//! known: where the process died between the receiver's taking a firing and the first note of it, and the alert is held back by the
//! time another takes over, or is over for more than a minute, the receiver is not told of the end, because the log says that it was
//! never told of the beginning.

mod as_of;
pub mod dispatch;
pub mod evidence;
pub mod format;
mod gojson;
pub mod identity;
mod in_flight;
mod intake;
pub mod ledger;
pub mod links;
pub mod payload;
pub mod policy;
pub mod receiver;
pub mod restore;
pub mod sample;
pub mod signature;
pub mod transport;
mod watch;
pub mod watchdog;
pub mod words;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use slipstream_log::{Consumer, LogError, Outgoing, Polled, Share, SharedLog, Step, StepFate, settle};
use slipstream_role::markers::FollowedMarkers;
use slipstream_role::patience::patient;
use slipstream_role::reading::Reader;
use slipstream_role::silences::SilenceReader;
use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::records::Notification;
use slipstream_schemas::{Topic, codec};
use slipstream_slo::alerts::Silence;
use tokio::time::Instant;

use crate::error::AlerterError;
use crate::notifier::dispatch::{Answer, Dispatcher, Part, in_doubt};
use crate::notifier::ledger::Ledger;
use crate::notifier::links::Links;
use crate::notifier::receiver::ReceiverConfig;
use crate::notifier::transport::{Journal, Transport};
use crate::telemetry::{NotRecorded, PartitionsLost, Recorded, Standing, UnusableSilence};
use in_flight::{Finished, InFlight};
use watchdog::Watchdog;

/// Transitions held at a time; beyond it reading pauses.
const HELD: usize = 20_000;

/// A burst is waited for, but not longer.
const DRAIN: Duration = Duration::from_millis(100);

/// How long requests and commits in progress may take on shutdown.
const GRACE: Duration = Duration::from_secs(3);

/// How often it is read what people say while something is held back.
const LISTEN: Duration = Duration::from_millis(500);

/// Positions that cover no outcome are committed at this pace: reading them again would cost little.
const LAZY: Duration = Duration::from_secs(1);

/// Runs the notifier of one receiver until `shutdown`. The process has installed a TLS provider before.
///
/// # Errors
/// When the receiver is configured wrongly, or the log fails permanently. A receiver that does not respond is not an
/// error.
pub async fn run(
    log: SharedLog,
    receiver: ReceiverConfig,
    links: Links,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), AlerterError> {
    let markers = FollowedMarkers::reaching(receiver.format.reaches_back());
    let transport = transport::open(&receiver, Journal::of(&log, &markers))?;
    run_outside(
        log,
        receiver,
        links,
        Outside { transport, now_ms: time_of_day(), time_of_day: Some(time_of_day) },
        health,
        shutdown,
    )
    .await
}

/// What the notifier has from outside of the log. A simulation brings its own.
pub struct Outside {
    /// The way to the receiver.
    pub transport: Arc<dyn Transport>,
    /// The time of day when it begins, milliseconds since the epoch.
    pub now_ms: i64,
    /// The time of day whenever it is asked, where it may differ from the one that passes: a machine sleeps, its clock is set.
    pub time_of_day: Option<fn() -> i64>,
}

/// [`run`] in a world of the caller's.
///
/// # Errors
/// As for [`run`].
pub async fn run_outside(
    log: SharedLog,
    receiver: ReceiverConfig,
    links: Links,
    outside: Outside,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), AlerterError> {
    receiver.check()?;
    let log = patient(log, &receiver.group());
    work(log, receiver, links, outside, health, shutdown).await
}

async fn work(
    log: SharedLog,
    receiver: ReceiverConfig,
    links: Links,
    outside: Outside,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), AlerterError> {
    let role = receiver.group();
    health.set(&role, State::Starting("joining its consumer group".to_owned()));
    let joined = log.subscribe(&role, &[Topic::Alerts], Share::Whole).await;
    let consumer = joined.map_err(AlerterError::log("joining a consumer group"))?;
    let clock = Clock { base: outside.now_ms, start: Instant::now() };
    let mut notifier = Notifier {
        watchdog: Watchdog::of(&receiver, &links, &log, &outside.transport, clock.now()),
        dispatcher: Dispatcher::new(receiver.clone(), links),
        ledger: Ledger::default(),
        in_flight: InFlight::new(outside.transport, receiver.name.clone()),
        clock,
        time_of_day: outside.time_of_day,
        paused: false,
        fresh: None,
        caught_up: false,
        drained: false,
        committed_at: Instant::now(),
        amended: Vec::new(),
        last_refusal: None,
        said: SilenceReader::default(),
        listened_at: None,
        log,
        receiver: receiver.name,
        role,
        consumer,
        health,
        shutdown,
    };
    notifier.work().await
}

/// Monotonic, and near the time of day: for intervals as for records.
struct Clock {
    base: i64,
    start: Instant,
}

/// Milliseconds since the epoch.
pub fn time_of_day() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

impl Clock {
    fn now(&self) -> i64 {
        self.base + self.start.elapsed().as_millis() as i64
    }
}

struct Notifier {
    log: SharedLog,
    receiver: String,
    role: String,
    consumer: Box<dyn Consumer>,
    dispatcher: Dispatcher,
    ledger: Ledger,
    in_flight: InFlight,
    clock: Clock,
    time_of_day: Option<fn() -> i64>,
    health: Health,
    shutdown: Shutdown,
    /// Too much is held: nothing is read.
    paused: bool,
    /// When the first transition was read that no flush has looked at.
    fresh: Option<Instant>,
    /// `alerts` was read to its end since a partition was gained: what the log remembers may be over by then.
    caught_up: bool,
    /// The last poll brought nothing.
    drained: bool,
    committed_at: Instant,
    /// Second outcomes, to be recorded separately.
    amended: Vec<Notification>,
    /// With which status the receiver refused something last.
    last_refusal: Option<u16>,
    /// What people say about alerts.
    said: SilenceReader,
    /// When it was read last.
    listened_at: Option<Instant>,
    /// Tells the receiver that alerting works, if it is the one.
    watchdog: Option<Watchdog>,
}

/// Whether to go on.
enum Flow {
    On,
    Stop,
}

impl Notifier {
    async fn work(&mut self) -> Result<(), AlerterError> {
        match self.work_until_told().await? {
            Flow::Stop => Ok(()),
            Flow::On => self.end().await,
        }
    }

    async fn work_until_told(&mut self) -> Result<Flow, AlerterError> {
        while !self.shutdown.is_cancelled() {
            let wait = self.wait();
            match self.in_flight.fly_while(self.consumer.poll(Default::default(), wait), &self.shutdown).await {
                None => break,
                Some(Ok(polled)) => self.take(polled).await?,
                Some(Err(LogError::OutOfRange { partition, first, .. })) => self.skip_to(partition, first).await?,
                Some(Err(error)) => return Err(AlerterError::log("reading alerts")(error)),
            }
            self.take_finished();
            self.listen_for_ends().await?;
            self.flush().await?;
            if let Flow::Stop = self.commit().await? {
                return Ok(Flow::Stop);
            }
            self.watch().await?;
            self.regulate();
            self.report();
        }
        Ok(Flow::On)
    }

    /// How long a poll may take before something else is to be done.
    fn wait(&self) -> Duration {
        if self.fresh.is_some() {
            return Duration::from_millis(2);
        }
        let most = if self.in_flight.is_empty() { Duration::from_millis(250) } else { Duration::from_millis(20) };
        let due = self
            .dispatcher
            .wake_at()
            .map(|at| Duration::from_millis(at.saturating_sub(self.clock.now()).max(2) as u64));
        due.map_or(most, |due| due.min(most))
    }

    async fn take(&mut self, polled: Polled) -> Result<(), AlerterError> {
        self.drained = matches!(polled, Polled::Nothing);
        match polled {
            Polled::Nothing => {}
            Polled::Assigned(gained) => {
                self.gain(&gained).await?;
                // Whatever was paused is decided again, new partitions included.
                self.paused = false;
                self.caught_up = false;
            }
            Polled::Revoked(lost) => self.lose(&lost).await,
            Polled::Records(batch) => self.read(&batch).await?,
        }
        Ok(())
    }

    /// Somebody else speaks of these partitions now. What was being said of them is given up; of what the receiver has, or may
    /// have, beyond the committed position that is noted, as whoever takes over has to know. Best where the note comes before it
    /// reads them, which nobody can promise.
    async fn lose(&mut self, lost: &[slipstream_log::TopicPartition]) {
        let mine: Vec<_> = lost.iter().copied().filter(|p| self.ledger.owns(p.partition)).collect();
        if mine.is_empty() {
            return;
        }
        let is_lost = |part: &Part| mine.iter().any(|lost| lost.partition == part.ticket.partition);
        // A reminder may be of them, too.
        self.in_flight.give_up(|delivery| delivery.reminder.is_some() || delivery.parts.iter().any(is_lost)).await;
        self.take_finished();
        for partition in &mine {
            self.dispatcher.drop_partition(partition.partition);
            let unrecorded = self.ledger.close(partition.partition);
            self.amended.extend(unrecorded.into_iter().filter_map(in_doubt));
        }
        PartitionsLost { role: &self.role, partitions: &mine }.emit();
    }

    /// What has come back.
    fn take_finished(&mut self) {
        let now = self.clock.now();
        for Finished { delivery, answer, took } in self.in_flight.finished() {
            if let Answer::Refused { status, .. } = answer {
                self.last_refusal = Some(status);
            }
            for mut settled in self.dispatcher.finished(&delivery, &answer, now) {
                settled.notification.latency_ms = Some(i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
                self.amended.extend(self.ledger.settle(settled));
            }
        }
    }

    /// Sends what is due, once `alerts` is drained: to its very end where the receiver is behind, else as far as
    /// [`DRAIN`] allows.
    async fn flush(&mut self) -> Result<(), AlerterError> {
        let now = self.clock.now();
        // First: after a sleep of the machine, or where its clock was set, other times have come.
        if let Some(time_of_day) = self.time_of_day {
            self.dispatcher.set_clock(time_of_day() - now);
        }
        if self.dispatcher.wake_at().is_none_or(|at| at > now) {
            self.fresh = self.fresh.filter(|_| !self.drained);
            return Ok(());
        }
        let patient = self.fresh.is_none_or(|since| since.elapsed() >= DRAIN);
        let to_the_end = !self.caught_up || self.dispatcher.behind(now);
        let read = if to_the_end { self.at_the_end().await? } else { self.drained || patient };
        if !read && !self.full() {
            return Ok(());
        }
        self.caught_up = true;
        if to_the_end && read {
            self.dispatcher.read_again();
        }
        self.fresh = None;
        self.listen().await?;
        let decision = self.dispatcher.next(now);
        for settled in decision.settled {
            self.amended.extend(self.ledger.settle(settled));
        }
        decision.deliveries.into_iter().for_each(|delivery| self.in_flight.start(delivery));
        Ok(())
    }

    /// While something is held back somebody may expire what holds it.
    async fn listen_for_ends(&mut self) -> Result<(), AlerterError> {
        let lately = self.listened_at.is_some_and(|at| at.elapsed() < LISTEN);
        if self.dispatcher.held() == 0 || lately { Ok(()) } else { self.listen().await }
    }

    /// Reads what people say about alerts to its end: no notification is decided on before. A silence that this version cannot
    /// work with is passed over, aloud: better told than lost.
    async fn listen(&mut self) -> Result<(), AlerterError> {
        self.listened_at = Some(Instant::now());
        if !self.said.read_on(&*self.log).await? {
            return Ok(());
        }
        let mut silences = Vec::new();
        for written in self.said.silences() {
            match Silence::new(written.clone()) {
                Ok(silence) => silences.push(silence),
                Err(error) => UnusableSilence { receiver: &self.receiver, id: &written.id, error: &error }.emit(),
            }
        }
        self.dispatcher.said(silences.into_iter(), self.said.acknowledgements().cloned());
        Ok(())
    }

    async fn at_the_end(&mut self) -> Result<bool, AlerterError> {
        let reader = Reader { log: &*self.log, role: &self.role };
        for partition in self.ledger.partitions() {
            let from = self.ledger.read_up_to(partition.partition).unwrap_or_default();
            if !reader.nothing_from(partition, from).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn full(&self) -> bool {
        self.ledger.waiting() >= HELD
    }

    /// Commits what is settled. L6: a step is a value; where it is lost its partition is dropped and read again from the
    /// committed position. A crash before this commit sends again what was delivered (A3); a crash after it does not.
    async fn commit(&mut self) -> Result<Flow, AlerterError> {
        let lazy = self.committed_at.elapsed() >= LAZY;
        if !lazy && !self.ledger.has_outcomes() && self.amended.is_empty() {
            return Ok(Flow::On);
        }
        self.committed_at = Instant::now();
        let shutdown = self.shutdown.clone();
        let mut late = pin!(after_grace(&shutdown));
        for partition in self.ledger.partitions() {
            while let Some((advance, outcomes)) = self.ledger.advance(partition.partition) {
                let step = Step { outputs: outcomes.iter().map(outgoing).collect(), positions: vec![advance] };
                let fate = tokio::select! {
                    biased;
                    fate = settle(self.consumer.as_mut(), &step) => fate,
                    () = &mut late => return Ok(Flow::Stop),
                };
                match fate.map_err(AlerterError::log("recording notifications"))? {
                    StepFate::Done => Recorded { outcomes: &outcomes }.emit(),
                    StepFate::Lost { partitions, .. } => {
                        self.amended.extend(outcomes.into_iter().filter_map(in_doubt));
                        self.lose(&partitions).await;
                    }
                }
            }
        }
        tokio::select! {
            biased;
            amended = self.amend() => amended.map(|()| Flow::On),
            () = &mut late => Ok(Flow::Stop),
        }
    }

    /// Records second outcomes, after the positions, which matter more. Each stands for itself and moves no position, so
    /// no step is needed; a crash before this sends the transition once more (A3), and so does a failure at the very end.
    async fn amend(&mut self) -> Result<(), AlerterError> {
        if self.amended.is_empty() {
            return Ok(());
        }
        match self.log.publish(self.amended.iter().map(outgoing).collect()).await {
            Ok(_) => {
                Recorded { outcomes: &self.amended }.emit();
                self.amended.clear();
                Ok(())
            }
            // With the next commit, then.
            Err(LogError::Busy | LogError::Transient { .. }) => Ok(()),
            Err(error) if self.shutdown.is_cancelled() => {
                NotRecorded { receiver: &self.receiver, outcomes: self.amended.len(), error: &error }.emit();
                Ok(())
            }
            Err(error) => Err(AlerterError::log("recording notifications")(error)),
        }
    }

    /// Bounded memory: what is not settled is not read past.
    fn regulate(&mut self) {
        let held = self.ledger.waiting();
        if !self.paused && held >= HELD {
            self.consumer.pause(&self.ledger.partitions());
            self.paused = true;
        } else if self.paused && held < HELD / 2 {
            self.consumer.resume(&self.ledger.partitions());
            self.paused = false;
        }
    }

    fn report(&self) {
        let state = match (self.dispatcher.failures(), self.dispatcher.refused()) {
            (0, 0) => self
                .watchdog
                .as_ref()
                .and_then(Watchdog::trouble)
                .map_or(State::Ready, |why| State::Waiting(why.to_owned())),
            (0, n) => State::Waiting(refuses(n, self.last_refusal)),
            (n, _) => State::Waiting(format!("the receiver does not take notifications: {n} attempts failed in a row")),
        };
        self.health.set(&self.role, state);
        Standing {
            receiver: &self.receiver,
            pending: self.dispatcher.pending(),
            firing: self.dispatcher.firing(),
            held: self.dispatcher.held(),
        }
        .emit();
    }

    /// Told to stop: what is under way may finish, what finished is recorded, nothing new begins. What is late is noted as in doubt.
    async fn end(&mut self) -> Result<(), AlerterError> {
        self.in_flight.wait(GRACE).await;
        self.take_finished();
        self.committed_at -= LAZY;
        self.commit().await.map(|_| ())
    }
}

fn refuses(alerts: usize, last: Option<u16>) -> String {
    let what = if alerts == 1 { "alert" } else { "alerts" };
    let last = last.map_or_else(String::new, |status| format!(" (last answer: {status})"));
    format!("the receiver refuses notifications of {alerts} {what}{last}; retrying")
}

/// Resolves [`GRACE`] after the process was told to stop.
async fn after_grace(shutdown: &Shutdown) {
    shutdown.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

fn outgoing(notification: &Notification) -> Outgoing {
    Outgoing {
        topic: Topic::Notifications,
        partition: None,
        key: Some(Bytes::copy_from_slice(notification.alert_id.as_bytes())),
        value: Some(Bytes::from(codec::encode(notification))),
        headers: Vec::new(),
    }
}
