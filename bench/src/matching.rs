//! Matching and counting one decoded event, against the plain way: both filters of every definition on every event.

use std::borrow::Cow;
use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, ensure};
use slipstream_definitions::definition::{Side, Slo};
use slipstream_definitions::filter::Filter;
use slipstream_definitions::openslo;
use slipstream_schemas::LogTime;
use slipstream_schemas::event::EventView;
use slipstream_schemas::records::Settings;
use slipstream_schemas::time::EventTime;
use slipstream_slo::matcher::{Active, Matcher};
use slipstream_slo::redelivery::Memory;
use slipstream_slo::revision::Revisions;
use slipstream_slo::tally::{StepBuilder, Tally};

use crate::definitions::{self, SERVICES};
use crate::table::{Row, timed};

const DEFINITIONS: usize = 1_000;
const EVENTS: usize = 4_000_000;
/// Those of which the time does not count: it takes two redelivery windows until no memory grows any more.
const WARM: usize = 3_000_000;
/// Events of a step of tally.
const STEP: usize = 10_000;
/// Events that are created at a time, before they are measured, as if a decoder had just written them.
const HOT: usize = 500;
/// The plain way is slow: it gets fewer events.
const PLAIN_EVENTS: usize = 500;
const START_MS: i64 = 1_700_000_000_000;

/// 1,000 definitions of 100 services; events of 200 distinct tuples.
pub fn rows() -> anyhow::Result<Vec<Row>> {
    let loaded = openslo::load(&definitions::files(DEFINITIONS, 100));
    ensure!(loaded.slos.len() == DEFINITIONS, "{:?}", loaded.diagnostics.first());
    let texts = Texts::new();
    let (matched, hits) = matched(&loaded.slos, &texts);
    let counted = (counted(&loaded.slos, &texts, 1_000)?, counted(&loaded.slos, &texts, 120_000)?);
    let plain = plainly(&loaded.slos, &texts.events(0..PLAIN_EVENTS))?;
    let what = "1,000 definitions of 100 services, 200 tuples, warm, an event";
    let reference = format!("every filter on every event: {:.0} ns", plain);
    Ok(vec![
        Row::new(format!("{what}: matched ({hits:.1} hits)"), format!("{matched:.0} ns"), "")
            .against(reference.clone(), matched / plain),
        Row::new(
            format!("{what}: matched and summed by Tally's step"),
            format!("{:.0} ns", counted.0.pushed),
            "300 ns",
        )
        .against(reference, counted.0.pushed / plain),
        Row::new("the same, with a redelivery memory of two million ids", format!("{:.0} ns", counted.1.pushed), ""),
        Row::new(
            format!("the same, with the decisions of a step of {STEP} events"),
            format!("{:.0} ns", counted.1.whole),
            "",
        ),
    ])
}

/// Nanoseconds an event, and series that it counts for.
fn matched(slos: &[Slo], texts: &Texts) -> (f64, f64) {
    let active: Vec<Active> = slos.iter().map(|slo| Active { slo: slo.clone().into(), generation: 0 }).collect();
    let mut matcher = Matcher::new(&active);
    let mut hits = 0u64;
    let mut total = Duration::ZERO;
    for from in (0..EVENTS).step_by(HOT) {
        let events = texts.events(from..from + HOT);
        let (time, ()) = timed(|| {
            for event in &events {
                matcher.apply(event, &mut |series, verdict| {
                    black_box((series, verdict));
                    hits += 1;
                });
            }
        });
        total += if from < WARM { Duration::ZERO } else { time };
    }
    (per_event(total, EVENTS - WARM), hits as f64 / EVENTS as f64)
}

struct Counted {
    /// In `push`.
    pushed: f64,
    /// In `push` and `finish`.
    whole: f64,
}

/// Nanoseconds an event through steps of tally, with a redelivery memory of such a window.
fn counted(slos: &[Slo], texts: &Texts, window_ms: i64) -> anyhow::Result<Counted> {
    let mut revisions = Revisions::new();
    revisions.apply_settings(0, Settings { redelivery_window_ms: window_ms, cut_delay_ms: 0 })?;
    for (offset, slo) in (1..).zip(slos) {
        revisions.apply_slo(offset, LogTime(0), &slo.name, Some(slo.clone()))?;
    }
    let mut tally = Tally::new(0, 1, 8, 0, LogTime(START_MS), Memory::new(window_ms));
    let mut times = [Duration::ZERO; 2];
    for from in (0..EVENTS).step_by(STEP) {
        let mut step = tally.begin::<()>(&revisions, LogTime(i64::MAX));
        let mut pushing = Duration::ZERO;
        for from in (from..from + STEP).step_by(HOT) {
            let events = texts.events(from..from + HOT);
            let (time, pushed) = timed(|| push(&mut step, from, &events));
            pushed?;
            pushing += time;
        }
        let (finishing, decided) = timed(|| step.finish(None));
        ensure!(decided.context("a step without a decision")?.accepted == STEP as u64, "an event was dropped");
        if from >= WARM {
            times = [times[0] + pushing, times[1] + pushing + finishing];
        }
    }
    let [pushed, whole] = times.map(|time| per_event(time, EVENTS - WARM));
    Ok(Counted { pushed, whole })
}

fn push(step: &mut StepBuilder<'_, ()>, from: usize, events: &[EventView<'_>]) -> anyhow::Result<()> {
    for (number, event) in (from..).zip(events) {
        step.push(number as i64, log_time(number), Ok(event))?;
    }
    Ok(())
}

/// 10,000 events a second, in a partition: a step is a second, and the redelivery memory holds more than a million.
fn log_time(number: usize) -> LogTime {
    LogTime(START_MS + number as i64 / 10)
}

/// Nanoseconds an event.
fn plainly(slos: &[Slo], events: &[EventView<'_>]) -> anyhow::Result<f64> {
    let mut filters = Vec::new();
    for indicator in slos.iter().map(|slo| &slo.objectives[0].indicator) {
        let (Side::Good(side) | Side::Bad(side)) = &indicator.side;
        for source in [&indicator.total, side] {
            filters.push(Filter::compile(source).ok().context("a filter that does not compile")?);
        }
    }
    let (time, _) = timed(|| {
        for event in events {
            filters.iter().for_each(|filter| {
                black_box(filter.eval(event));
            });
        }
    });
    Ok(per_event(time, events.len()))
}

fn per_event(time: Duration, events: usize) -> f64 {
    time.as_nanos() as f64 / events as f64
}

/// The strings of the events, which borrow them as they do from a record.
struct Texts {
    services: Vec<String>,
}

impl Texts {
    fn new() -> Texts {
        Texts { services: (0..SERVICES).map(|number| format!("service-{number}")).collect() }
    }

    fn events(&self, numbers: Range<usize>) -> Vec<EventView<'_>> {
        numbers.map(|number| self.event(number)).collect()
    }

    /// One of two tuples of each service.
    fn event(&self, number: usize) -> EventView<'_> {
        // Not in step with the number of services.
        let mixed = number.wrapping_mul(7_919) / 7;
        let second = mixed / SERVICES % 2 == 1;
        EventView {
            event_id: Cow::Owned(format!("0190c5a2-7b1e-7000-8000-{number:012x}")),
            time: EventTime(log_time(number).0 * 1_000),
            service: Cow::Borrowed(&self.services[mixed % SERVICES]),
            environment: Cow::Borrowed("prod"),
            endpoint: Cow::Borrowed(if second { "/v1/pay/{id}" } else { "/v1/items" }),
            method: Cow::Borrowed(if second { "POST" } else { "GET" }),
            status_code: if second { 201 } else { 200 },
            latency_ms: Some((mixed % 600) as f64),
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes: Vec::new(),
        }
    }
}
