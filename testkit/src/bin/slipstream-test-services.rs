//! Runs a command, usually `cargo test`, with one Kafka, one PostgreSQL and one TimescaleDB for all of its processes, and closes
//! by saying what ran against what.
//!
//! `slipstream-test-services [--full] COMMAND...`: with `--full` a service that no test asked for is a failure, because then
//! something was silently skipped.

use std::env::args;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::{fs, io};

use anyhow::{Context, Result, bail};
use slipstream_testkit::services::{self, Kafka, MAJORS, Postgres, Uses};
use tempfile::TempDir;
use tokio::process::Command;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut arguments: Vec<String> = args().skip(1).collect();
    let full = arguments.first().is_some_and(|first| first == "--full");
    let Some((program, arguments)) = arguments.split_off(usize::from(full)).split_first().map(owned) else {
        bail!("usage: slipstream-test-services [--full] COMMAND...")
    };
    let (kafka, postgres, timescale) = tokio::join!(services::kafka(), services::postgres(), services::timescale());
    let run =
        Run { kafka, postgres, timescale, folder: tempfile::tempdir().context("creating a folder for the report")? };
    let passed = run.command(&program, &arguments).await?;
    let uses = run.uses()?;
    run.close(&uses, full).context("writing the summary")?;
    let skipped = full && passed && run.has_unused(&uses)?;
    Ok(if passed && !skipped { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The key of each major of PostgreSQL in the report, and its name.
fn majors() -> impl Iterator<Item = (String, String)> {
    MAJORS.iter().map(|major| (format!("postgres-{major}"), format!("PostgreSQL {major}")))
}

fn owned((program, arguments): (&String, &[String])) -> (String, Vec<String>) {
    (program.clone(), arguments.to_vec())
}

/// The services of a run, and the folder with its report.
struct Run {
    kafka: Arc<Kafka>,
    postgres: Arc<Postgres>,
    timescale: Option<Arc<Postgres>>,
    folder: TempDir,
}

impl Run {
    /// Runs the command with the addresses in its environment; whether it succeeded.
    async fn command(&self, program: &str, arguments: &[String]) -> Result<bool> {
        let mut command = Command::new(program);
        command.args(arguments);
        command.env(services::KAFKA, self.kafka.bootstrap()).env(services::POSTGRES, self.postgres.url());
        let timescale = self.timescale.as_ref().map_or_else(|| services::NONE.to_owned(), |timescale| timescale.url());
        command.env(services::TIMESCALE, timescale).env(services::REPORT, self.folder.path().join("report"));
        let status = command.status().await.with_context(|| format!("running {program}"))?;
        Ok(status.success())
    }

    fn uses(&self) -> Result<Uses> {
        match fs::read_to_string(self.folder.path().join("report")) {
            Ok(report) => Ok(Uses::read(&report)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Uses::default()),
            Err(error) => Err(error).context("reading what the tests used"),
        }
    }

    /// Prints what ran against what. A command that is not a test reports itself what it did.
    fn close(&self, uses: &Uses, full: bool) -> io::Result<()> {
        let timescale = self.timescale.as_ref().map(|timescale| timescale.describe());
        let mut lines = uses.lines("kafka", "Apache Kafka", Some(&self.kafka.describe()));
        lines.extend(uses.lines("postgres", "PostgreSQL", Some(&self.postgres.describe())));
        for (service, name) in majors() {
            lines.extend(uses.lines(&service, &name, None));
        }
        lines.extend(uses.lines("pgbouncer", "PgBouncer", None));
        lines.extend(uses.lines("timescale", "TimescaleDB", timescale.as_deref()));
        lines.extend(uses.lines("timescale-wasm", "TimescaleDB in WASM", None));
        lines.extend(uses.lines("prometheus", "Prometheus", None));
        lines.extend(uses.lines("docker", "Docker", None));
        if lines.is_empty() && !full {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        writeln!(out, "ran against:{}", if lines.is_empty() { " no service" } else { "" })?;
        lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
    }

    /// Says which service no test used. TimescaleDB and the majors of PostgreSQL may be missing, which the tests have said; not
    /// even to ask for them is to skip them.
    fn has_unused(&self, uses: &Uses) -> Result<bool> {
        let always = [("kafka", "Apache Kafka"), ("postgres", "PostgreSQL")];
        let always = always.iter().filter(|(key, _)| uses.count(key) == 0).map(|(_, name)| (*name).to_owned());
        let optional = [("timescale".to_owned(), "TimescaleDB".to_owned())].into_iter().chain(majors());
        let optional = optional.filter(|(key, _)| uses.unwanted(key)).map(|(_, name)| name);
        let unused: Vec<String> = always.chain(optional).collect();
        if !unused.is_empty() {
            writeln!(io::stderr(), "no test ran against {}: this is not a full run", unused.join(" nor "))?;
        }
        Ok(!unused.is_empty())
    }
}
