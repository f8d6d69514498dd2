//! The follower on a directory that a process owns: the log is open for reading only.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use slipstream_log::sqlite::{SqliteLog, SqliteOptions};
use slipstream_log::{Log, SharedLog};
use slipstream_query::Follower;
use slipstream_role::burn_state::current_states;
use slipstream_schemas::Topic;
use slipstream_schemas::topics::TOPICS;
use slipstream_testkit::hooked::Hooked;
use support::onlooker::Onlooker;
use support::{Members, at_end, define, ends, publish, settle, slo};
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(30);

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

async fn traffic(log: &dyn Log, ids: std::ops::Range<u64>) {
    for id in ids {
        publish(log, id, now_ms()).await;
    }
}

/// Follows until an SLO has counted so many.
async fn counted(follower: &mut Follower, total: i64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        follower.follow().await.unwrap();
        let slos = follower.slos().unwrap().slos;
        if slos.iter().any(|slo| slo.name == "all" && slo.total == total) {
            return;
        }
        assert!(Instant::now() < deadline, "{slos:#?}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn p4_a_directory_that_is_owned_is_followed_and_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let owner = SqliteLog::open(home.path(), SqliteOptions::default()).unwrap();
    settle(owner.as_ref()).await;
    define(owner.as_ref(), "all", Some(slo("all", "0.99", "'true'"))).await;
    let (log, mut tally, mut burn) = (owner.clone() as SharedLog, Members::default(), Members::default());
    tally.start_tally(&log);
    burn.start_burn(&log);
    traffic(log.as_ref(), 0..100).await;

    let onlooker = Arc::new(Onlooker::default());
    let looked: SharedLog = SqliteLog::open_read_only(home.path()).unwrap();
    let mut follower = Follower::open(Hooked::over(looked.clone(), &onlooker), "test").await.unwrap();
    onlooker.reads_of(Topic::BurnSnapshots);
    counted(&mut follower, 100).await;
    define(log.as_ref(), "by-service", Some(slo("by-service", "0.9", "'true', groupBy: [service]"))).await;
    traffic(log.as_ref(), 100..250).await;
    counted(&mut follower, 250).await;
    at_end(log.as_ref(), "tally", Topic::RequestEvents).await;
    tally.stop().await;
    at_end(log.as_ref(), "burn", Topic::SliTallies).await;
    burn.stop().await;

    let topics = TOPICS.iter().map(|spec| spec.topic).collect::<Vec<_>>();
    let before = ends(log.as_ref(), &topics).await;
    follower.follow().await.unwrap();
    assert_eq!(follower.states().unwrap(), current_states(&looked).await.unwrap());
    assert_eq!(follower.states().unwrap().len(), 1 + 3, "and the three groups");
    assert_eq!(onlooker.reads_of(Topic::BurnSnapshots), 0, "restored once");
    assert_eq!(ends(log.as_ref(), &topics).await, before);
    drop(log);
    owner.close().await;
}
