//! L1 to L7 of the log in memory.

use slipstream_log::conformance::InMemory;

slipstream_log::conformance!(InMemory);

/// L7 where records become visible late, as in a transaction left open on a broker.
#[tokio::test]
async fn l7_a_hidden_record_bounds_the_horizon_until_it_is_seen() {
    use slipstream_log::clock::{Clock, ManualClock};
    use slipstream_log::conformance::{Copier, input, publish, read_all};
    use slipstream_log::memory::{MemoryLog, MemoryOptions};

    let clock = ManualClock::at(1_000);
    let memory = MemoryLog::new(MemoryOptions { clock: Clock::Manual(clock.clone()), ..MemoryOptions::default() });
    let log: slipstream_log::SharedLog = memory.clone();
    publish(&log, 1, 2).await;
    let mut member = Copier::join(&log, "g").await;
    member.settle_in(1).await;
    memory.hide();
    clock.advance(10);
    publish(&log, 1, 1).await;
    clock.advance(10_000);
    let horizon = member.consumer.horizon(input(0)).await.unwrap().unwrap();
    assert_eq!((horizon.end, horizon.time.0), (2, 1_010), "the hidden record will come with that time");
    assert_eq!(read_all(&log, input(0)).await.len(), 2);
    memory.reveal();
    assert_eq!(read_all(&log, input(0)).await.len(), 3);
    let horizon = member.consumer.horizon(input(0)).await.unwrap().unwrap();
    assert_eq!((horizon.end, horizon.time.0), (3, 11_010));
}
