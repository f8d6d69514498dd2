//! request-events gains partitions while all roles run and events flow.

use slipstream_log::Log;
use slipstream_schemas::Topic;
use slipstream_schemas::records::{BurnRates, TallyBatch};
use slipstream_testkit::faults::windows::wrong_windows;
use slipstream_testkit::process::{PATIENCE, Slipstream};
use slipstream_testkit::verdict;
use tokio::time::{Duration, Instant, sleep};

use crate::place::{Place, started};
use crate::stream::{self, Stream, each_counts_once, log_of};

const BEFORE: u32 = 2;
const AFTER: u32 = 5;

/// New partitions are to be found within a second.
fn configure(place: &Place) {
    place.configure_kafka(
        "properties: {topic.metadata.refresh.interval.ms: 1000, session.timeout.ms: 6000}",
        &format!("store: {}\n", place.database),
    );
}

/// Waits until it is true of what the log has, while the processes run.
async fn until<T>(what: &str, processes: &mut [Slipstream], look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        for process in processes.iter_mut() {
            process.still_runs().unwrap_or_else(|error| panic!("{what}: {error:#}: {}", process.stderr()));
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// The newest tick at which the stream's burn rates are complete with so many sources.
async fn complete_with(log: &dyn Log, sources: u32) -> Option<i64> {
    let rates: Vec<BurnRates> = verdict::all(log, Topic::BurnRates).await.unwrap();
    let with = rates.iter().filter(|r| r.complete && r.sources == sources as i32);
    with.map(|r| r.tick).max()
}

#[tokio::test]
async fn request_events_gains_partitions_while_everything_runs() {
    let place = Place::new().await;
    configure(&place);
    let partitions = format!("request-events={BEFORE},sli-tallies=2,burn-snapshots=2,burn-rates=2");
    place.json(&["topics", "ensure", "--partitions", &partitions], 0).await;
    let slos = place.file("slos.yaml", &stream::slo());
    let first = place.process("gateway,tally,burn,sink").with(["--slos".into(), slos.into_os_string()]);
    let (first, second) = tokio::join!(started(first), started(place.process("tally,burn,sink")));
    let mut processes = [first, second];
    let log = log_of(&place);
    let log: &dyn Log = log.as_ref();
    let stream = Stream::start(&processes[0]);
    until("complete ticks", &mut processes, async || complete_with(log, BEFORE).await).await;

    place.add_partitions(Topic::RequestEvents, AFTER).await;
    // Clients send to the new ones, tally reads them, and burn waits for them.
    let counted_from_all = async || {
        let batches: Vec<TallyBatch> = verdict::all(log, Topic::SliTallies).await.unwrap();
        let counted = |source: i32| batches.iter().any(|b| b.source == source && !b.entries.is_empty());
        (0..AFTER as i32).all(counted).then_some(())
    };
    until("tallies of all partitions", &mut processes, counted_from_all).await;
    let grown =
        until("complete ticks with the new partitions", &mut processes, async || complete_with(log, AFTER).await).await;
    until("more of them", &mut processes, async || complete_with(log, AFTER).await.filter(|tick| *tick > grown + 10))
        .await;

    let acknowledged = stream.end().await;
    place.tallied(log).await;
    let (events, cells) = each_counts_once(log, &acknowledged).await;
    place.stored(events).await;
    for process in &mut processes {
        let ended = process.stop().await.unwrap();
        assert!(ended.success(), "{}", process.stderr());
    }
    let rates: Vec<BurnRates> = verdict::all(log, Topic::BurnRates).await.unwrap();
    // What a new partition took before tally had told of it is counted when it is known.
    let all_known = |r: &&BurnRates| r.sources == AFTER as i32 && r.tick > grown;
    let right: Vec<&BurnRates> = rates.iter().filter(all_known).filter(|r| r.complete).collect();
    assert!(!right.is_empty());
    for rates in right {
        assert_eq!(wrong_windows(rates, &cells), Vec::<String>::new());
    }
    verdict::burn_rates_refold(log).await.unwrap();
}
