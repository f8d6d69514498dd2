//! `slipstream simulate`: seeded traffic into a directory that nobody owns, digested before it returns.

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Serialize;
use slipstream_producer::simulate::{self, FaultSwitch, Generator, Plan, Scenario};
use slipstream_runtime::supervise::Stage;
use slipstream_schemas::EventTime;
use slipstream_store::Retention;

use crate::session::{Session, digested, evaluated};
use crate::{args, definitions, logging, output, parts};

#[derive(Serialize)]
struct Report {
    /// Events that the log acknowledged.
    events: u64,
    /// Until all of it was stored and tallied.
    seconds: f64,
    events_per_second: f64,
}

/// Simulates.
///
/// # Errors
/// When the scenario is wrong, the directory is owned by another process, or a role fails.
pub async fn run(args: args::Simulate, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    let loaded = definitions::load_valid(&args.slos)?;
    let plan = plan(&args)?;
    let data = args.to.data.as_path();
    let (owned, slos) = parts::own_with((data, data), Retention::default(), &loaded).await?;
    let (log, store) = (owned.shared_log(), owned.shared_store());
    let session = Session::new(owned, Vec::new(), "");
    let shutdown = session.supervisor.token(Stage::Intake);
    let report = session
        .run(async move {
            let began = Instant::now();
            let summary = simulate::run(log.clone(), plan, &now, &mut |_| {}, &shutdown).await?;
            digested(log.as_ref(), store.as_ref()).await?;
            if shutdown.is_cancelled() {
                bail!("interrupted after {} events; they are kept", summary.accepted);
            }
            let seconds = began.elapsed().as_secs_f64();
            if slos > 0 {
                evaluated(log.as_ref(), store.as_ref()).await?;
            }
            let events = summary.accepted;
            Ok(Report { events, seconds, events_per_second: events as f64 / seconds.max(1e-9) })
        })
        .await?;
    if args.json {
        output::print_json(&report)?;
    } else {
        let events = output::count(report.events as i64);
        output::print(&format!(
            "{events} events, {:.1} s ({:.0} events/s)\n",
            report.seconds, report.events_per_second
        ))?;
    }
    output::say(format_args!("next: slipstream query kpis --by service --data {}", args.to.data.display()));
    Ok(ExitCode::SUCCESS)
}

fn now() -> EventTime {
    EventTime(Timestamp::now().as_microsecond())
}

fn plan(args: &args::Simulate) -> Result<Plan> {
    let scenario = match &args.scenario {
        None => Scenario::shop(),
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Scenario::parse(&text).with_context(|| format!("in {}", path.display()))?
        }
    };
    let span = args.span.as_micros() as i64;
    let from = if args.fast { EventTime(now().0 - span) } else { now() };
    Ok(Plan {
        faults: FaultSwitch::new(&scenario),
        generator: Generator::new(scenario, args.rate, args.seed),
        from,
        until: Some(EventTime(from.0 + span)),
        realtime: !args.fast,
    })
}
