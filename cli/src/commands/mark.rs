//! `slipstream mark`: records a deploy, a change of configuration, an incident or a note; and lists them.

use std::process::ExitCode;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use slipstream_producer::marking::{self, new_id, outgoing};
use slipstream_producer::server::Credentials;
use slipstream_role::markers::markers;
use slipstream_runtime::config::LogAddress;
use slipstream_schemas::EventTime;
use slipstream_schemas::marker::{MarkerJson, validate};
use slipstream_schemas::records::{Marker, MarkerKind};

use crate::args::{Mark, Marking, Place};
use crate::parts::{OpenLog, gateway_of_owner, named_as_certified, without_gateway};
use crate::wrong_use::WrongUse;
use crate::{figures, logging, output, parts, server};

/// Markers in machine output.
#[derive(Serialize)]
struct Listing<'a> {
    markers: Vec<MarkerJson<'a>>,
}

/// Runs a subcommand.
///
/// # Errors
/// When the marker breaks a rule, or the log cannot be used.
pub async fn run(command: Mark, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    match command {
        Mark::Deploy { version, what } => record(MarkerKind::Deploy, version, None, what).await,
        Mark::Config(what) => record(MarkerKind::Config, None, None, what).await,
        Mark::Incident { until, what } => record(MarkerKind::Incident, None, until, what).await,
        Mark::Note(what) => record(MarkerKind::Note, None, None, what).await,
        Mark::List { from, to, service, json, place } => list(from, to, service.as_deref(), json, &place).await,
    }
}

async fn record(
    kind: MarkerKind,
    version: Option<String>,
    until: Option<Timestamp>,
    what: Marking,
) -> Result<ExitCode> {
    let marker = Marker {
        id: what.id.unwrap_or_else(new_id),
        kind,
        service: what.service.unwrap_or_default(),
        environment: what.environment,
        time: micros(what.time.unwrap_or_else(Timestamp::now)),
        until: until.map(micros),
        version,
        text: what.text.unwrap_or_default(),
        link: what.link,
        author: what.author.unwrap_or_else(server::user),
    };
    validate(&marker).map_err(|error| WrongUse(error.to_string()))?;
    let credentials = what.server.credentials()?;
    match &what.gateway {
        Some(address) => marking::send(address, &credentials, &marker).await?,
        None => write(&marker, &what.place, &credentials).await?,
    }
    if what.json {
        output::enough(output::print_json(&MarkerJson::from(&marker)))?;
    } else {
        output::enough(output::print(&format!("recorded: {}, id {}\n", line(&marker), marker.id)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Into the log, or through the gateway of the process that owns its directory.
async fn write(marker: &Marker, place: &Place, credentials: &Credentials) -> Result<()> {
    let config = place.load()?;
    if let LogAddress::Sqlite(dir) = &config.log {
        // Not created: a marker in a directory that nobody reads would be lost.
        parts::existing(dir)?;
    }
    let log = match OpenLog::open(&config).await {
        Ok(log) => log,
        Err(error) => match gateway_of_owner(&error) {
            Some(address) => {
                output::say(format_args!("the directory is in use: recording through the gateway at {address}"));
                let sent = marking::send(&address, credentials, marker).await;
                return sent.map_err(named_as_certified(&address, "--to"));
            }
            None => return Err(without_gateway(error, "--to")),
        },
    };
    let doing = || format!("recording the marker (to try again: --id {})", marker.id);
    let published = log.patient().publish(vec![outgoing(marker)]).await.with_context(doing);
    log.close().await;
    published.map(drop)
}

/// The kind and what it is of, in one line.
fn line(marker: &Marker) -> String {
    let mut words = vec![marker.kind.name()];
    words.extend([marker.service.as_str(), marker.environment.as_str()].iter().filter(|word| !word.is_empty()));
    words.extend(marker.version.as_deref());
    let until = marker.until.map(|until| format!(" to {}", figures::moment(until))).unwrap_or_default();
    format!("{} at {}{until}", words.join(" "), figures::moment(marker.time))
}

fn micros(time: Timestamp) -> EventTime {
    EventTime(time.as_microsecond())
}

async fn list(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    service: Option<&str>,
    json: bool,
    place: &Place,
) -> Result<ExitCode> {
    let log = parts::log_of(&place.load()?).await?;
    let (from, to) = (from.map_or(EventTime(i64::MIN), micros), to.map_or(EventTime(i64::MAX), micros));
    let mut found = markers(log.as_ref(), from, to).await?;
    found.retain(|marker| service.is_none_or(|service| marker.service.is_empty() || marker.service == service));
    if json {
        output::print_json(&Listing { markers: found.iter().map(MarkerJson::from).collect() })?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&table(&found))?;
    if found.is_empty() {
        output::say("no markers; to record one: slipstream mark --help");
    }
    Ok(ExitCode::SUCCESS)
}

fn table(markers: &[Marker]) -> String {
    let head = ["TIME", "UNTIL", "KIND", "SERVICE", "ENVIRONMENT", "VERSION", "TEXT", "LINK", "AUTHOR", "ID"];
    let rows = markers.iter().map(|marker| {
        vec![
            figures::moment(marker.time),
            marker.until.map_or("-".to_owned(), figures::moment),
            marker.kind.name().to_owned(),
            figures::or_dash(&marker.service),
            figures::or_dash(&marker.environment),
            figures::or_dash(marker.version.as_deref().unwrap_or_default()),
            figures::beginning(&marker.text),
            marker.link.clone().unwrap_or_default(),
            marker.author.clone(),
            marker.id.clone(),
        ]
    });
    output::table(&head, &[], rows)
}
