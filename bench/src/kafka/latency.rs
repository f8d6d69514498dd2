//! From an event to the webhook of the alert that it causes.
//!
//! The clock of a fault starts when the log acknowledges the first bad event of a service that had none. From that event
//! on the condition of its SLO is true: nothing else has to happen but that it is counted, its second is over, evaluated,
//! and sent. It ends when the receiver has the alert. The second itself is most of it: an evaluation waits for the end of
//! the tick and one more second, so that no source is missing.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use slipstream_schemas::event::RequestEvent;
use slipstream_schemas::time::EventTime;
use slipstream_schemas::{Topic, codec};

use super::hooks::Hooks;
use super::options::Options;
use super::pace::Background;
use super::place::Place;
use super::role::Role;
use super::sink::Database;
use super::slos;
use super::traffic::now;
use crate::table::Row;

const PARTITIONS: u32 = 4;
const RATES: [u64; 2] = [1_000, 50_000];
/// Faults, one at a time, each of a separate service.
const FAULTS: usize = 40;
const FAULT_EVERY: Duration = Duration::from_millis(1_430);
/// Bad events of a fault.
const BAD: usize = 5;
const WARM_UP: Duration = Duration::from_secs(5);
const READY_WITHIN: Duration = Duration::from_secs(30);
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

/// Alerts while everything is well, at 1,000 and at 50,000 events a second.
pub fn healthy(options: &Options) -> Result<Vec<Row>> {
    RATES.into_iter().map(|rate| Ok(measured(options, rate, false)?.row("2 s (p99)"))).collect()
}

/// Alerts while one of two tallies is killed.
pub fn crashed(options: &Options) -> Result<Vec<Row>> {
    RATES.into_iter().map(|rate| Ok(measured(options, rate, true)?.row("25 s (max)"))).collect()
}

/// How late the alerts of a run were.
struct Latencies {
    what: String,
    /// Ascending.
    all: Vec<Duration>,
}

impl Latencies {
    fn row(&self, goal: &'static str) -> Row {
        let share =
            |share: f64| self.all[((self.all.len() as f64 * share).ceil() as usize).clamp(1, self.all.len()) - 1];
        let [half, most, longest] = [share(0.5), share(0.99), share(1.0)].map(|time| time.as_secs_f64());
        let figure = format!("p50 {half:.2} s, p99 {most:.2} s, max {longest:.2} s of {} alerts", self.all.len());
        Row::new(self.what.clone(), figure, goal)
    }
}

fn measured(options: &Options, rate: u64, crash: bool) -> Result<Latencies> {
    let name = format!("latency-{rate}-{crash}");
    let mut place = Place::new(&options.brokers, &options.program()?, &name, PARTITIONS)?;
    place.define(&definitions())?;
    let hooks = Hooks::start()?;
    let database = options.postgres.as_deref().map(|server| Database::make(server, 0)).transpose()?;
    place.store = database.as_ref().map(|database| database.url.clone());
    let sink = if place.store.is_some() { ",sink" } else { "" };
    let rest = format!("burn,alerter,notifier{sink}{}", if crash { "" } else { ",tally" });
    let mut roles = vec![Role::start(&place, &rest, &["--webhook".as_ref(), hooks.url().as_ref()])?];
    for _ in 0..if crash { 2 } else { 0 } {
        roles.push(Role::start(&place, "tally", &[])?);
    }
    roles.iter_mut().try_for_each(|role| role.ready(READY_WITHIN))?;
    let topic = place.topic(Topic::RequestEvents);
    let background = Background::start(&place.brokers, topic.clone(), rate)?;
    std::thread::sleep(WARM_UP);
    let caused = cause(&place, &topic, &mut roles, crash)?;
    let all = told(&caused, &hooks, &mut roles)?;
    let sent = background.end()?;
    roles.into_iter().try_for_each(Role::end)?;
    database.map_or(Ok(()), Database::remove)?;
    place.remove()?;
    let killed = if crash { ", one of two tallies killed in the middle" } else { "" };
    let stored = if sink.is_empty() { "" } else { ", stored as well" };
    let what = format!("event to webhook at {rate} events/s{stored}{killed} ({sent} events)");
    Ok(Latencies { what, all })
}

fn service(fault: usize) -> String {
    format!("faulty-{fault}")
}

fn definitions() -> String {
    let faulty = (0..FAULTS).map(|n| slos::document(&service(n), ("availability", "status_code < 500"), POLICY));
    [slos::documents(0)].into_iter().chain(faulty).collect::<Vec<_>>().join("---\n")
}

/// Causes the faults, and, if requested, kills the last of the roles half way. Returns when each was acknowledged.
fn cause(place: &Place, topic: &str, roles: &mut Vec<Role>, crash: bool) -> Result<HashMap<String, Instant>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &place.brokers).set("linger.ms", "0").set("acks", "all");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().context("creating a producer")?;
    let (began, mut caused) = (Instant::now(), HashMap::new());
    for fault in 0..FAULTS {
        let due = began + FAULT_EVERY * fault as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if crash && fault == FAULTS / 2 {
            roles.pop().context("no process to kill")?.kill()?;
        }
        for n in 0..BAD {
            let (key, value) = bad(fault, n);
            producer
                .send(BaseRecord::to(topic).key(&key).payload(&value))
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
fn told(caused: &HashMap<String, Instant>, hooks: &Hooks, roles: &mut [Role]) -> Result<Vec<Duration>> {
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
