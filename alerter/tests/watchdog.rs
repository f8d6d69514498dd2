//! The watchdog speaks while alerting works from end to end, and only then: a story in time that stands still.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use slipstream_alerter::notifier::dispatch::{Answer, Delivery};
use slipstream_alerter::notifier::payload::Alert;
use slipstream_alerter::notifier::transport::Transport;
use slipstream_alerter::notifier::{self, Outside};
use slipstream_alerter::{AlerterError, Links};
use slipstream_log::clock::ManualClock;
use slipstream_log::memory::MemoryLog;
use slipstream_runtime::Shutdown;
use slipstream_runtime::config::{Route, Routing, Watchdog};
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::Topic;
use slipstream_schemas::records::TransitionKind::Firing;
use support::{BEGIN_MS, config, happens, log, publish_bytes, stands};
use tokio::task::JoinSet;

const REQUESTS: Topic = Topic::RequestEvents;
const TALLIES: Topic = Topic::SliTallies;

/// What a dead man's switch is told, and when: seconds since the beginning, and the key.
#[derive(Default)]
struct Switch {
    answers: Mutex<VecDeque<Answer>>,
    told: Mutex<Vec<(i64, Delivery)>>,
    clock: Option<ManualClock>,
}

#[async_trait]
impl Transport for Switch {
    fn host(&self) -> &str {
        "switch.test"
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        let at = self.clock.as_ref().map_or(0, |clock| (clock.now() - BEGIN_MS) / 1_000);
        self.told.lock().unwrap().push((at, delivery.clone()));
        self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Delivered { status: 200 })
    }
}

/// A notifier with a watchdog, on a log whose time passes with that of the test.
struct World {
    log: Arc<MemoryLog>,
    clock: ManualClock,
    switch: Arc<Switch>,
    health: Health,
    shutdown: Shutdown,
    tasks: JoinSet<Result<(), AlerterError>>,
}

impl World {
    fn begin() -> World {
        let (log, clock) = log();
        let switch = Arc::new(Switch { clock: Some(clock.clone()), ..Switch::default() });
        let minute = Duration::from_secs(60);
        let watchdog = Watchdog { receiver: "switch".to_owned(), interval: minute, max_delay: minute };
        let root = Route { receiver: Some("on-call".to_owned()), ..Route::default() };
        let routing = Routing { root: Some(root), watchdog: Some(watchdog), ..Routing::default() };
        let receiver = config("switch", "http://switch.test").routed(Arc::new(routing));
        let transport: Arc<dyn Transport> = Arc::clone(&switch) as _;
        let outside = Outside { transport, now_ms: BEGIN_MS, time_of_day: None };
        let (health, shutdown, mut tasks) = (Health::default(), Shutdown::new(), JoinSet::new());
        let links = Links { external: "http://slo.test".to_owned(), alert: String::new() };
        let shared = Arc::clone(&log) as _;
        tasks.spawn(notifier::run_outside(shared, receiver, links, outside, health.clone(), shutdown.clone()));
        World { log, clock, switch, health, shutdown, tasks }
    }

    /// Lets seconds pass in which these roles commit how far they are, the last of which first.
    async fn pass(&self, seconds: usize, roles: &[(&str, Topic)]) {
        for _ in 0..seconds {
            self.clock.advance(1_000);
            for (role, topic) in roles {
                stands(&self.log, role, *topic, self.clock.now()).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// When it was told since it was asked last, in seconds.
    fn told(&self) -> Vec<i64> {
        std::mem::take(&mut *self.switch.told.lock().unwrap()).into_iter().map(|(at, _)| at).collect()
    }

    fn why(&self) -> String {
        match self.health.snapshot().remove("notifier-switch") {
            Some(State::Waiting(why)) => why,
            other => format!("{other:?}"),
        }
    }

    async fn end(mut self) {
        self.shutdown.cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn it_speaks_while_every_role_moves_on_also_without_traffic() {
    let world = World::begin();
    world.pass(20, &[]).await;
    assert_eq!(world.told(), [0; 0], "nobody counts yet");
    assert_eq!(world.why(), "the watchdog is silent: tally has not begun with request-events/0");

    let works = [("tally", REQUESTS), ("burn", TALLIES)];
    world.pass(130, &works).await;
    let told = world.told();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!((20..=26).contains(&told[0]) && told[1] - told[0] == 60 && told[2] - told[1] == 60, "{told:?}");
    assert_eq!(world.why(), "Some(Ready)");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_stands_still_silences_it_and_is_named() {
    let world = World::begin();
    let (tally, burn) = (("tally", REQUESTS), ("burn", TALLIES));
    world.pass(10, &[tally, burn]).await;
    assert_eq!(world.told().len(), 1);

    world.pass(130, &[tally]).await;
    assert!(world.told().len() <= 1, "burn stands still");
    assert!(world.why().starts_with("the watchdog is silent: burn is 1"), "{}", world.why());
    world.pass(6, &[tally, burn]).await;
    assert_eq!(world.told().len(), 1, "it speaks again as soon as all is well");

    world.pass(130, &[burn]).await;
    assert!(world.told().len() <= 1, "tally stands still");
    assert!(world.why().contains("tally is 1"), "{}", world.why());
    world.pass(6, &[tally, burn]).await;
    assert_eq!(world.told().len(), 1);

    let rates = publish_bytes(&world.log, Topic::BurnRates, "checkout", "rates").await;
    world.pass(65, &[tally, burn]).await;
    world.told();
    world.pass(80, &[tally, burn]).await;
    assert_eq!(world.told(), [0; 0], "the alerter reads nothing");
    assert!(world.why().contains("alerter is 1"), "{}", world.why());
    stands(&world.log, "alerter", Topic::BurnRates, rates).await;
    world.pass(6, &[tally, burn]).await;
    assert_eq!(world.told().len(), 1, "and later it has read all, and nothing comes");
    world.pass(120, &[tally, burn]).await;
    assert_eq!(world.told().len(), 2);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_does_not_answer_is_tried_three_times_and_then_the_next_round_comes() {
    let world = World::begin();
    let works = [("tally", REQUESTS), ("burn", TALLIES)];
    let failed = Answer::Failed { status: None, detail: "gone".to_owned(), retry_after: None, doubt: true };
    let refused = Answer::Refused { status: 404, detail: String::new() };
    world.switch.answers.lock().unwrap().extend([failed.clone(), failed.clone(), failed, refused]);
    world.pass(150, &works).await;
    let told: Vec<(i64, String)> = {
        let told = world.switch.told.lock().unwrap();
        told.iter().map(|(at, delivery)| (*at, delivery.reminder.as_ref().unwrap().key.clone())).collect()
    };
    let [first, second, third, next, last] = &told[..] else { panic!("{told:?}") };
    assert!(first.1 == second.1 && second.1 == third.1, "one message: {told:?}");
    assert!(third.1 != next.1 && next.1 != last.1, "{told:?}");
    assert!(third.0 - first.0 <= 22 && next.0 - first.0 == 60, "{told:?}");
    assert_eq!(last.0 - next.0, 60, "what is refused is not sent again: {told:?}");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn it_is_the_same_alert_in_every_round_and_the_switch_is_told_nothing_else() {
    let world = World::begin();
    let works = [("tally", REQUESTS), ("burn", TALLIES)];
    publish_bytes(&world.log, Topic::SloDefinitions, "Settings/installation", "settings").await;
    happens(&world.log, "a", 100, 2, Firing).await;
    world.pass(70, &works).await;
    let alerts: Vec<Alert> = {
        let told = world.switch.told.lock().unwrap();
        told.iter().flat_map(|(_, delivery)| delivery.message.alerts.clone()).collect()
    };
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert!(alerts.iter().all(|alert| alert.labels["alertname"] == "Watchdog" && alert.labels["severity"] == "none"));
    assert!(
        alerts.iter().all(|alert| alert.starts_at == "2026-02-01T10:00:00Z"),
        "since when the installation is there"
    );
    assert_eq!(support::outcomes(&world.log, "switch").await.len(), 1, "of the alert, which is not due here");
    world.end().await;
}
