//! `slipstream import`: files into a directory that no process owns, processed before it returns; or onto Kafka, where other
//! processes digest them.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Serialize;
use slipstream_log::SharedLog;
use slipstream_producer::import::{self, ImportError, Options, Progress, Summary, import_file};
use slipstream_runtime::Shutdown;
use slipstream_runtime::stage::Stage;
use slipstream_schemas::EventTime;
use slipstream_store::SharedStore;

use crate::args::{self, Format};
use crate::parts::{Installation, Writes};
use crate::session::{Session, beside, digested, evaluated};
use crate::{definitions, figures, logging, output};

/// Rejected lines that are shown.
const SHOWN: usize = 10;

#[derive(Serialize)]
struct Report {
    files: Vec<FileReport>,
    /// Events added by this run.
    events: u64,
    /// Lines that went to dead-letters in this run.
    rejected: u64,
    /// Whether it is stored and tallied; on Kafka other processes do that.
    digested: bool,
    /// Until all of it was digested, or acknowledged.
    seconds: f64,
    events_per_second: f64,
}

#[derive(Serialize)]
struct FileReport {
    file: String,
    lines: u64,
    events: u64,
    rejected: u64,
    /// Lines that an earlier run had imported.
    already_imported: u64,
    /// What was odd about the file, and which options did nothing.
    notes: Vec<String>,
    /// Why the file could not be read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Imports the files. One that cannot be read does not stop the others, but the exit code says so.
///
/// # Errors
/// When the log cannot be used, a signal comes, or a role fails.
pub async fn run(args: args::Import, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    if args.format == Format::Json && args.latency_field.is_some() {
        bail!("--latency-field is for access logs; a JSON line has its latency in latency_ms");
    }
    let loaded = definitions::load_valid(&args.slos)?;
    let config = args.to.load()?;
    let installation = Installation::open(&config, &loaded, Writes::beside(&config)).await?;
    let (slos, digested) = (installation.slos, !installation.log.is_on_kafka());
    let (json, flags) = (args.json, args.to.flags());
    let work = Work { log: installation.log.patient(), slos, args };
    let report = if digested {
        let session = Session::new(installation, Vec::new()).await?;
        let (shutdown, store) = (session.supervisor.token(Stage::Intake), session.store.clone());
        session.run(async move { work.run(Some(store), &shutdown).await }).await?
    } else {
        beside(installation, async |shutdown| work.run(None, shutdown).await).await?
    };
    tell(&report, json)?;
    if report.events == 0 && report.rejected > 0 {
        output::say(
            "no line could be read: is --format right? With another format the file is read again from its beginning",
        );
        return Ok(ExitCode::from(1));
    }
    if slos == 0 && report.events > 0 {
        output::say(
            "no SLOs yet: an SLO counts only events that arrive after it, so pass --slos PATH with the first import of a file",
        );
    }
    if !digested {
        output::say("acknowledged by Kafka; the roles running there process them");
    }
    let all_read = report.files.iter().all(|file| file.error.is_none());
    if all_read || report.events > 0 {
        output::say(format_args!("next: slipstream query kpis --by service{flags}"));
    }
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

struct Work {
    log: SharedLog,
    slos: usize,
    args: args::Import,
}

impl Work {
    /// Imports; with a store, waits until the roles beside it have digested it all.
    async fn run(self, store: Option<SharedStore>, shutdown: &Shutdown) -> Result<Report> {
        let began = Instant::now();
        let files = import_all(&self.log, &self.args, shutdown).await?;
        if let Some(store) = &store {
            digested(self.log.as_ref(), store.as_ref()).await?;
        }
        let report = report(files, store.is_some(), began.elapsed());
        if let (Some(store), true) = (&store, self.slos > 0 && report.events > 0) {
            evaluated(self.log.as_ref(), store.as_ref()).await?;
        }
        Ok(report)
    }
}

fn tell(report: &Report, json: bool) -> io::Result<()> {
    if json {
        return output::print_json(report);
    }
    let Report { events, rejected, seconds, events_per_second, .. } = report;
    let (events, rejected) = (figures::count(*events as i64), figures::count(*rejected as i64));
    output::print(&format!(
        "{events} events written, {rejected} lines rejected, {seconds:.1} s ({events_per_second:.0} events/s)\n"
    ))
}

async fn import_all(log: &SharedLog, args: &args::Import, shutdown: &Shutdown) -> Result<Vec<FileReport>> {
    let options = options(args);
    let mut files = Vec::new();
    for path in &args.files {
        files.push(import_one(log, path, &options, shutdown).await?);
    }
    Ok(files)
}

fn options(args: &args::Import) -> Options {
    Options {
        format: match args.format {
            Format::Common => import::Format::Common,
            Format::Combined => import::Format::Combined,
            Format::Json => import::Format::Json,
        },
        service: args.service.clone(),
        environment: args.environment.clone(),
        shift_to: args.shift_to_now.then(|| EventTime(Timestamp::now().as_microsecond())),
        latency: args.latency_field.clone(),
    }
}

async fn import_one(log: &SharedLog, path: &Path, options: &Options, shutdown: &Shutdown) -> Result<FileReport> {
    let file = path.display().to_string();
    let mut shown = Instant::now();
    // What a file gave until it could not be read further.
    let mut so_far = Progress::default();
    let mut progress = |p: &Progress| {
        so_far = *p;
        if io::stderr().is_terminal() && shown.elapsed() > Duration::from_secs(1) {
            shown = Instant::now();
            output::say(format_args!("{file}: {} lines", figures::count(p.lines as i64)));
        }
    };
    match import_file(log.clone(), path, options, &mut progress, shutdown).await {
        Ok(summary) if !summary.finished && shutdown.is_cancelled() => {
            bail!("interrupted in {file}: what was read is kept; run the same command to continue")
        }
        Ok(summary) => Ok(imported(file, summary)),
        Err(error @ (ImportError::Read { .. } | ImportError::Encoding { .. } | ImportError::Shrunk { .. })) => {
            Ok(unread(file, &so_far, &error))
        }
        Err(error) => Err(error).with_context(|| format!("importing {file}")),
    }
}

fn imported(file: String, summary: Summary) -> FileReport {
    for rejected in summary.first_rejected.iter().take(SHOWN) {
        output::say(format_args!("{file}:{}: {}", rejected.line, rejected.message));
    }
    if summary.rejected > SHOWN as u64 {
        output::say(format_args!(
            "{file}: {} more rejected lines are in dead-letters",
            summary.rejected - SHOWN as u64
        ));
    }
    if summary.already_imported > 0 {
        let before = figures::count(summary.already_imported as i64);
        output::say(format_args!("{file}: {before} lines were imported before"));
    }
    for note in &summary.notes {
        output::say(format_args!("{file}: {note}"));
    }
    FileReport {
        lines: summary.lines,
        events: summary.events,
        rejected: summary.rejected,
        already_imported: summary.already_imported,
        notes: summary.notes,
        error: None,
        file,
    }
}

fn unread(file: String, so_far: &Progress, error: &ImportError) -> FileReport {
    let error = error.to_string();
    output::say(format_args!("error: {error}"));
    let Progress { lines, events, rejected, .. } = *so_far;
    FileReport { file, lines, events, rejected, already_imported: 0, notes: Vec::new(), error: Some(error) }
}

fn report(files: Vec<FileReport>, digested: bool, took: Duration) -> Report {
    let events = files.iter().map(|f| f.events).sum();
    let rejected = files.iter().map(|f| f.rejected).sum();
    let seconds = took.as_secs_f64();
    Report { events, rejected, digested, seconds, events_per_second: events as f64 / seconds.max(1e-9), files }
}
