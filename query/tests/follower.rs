//! A follower has the state of a fresh restore, whatever happened to the log in the meantime.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, LogError, Outgoing, SharedLog, TopicPartition};
use slipstream_query::counts::Counts;
use slipstream_query::{FollowError, Follower};
use slipstream_role::burn_state::{BurnStateError, current_states};
use slipstream_role::patience::patient;
use slipstream_schemas::records::{BurnRates, Origin, TallyBatch};
use slipstream_schemas::topics::TOPICS;
use slipstream_schemas::{LogTime, Topic, codec};
use slipstream_testkit::hooked::Hooked;
use support::onlooker::Onlooker;
use support::{Members, at_end, define, ends, inputs, publish, settle, slo};
use tokio::task::JoinSet;
use tokio::time::sleep;

const SOURCES: u32 = 2;
const TARGETS: u32 = 2;

const fn tallies(partition: u32) -> TopicPartition {
    TopicPartition { topic: Topic::SliTallies, partition }
}

/// An installation in memory, whose clock follows the runtime's paused one.
struct World {
    log: Arc<MemoryLog>,
    clock: ManualClock,
    tally: Members,
    burn: Members,
    events: u64,
    _ticker: JoinSet<()>,
}

impl World {
    /// With two SLOs, of which each partition of sli-tallies has one.
    async fn new() -> World {
        let clock = ManualClock::at(1_700_000_000_000);
        let partitions =
            [(Topic::RequestEvents, SOURCES), (Topic::SliTallies, TARGETS), (Topic::BurnSnapshots, 1)].into();
        let log = MemoryLog::new(MemoryOptions { clock: Clock::Manual(clock.clone()), partitions });
        let (mut ticker, hand) = (JoinSet::new(), clock.clone());
        ticker.spawn(async move {
            loop {
                sleep(Duration::from_millis(10)).await;
                hand.advance(10);
            }
        });
        let world =
            World { log, clock, tally: Members::default(), burn: Members::default(), events: 0, _ticker: ticker };
        world.define_all().await;
        world
    }

    async fn define_all(&self) {
        settle(self.log.as_ref()).await;
        define(self.log.as_ref(), "all", Some(slo("all", "0.99", "'true'"))).await;
        define(self.log.as_ref(), "by-service", Some(slo("by-service", "0.9", "'true', groupBy: [service]"))).await;
    }

    fn shared(&self) -> SharedLog {
        self.log.clone()
    }

    fn start(&mut self) {
        let log = self.shared();
        self.tally.start_tally(&log);
        self.burn.start_burn(&log);
    }

    /// Events over about so many milliseconds; some of them happened a while ago.
    async fn traffic(&mut self, count: u64) {
        for _ in 0..count {
            let ago = if self.events.is_multiple_of(7) { 90_000 } else { 0 };
            publish(self.log.as_ref(), self.events, self.clock.now() - ago).await;
            self.events += 1;
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything is tallied and folded, and the roles have ended, with whole snapshots.
    async fn rest(&mut self) {
        at_end(self.log.as_ref(), "tally", Topic::RequestEvents).await;
        self.tally.stop().await;
        at_end(self.log.as_ref(), "burn", Topic::SliTallies).await;
        self.burn.stop().await;
    }

    async fn follower(&self) -> Follower {
        Follower::open(self.shared(), "test").await.unwrap()
    }

    /// Follows, and compares with a fresh restore at the same offsets.
    async fn same(&self, follower: &mut Follower, what: &str) {
        loop {
            let before = inputs(self.log.as_ref()).await;
            follower.follow().await.unwrap();
            let fresh = current_states(&self.shared()).await.unwrap();
            if before == inputs(self.log.as_ref()).await {
                assert_eq!(follower.states().unwrap(), fresh, "{what}");
                assert_eq!(follower.states().unwrap(), fresh, "{what}: a look changes nothing");
                return;
            }
        }
    }
}

/// Dice that fall the same way for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// One thing that happens; what it was.
async fn happens(world: &mut World, dice: &mut Dice) -> &'static str {
    let log = world.shared();
    match dice.roll(12) {
        0..4 => {
            world.traffic(10 + dice.roll(60)).await;
            "traffic"
        }
        4 => {
            sleep(Duration::from_secs(1 + dice.roll(90))).await;
            "a pause"
        }
        5 => {
            let target = ["0.9", "0.95", "0.999"][dice.roll(3) as usize];
            define(log.as_ref(), "all", Some(slo("all", target, "'true'"))).await;
            "another target"
        }
        6 => {
            let total = ["'service == \"pay\"'", "'true', groupBy: [service]"][dice.roll(2) as usize];
            define(log.as_ref(), "by-service", Some(slo("by-service", "0.9", total))).await;
            "another meaning"
        }
        7 => {
            let document = (dice.roll(2) == 0).then(|| slo("third", "0.5", "'true'"));
            define(log.as_ref(), "third", document).await;
            "an SLO comes or goes"
        }
        8 => {
            world.burn.kill().await;
            world.burn.start_burn(&log);
            "burn is killed"
        }
        9 => {
            world.burn.stop().await;
            world.burn.start_burn(&log);
            "burn leaves whole snapshots"
        }
        10 => {
            world.tally.kill().await;
            sleep(Duration::from_secs(dice.roll(8))).await;
            world.tally.start_tally(&log);
            "tally is killed"
        }
        _ => {
            if !world.burn.is_empty() {
                world.burn.stop().await;
            }
            world.traffic(20).await;
            world.burn.start_burn(&log);
            "burn is away"
        }
    }
}

#[tokio::test(start_paused = true)]
async fn p4_a_follower_is_where_a_fresh_restore_is_after_everything_that_happens() {
    for seed in 0..12 {
        let (mut world, mut dice) = (World::new().await, Dice(seed));
        let mut follower = world.follower().await;
        world.start();
        for step in 0..25 {
            let what = happens(&mut world, &mut dice).await;
            if dice.roll(3) > 0 {
                world.same(&mut follower, &format!("seed {seed}, step {step}: {what}")).await;
            }
        }
        world.rest().await;
        world.same(&mut follower, &format!("seed {seed}, at rest")).await;
        assert!(!follower.states().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn following_costs_no_restore_joins_no_group_and_writes_nothing() {
    let mut world = World::new().await;
    world.start();
    world.traffic(200).await;
    world.burn.stop().await;
    let log = world.shared();
    world.burn.start_burn(&log);
    let onlooker = Arc::new(Onlooker::default());
    let log = Hooked::over(world.shared(), &onlooker);
    let mut follower = Follower::open(log, "test").await.unwrap();
    assert!(onlooker.reads_of(Topic::BurnSnapshots) > 0, "restored once");
    for _ in 0..5 {
        world.traffic(50).await;
        world.same(&mut follower, "beside burn").await;
    }
    assert_eq!(onlooker.reads_of(Topic::BurnSnapshots), 0, "and kept warm since");
    world.rest().await;

    let topics = TOPICS.iter().map(|spec| spec.topic).collect::<Vec<_>>();
    let before = ends(world.log.as_ref(), &topics).await;
    let log = Hooked::over(world.shared(), &onlooker);
    let mut alone = Follower::open(log, "test").await.unwrap();
    alone.follow().await.unwrap();
    assert_eq!(alone.slos().unwrap(), {
        follower.follow().await.unwrap();
        follower.slos().unwrap()
    });
    assert_eq!(ends(world.log.as_ref(), &topics).await, before);
    for partition in 0..TARGETS {
        assert_eq!(world.log.committed("test", tallies(partition)).await.unwrap(), None);
    }
}

/// What is good and what is bad over the period, of each series.
fn sums(follower: &Follower) -> BTreeMap<(String, Vec<String>), (u64, u64)> {
    let whole = |state: BurnRates| {
        let period = state.windows.last().cloned().unwrap();
        ((state.slo, state.group), (period.good as u64, (period.total - period.good) as u64))
    };
    follower.states().unwrap().into_iter().map(whole).collect()
}

#[tokio::test(start_paused = true)]
async fn what_series_take_in_is_counted_once_from_when_counting_began() {
    let mut world = World::new().await;
    world.start();
    world.traffic(100).await;
    sleep(Duration::from_secs(3)).await;
    let counts = Counts::default();
    let mut follower = world.follower().await.counting(counts.clone());
    let before = sums(&follower);
    assert!(!before.is_empty());
    for _ in 0..4 {
        world.traffic(50).await;
        follower.follow().await.unwrap();
    }
    sleep(Duration::from_secs(3)).await;
    world.same(&mut follower, "all of it").await;
    let mut counted = 0;
    for state in follower.states().unwrap() {
        let key = (state.slo.clone(), state.group.clone());
        let (good, bad) = sums(&follower)[&key];
        let (good_before, bad_before) = before.get(&key).copied().unwrap_or_default();
        let count = counts.of(&state);
        assert_eq!((count.good, count.bad), (good - good_before, bad - bad_before), "{key:?}");
        counted += count.good + count.bad;
    }
    assert_eq!(counted, 2 * 200, "of two SLOs");
    world.rest().await;
    // A restore counts nothing again.
    for partition in 0..TARGETS {
        let end = world.log.bounds(tallies(partition)).await.unwrap().1;
        world.log.trim(tallies(partition), end);
    }
    follower.follow().await.unwrap();
    let again: u64 = follower.states().unwrap().iter().map(|s| counts.of(s)).map(|count| count.good + count.bad).sum();
    assert_eq!(again, counted);
}

#[tokio::test(start_paused = true)]
async fn a_window_that_no_rule_looks_at_counts_what_it_counts_for_others() {
    const POLICY: &str = "  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: own}
      spec:
        alertWhenBreaching: true
        notificationTargets: [{kind: AlertNotificationTarget, metadata: {name: nobody}, spec: {target: webhook}}]
        conditions:
          - kind: AlertCondition
            metadata: {name: own, annotations: {slipstream.dev/short-window: 30s}}
            spec:
              severity: page
              condition: {kind: burnrate, op: gt, threshold: 10, lookbackWindow: 1m, alertAfter: 0m}
";
    let mut world = World::new().await;
    define(world.log.as_ref(), "own", Some(slo("own", "0.99", "'true'") + POLICY)).await;
    world.start();
    let mut follower = world.follower().await;
    // Over more than five minutes.
    for _ in 0..4 {
        world.traffic(50).await;
        sleep(Duration::from_secs(100)).await;
    }
    world.rest().await;
    follower.follow().await.unwrap();
    let of = |slo: &str, seconds| {
        let all = follower.states_over(seconds).unwrap();
        let (state, window) = all.into_iter().find(|(state, _)| state.slo == slo).unwrap();
        let named = state.windows.iter().any(|window| window.seconds == seconds);
        (named, window.map(|window| (window.seconds, window.good, window.total, window.burn)))
    };
    let (named, usual) = of("all", 300);
    assert!(named && usual.is_some_and(|(_, _, total, _)| total > 0 && total < 200), "{usual:?}");
    assert_eq!(of("own", 300), (false, usual));
    assert_eq!(of("own", 3_600), (false, of("all", 3_600).1));
    assert_eq!(of("own", 400 * 86_400), (false, None), "no ring is that long");
    let states: Vec<BurnRates> = follower.states_over(300).unwrap().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, follower.states().unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_retention_has_passed_is_restored_anew() {
    let mut world = World::new().await;
    world.start();
    world.traffic(100).await;
    let onlooker = Arc::new(Onlooker::default());
    let log = Hooked::over(world.shared(), &onlooker);
    let mut follower = Follower::open(log, "test").await.unwrap();
    world.traffic(200).await;
    // The ticks of the last events are evaluated, too.
    sleep(Duration::from_secs(3)).await;
    world.rest().await;
    for partition in 0..TARGETS {
        let end = world.log.bounds(tallies(partition)).await.unwrap().1;
        world.log.trim(tallies(partition), end);
    }
    onlooker.reads_of(Topic::BurnSnapshots);
    world.same(&mut follower, "the tallies in between are gone").await;
    assert!(onlooker.reads_of(Topic::BurnSnapshots) > 0);
    let whole = follower.slos().unwrap().slos.into_iter().find(|slo| slo.name == "all").unwrap();
    assert_eq!(whole.total, 300, "the snapshots have them");
    world.start();
    world.traffic(100).await;
    world.same(&mut follower, "and on from there").await;
    assert_eq!(onlooker.reads_of(Topic::BurnSnapshots), 0);
}

#[tokio::test(start_paused = true)]
async fn a_definition_is_told_from_the_tick_of_its_cut_on() {
    let mut world = World::new().await;
    world.start();
    world.traffic(100).await;
    world.rest().await;
    let mut follower = world.follower().await;
    let target = |follower: &Follower| {
        let slos = follower.definitions();
        slos.iter().find(|slo| slo.name == "all").map(|slo| slo.objectives[0].target.as_f64())
    };
    let (before, revision) = (target(&follower), follower.revision());
    define(world.log.as_ref(), "all", Some(slo("all", "0.5", "'true'"))).await;
    define(world.log.as_ref(), "new", Some(slo("new", "0.9", "'true'"))).await;
    follower.follow().await.unwrap();
    assert_eq!(target(&follower), before, "no state is by it yet");
    assert!(follower.definitions().iter().any(|slo| slo.name == "new"), "one that is to come has nothing else");
    let read = follower.revision();
    assert_ne!(read, revision);
    world.start();
    world.traffic(100).await;
    world.rest().await;
    follower.follow().await.unwrap();
    assert_eq!(target(&follower), Some(0.5));
    assert_ne!(follower.revision(), read);
}

#[tokio::test(start_paused = true)]
async fn recreated_topics_are_followed_from_their_begin() {
    let mut world = World::new().await;
    world.start();
    world.traffic(200).await;
    world.rest().await;
    let mut follower = world.follower().await;
    assert!(!follower.states().unwrap().is_empty());
    for topic in [Topic::RequestEvents, Topic::SliTallies, Topic::BurnSnapshots] {
        world.log.recreate(topic);
    }
    world.same(&mut follower, "the tallies are gone").await;
    assert_eq!(follower.states().unwrap(), []);
    world.start();
    world.traffic(100).await;
    world.same(&mut follower, "new tallies").await;
    world.rest().await;
    // All of it, and more than there was before comes before the follower looks again.
    for topic in [Topic::RequestEvents, Topic::SliTallies, Topic::BurnSnapshots] {
        world.log.recreate(topic);
    }
    world.start();
    world.traffic(400).await;
    world.rest().await;
    world.same(&mut follower, "the offset is there again, but what lies there does not join").await;

    for spec in &TOPICS {
        world.log.recreate(spec.topic);
    }
    settle(world.log.as_ref()).await;
    define(world.log.as_ref(), "other", Some(slo("other", "0.9", "'true'"))).await;
    follower.follow().await.unwrap();
    assert_eq!(follower.definitions().iter().map(|slo| slo.name.as_str()).collect::<Vec<_>>(), ["other"]);
    world.start();
    world.traffic(100).await;
    world.rest().await;
    world.same(&mut follower, "another installation").await;
}

#[tokio::test(start_paused = true)]
async fn errors_that_pass_cost_nothing_but_time() {
    let mut world = World::new().await;
    let onlooker = Arc::new(Onlooker::default());
    let log = Hooked::over(world.shared(), &onlooker);
    let mut follower = Follower::open(log.clone(), "test").await.unwrap();
    let mut waits = Follower::open(patient(log, "test"), "test").await.unwrap();
    world.start();
    onlooker.reads_of(Topic::BurnSnapshots);
    let mut failed = 0;
    for round in 0..40 {
        world.traffic(5).await;
        if round % 10 == 0 {
            define(world.log.as_ref(), "third", Some(slo("third", ["0.5", "0.6"][round / 10 % 2], "'true'"))).await;
        }
        onlooker.fails_every.store(3, Ordering::Relaxed);
        waits.follow().await.unwrap();
        // Each attempt may fail somewhere else.
        while let Err(error) = follower.follow().await {
            assert!(matches!(error.of_log(), Some(LogError::Transient { .. })), "{error}");
            failed += 1;
            onlooker.fails_every.store(7, Ordering::Relaxed);
        }
        onlooker.fails_every.store(0, Ordering::Relaxed);
        world.same(&mut follower, "after errors").await;
    }
    assert!(failed > 10, "{failed}");
    world.rest().await;
    world.same(&mut waits, "a patient one").await;
    assert_eq!(onlooker.reads_of(Topic::BurnSnapshots), 0, "nothing was restored again");
}

#[tokio::test(start_paused = true)]
async fn tallies_that_do_not_join_are_told_and_no_half_answer_is_given() {
    let mut world = World::new().await;
    world.start();
    world.traffic(100).await;
    world.rest().await;
    let mut follower = world.follower().await;
    let gap = TallyBatch {
        source: 0,
        sources: SOURCES as i32,
        from: 1_000_000,
        to: 1_000_001,
        stamp: LogTime(world.clock.now()),
        low: LogTime(world.clock.now()),
        origin: Origin::Live,
        revision: 0,
        entries: Vec::new(),
        exemplars: Vec::new(),
    };
    let record = Outgoing {
        topic: Topic::SliTallies,
        partition: Some(1),
        key: None,
        value: Some(Bytes::from(codec::encode(&gap))),
        headers: Vec::new(),
    };
    world.log.publish(vec![record]).await.unwrap();
    for _ in 0..2 {
        let error = follower.follow().await.unwrap_err();
        assert!(
            matches!(error, FollowError::State(BurnStateError::Fault(_))) && error.to_string().contains("P1"),
            "{error}"
        );
        assert!(matches!(follower.states(), Err(FollowError::NotRestored(place)) if place == tallies(1)));
    }
}
