//! A follower beside roles that run in processes of their own.

use slipstream_log::{Log, SharedLog};
use slipstream_query::Follower;
use slipstream_role::burn_state::current_states;
use slipstream_schemas::{LogTime, Topic};
use slipstream_testkit::faults::drained;
use slipstream_testkit::process::PATIENCE;
use tokio::time::{Duration, Instant, sleep};

use crate::place::{Place, started};
use crate::stream::{self, Stream, log_of};

/// The last tick that is known.
fn tick(follower: &Follower) -> Option<LogTime> {
    follower.states().unwrap().iter().map(|state| LogTime(state.tick * 1_000)).max()
}

#[tokio::test]
async fn p4_a_follower_is_where_a_fresh_restore_is_whoever_folds_beside_it() {
    let place = Place::new().await;
    place.json(&["topics", "ensure", "--partitions", "request-events=2,sli-tallies=2,burn-snapshots=2"], 0).await;
    let slos = place.file("slos.yaml", &stream::slo());
    let intake = place.process("gateway,tally").with(["--slos".into(), slos.into_os_string()]);
    let (mut intake, mut burn) = tokio::join!(started(intake), started(place.process("burn")));
    let log: SharedLog = log_of(&place);
    let mut follower = Follower::open(log.clone(), "test").await.unwrap();
    let stream = Stream::start(&intake);
    for _ in 0..3 {
        let (before, deadline) = (tick(&follower), Instant::now() + PATIENCE);
        while tick(&follower) <= before {
            assert!(Instant::now() < deadline, "no tick after {before:?}: {}", burn.stderr());
            sleep(Duration::from_millis(200)).await;
            follower.follow().await.unwrap();
        }
        // The follower goes on without burn, and beside the one that restores.
        burn.kill().await.unwrap();
        burn.start().await.unwrap();
    }
    stream.end().await;
    place.tallied(log.as_ref()).await;
    assert!(intake.stop().await.unwrap().success(), "{}", intake.stderr());
    let deadline = Instant::now() + PATIENCE;
    while !matches!(drained::by_group(log.as_ref() as &dyn Log, "burn", Topic::SliTallies).await, Ok(true)) {
        assert!(Instant::now() < deadline, "burn does not come to the end of sli-tallies: {}", burn.stderr());
        sleep(Duration::from_millis(50)).await;
    }
    assert!(burn.stop().await.unwrap().success(), "{}", burn.stderr());
    follower.follow().await.unwrap();
    assert_eq!(follower.states().unwrap(), current_states(&log).await.unwrap());
    let told = place.json(&["slo", "status"], 0).await;
    assert_eq!(told["slos"], serde_json::to_value(follower.slos().unwrap()).unwrap()["slos"]);
}
