//! `slipstream import`: files into a directory that nobody owns, digested before it returns; or onto Kafka, or through the
//! gateway of an installation that runs, where other processes digest them.

mod report;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use slipstream_definitions::openslo::Loaded;
use slipstream_producer::import::{self, ImportError, Options, Progress, Remote, Target, import_file};
use slipstream_runtime::Shutdown;
use slipstream_runtime::config::Config;
use slipstream_runtime::stage::Stage;
use slipstream_schemas::EventTime;
use slipstream_store::SharedStore;

use crate::args::{self, Format};
use crate::parts::{Installation, Writes, gateway_of_owner};
use crate::session::{Session, beside, digested, evaluated, interruptible};
use crate::{definitions, logging, output};
use report::{FileReport, Report, imported, unread};

/// Imports the files. One that cannot be read does not keep the others out, but the exit code tells.
///
/// # Errors
/// When the log cannot be used, a signal comes, or a role fails.
pub async fn run(args: args::Import, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    if args.format == Format::Json && args.latency_field.is_some() {
        bail!("--latency-field is for access logs; a JSON line has its latency in latency_ms");
    }
    if let Some(address) = args.gateway.clone() {
        return through(&address, args).await;
    }
    let loaded = definitions::load_valid(&args.slos)?;
    let config = args.to.load()?;
    match Installation::open(&config, &loaded, Writes::beside(&config)).await {
        Ok(installation) => into(installation, args).await,
        Err(error) => match gateway_of_owner(&error) {
            Some(address) => {
                output::say(format_args!("the directory is in use: importing through the gateway at {address}"));
                refuse_definitions(&loaded)?;
                through(&address, args).await
            }
            None => Err(error),
        },
    }
}

fn refuse_definitions(loaded: &Loaded) -> Result<()> {
    if loaded.documents.is_empty() {
        return Ok(());
    }
    bail!("--slos: the process that runs there publishes its definitions: slipstream run --slos PATH");
}

/// Into an installation that this process takes part in, or owns.
async fn into(installation: Installation, args: args::Import) -> Result<ExitCode> {
    let (slos, is_digested) = (installation.slos, !installation.log.is_on_kafka());
    let (json, flags) = (args.json, args.to.flags());
    let work = Work { target: Target::Log(installation.log.patient()), slos, args };
    let report = if is_digested {
        let log = installation.log.patient();
        let session = Session::new(installation, Vec::new(), "").await?;
        let (shutdown, store) = (session.supervisor.token(Stage::Intake), session.store.clone());
        session.run(async move { work.run(Some((log, store)), &shutdown).await }).await?
    } else {
        beside(installation, async |shutdown| work.run(None, shutdown).await).await?
    };
    let who = if is_digested { None } else { Some("Kafka") };
    finish(&report, json, Some(slos), who, &flags)
}

/// Through the gateway of an installation that runs.
async fn through(address: &str, args: args::Import) -> Result<ExitCode> {
    let (json, flags) = (args.json, args.to.flags());
    let work = Work { target: Target::Gateway(Remote::new(address)?), slos: 0, args };
    let report = interruptible(async |shutdown| work.run(None, shutdown).await).await?;
    finish(&report, json, None, Some("the gateway"), &flags)
}

/// Says what was done, and what one would do next. `slos` is how many there are, where that is known; `who` has
/// acknowledged what other processes digest.
fn finish(report: &Report, json: bool, slos: Option<usize>, who: Option<&str>, flags: &str) -> Result<ExitCode> {
    report.tell(json)?;
    if report.events == 0 && report.rejected > 0 {
        output::say(
            "no line could be read: is --format right? With another one the file is read again from its beginning",
        );
        return Ok(ExitCode::from(1));
    }
    if slos == Some(0) && report.events > 0 {
        output::say(
            "no SLOs yet: they count what comes after them, so give --slos PATH with the first import of a file",
        );
    }
    if let Some(who) = who {
        output::say(format_args!("acknowledged by {who}; the roles that run there digest it"));
    }
    output::say(format_args!("next: slipstream query kpis --by service{flags}"));
    let all_read = report.files.iter().all(|file| file.error.is_none());
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

struct Work {
    target: Target,
    slos: usize,
    args: args::Import,
}

impl Work {
    /// Imports; with a log and a store, waits until the roles beside it have digested it all.
    async fn run(
        self,
        beside: Option<(slipstream_log::SharedLog, SharedStore)>,
        shutdown: &Shutdown,
    ) -> Result<Report> {
        let began = Instant::now();
        let files = import_all(&self.target, &self.args, shutdown).await?;
        if let Some((log, store)) = &beside {
            digested(log.as_ref(), store.as_ref()).await?;
        }
        let report = Report::of(files, beside.is_some(), began.elapsed());
        if let (Some((log, store)), true) = (&beside, self.slos > 0 && report.events > 0) {
            evaluated(log.as_ref(), store.as_ref()).await?;
        }
        Ok(report)
    }
}

async fn import_all(target: &Target, args: &args::Import, shutdown: &Shutdown) -> Result<Vec<FileReport>> {
    let options = options(args);
    let mut files = Vec::new();
    for path in &args.files {
        files.push(import_one(target, path, &options, shutdown).await?);
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

async fn import_one(target: &Target, path: &Path, options: &Options, shutdown: &Shutdown) -> Result<FileReport> {
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
    match import_file(target, path, options, &mut progress, shutdown).await {
        Ok(summary) if !summary.finished && shutdown.is_cancelled() => {
            bail!("interrupted in {file}: what was read is kept; the same command continues")
        }
        Ok(summary) => Ok(imported(file, summary)),
        Err(error @ (ImportError::Read { .. } | ImportError::Encoding { .. } | ImportError::Shrunk { .. })) => {
            Ok(unread(file, &so_far, &error))
        }
        Err(error) => Err(error).with_context(|| format!("importing {file}")),
    }
}
