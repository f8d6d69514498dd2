//! From an event to the webhook of the alert that it causes.
//!
//! The clock of a fault starts when the log acknowledges the first bad event of a service that had none. From that event
//! on the condition of its SLO is true: nothing else has to happen but that it is counted, its second is over, evaluated,
//! and sent. It ends when the receiver has the alert. The second itself is most of it: an evaluation waits for the end of
//! the tick and one more second, so that no source is missing.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use slipstream_schemas::event::RequestEvent;
use slipstream_schemas::time::EventTime;
use slipstream_schemas::{Topic, codec};

use super::fill::fill;
use super::hooks::Hooks;
use super::options::Options;
use super::pace::Background;
use super::place::Place;
use super::role::Role;
use super::slos;
use super::traffic::now;
use crate::database::Database;
use crate::process::Spent;
use crate::replay::embedded::replay;
use crate::replay::middle;
use crate::table::Row;

pub(super) const PARTITIONS: u32 = 4;
const RATES: [u64; 2] = [1_000, 50_000];
/// Events a second while replays run.
const BESIDE: u64 = 5_000;
/// Faults, one at a time, each of a separate service.
pub(super) const FAULTS: usize = 40;
const FAULT_EVERY: Duration = Duration::from_millis(1_430);
/// Bad events of a fault.
const BAD: usize = 5;
pub(super) const WARM_UP: Duration = Duration::from_secs(5);
pub(super) const READY_WITHIN: Duration = Duration::from_secs(30);
const TOLD_WITHIN: Duration = Duration::from_secs(60);
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(60);
/// Bad events are enough, even if they become known late: a minute is longer than any crash. A target of 99 % can burn
/// at 100 at most.
const POLICY: &str = "  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: at-once}
      spec:
        alertWhenBreaching: true
        conditions:
          - kind: AlertCondition
            metadata: {name: at-once, annotations: {slipstream.dev/short-window: 1m}}
            spec:
              severity: page
              condition: {kind: burnrate, op: gt, threshold: 50, lookbackWindow: 2m, alertAfter: 0m}
        notificationTargets: [{targetRef: bench}]
";

/// Alerts while everything is well, at 1,000 and at 50,000 events a second; with a store with evidence, and without.
pub fn healthy(options: &Options) -> Result<Vec<Row>> {
    let evidence = if options.postgres.is_some() { &[true, false][..] } else { &[false] };
    let runs = RATES.into_iter().flat_map(|rate| evidence.iter().map(move |evidence| (rate, *evidence)));
    runs.map(|(rate, evidence)| Ok(measured(options, rate, evidence, false)?.row("2 s (p99)"))).collect()
}

/// Alerts while one of two tallies is killed.
pub fn crashed(options: &Options) -> Result<Vec<Row>> {
    RATES.into_iter().map(|rate| Ok(measured(options, rate, true, true)?.row("25 s (max)"))).collect()
}

/// How late the alerts of a run were.
pub(super) struct Latencies {
    /// What was measured.
    pub(super) what: String,
    /// Ascending.
    pub(super) all: Vec<Duration>,
}

impl Latencies {
    pub(super) fn row(&self, goal: &'static str) -> Row {
        let share =
            |share: f64| self.all[((self.all.len() as f64 * share).ceil() as usize).clamp(1, self.all.len()) - 1];
        let [half, most, longest] = [share(0.5), share(0.99), share(1.0)].map(|time| time.as_secs_f64());
        let figure = format!("p50 {half:.2} s, p99 {most:.2} s, max {longest:.2} s of {} alerts", self.all.len());
        Row::new(self.what.clone(), figure, goal)
    }
}

/// Alerts while everything is well but for replays of the same topic, one after the other; and those.
pub fn beside(options: &Options) -> Result<Vec<Row>> {
    let mut place = Place::new(&options.brokers, &options.program()?, "beside", PARTITIONS)?;
    place.define(&definitions())?;
    let hooks = Hooks::start()?;
    let database = options.postgres.as_deref().map(|server| Database::make(server, 0)).transpose()?;
    place.store = database.as_ref().map(|database| database.url.clone());
    let roles = if place.store.is_some() { "tally,burn,alerter,notifier,sink" } else { "tally,burn,alerter,notifier" };
    let mut roles = [Role::start(&place, roles, &["--webhook".as_ref(), hooks.url().as_ref()])?];
    roles[0].ready(READY_WITHIN)?;
    let filled = fill(&place, options.fewer())?.events;
    // When its alert is here, everything before it is tallied.
    told(&cause(&place, 0..1, &mut |_| Ok(()))?, &hooks, &mut roles)?;
    let (events, to) = (filled + BAD as u64, EventTime(now()).rfc3339());
    let replayed = || {
        let mut command = place.command();
        command.args(["replay", "--json", "--log", &place.log(), "--to", &to]);
        replay(&mut command, place.home(), events)
    };
    let alone = (0..options.runs.max(1)).map(|_| replayed()).collect::<Result<Vec<Spent>>>()?;
    let background = Background::start(&place.brokers, place.topic(Topic::RequestEvents), BESIDE)?;
    std::thread::sleep(WARM_UP);
    let over = AtomicBool::new(false);
    let (all, beside) = std::thread::scope(|scope| {
        let replays = scope.spawn(|| {
            let mut all = vec![replayed()?];
            while !over.load(Ordering::Relaxed) {
                all.push(replayed()?);
            }
            anyhow::Ok(all)
        });
        let all = cause(&place, 1..FAULTS, &mut |_| Ok(())).and_then(|caused| told(&caused, &hooks, &mut roles));
        over.store(true, Ordering::Relaxed);
        anyhow::Ok((all?, replays.join().map_err(|_| anyhow!("a thread panicked"))??))
    })?;
    let sent = background.end()?;
    roles.into_iter().try_for_each(Role::end)?;
    database.map_or(Ok(()), Database::remove)?;
    place.remove()?;
    let (runs, alone, beside) = (beside.len(), middle(alone.into_iter()), middle(beside.into_iter()));
    let what =
        format!("event to webhook at {BESIDE} events/s ({sent} events), beside {runs} replays one after the other");
    let what_beside = format!("replay of {:.1} M events from Kafka beside that", events as f64 / 1e6);
    Ok(vec![
        Latencies { what, all }.row("2 s (max)"),
        Row::new(what_beside, beside.shown(events), "0.5")
            .against(format!("alone: {}", alone.shown(events)), alone.took.as_secs_f64() / beside.took.as_secs_f64()),
    ])
}

fn measured(options: &Options, rate: u64, evidence: bool, crash: bool) -> Result<Latencies> {
    let name = format!("latency-{rate}-{evidence}-{crash}");
    let mut place = Place::new(&options.brokers, &options.program()?, &name, PARTITIONS)?;
    place.define(&definitions())?;
    let hooks = Hooks::start()?;
    let database = options.postgres.as_deref().map(|server| Database::make(server, 0)).transpose()?;
    place.store = database.as_ref().map(|database| database.url.clone());
    let sink = if place.store.is_some() { ",sink" } else { "" };
    let rest = format!("burn,alerter,notifier{sink}{}", if crash { "" } else { ",tally" });
    place.evidence = evidence;
    let mut roles = vec![Role::start(&place, &rest, &["--webhook".as_ref(), hooks.url().as_ref()])?];
    for _ in 0..if crash { 2 } else { 0 } {
        roles.push(Role::start(&place, "tally", &[])?);
    }
    roles.iter_mut().try_for_each(|role| role.ready(READY_WITHIN))?;
    let background = Background::start(&place.brokers, place.topic(Topic::RequestEvents), rate)?;
    std::thread::sleep(WARM_UP);
    let caused = cause(&place, 0..FAULTS, &mut |fault| match crash && fault == FAULTS / 2 {
        true => roles.pop().context("no process to kill")?.kill(),
        false => Ok(()),
    })?;
    let all = told(&caused, &hooks, &mut roles)?;
    let sent = background.end()?;
    roles.into_iter().try_for_each(Role::end)?;
    database.map_or(Ok(()), Database::remove)?;
    place.remove()?;
    let killed = if crash { ", one of two tallies killed in the middle" } else { "" };
    let stored = if sink.is_empty() { "" } else { ", stored as well" };
    let explained = if evidence && !sink.is_empty() { ", with evidence" } else { "" };
    let what = format!("event to webhook at {rate} events/s{stored}{explained}{killed} ({sent} events)");
    Ok(Latencies { what, all })
}

fn service(fault: usize) -> String {
    format!("faulty-{fault}")
}

fn definitions() -> String {
    [slos::documents(0), faulty()].join("---\n")
}

/// An SLO for each fault.
pub(super) fn faulty() -> String {
    let faulty = (0..FAULTS).map(|n| slos::document(&service(n), ("availability", "status_code < 500"), POLICY));
    faulty.collect::<Vec<_>>().join("---\n")
}

/// Causes faults; `before` is called before each of them. Returns when each was acknowledged.
pub(super) fn cause(
    place: &Place,
    faults: Range<usize>,
    before: &mut impl FnMut(usize) -> Result<()>,
) -> Result<HashMap<String, Instant>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &place.brokers).set("linger.ms", "0").set("acks", "all");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().context("creating a producer")?;
    let topic = place.topic(Topic::RequestEvents);
    let (began, mut caused) = (Instant::now(), HashMap::new());
    for (at, fault) in (0..).zip(faults) {
        let due = began + FAULT_EVERY * at;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        before(fault)?;
        for n in 0..BAD {
            let (key, value) = bad(fault, n);
            producer
                .send(BaseRecord::to(&topic).key(&key).payload(&value))
                .map_err(|(e, _)| e)
                .context("a bad event")?;
            if n == 0 {
                producer.flush(ACKNOWLEDGED_WITHIN).context("waiting for a bad event")?;
                caused.insert(format!("{}-availability", service(fault)), Instant::now());
            }
        }
    }
    producer.flush(ACKNOWLEDGED_WITHIN).context("waiting for bad events")?;
    Ok(caused)
}

fn bad(fault: usize, n: usize) -> (String, Vec<u8>) {
    let event = RequestEvent {
        event_id: format!("fault-{fault}-{n}-{}", now()),
        time: EventTime(now()),
        service: service(fault),
        environment: "prod".to_owned(),
        endpoint: "/v1/items".to_owned(),
        method: "GET".to_owned(),
        status_code: 500,
        latency_ms: Some(12.5),
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: [].into(),
    };
    (event.event_id.clone(), codec::encode(&event))
}

/// Waits until every fault was notified, and returns how late.
pub(super) fn told(caused: &HashMap<String, Instant>, hooks: &Hooks, roles: &mut [Role]) -> Result<Vec<Duration>> {
    let deadline = Instant::now() + TOLD_WITHIN;
    loop {
        let came = hooks.came();
        let late = |(slo, began): (&String, &Instant)| Some(came.get(slo)?.saturating_duration_since(*began));
        let mut all: Vec<Duration> = caused.iter().filter_map(late).collect();
        if all.len() == caused.len() {
            all.sort_unstable();
            return Ok(all);
        }
        let missing = || caused.keys().filter(|slo| !came.contains_key(*slo)).collect::<Vec<_>>();
        ensure!(Instant::now() < deadline, "alerts that did not arrive within {TOLD_WITHIN:?}: {:?}", missing());
        roles.iter_mut().try_for_each(Role::runs)?;
        std::thread::sleep(Duration::from_millis(20));
    }
}
