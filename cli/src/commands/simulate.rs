//! `slipstream simulate`: seeded traffic into a directory that no process owns, processed before it returns; or to
//! Kafka, where other processes handle it.

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use slipstream_log::SharedLog;
use slipstream_producer::simulate::{self, FaultSwitch, Generator, Scenario, Simulation};
use slipstream_runtime::Shutdown;
use slipstream_runtime::stage::Stage;
use slipstream_schemas::EventTime;
use slipstream_store::SharedStore;

use crate::parts::{Installation, Writes};
use crate::place::both;
use crate::session::{Interrupted, Session, beside, digested, evaluated};
use crate::{args, figures, logging, output};

#[derive(Serialize)]
struct Report {
    /// Events that the log acknowledged.
    events: u64,
    /// Whether it is stored and tallied; on Kafka other processes do that.
    digested: bool,
    /// Until all of it was processed, or acknowledged.
    seconds: f64,
    events_per_second: f64,
}

/// Simulates.
///
/// # Errors
/// When the scenario is wrong, the log cannot be used, or a role fails.
pub async fn run(args: args::Simulate, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    let ((config, loaded), simulation) = both(args.to.load_with(&args.slos), simulation(&args))?;
    let installation = Installation::open(&config, &loaded, Writes::beside(&config)).await?;
    let work = Work { log: installation.log.patient(), slos: installation.slos };
    let digested = !installation.log.is_on_kafka();
    let report = if digested {
        let session = Session::new(installation, Vec::new()).await?;
        let (shutdown, store) = (session.supervisor.token(Stage::Intake), session.store.clone());
        session.run(async move { work.run(simulation, Some(store), &shutdown).await }).await?
    } else {
        beside(installation, async |shutdown| work.run(simulation, None, shutdown).await).await?
    };
    if args.json {
        output::print_json(&report)?;
    } else {
        let events = figures::count(report.events as i64);
        output::print(&format!(
            "{events} events, {:.1} s ({:.0} events/s)\n",
            report.seconds, report.events_per_second
        ))?;
    }
    if !digested {
        output::say("acknowledged by Kafka; the roles running there process them");
    }
    output::say(format_args!("next: slipstream query kpis --by service{}", args.to.flags()));
    Ok(ExitCode::SUCCESS)
}

struct Work {
    log: SharedLog,
    slos: usize,
}

impl Work {
    /// Publishes; with a store, waits until the roles in this process have processed everything.
    async fn run(self, simulation: Simulation, store: Option<SharedStore>, shutdown: &Shutdown) -> Result<Report> {
        let began = Instant::now();
        let summary = simulate::run(self.log.clone(), simulation, &now, &mut |_| {}, shutdown).await?;
        if let Some(store) = &store {
            digested(self.log.as_ref(), store.as_ref()).await?;
        }
        // A signal during the wait interrupts nothing: all events are published.
        if !summary.finished {
            let kept = format!("interrupted after {} events; they are kept", summary.accepted);
            return Err(Interrupted::new(kept).into());
        }
        let seconds = began.elapsed().as_secs_f64();
        if let (Some(store), true) = (&store, self.slos > 0) {
            evaluated(self.log.as_ref(), store.as_ref()).await?;
        }
        let events = summary.accepted;
        Ok(Report { events, digested: store.is_some(), seconds, events_per_second: events as f64 / seconds.max(1e-9) })
    }
}

fn now() -> EventTime {
    EventTime(Timestamp::now().as_microsecond())
}

fn simulation(args: &args::Simulate) -> Result<Simulation> {
    let scenario = match &args.scenario {
        None => Scenario::shop(),
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Scenario::parse(&text).with_context(|| format!("in {}", path.display()))?
        }
    };
    let span = args.span.as_micros() as i64;
    let from = if args.fast { EventTime(now().0 - span) } else { now() };
    Ok(Simulation {
        faults: FaultSwitch::new(&scenario),
        generator: Generator::new(scenario, args.rate, args.seed),
        from,
        until: Some(EventTime(from.0 + span)),
        realtime: !args.fast,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use slipstream_log::memory::{MemoryLog, MemoryOptions};

    use super::*;

    #[tokio::test]
    async fn a_signal_interrupts_only_a_simulation_that_has_events_left() {
        let scenario = Scenario::shop();
        let simulation = |span_us: i64| Simulation {
            faults: FaultSwitch::new(&scenario),
            generator: Generator::new(scenario.clone(), 100.0, 1),
            from: EventTime(1_769_851_800_000_000),
            until: Some(EventTime(1_769_851_800_000_000 + span_us)),
            realtime: false,
        };
        let shutdown = Shutdown::new();
        shutdown.cancel();
        for (span_us, interrupted) in [(0, None), (1_000_000, Some("interrupted after 0 events; they are kept"))] {
            let work = Work { log: MemoryLog::new(MemoryOptions::default()), slos: 0 };
            let error = work.run(simulation(span_us), None, &shutdown).await.err();
            let said = error.map(|error| error.downcast::<Interrupted>().unwrap().to_string());
            assert_eq!(said.as_deref(), interrupted, "{span_us} us");
        }
    }
}
