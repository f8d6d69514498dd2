//! `slipstream import`: files into a directory that nobody owns, digested before it returns.

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
use slipstream_runtime::supervise::Stage;
use slipstream_schemas::EventTime;
use slipstream_store::Retention;

use crate::args::{self, Format};
use crate::session::{Session, digested, evaluated};
use crate::{definitions, logging, output, parts};

/// Rejected lines that are shown.
const SHOWN: usize = 10;

#[derive(Serialize)]
struct Report {
    files: Vec<FileReport>,
    /// Events added by this run.
    events: u64,
    /// Lines that went to dead-letters in this run.
    rejected: u64,
    /// Until all of it was stored and tallied.
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
    /// Why the file could not be read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Imports the files. One that cannot be read does not keep the others out, but the exit code tells.
///
/// # Errors
/// When the directory is owned by another process, a signal comes, or a role fails.
pub async fn run(args: args::Import, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    let loaded = definitions::load_valid(&args.slos)?;
    let data = args.to.data.as_path();
    let (owned, slos) = parts::own_with((data, data), Retention::default(), &loaded).await?;
    let (log, store) = (owned.shared_log(), owned.shared_store());
    let session = Session::new(owned, Vec::new(), "");
    let shutdown = session.supervisor.token(Stage::Intake);
    let (json, data) = (args.json, args.to.data.clone());
    let report = session
        .run(async move {
            let began = Instant::now();
            let files = import_all(&log, &args, &shutdown).await?;
            digested(log.as_ref(), store.as_ref()).await?;
            let report = report(files, began.elapsed());
            if slos > 0 && report.events > 0 {
                evaluated(log.as_ref(), store.as_ref()).await?;
            }
            Ok(report)
        })
        .await?;
    tell(&report, json)?;
    if report.events == 0 && report.rejected > 0 {
        output::say(
            "no line could be read: is --format right? With another one the file is read again from its beginning",
        );
        return Ok(ExitCode::from(1));
    }
    if slos == 0 && report.events > 0 {
        output::say(
            "no SLOs yet: they count what comes after them, so give --slos PATH with the first import of a file",
        );
    }
    output::say(format_args!("next: slipstream query kpis --by service --data {}", data.display()));
    let all_read = report.files.iter().all(|file| file.error.is_none());
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn tell(report: &Report, json: bool) -> io::Result<()> {
    if json {
        return output::print_json(report);
    }
    let Report { events, rejected, seconds, events_per_second, .. } = report;
    let (events, rejected) = (output::count(*events as i64), output::count(*rejected as i64));
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
            output::say(format_args!("{file}: {} lines", output::count(p.lines as i64)));
        }
    };
    match import_file(log.clone(), path, options, &mut progress, shutdown).await {
        Ok(summary) if !summary.finished && shutdown.is_cancelled() => {
            bail!("interrupted in {file}: what was read is kept; the same command continues")
        }
        Ok(summary) => Ok(imported(file, &summary)),
        Err(error @ (ImportError::Read { .. } | ImportError::Shrunk { .. })) => Ok(unread(file, &so_far, &error)),
        Err(error) => Err(error).with_context(|| format!("importing {file}")),
    }
}

fn imported(file: String, summary: &Summary) -> FileReport {
    for rejected in summary.first_rejected.iter().take(SHOWN) {
        output::say(format_args!("{file}:{}: {}", rejected.line, rejected.message));
    }
    if summary.rejected > SHOWN as u64 {
        output::say(format_args!("{file}: {} more lines in dead-letters", summary.rejected - SHOWN as u64));
    }
    if summary.already_imported > 0 {
        output::say(format_args!("{file}: {} lines had been imported before", summary.already_imported));
    }
    FileReport {
        lines: summary.lines,
        events: summary.events,
        rejected: summary.rejected,
        already_imported: summary.already_imported,
        error: None,
        file,
    }
}

fn unread(file: String, so_far: &Progress, error: &ImportError) -> FileReport {
    let error = error.to_string();
    output::say(format_args!("error: {error}"));
    let Progress { lines, events, rejected, .. } = *so_far;
    FileReport { file, lines, events, rejected, already_imported: 0, error: Some(error) }
}

fn report(files: Vec<FileReport>, took: Duration) -> Report {
    let events = files.iter().map(|f| f.events).sum();
    let rejected = files.iter().map(|f| f.rejected).sum();
    let seconds = took.as_secs_f64();
    Report { events, rejected, seconds, events_per_second: events as f64 / seconds.max(1e-9), files }
}
