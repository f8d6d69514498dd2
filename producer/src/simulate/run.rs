//! Publishing simulated traffic, in real time or as fast as the log accepts it.

use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{Log, LogError, Outgoing, SharedLog};
use slipstream_runtime::Shutdown;
use slipstream_schemas::{EventTime, RequestEvent, Topic, codec};

use super::fault::FaultSwitch;
use super::generator::Generator;
use super::scenario::Fault;

/// How much is generated and published at a time in real time.
const SLICE: Duration = Duration::from_millis(50);
/// As fast as possible, so many events are published at a time, about.
const BATCH: f64 = 10_000.0;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is to be published.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Generates the requests.
    pub generator: Generator,
    /// Time of the first request.
    pub from: EventTime,
    /// Where to end; `None` for until shutdown.
    pub until: Option<EventTime>,
    /// Publish each request at its time; else as fast as the log accepts them, which needs an end.
    pub realtime: bool,
    /// Faults that are switched manually; those with their own times start and end automatically.
    pub faults: FaultSwitch,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Events that the log acknowledged.
    pub accepted: u64,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Events that the log acknowledged.
    pub accepted: u64,
    /// Whether the simulation reached its end; else a shutdown came first.
    pub finished: bool,
}

/// Why it could not continue.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The log failed permanently.
    #[error("publishing simulated requests: {0}")]
    Log(#[from] LogError),
}

/// Publishes until the simulation's end or a shutdown; what was acknowledged is counted. `now` is the clock.
///
/// # Errors
/// When the log fails permanently; temporary errors are retried, with the same events.
pub async fn run(
    log: SharedLog,
    simulation: Simulation,
    now: &(dyn Fn() -> EventTime + Sync),
    progress: &mut (dyn FnMut(&Progress) + Send),
    shutdown: &Shutdown,
) -> Result<Summary, SimulateError> {
    let mut done = Progress::default();
    let mut at = simulation.from;
    let end = simulation.until.unwrap_or(EventTime::MAX);
    while at < end && !shutdown.is_cancelled() {
        let to = match simulation.realtime {
            true => until_now(at, end, now, shutdown).await,
            false => EventTime((at.0 + batch_us(&simulation)).min(end.0)),
        };
        let events = simulation.generator.between(at, to, |fault, time| is_on(fault, time, &simulation));
        done.accepted += events.len() as u64;
        if !publish(log.as_ref(), &events, shutdown).await? {
            done.accepted -= events.len() as u64;
            break;
        }
        progress(&done);
        at = to;
    }
    Ok(Summary { accepted: done.accepted, finished: at >= end })
}

/// Microseconds of traffic that make a batch.
fn batch_us(simulation: &Simulation) -> i64 {
    let rate = simulation.generator.rate().max(0.001);
    (BATCH / rate * 1e6).clamp(1e6, 3_600e6) as i64
}

/// Sleeps for a slice and returns the current time.
async fn until_now(
    at: EventTime,
    end: EventTime,
    now: &(dyn Fn() -> EventTime + Sync),
    shutdown: &Shutdown,
) -> EventTime {
    tokio::select! {
        () = shutdown.cancelled() => at,
        () = tokio::time::sleep(SLICE) => now().min(end).max(at),
    }
}

fn is_on(fault: &Fault, time: EventTime, simulation: &Simulation) -> bool {
    let since = (time.0 - simulation.from.0) as f64 / 1e6;
    let by_itself = fault
        .begins_after_s
        .is_some_and(|begin| since >= begin && fault.lasts_s.is_none_or(|lasts| since < begin + lasts));
    by_itself || simulation.faults.is_on(&fault.name)
}

/// Publishes durably; false: shut down before the log had them.
async fn publish(log: &dyn Log, events: &[RequestEvent], shutdown: &Shutdown) -> Result<bool, SimulateError> {
    if events.is_empty() {
        return Ok(true);
    }
    let records: Vec<Outgoing> = events.iter().map(record).collect();
    let mut pause = FIRST_PAUSE;
    loop {
        match log.publish(records.clone()).await {
            Ok(_) => return Ok(true),
            Err(error @ (LogError::Busy | LogError::Transient { .. })) => {
                tracing::debug!(%error, "the log did not accept simulated requests; retrying");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(false),
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

fn record(event: &RequestEvent) -> Outgoing {
    Outgoing {
        topic: Topic::RequestEvents,
        partition: None,
        key: Some(Bytes::copy_from_slice(event.event_id.as_bytes())),
        value: Some(Bytes::from(codec::encode(event))),
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use slipstream_log::TopicPartition;
    use slipstream_log::faults::PublishFault;
    use slipstream_log::memory::{MemoryLog, MemoryOptions};

    use super::super::Scenario;
    use super::*;

    const PLACE: TopicPartition = TopicPartition { topic: Topic::RequestEvents, partition: 0 };

    fn simulation(seconds: i64) -> Simulation {
        let scenario = Scenario::shop();
        Simulation {
            faults: FaultSwitch::new(&scenario),
            generator: Generator::new(scenario, 500.0, 1),
            from: EventTime(1_769_851_800_000_000),
            until: Some(EventTime(1_769_851_800_000_000 + seconds * 1_000_000)),
            realtime: false,
        }
    }

    #[tokio::test]
    async fn what_is_acknowledged_is_in_the_log_although_it_is_busy() {
        let log = MemoryLog::new(MemoryOptions::default());
        log.faults().fail_publishes([PublishFault::Busy, PublishFault::Busy]);
        let simulation = simulation(60);
        let expected = simulation.generator.between(simulation.from, simulation.until.unwrap(), |_, _| false);
        let mut seen = 0;
        let mut progress = |p: &Progress| seen = p.accepted;
        let clock = || EventTime(0);
        let summary = run(log.clone(), simulation, &clock, &mut progress, &Shutdown::new()).await.unwrap();
        assert_eq!(summary, Summary { accepted: expected.len() as u64, finished: true });
        assert_eq!(seen, summary.accepted);
        assert_eq!(log.bounds(PLACE).await.unwrap().1, expected.len() as i64);
    }

    #[tokio::test(start_paused = true)]
    async fn in_real_time_nothing_is_published_before_its_time() {
        let log = MemoryLog::new(MemoryOptions::default());
        let simulation = Simulation { realtime: true, ..simulation(2) };
        let (from, began) = (simulation.from, tokio::time::Instant::now());
        let clock = move || EventTime(from.0 + began.elapsed().as_micros() as i64);
        let expected =
            simulation.generator.between(simulation.from, simulation.until.unwrap(), |_, _| false).len() as u64;
        let summary = run(log, simulation, &clock, &mut |_| {}, &Shutdown::new()).await.unwrap();
        assert_eq!(summary.accepted, expected);
        assert!(began.elapsed() >= Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_shutdown_ends_it() {
        let log = MemoryLog::new(MemoryOptions::default());
        let shutdown = Shutdown::new();
        shutdown.cancel();
        let endless = Simulation { until: None, realtime: true, ..simulation(1) };
        let summary = run(log, endless, &|| EventTime(0), &mut |_| {}, &shutdown).await.unwrap();
        assert_eq!(summary, Summary { accepted: 0, finished: false });
    }

    #[tokio::test]
    async fn a_shutdown_after_the_last_event_does_not_cut_it_short() {
        // At 500 events a second a batch is 20 s: the first ends the one simulation, and not the other.
        for (seconds, finished) in [(20, true), (60, false)] {
            let shutdown = Shutdown::new();
            let mut stop = |_: &Progress| shutdown.cancel();
            let log = MemoryLog::new(MemoryOptions::default());
            let summary = run(log, simulation(seconds), &|| EventTime(0), &mut stop, &shutdown).await.unwrap();
            assert!(summary.accepted > 0 && summary.finished == finished, "{seconds} s: {summary:?}");
        }
    }
}
