//! What the supervisor promises: one failure takes all down, in order, within bounds, and is named.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use slipstream_runtime::outcome::{Cause, Outcome, Reason};
use slipstream_runtime::{Bounds, Health, Shutdown, Stage, Stop, Supervisor};

#[derive(Debug, thiserror::Error)]
#[error("writing rows")]
struct SinkFailed(#[source] std::io::Error);

fn supervisor() -> Supervisor {
    Supervisor::new(Bounds { per_stage: Duration::from_millis(200), ..Bounds::default() })
}

/// Works until it is told to end, then notes its name.
fn member(
    shutdown: Shutdown,
    name: &'static str,
    order: &Order,
) -> impl Future<Output = Result<(), Infallible>> + use<> {
    let order = order.clone();
    async move {
        shutdown.cancelled().await;
        order.lock().unwrap().push(name);
        Ok(())
    }
}

type Order = Arc<Mutex<Vec<&'static str>>>;

/// A process with a healthy member in each stage, one of them a thread.
fn house(order: &Order) -> Supervisor {
    let mut s = supervisor();
    for (stage, name) in [(Stage::Serve, "ops"), (Stage::Deliver, "notifier"), (Stage::Intake, "gateway")] {
        s.task(stage, name, member(s.token(stage), name, order));
    }
    let (token, noted) = (s.token(Stage::Process), order.clone());
    s.thread(Stage::Process, "tally", move || member(token, "tally", &noted));
    s
}

const IN_ORDER: [&str; 4] = ["gateway", "tally", "notifier", "ops"];

fn failed(outcome: &Outcome) -> Vec<(&str, &Reason)> {
    outcome.failures.iter().map(|f| (f.member.name.as_str(), &f.reason)).collect()
}

#[tokio::test]
async fn told_to_stop_it_ends_stage_after_stage() {
    let order = Order::default();
    let outcome = house(&order).run(async {}).await;
    assert_eq!(outcome.cause, Cause::Stopped);
    assert!(outcome.clean(), "{outcome}");
    assert_eq!(*order.lock().unwrap(), IN_ORDER);
}

#[tokio::test]
async fn one_failure_takes_all_down_in_order_and_says_why() {
    let order = Order::default();
    let mut s = house(&order);
    s.task(Stage::Process, "sink", async { Err(SinkFailed(std::io::Error::other("disk full"))) });
    let outcome = s.run(pending::<Stop>()).await;
    assert_eq!(outcome.cause, Cause::Failed);
    assert_eq!(failed(&outcome), [("sink", &Reason::Error("writing rows: disk full".into()))]);
    assert_eq!(*order.lock().unwrap(), IN_ORDER);
    assert_eq!(outcome.to_string(), "sink: writing rows: disk full");
}

#[tokio::test]
async fn a_panic_in_a_task_or_a_thread_is_a_failure() {
    let order = Order::default();
    let mut s = house(&order);
    s.task(Stage::Process, "sink", async { panic!("index {}", 7) as Result<(), Infallible> });
    assert_eq!(failed(&s.run(pending::<Stop>()).await), [("sink", &Reason::Panic("index 7".into()))]);
    assert_eq!(*order.lock().unwrap(), IN_ORDER);

    let mut s = supervisor();
    s.thread(Stage::Process, "burn", || async { panic!("gap") as Result<(), Infallible> });
    assert_eq!(failed(&s.run(pending::<Stop>()).await), [("burn", &Reason::Panic("gap".into()))]);
}

#[tokio::test]
async fn a_task_that_ends_unasked_is_a_failure_and_a_job_that_ends_is_not() {
    let mut s = supervisor();
    s.task(Stage::Process, "tally", async { Ok::<_, Infallible>(()) });
    assert_eq!(failed(&s.run(pending::<Stop>()).await), [("tally", &Reason::EndedEarly)]);

    let order = Order::default();
    let mut s = house(&order);
    let (done, mut is_done) = tokio::sync::mpsc::channel(1);
    s.job(Stage::Intake, "import", async move { done.send(()).await });
    let stop = async {
        is_done.recv().await.unwrap();
        // The job's end is seen, and the house stands.
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let outcome = s.run(stop).await;
    assert_eq!(outcome.cause, Cause::Stopped);
    assert!(outcome.clean(), "{outcome}");
}

#[tokio::test]
async fn nothing_but_jobs_ends_with_the_last_and_a_failing_job_fails() {
    let mut s = supervisor();
    s.job(Stage::Intake, "one", async { Ok::<_, Infallible>(()) });
    s.job(Stage::Intake, "two", async { Ok::<_, Infallible>(()) });
    let outcome = s.run(pending::<Stop>()).await;
    assert_eq!((outcome.cause, outcome.clean()), (Cause::Finished, true));

    let mut s = supervisor();
    s.job(Stage::Intake, "import", async { Err("no such file") });
    let outcome = s.run(pending::<Stop>()).await;
    assert_eq!(failed(&outcome), [("import", &Reason::Error("no such file".into()))]);
}

#[tokio::test]
async fn what_hangs_is_named_and_delays_nobody_beyond_the_bound() {
    let order = Order::default();
    let mut s = house(&order);
    s.task(Stage::Process, "sink", pending::<Result<(), Infallible>>());
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    // A thread that does not even yield.
    s.thread(Stage::Deliver, "mailer", move || async move { blocked.recv() });
    let begun = Instant::now();
    let outcome = s.run(async {}).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    let late: Vec<&str> = outcome.late.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(late, ["sink", "mailer"]);
    assert!(!outcome.clean());
    assert_eq!(*order.lock().unwrap(), IN_ORDER, "the others still ended in order");
    drop(release);
}

#[tokio::test]
async fn a_failure_during_shutdown_is_reported_too() {
    let mut s = supervisor();
    let token = s.token(Stage::Process);
    s.task(Stage::Process, "sink", async move {
        token.cancelled().await;
        Err("last rows refused")
    });
    let outcome = s.run(async {}).await;
    assert_eq!(outcome.cause, Cause::Stopped);
    assert_eq!(failed(&outcome), [("sink", &Reason::Error("last rows refused".into()))]);
}

#[tokio::test]
async fn a_later_stage_works_on_while_an_earlier_one_drains() {
    let mut s = supervisor();
    let (intake, process) = (s.token(Stage::Intake), s.token(Stage::Process));
    let (hand_over, mut taken) = tokio::sync::mpsc::channel(1);
    s.task(Stage::Intake, "gateway", async move {
        intake.cancelled().await;
        hand_over.send("the last request").await
    });
    let got = Arc::new(Mutex::new(None));
    let noted = got.clone();
    s.task(Stage::Process, "tally", async move {
        *noted.lock().unwrap() = taken.recv().await;
        process.cancelled().await;
        Ok::<_, Infallible>(())
    });
    assert!(s.run(async {}).await.clean());
    assert_eq!(*got.lock().unwrap(), Some("the last request"));
}

/// A house that works for a second after it is asked to stop, and its board.
fn draining(order: &Order) -> (Supervisor, Health) {
    let bounds = Bounds { drain: Duration::from_secs(1), per_stage: Duration::from_millis(200) };
    let mut s = Supervisor::new(bounds);
    s.task(Stage::Intake, "gateway", member(s.token(Stage::Intake), "gateway", order));
    let health = s.health();
    (s, health)
}

#[tokio::test(start_paused = true)]
async fn asked_to_drain_it_is_not_ready_first_and_works_on() {
    let order = Order::default();
    let (s, health) = draining(&order);
    let begun = tokio::time::Instant::now();
    assert!(health.ready());
    let watched = async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert!(health.is_stopping() && !health.ready());
        assert!(order.lock().unwrap().is_empty(), "it works on");
    };
    let (outcome, ()) = tokio::join!(s.run(async { Stop::Drain }), watched);
    assert_eq!((outcome.cause, outcome.clean()), (Cause::Stopped, true));
    assert_eq!((*order.lock().unwrap()).as_slice(), ["gateway"]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn asked_to_stop_now_or_failing_it_does_not_drain() {
    let order = Order::default();
    let begun = tokio::time::Instant::now();
    let (s, health) = draining(&order);
    assert!(s.run(async { Stop::Now }).await.clean());
    assert!(health.is_stopping());

    let (mut s, health) = draining(&order);
    s.task(Stage::Process, "sink", async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Err("disk full")
    });
    let outcome = s.run(async { Stop::Drain }).await;
    assert_eq!(failed(&outcome), [("sink", &Reason::Error("disk full".into()))]);
    assert!(health.is_stopping());
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}
