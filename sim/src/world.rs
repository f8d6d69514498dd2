//! A world: the log, the processes, the producers, and the faults that hit them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, Outgoing, TopicPartition};
use slipstream_oracles::history::REDELIVERY_MS;
use slipstream_role::definitions::{self, PARTITION};
use slipstream_role::names::TALLY;
use slipstream_runtime::config::Routing;
use slipstream_schemas::records::Settings;
use slipstream_schemas::topics::TOPICS;
use slipstream_schemas::{Topic, codec};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::dice::Dice;
use crate::log::{Graves, Identity, SimLog};
use crate::plan::{Revise, Send, Silenced, WorldPlan};
use crate::policy;
use crate::process::{Process, Role, receiver_name};
use crate::receiver::Receiver;
use crate::told::Story;
use crate::weather::{BEGIN, Weather};

/// As on every installation on Kafka.
pub const CUT_DELAY_MS: i64 = 5_000;
/// Virtual time limit for coming to rest at the end.
const PATIENCE: Duration = Duration::from_secs(180);
/// Within this what nothing holds back any more is told by a receiver's notifier: backoff, and the interval of a group.
const SOON: Duration = Duration::from_secs(20);
/// Where silences are.
const SILENCES: TopicPartition = TopicPartition { topic: Topic::Silences, partition: 0 };
/// No role has more processes.
const MOST: usize = 3;

/// A world.
pub struct World {
    /// Its log.
    pub log: Arc<MemoryLog>,
    /// What happens to everybody.
    pub weather: Arc<Weather>,
    /// The receivers of alerts.
    pub receivers: Vec<Arc<Receiver>>,
    plan: WorldPlan,
    /// What chooses the blows.
    dice: Dice,
    processes: Vec<Process>,
    /// Roles that start again, and when.
    restarts: Vec<(Instant, Role)>,
    /// Processes on ice, by name, and when they thaw.
    frozen: Vec<(Instant, String)>,
    graves: Graves,
    /// How many processes there were.
    named: u64,
    _revealer: JoinSet<()>,
}

impl World {
    /// An installation with settings, without running processes yet.
    pub async fn new(seed: u64, plan: WorldPlan) -> Result<World> {
        let clock = ManualClock::at(BEGIN);
        let counts = TOPICS.iter().map(|spec| (spec.topic, partitions(&plan, spec.topic))).collect();
        let options = MemoryOptions { clock: Clock::Manual(clock.clone()), partitions: counts };
        let log = MemoryLog::with_partitions_apart(options);
        let weather = Weather::new(seed, plan.climate.clone(), clock);
        let settings = Settings { redelivery_window_ms: REDELIVERY_MS, cut_delay_ms: CUT_DELAY_MS };
        definitions::ensure_settings(log.as_ref(), &settings).await?;
        for spec in TOPICS.iter() {
            for partition in 0..partitions(&plan, spec.topic) {
                log.hide_partition(TopicPartition { topic: spec.topic, partition });
            }
        }
        let receiver = |(n, manners)| Receiver::new(&receiver_name(n), manners, Arc::clone(&weather));
        let mut revealer = JoinSet::new();
        revealer.spawn(Arc::clone(&weather).reveal_on(Arc::clone(&log)));
        Ok(World {
            receivers: plan.receivers.iter().copied().enumerate().map(receiver).collect(),
            log,
            weather,
            plan,
            dice: Dice::new(seed, 2),
            processes: Vec::new(),
            restarts: Vec::new(),
            frozen: Vec::new(),
            graves: Graves::default(),
            named: 0,
            _revealer: revealer,
        })
    }

    /// Everything happens.
    pub async fn play(&mut self) -> Result<()> {
        let sends = std::mem::take(&mut self.plan.sends);
        let revisions = std::mem::take(&mut self.plan.revisions);
        let (mut sends, mut revisions) = (sends.into_iter().peekable(), revisions.into_iter().peekable());
        let mut silences = self.plan.silences.clone().into_iter().peekable();
        let mut started = false;
        let mut blow_at = self.plan.start + self.next_blow();
        loop {
            let now = self.weather.elapsed();
            while let Some(send) = sends.next_if(|s| s.at <= now) {
                self.send(send).await?;
            }
            while let Some(revise) = revisions.next_if(|r| r.at <= now) {
                self.revise(revise).await?;
            }
            while let Some(silenced) = silences.next_if(|s| s.at <= now) {
                self.silence(silenced).await?;
            }
            if !started && now >= self.plan.start {
                started = true;
                self.crew();
            }
            self.return_of_the_gone();
            self.check()?;
            if now >= self.plan.end && sends.peek().is_none() {
                return Ok(());
            }
            if started && now >= blow_at {
                self.blow().await;
                blow_at = now + self.next_blow();
            }
            let due = [
                sends.peek().map(|s| s.at),
                revisions.peek().map(|r| r.at),
                silences.peek().map(|s| s.at),
                started.then_some(blow_at),
            ];
            let due = due.into_iter().flatten().chain([if started { self.plan.end } else { self.plan.start }]).min();
            let due = self.weather.elapsed().max(due.unwrap_or_default()).min(now + 1_000);
            let returns = self.restarts.iter().map(|r| r.0).chain(self.frozen.iter().map(|f| f.0)).min();
            let due = Instant::now() + Duration::from_millis((due - self.weather.elapsed()).max(1) as u64);
            sleep_until(returns.map_or(due, |at| at.min(due)).max(Instant::now() + Duration::from_millis(1))).await;
        }
    }

    fn next_blow(&self) -> i64 {
        let every = self.plan.blows_every.unwrap_or(i64::MAX / 4);
        self.dice.between(every / 4, every.saturating_mul(7) / 4)
    }

    fn crew(&mut self) {
        let [tallies, burns, alerters, notifiers] = self.plan.crew;
        let notifiers = (0..self.receivers.len()).flat_map(|n| std::iter::repeat_n(Role::Notifier(n), notifiers));
        let others = [(Role::Tally, tallies), (Role::Burn, burns), (Role::Alerter, alerters)];
        let others = others.into_iter().flat_map(|(role, count)| std::iter::repeat_n(role, count));
        for role in others.chain(notifiers).collect::<Vec<_>>() {
            self.start(role);
        }
    }

    fn start(&mut self, role: Role) {
        self.named += 1;
        let identity = Identity::new(format!("{}-{}", role.name(), self.named));
        self.weather.say(&identity.name, "starts");
        let log = SimLog {
            inner: Arc::clone(&self.log),
            weather: Arc::clone(&self.weather),
            identity,
            graves: Arc::clone(&self.graves),
        };
        let receiver = match role {
            Role::Notifier(n) => self.receivers.get(n).cloned(),
            _ => None,
        };
        self.processes.push(Process::start(role, log, self.plan.tally_threads, receiver, &self.plan.routing));
    }

    async fn send(&mut self, send: Send) -> Result<()> {
        let place = TopicPartition { topic: Topic::RequestEvents, partition: send.source };
        if send.clock_off != 0 {
            self.weather.fault("broker", "clock set back", &format!("{} ms", send.clock_off));
        }
        self.weather.set_clock_off(send.clock_off);
        let record = Outgoing {
            topic: place.topic,
            partition: Some(place.partition),
            key: None,
            value: Some(Bytes::from(send.value)),
            headers: Vec::new(),
        };
        self.weather.log_time();
        let appended = self.log.publish(vec![record]).await?;
        self.weather.set_clock_off(0);
        let at = appended.first().context("nothing was appended")?;
        let line = format!("{place}@{} log time {} {}", at.offset, at.log_time.0, send.name);
        self.weather.say("producer", &line);
        if send.visible_after > 50 {
            self.weather.fault("broker", "event visible late", &format!("{} ms", send.visible_after));
        }
        self.weather.reveal_after(&self.log, place, send.visible_after);
        Ok(())
    }

    async fn revise(&mut self, revise: Revise) -> Result<()> {
        let now = self.weather.log_time();
        let Revise { definition, visible_after, .. } = revise;
        let what = if definition.document.is_some() { "revised" } else { "deleted" };
        self.weather.say("author", &format!("{} is {what}, log time {now}", definition.name));
        let record = Outgoing {
            topic: PARTITION.topic,
            partition: Some(PARTITION.partition),
            key: Some(Bytes::from(definition.name.clone())),
            value: Some(Bytes::from(codec::encode(&definition))),
            headers: Vec::new(),
        };
        self.log.publish(vec![record]).await?;
        self.weather.reveal_after(&self.log, PARTITION, visible_after);
        Ok(())
    }

    async fn silence(&mut self, silenced: Silenced) -> Result<()> {
        let now = self.weather.log_time();
        let Silenced { silence, visible_after, .. } = silenced;
        let (from, to) = (silence.from - BEGIN, silence.to.unwrap_or_default() - BEGIN);
        self.weather.say("operator", &format!("{} applies from {from} to {to}, log time {now}", silence.id));
        let record = Outgoing {
            topic: SILENCES.topic,
            partition: Some(SILENCES.partition),
            key: Some(Bytes::from(silence.id.clone())),
            value: Some(Bytes::from(codec::encode(&silence))),
            headers: Vec::new(),
        };
        self.log.publish(vec![record]).await?;
        self.weather.reveal_after(&self.log, SILENCES, visible_after);
        Ok(())
    }

    /// What was planned to be silenced, in order.
    pub fn silences(&self) -> &[Silenced] {
        &self.plan.silences
    }

    /// Killed processes start again, frozen ones thaw.
    fn return_of_the_gone(&mut self) {
        let now = Instant::now();
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.restarts).into_iter().partition(|r| r.0 <= now);
        self.restarts = later;
        due.into_iter().for_each(|(_, role)| self.start(role));
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.frozen).into_iter().partition(|f| f.0 <= now);
        self.frozen = later;
        for (_, name) in due {
            if let Some(process) = self.processes.iter().find(|p| p.identity.name == name) {
                self.weather.say(&name, "thaws");
                process.freeze(false);
            }
        }
    }

    /// No process ends without being asked to; those that were asked end cleanly.
    fn check(&mut self) -> Result<()> {
        let mut i = 0;
        while i < self.processes.len() {
            match self.processes[i].ended() {
                None => i += 1,
                Some(ended) => {
                    let process = self.processes.remove(i);
                    let name = &process.identity.name;
                    ended.with_context(|| format!("L: {name} failed"))?;
                    ensure!(process.told_to_stop(), "L: {name} ended unexpectedly");
                    self.weather.say(name, "has stopped");
                }
            }
        }
        Ok(())
    }

    fn any(&self) -> Option<usize> {
        (!self.processes.is_empty()).then(|| self.dice.below(self.processes.len()))
    }

    async fn blow(&mut self) {
        let Some(victim) = self.any() else { return };
        match self.dice.below(20) {
            0..=4 => self.kill(victim).await,
            5 => {
                // A machine dies: with it every process of a kind.
                let role = self.processes[victim].role;
                while let Some(i) = self.processes.iter().position(|p| p.role == role) {
                    self.kill(i).await;
                }
            }
            6 | 7 => self.stop(victim),
            8..=10 => self.freeze(victim),
            11 | 12 => self.time_out(victim),
            13 => {
                let group = self.processes[victim].role.group();
                self.weather.fault("coordinator", "group expelled", &group);
                self.log.expel(&group);
            }
            14 | 15 => {
                let role = self.processes[victim].role;
                if self.processes.iter().filter(|p| p.role == role).count() < MOST {
                    self.weather.fault("operator", "one more", &role.name());
                    self.start(role);
                }
            }
            16 | 17 => {
                let ms = self.dice.pick(&[50, 300, 1_000, 3_000]);
                self.weather.fault("broker", "away", &format!("{ms} ms"));
                self.weather.away_for(ms);
            }
            _ => {}
        }
    }

    async fn kill(&mut self, i: usize) {
        let process = self.processes.remove(i);
        let after = self.dice.pick(&[1, 300, 1_000, 3_000, 8_000]);
        self.weather.fault(&process.identity.name, "killed", &format!("back in {after} ms"));
        self.restarts.push((Instant::now() + Duration::from_millis(after), process.role));
        process.kill().await;
    }

    fn stop(&mut self, i: usize) {
        let process = &self.processes[i];
        let after = self.dice.pick(&[1, 300, 2_000]);
        self.weather.fault(&process.identity.name, "told to stop", &format!("another starts in {after} ms"));
        self.restarts.push((Instant::now() + Duration::from_millis(after), process.role));
        process.tell_to_stop();
    }

    /// A process hangs; if for long, its partitions go to others, and it still believes that they are its own.
    fn freeze(&mut self, i: usize) {
        let process = &self.processes[i];
        let (name, ms) = (process.identity.name.clone(), self.dice.pick(&[100, 700, 2_500, 5_000, 9_000]));
        self.weather.fault(&name, "frozen", &format!("{ms} ms"));
        process.freeze(true);
        self.frozen.push((Instant::now() + Duration::from_millis(ms), name));
        if ms > 2_500 || self.dice.in_thousand(300) {
            self.time_out(i);
        }
    }

    fn time_out(&self, i: usize) {
        let process = &self.processes[i];
        if let Some(partition) = process.identity.owns_any() {
            self.weather.fault(&process.identity.name, "timed out", &partition.to_string());
            self.log.time_out(&process.role.group(), partition);
        }
    }

    /// The faults end, missing processes come back, and everything is processed.
    pub async fn rest(&mut self) -> Result<()> {
        self.weather.say("weather", "clears up");
        self.weather.clear_up();
        self.receivers.iter().for_each(|receiver| receiver.recover());
        let now = Instant::now();
        self.restarts.iter_mut().for_each(|r| r.0 = now);
        self.frozen.iter_mut().for_each(|f| f.0 = now);
        self.return_of_the_gone();
        let known = BEGIN + self.weather.elapsed() + 1_000;
        self.until("every source is known", async |world| world.known_up_to(known).await).await?;
        self.leave(|role| role == Role::Tally).await?;
        self.until("burn has folded all tallies", async |w| w.at_end(Role::Burn, Topic::SliTallies).await).await?;
        self.leave(|role| role == Role::Burn).await?;
        self.until("the alerter has seen all burn rates", async |w| w.at_end(Role::Alerter, Topic::BurnRates).await)
            .await?;
        self.leave(|role| role == Role::Alerter).await?;
        for n in 0..self.receivers.len() {
            let what = format!("{} received all alerts", receiver_name(n));
            self.until(&what, async |w| w.at_end(Role::Notifier(n), Topic::Alerts).await).await?;
        }
        // All silences are over, and mute times by then: what they held back and still fires has to be told, soon.
        let loud = (policy::LOUD_FROM - self.weather.elapsed()).max(0) as u64;
        let soon = Duration::from_millis(loud) + SOON;
        self.within(soon, "what was held back is told", async |w| w.told_after_all().await).await?;
        self.leave(|_| true).await
    }

    async fn until(&mut self, what: &str, holds: impl AsyncFn(&World) -> Result<bool>) -> Result<()> {
        self.within(PATIENCE, what, holds).await
    }

    async fn within(&mut self, most: Duration, what: &str, holds: impl AsyncFn(&World) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + most;
        while !holds(self).await? {
            self.check()?;
            ensure!(Instant::now() < deadline, "liveness: timed out waiting until {what}");
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// All of these stop in order.
    async fn leave(&mut self, of: impl Fn(Role) -> bool) -> Result<()> {
        self.processes.iter().filter(|p| of(p.role)).for_each(Process::tell_to_stop);
        self.until("the processes that were asked to stop have stopped", async |w| {
            Ok(!w.processes.iter().any(|p| of(p.role)))
        })
        .await
    }

    async fn known_up_to(&self, log_time: i64) -> Result<bool> {
        for partition in 0..self.plan.sources {
            let place = TopicPartition { topic: Topic::RequestEvents, partition };
            let committed = self.log.committed(TALLY, place).await?.unwrap_or_default();
            if committed.log_time.0 < log_time || committed.offset < self.log.written(place) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn at_end(&self, role: Role, topic: Topic) -> Result<bool> {
        for partition in 0..partitions(&self.plan, topic) {
            let place = TopicPartition { topic, partition };
            let committed = self.log.committed(&role.group(), place).await?.unwrap_or_default();
            if committed.offset < self.log.written(place) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether each receiver has what fires at last, and nothing holds back.
    async fn told_after_all(&self) -> Result<bool> {
        let story = Story::of(&self.log).await?;
        let lacks = |receiver: &Arc<Receiver>| story.lacking(self.routing(), &receiver.name).is_some();
        Ok(!self.receivers.iter().any(lacks))
    }

    /// Who is told of what.
    pub fn routing(&self) -> &Routing {
        &self.plan.routing
    }

    /// Whether all alerts are in one partition: then one notifier of a receiver sees them all.
    pub fn alone(&self) -> bool {
        self.plan.targets == 1
    }

    /// Removes dead processes.
    pub async fn end(self) {
        let mut graves = std::mem::take(&mut *self.graves.lock().unwrap_or_else(PoisonError::into_inner));
        graves.shutdown().await;
    }
}

/// How many partitions a topic has.
pub fn partitions(plan: &WorldPlan, topic: Topic) -> u32 {
    match topic {
        Topic::RequestEvents => plan.sources,
        Topic::SloDefinitions => 1,
        _ => plan.targets,
    }
}
