//! `slipstream doctor`: whether an installation is healthy. Facts are collected here and in the parts' own crates;
//! what they mean is decided by pure functions.

mod certificate;
mod clocks;
mod database;
mod disk;
mod embedded;
mod kafka;
mod positions;
mod tokens;
mod too_late;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use slipstream_log::kafka::admin::{Finding, Severity};
use slipstream_runtime::config::{Config, LogAddress, StoreAddress};

use crate::args::Doctor;
use crate::parts::Writes;
use crate::{figures, findings, logging, output, parts};

/// How long the examination of one part may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Report {
    errors: usize,
    warnings: usize,
    findings: Vec<Finding>,
}

/// Examines.
///
/// # Errors
/// When the configuration is wrong. What is wrong with the installation is a finding.
pub async fn run(args: Doctor) -> Result<ExitCode> {
    let config = args.place.load()?;
    // The findings report librdkafka's errors.
    logging::init(Some("error".to_owned()))?;
    let examined = examine(&config).await?;
    let count = |severity| examined.iter().filter(|f| f.severity == severity).count();
    let report = Report { errors: count(Severity::Error), warnings: count(Severity::Warn), findings: examined };
    let counted = |n: usize, what| figures::counted(n as i64, what);
    let (errors, warnings) = (counted(report.errors, "error"), counted(report.warnings, "warning"));
    if args.json {
        output::enough(output::print_json(&report))?;
    } else {
        let about = parts::describe(&config, Writes::LogAndStore);
        let text = format!("{about}\n\n{}\n{errors}, {warnings}\n", findings::text(&report.findings));
        output::enough(output::print(&text))?;
    }
    if report.errors > 0 {
        output::say(format_args!("error: {errors} in the installation"));
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

async fn examine(config: &Config) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let log = match &config.log {
        LogAddress::Sqlite(dir) => {
            findings.extend(embedded::log(dir));
            None
        }
        LogAddress::Kafka(brokers) => {
            let options = parts::kafka_options(config, brokers);
            let (found, examined) = within("kafka", kafka::examine(&options)).await;
            findings.extend(found);
            examined
        }
    };
    let clock = log.as_ref().and_then(|log| log.clock);
    let stored = match &config.store {
        StoreAddress::Sqlite(dir) => {
            findings.extend(embedded::store(dir));
            embedded::stored(dir).await
        }
        StoreAddress::Postgres(url) => {
            let options = parts::store::postgres_options(config, url);
            let (found, stored) = within("database", database::examine(&options, clock)).await;
            findings.extend(found);
            stored
        }
    };
    if let (Some(log), Some(stored)) = (&log, stored) {
        findings.extend(positions::stored(log, &stored).await);
    }
    let (late, _) = within("store", async { (Vec::from_iter(too_late::examine(config).await), None::<()>) }).await;
    findings.extend(late);
    let (expiring, _) = within("tokens", async { (Vec::from_iter(tokens::examine(config).await), None::<()>) }).await;
    findings.extend(expiring);
    findings.extend(certificate::examine(config));
    Ok(findings)
}

/// The findings of a part, within a time limit.
async fn within<T>(part: &str, examined: impl Future<Output = (Vec<Finding>, Option<T>)>) -> (Vec<Finding>, Option<T>) {
    match tokio::time::timeout(PATIENCE, examined).await {
        Ok(examined) => examined,
        Err(_) => {
            let message = format!("did not answer all requests within {} s", PATIENCE.as_secs());
            (vec![Finding::error(part, message, "is it overloaded, or is the network?")], None)
        }
    }
}
