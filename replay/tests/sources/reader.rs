//! The reader of the store: whole windows, bounded memory, and patience that ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use slipstream_log::Offset;
use slipstream_replay::ReplayError;
use slipstream_replay::source::{Block, Limits, Reader, Span, StorePart, StoreReader};
use slipstream_schemas::LogTime;
use slipstream_schemas::Topic;
use slipstream_store::conformance::made;
use slipstream_store::{Events, PositionMove, SharedStore, WriteBatch};

use crate::onlooker::Onlooker;
use crate::world::{BEGIN, World, event};

const PATIENT: Duration = Duration::from_secs(30);

/// Ten events in each of 30 seconds, and then 40 in one millisecond.
async fn stored(world: &World) -> SharedStore {
    let store = world.store();
    let (mut events, mut offset) = (Events::new(), 0);
    let mut add = |at: i64| {
        events.push(0, offset, LogTime(at), &made::view(&event(offset)));
        offset += 1;
    };
    (0..300).for_each(|n| add(BEGIN + n * 100));
    (0..40).for_each(|_| add(BEGIN + 31_000));
    let (topic, log_time) = (Topic::RequestEvents, LogTime(BEGIN + 31_000));
    let positions = vec![PositionMove { topic, partition: 0, from: None, to: offset, log_time }];
    store.write(Arc::new(WriteBatch { events, positions, ..WriteBatch::default() })).await.unwrap();
    store
}

fn part(store: SharedStore, below: Offset) -> StorePart {
    let span = Span { from: LogTime(BEGIN), to: LogTime(BEGIN + 3_600_000) };
    StorePart { store, epoch: 0, span, below: [(0, below)].into(), until: [(0, span.to)].into() }
}

/// Reads everything, checks what blocks promise, and returns the offsets in each.
async fn blocks(part: StorePart, limits: Limits) -> Result<Vec<BTreeSet<Offset>>, ReplayError> {
    let runtime = tokio::runtime::Handle::current();
    let read = move || {
        let mut reader = StoreReader::new(part, runtime, (Arc::default(), Arc::default()), limits);
        let (mut found, mut reached) = (Vec::new(), LogTime(0));
        while let Some(block) = reader.next()? {
            let Block::Events { events, until } = block else { panic!("no events") };
            assert!(events.len() <= limits.most_events);
            assert!(events.iter().all(|event| event.log_time() >= reached && event.log_time() <= until));
            reached = until;
            found.push(events.iter().map(|event| event.offset()).collect());
        }
        Ok(found)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_whole_and_small_whatever_lies_in_them() {
    let world = World::new(1).await;
    let store = stored(&world).await;
    for (events, most_events) in [(60_000, 200_000), (50, 100), (5, 10), (1, 1)] {
        let limits = Limits { events, most_events, patience: PATIENT };
        for below in [340, 320, 123] {
            let found = blocks(part(store.clone(), below), limits).await.unwrap();
            let all: Vec<Offset> = found.iter().flatten().copied().collect();
            let each: BTreeSet<Offset> = all.iter().copied().collect();
            assert_eq!((all.len(), each), (below as usize, (0..below).collect()), "{limits:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_come_back_is_told_with_how_far_it_was_read() {
    let world = World::new(1).await;
    let onlooker = Onlooker { unavailable: (1..1_000).collect(), ..Onlooker::over(stored(&world).await) };
    let limits = Limits { events: 50, most_events: 400, patience: Duration::ZERO };
    let error = blocks(part(Arc::new(onlooker), 340), limits).await.unwrap_err();
    let at = jiff::Timestamp::from_millisecond(BEGIN + 60_000).unwrap();
    let told = format!(
        "the store stopped answering after it was read up to {at}; run it again when it is back: reading: it restarts"
    );
    assert_eq!(error.to_string(), told);
}
