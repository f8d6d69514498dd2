//! `slipstream import`: files into a directory that no process owns, processed before it returns; or onto Kafka or through the
//! gateway of a running installation, whose processes do that.

mod report;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use slipstream_definitions::openslo::Loaded;
use slipstream_producer::import::{self, ImportError, Options, Remote, Summary, Target, import_file};
use slipstream_runtime::Shutdown;
use slipstream_runtime::stage::Stage;
use slipstream_schemas::EventTime;
use slipstream_schemas::visible::visible;
use slipstream_store::SharedStore;

use crate::args::{self, Format};
use crate::parts::{Installation, Writes, gateway_of_owner, named_as_certified};
use crate::session::{Interrupted, Session, beside, digested, evaluated, interruptible};
use crate::wrong_use::WrongUse;
use crate::{figures, logging, output};
use report::{FileReport, Report, imported, unread};

/// Imports the files. One that cannot be read does not stop the others, but the exit code says so.
///
/// # Errors
/// When the log cannot be used, a signal comes ([`Interrupted`]), or a role fails.
pub async fn run(args: args::Import, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    if args.format == Format::Json && args.latency_field.is_some() {
        return Err(WrongUse("--latency-field is for access logs; JSON lines have latency_ms".to_owned()).into());
    }
    if let Some(address) = args.gateway.clone() {
        return through(&address, args).await;
    }
    let (config, loaded) = args.to.load_with(&args.slos)?;
    match Installation::open(&config, &loaded, Writes::beside(&config)).await {
        Ok(installation) => into(installation, args).await,
        Err(error) => match gateway_of_owner(&error) {
            Some(address) => {
                output::say(format_args!("the directory is in use: importing through the gateway at {address}"));
                refuse_definitions(&loaded)?;
                through(&address, args).await.map_err(named_as_certified(&address, "--to"))
            }
            None => Err(error),
        },
    }
}

fn refuse_definitions(loaded: &Loaded) -> Result<()> {
    if loaded.documents.is_empty() {
        return Ok(());
    }
    bail!("--slos: the running process publishes its own definitions; restart it with slipstream run --slos PATH");
}

/// Into an installation that this process owns or joins.
async fn into(installation: Installation, args: args::Import) -> Result<ExitCode> {
    let (slos, is_digested) = (installation.slos, !installation.log.is_on_kafka());
    let (json, flags) = (args.json, args.to.flags());
    let work = Work { target: Target::Log(installation.log.patient()), slos, args };
    let report = if is_digested {
        let log = installation.log.patient();
        let session = Session::new(installation, Vec::new()).await?;
        let (shutdown, store) = (session.supervisor.token(Stage::Intake), session.store.clone());
        session.run(async move { work.run(Some((log, store)), &shutdown).await }).await?
    } else {
        beside(installation, async |shutdown| work.run(None, shutdown).await).await?
    };
    let who = if is_digested { None } else { Some("Kafka") };
    finish(&report, json, Some(slos), who, Some(&flags))
}

/// Through the gateway of an installation that runs.
async fn through(address: &str, args: args::Import) -> Result<ExitCode> {
    // Another address may be another machine: its store is not known here.
    let flags = args.gateway.is_none().then(|| args.to.flags());
    let json = args.json;
    let remote = Remote::new(address, &args.server.credentials()?)?;
    let work = Work { target: Target::Gateway(remote), slos: 0, args };
    let report = interruptible(async |shutdown| work.run(None, shutdown).await).await?;
    finish(&report, json, None, Some("the gateway"), flags.as_deref())
}

/// Says what was done, and what one would do next. `slos` is how many there are, where that is known; `who` has
/// acknowledged what other processes digest.
fn finish(
    report: &Report,
    json: bool,
    slos: Option<usize>,
    who: Option<&str>,
    flags: Option<&str>,
) -> Result<ExitCode> {
    report.print(json)?;
    if report.events == 0 && report.rejected > 0 {
        if report.is_all_malformed() {
            output::say(
                "no line could be parsed: is --format right? With another format the file is read again from its start",
            );
        }
        return Ok(ExitCode::from(1));
    }
    if slos == Some(0) && report.events > 0 {
        output::say(
            "no SLOs yet, and one counts only events that arrive after it. What yours would have said of these: slipstream replay \
             --clock event --slos PATH",
        );
    }
    if let (Some(who), true) = (who, report.events > 0) {
        output::say(format_args!("acknowledged by {who}; the roles running there process them"));
    }
    let all_read = report.files.iter().all(|file| file.error.is_none());
    if let (Some(flags), true) = (flags, all_read || report.events > 0) {
        output::say(format_args!("next: slipstream query kpis --by service{flags}"));
    }
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

struct Work {
    target: Target,
    slos: usize,
    args: args::Import,
}

impl Work {
    /// Imports; with a log and a store, waits until the roles in this process have processed everything.
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
    // What a file gave until it could not be read further; `None` until its position is known.
    let mut so_far: Option<Summary> = None;
    let mut progress = |p: &Summary| {
        so_far = Some(p.clone());
        if io::stderr().is_terminal() && shown.elapsed() > Duration::from_secs(1) {
            shown = Instant::now();
            output::say(format_args!("{}: {} lines", visible(&file), figures::count(p.lines as i64)));
        }
    };
    match import_file(target, path, options, &mut progress, shutdown).await {
        Ok(summary) if !summary.finished && shutdown.is_cancelled() => {
            let again = "run the same command again to continue";
            let said = match so_far {
                Some(_) => {
                    let line = figures::count((summary.already_imported + summary.lines) as i64);
                    format!("interrupted in {} after line {line}: what was read is kept; {again}", visible(&file))
                }
                None => format!("interrupted before {}; {again}", visible(&file)),
            };
            Err(Interrupted::new(said).into())
        }
        Ok(summary) => Ok(imported(file, summary)),
        Err(error @ (ImportError::Read { .. } | ImportError::Encoding { .. } | ImportError::Shrunk { .. })) => {
            Ok(unread(file, &so_far.unwrap_or_default(), &error))
        }
        Err(error) => Err(error).with_context(|| format!("importing {}", visible(&file))),
    }
}
