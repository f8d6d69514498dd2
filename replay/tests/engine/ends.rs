//! How a replay ends when it does not come to its end: stopped, or because something fails. It never waits forever.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_log::{Batch, Fetch, TopicPartition};
use slipstream_replay::definitions::given;
use slipstream_replay::engine::{Alerting, Begin, Case, Job, Progress, Read, Steps, run};
use slipstream_replay::source::{Block, Reader, Span};
use slipstream_replay::{Asked, ReplayError, Sources, replay};
use slipstream_schemas::records::{AlertTransition, TransitionKind};
use slipstream_schemas::{LogTime, Topic};
use slipstream_testkit::hooked::{Hooked, Hooks};

use crate::slos::slos;
use crate::world::{SECONDS, START, Sent, WINDOW_MS, World, second};

/// Longer than any of these takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Records of a block.
const BLOCK: usize = 500;

/// What a reader does when it is asked for its next block.
enum Next {
    Block(Block),
    /// Somebody stops the replay; the block comes all the same.
    Stop(Arc<Progress>, Block),
    Fail,
    Panic,
}

struct Scripted(VecDeque<Next>);

impl Reader for Scripted {
    fn next(&mut self) -> Result<Option<Block>, ReplayError> {
        match self.0.pop_front() {
            None => Ok(None),
            Some(Next::Block(block)) => Ok(Some(block)),
            Some(Next::Stop(progress, block)) => {
                progress.stop();
                Ok(Some(block))
            }
            Some(Next::Fail) => Err(ReplayError::Sorting("the disk is full".to_owned())),
            Some(Next::Panic) => panic!("a reader of this test panics"),
        }
    }
}

/// The records of a partition in blocks.
fn blocks(world: &World, partition: u32) -> Vec<Block> {
    let place = TopicPartition { topic: Topic::RequestEvents, partition };
    let records: Vec<(i64, &Sent)> = (0..).zip(world.sent.iter().filter(|sent| sent.partition == partition)).collect();
    let block = |records: &[(i64, &Sent)]| {
        let mut batch = Batch::new(place, 0);
        for (offset, sent) in records {
            batch.push(*offset, sent.at, None, Some(&sent.what.bytes()), []);
        }
        Block::Records { batch, count_from: 0 }
    };
    records.chunks(BLOCK).map(block).collect()
}

fn job(partitions: u32, threads: usize) -> Job {
    let revisions = given(&slos().slos, second(0), WINDOW_MS).unwrap();
    Job {
        cases: vec![Case { revisions, open_before: None }],
        known: Alerting::default(),
        window_ms: WINDOW_MS,
        span: Span { from: second(0), to: second(SECONDS) },
        slots: None,
        steps: Steps::new(START, START + SECONDS, 5),
        from: second(0),
        begins: (0..partitions).map(|_| Begin::First).collect(),
        threads,
        progress: Arc::default(),
    }
}

/// Runs it in a thread of its own; `None` if it panics. It has to end.
fn ended(job: Job, scripts: Vec<VecDeque<Next>>) -> Option<Result<Read, ReplayError>> {
    let (done, ended) = channel();
    let running = std::thread::Builder::new().name("replay".to_owned()).spawn(move || {
        let readers = scripts.into_iter().map(|script| -> Box<dyn Reader> { Box::new(Scripted(script)) });
        let read = run(&job, readers.collect());
        let _ = done.send(read);
    });
    let running = running.unwrap();
    let read = ended.recv_timeout(PATIENCE);
    assert!(read.is_ok() || running.is_finished() || running.join().is_err(), "it does not end");
    read.ok()
}

fn whole(world: &World, partition: u32) -> VecDeque<Next> {
    blocks(world, partition).into_iter().map(Next::Block).collect()
}

/// All blocks, but when it is asked for the one of this number, the replay is stopped.
fn stopped_at(world: &World, partition: u32, number: usize, progress: &Arc<Progress>) -> VecDeque<Next> {
    let next = |(at, block)| if at == number { Next::Stop(Arc::clone(progress), block) } else { Next::Block(block) };
    blocks(world, partition).into_iter().enumerate().map(next).collect()
}

fn transitions_before(read: &Read, tick: i64) -> Vec<&AlertTransition> {
    read.notes[0].transitions.iter().filter(|t| t.tick < tick).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_replay_says_how_far_it_is_and_is_right_up_to_there() {
    for (partitions, threads) in [(1, 1), (1, 4), (2, 1), (2, 4), (3, 2)] {
        let world = World::busy(partitions).await;
        let scripts = (0..partitions).map(|partition| whole(&world, partition)).collect();
        let all = ended(job(partitions, threads), scripts).unwrap().unwrap();
        assert_eq!(all.reached, second(SECONDS));

        let job = job(partitions, threads);
        let number = blocks(&world, 0).len() * 2 / 3;
        let mut scripts: Vec<_> = (1..partitions).map(|partition| whole(&world, partition)).collect();
        scripts.insert(0, stopped_at(&world, 0, number, &job.progress));
        let read = ended(job, scripts).unwrap().unwrap();
        assert!(read.reached > second(SECONDS / 3) && read.reached < second(SECONDS), "{:?}", read.reached);
        let known = read.notes[0].until().unwrap();
        assert!(known <= read.reached && known.0 > read.reached.0 - 10_000, "{known:?} of {:?}", read.reached);
        let before = transitions_before(&read, known.tick());
        assert_eq!(before, transitions_before(&all, known.tick()));
        assert!(before.iter().any(|t| t.kind == TransitionKind::Resolved), "nothing is compared");
        for (name, notes) in &all.notes[0].series {
            let (found, steps) = (&read.notes[0].series[name], ((known.tick() - START) / 5) as usize);
            for step in 0..steps {
                let [found, all] = [&found.steps, &notes.steps].map(|steps| steps.get(step).unwrap());
                assert_eq!(found.stood, all.stood, "{name:?}");
                // What was late is known later.
                assert!(step + 2 >= steps || found.counts == all.counts, "{name:?}");
            }
        }
        // What partitions that are ahead have beyond that does not count.
        assert_eq!((read.events, read.duplicates, read.invalid), world.counted(second(0), known));
        let services = world.by_service(second(0), known);
        for (name, notes) in read.notes[0].series.iter().filter(|(name, _)| name.slo == "each-service") {
            assert_eq!((notes.range[0], notes.range[1]), services[&name.group[0]], "{name:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_before_it_begins_has_nothing_to_tell() {
    let world = World::busy(2).await;
    let progress = Arc::new(Progress::default());
    progress.stop();
    let asked = Asked { from: Some(second(60)), ..Asked::default() };
    let found = replay(&world.shared(), &asked, &progress).await.unwrap();
    assert!(found.told.outcome().stopped);
    assert_eq!(
        (found.told.outcome().from.as_str(), found.told.outcome().to.as_str()),
        ("2026-01-05T00:01:00Z", "2026-01-05T00:01:00Z")
    );
    let outcome = found.told.outcome();
    assert_eq!((outcome.events, outcome.alerts.len(), outcome.slos.len(), outcome.traffic.len()), (0, 0, 0, 0));
    let found = replay(&world.shared(), &asked, &Arc::default()).await.unwrap();
    assert!(!found.told.outcome().stopped);
}

/// Stops a replay whenever a record of request-events was asked for so many times.
struct Stopping {
    progress: Arc<Progress>,
    at: Vec<usize>,
    reads: AtomicUsize,
}

#[async_trait]
impl Hooks for Stopping {
    async fn reading(&self, partition: TopicPartition, _fetch: Fetch) {
        if partition.topic == Topic::RequestEvents && self.at.contains(&self.reads.fetch_add(1, Ordering::SeqCst)) {
            self.progress.stop();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_alerts_hit_is_known_or_said_not_to_be() {
    let world = World::busy(1).await;
    let replayed = async |at: Vec<usize>| {
        let progress = Arc::new(Progress::default());
        let stopping = Arc::new(Stopping { progress: Arc::clone(&progress), at, reads: AtomicUsize::new(0) });
        let sources = Sources::of_log(Hooked::over(world.shared().log, &stopping));
        let found = replay(&sources, &Asked { threads: Some(1), ..Asked::default() }, &progress).await.unwrap();
        (found, stopping.reads.load(Ordering::SeqCst))
    };
    let (whole, reads) = replayed(vec![]).await;
    assert!(!whole.told.outcome().stopped && !whole.unlooked);
    let fired = whole.told.outcome().alerts.iter().filter(|alert| alert.episode.fired_at.is_some()).count();
    let (mut in_reading, mut in_looking) = (0, 0);
    for at in 0..reads {
        let (found, _) = replayed(vec![at]).await;
        let alerts = &found.told.outcome().alerts;
        let mut fired_here = alerts.iter().filter(|alert| alert.episode.fired_at.is_some());
        if found.told.outcome().stopped {
            // What was read is looked into all the same.
            assert!(!found.unlooked && fired_here.all(|alert| alert.impact.as_ref().is_some_and(|hit| hit.bad > 0)));
            in_reading += 1;
        } else if found.unlooked {
            assert_eq!(alerts.len(), whole.told.outcome().alerts.len());
            assert!(fired_here.all(|alert| alert.impact.is_none() && alert.first_bad.is_empty()));
            in_looking += 1;
        }
    }
    assert!(fired > 0 && in_reading > 0 && in_looking > 0, "{fired} {in_reading} {in_looking} of {reads}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_midway_is_what_is_told() {
    for (partitions, threads, failing) in [(1, 1, 0), (2, 1, 1), (3, 4, 0), (3, 4, 2)] {
        let world = World::busy(partitions).await;
        let mut scripts: Vec<_> = (0..partitions).map(|partition| whole(&world, partition)).collect();
        let middle = scripts[failing].len() / 2;
        scripts[failing].insert(middle, Next::Fail);
        match ended(job(partitions, threads), scripts) {
            Some(Err(ReplayError::Sorting(what))) => assert_eq!(what, "the disk is full"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_panics_is_no_end_of_the_source() {
    for (partitions, threads, panicking) in [(1, 1, 0), (3, 4, 1)] {
        let world = World::busy(partitions).await;
        let mut scripts: Vec<_> = (0..partitions).map(|partition| whole(&world, partition)).collect();
        let middle = scripts[panicking].len() / 2;
        scripts[panicking].insert(middle, Next::Panic);
        match ended(job(partitions, threads), scripts) {
            Some(Err(ReplayError::Thread(what))) => assert_eq!(what, "a reader"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_partition_without_records_holds_nobody_up() {
    let read = ended(job(3, 2), vec![VecDeque::new(), VecDeque::new(), VecDeque::new()]).unwrap().unwrap();
    assert_eq!((read.events, read.reached), (0, second(SECONDS)));
    assert!(read.notes[0].transitions.is_empty());
}

#[test]
fn definitions_may_be_much_older_than_what_is_read() {
    let world = tokio::runtime::Runtime::new().unwrap().block_on(World::busy(1));
    let all = ended(job(1, 2), vec![whole(&world, 0)]).unwrap().unwrap();
    let mut job = job(1, 2);
    // All their ticks pass by in one step.
    let months_ago = LogTime((START - 90 * 86_400) * 1_000);
    job.cases[0].revisions = given(&slos().slos, months_ago, WINDOW_MS).unwrap();
    let read = ended(job, vec![whole(&world, 0)]).unwrap().unwrap();
    let shown = |read: &Read| -> Vec<_> {
        let told = |t: &AlertTransition| (t.tick, t.alert_id.clone(), t.kind, t.values.clone());
        read.notes[0].transitions.iter().map(told).collect()
    };
    assert_eq!((read.events, shown(&read)), (all.events, shown(&all)));
}
