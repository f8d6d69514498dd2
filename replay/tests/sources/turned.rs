//! Which partition, or source, comes first does not matter.

use slipstream_replay::Asked;
use slipstream_replay::outcome::Outcome;

use crate::world::{BEGIN, World, log_time, records, story, told};

/// The story; `turned`: with the partitions the other way round.
async fn world(turned: bool) -> World {
    let world = World::new(2).await;
    for (at, partition, event) in story() {
        world.publish(at, if turned { 1 - partition } else { partition }, &event).await;
    }
    world
}

/// What is told when one partition has lost some of its past, and the other one has not.
async fn found(turned: bool, asked: &Asked) -> Outcome {
    let world = world(turned).await;
    world.trim(u32::from(turned), 300);
    world.replay(None, asked).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_matter_which_partition_has_lost_its_past() {
    // From the first record of the other one on, and from later: both are cut then.
    for from in [None, log_time(BEGIN + 60_000)] {
        let asked = Asked { from, ..Asked::default() };
        let (one, other) = (found(false, &asked).await, found(true, &asked).await);
        assert_eq!(records(&one), records(&other), "{from:?}");
        assert_eq!(told(&one), told(&other), "{from:?}");
        // What the whole one has is told from its beginning.
        let all = one.slos.iter().find(|slo| slo.status.name == "all").unwrap();
        assert_eq!(all.timeline[0].at, one.from, "{from:?}");
    }
}
