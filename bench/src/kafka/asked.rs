//! From an event to the webhook of its alert while the API is asked 500 times a second, 20 times for all of a thousand SLOs.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use slipstream_schemas::Topic;

use super::hooks::Hooks;
use super::latency::{FAULTS, Latencies, PARTITIONS, READY_WITHIN, WARM_UP, cause, faulty, told};
use super::options::Options;
use super::pace::Background;
use super::place::Place;
use super::role::Role;
use super::slos;
use super::traffic::service;
use crate::api::asking::{self, Habit};
use crate::api::{self, ALL};
use crate::database::Database;
use crate::table::Row;

const ROLES: &str = "tally,burn,alerter,notifier,sink,api";
/// Events a second meanwhile.
const RATE: u64 = 2_000;
/// SLOs of each service: with those of the faults a thousand in all.
const EACH: usize = 48;
/// As long as the faults take, about.
const ASKED_FOR: Duration = Duration::from_secs(57);

/// All roles in one process, on Kafka and PostgreSQL.
pub fn rows(options: &Options) -> Result<Vec<Row>> {
    let Some(server) = &options.postgres else { return Ok(vec![Row::new("asked", "no --postgres".to_owned(), "")]) };
    let mut place = Place::new(&options.brokers, &options.program()?, "asked", PARTITIONS)?;
    place.define(&[slos::many(EACH), faulty()].join("---\n"))?;
    let hooks = Hooks::start()?;
    let database = Database::make(server, 0)?;
    place.store = Some(database.url.clone());
    let mut roles = [Role::start(&place, ROLES, &["--webhook".as_ref(), hooks.url().as_ref()])?];
    roles[0].ready(READY_WITHIN)?;
    let background = Background::start(&place.brokers, place.topic(Topic::RequestEvents), RATE)?;
    std::thread::sleep(WARM_UP);
    let (api, began) = (roles[0].api(), Instant::now());
    let (before, all, answers) = std::thread::scope(|scope| {
        let before = roles[0].usage()?.cpu;
        let asked = scope.spawn(|| asking::all(api, &habits(), ASKED_FOR));
        let all = cause(&place, 0..FAULTS, &mut |_| Ok(())).and_then(|caused| told(&caused, &hooks, &mut roles))?;
        let answers = asked.join().map_err(|_| anyhow!("a thread panicked"))??;
        anyhow::Ok((before, all, answers))
    })?;
    let cpu = (roles[0].usage()?.cpu - before).as_secs_f64() / began.elapsed().as_secs_f64();
    let sent = background.end()?;
    roles.into_iter().try_for_each(Role::end)?;
    database.remove()?;
    place.remove()?;
    let what = format!("event to webhook at {RATE} events/s ({sent} events), the API asked 500 times a second");
    let mut rows = vec![Latencies { what, all }.row("2 s (max)")];
    rows.extend(api::rows(&answers, "1,000 SLOs, beside Kafka and PostgreSQL"));
    rows.push(Row::new("all roles in one process meanwhile", format!("{:.0} % of a core", cpu * 100.0), ""));
    Ok(rows)
}

/// 500 requests a second.
fn habits() -> [Habit; 6] {
    let habit = |name, path, per_second, clients| Habit { name, path, per_second, clients };
    [
        habit(ALL, |_| "/slos".to_owned(), 20, 4),
        habit("one SLO", |n| format!("/slos/{}-availability-{}", service(n), n % EACH / 2 * 2), 60, 6),
        habit("SLOs of a service", |n| format!("/slos?service={}", service(n)), 200, 6),
        habit("KPIs of a service", |n| format!("/kpis?service={}", service(n)), 60, 6),
        habit("a page of events", |_| "/events?limit=20&order=desc".to_owned(), 60, 6),
        habit("the OpenAPI document", |_| "/openapi.json".to_owned(), 100, 4),
    ]
}
