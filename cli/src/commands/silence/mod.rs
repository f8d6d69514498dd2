//! `slipstream silence`: of which alerts nobody is told for a time.

mod check;
mod list;

use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use slipstream_producer::silencing::{ListedJson, MatcherJson, SayingError, SilenceJson, expired, outgoing};
use slipstream_role::silences::silences;
use slipstream_schemas::records::Recurrence;
use slipstream_slo::alerts::Silence;

use crate::args::{self, SilenceAdd};
use crate::commands::saying::{publish, way};
use crate::parts::Way;
use crate::wrong_use::WrongUse;
use crate::{figures, logging, output, server};

/// Runs a subcommand.
///
/// # Errors
/// When it is no silence, or the log or the gateway cannot be used.
pub async fn run(command: args::Silence, log_level: Option<String>) -> Result<ExitCode> {
    logging::init(log_level)?;
    match command {
        args::Silence::Add(wanted) => add(wanted).await,
        args::Silence::List { all, json, through } => list::run(all, json, &through).await,
        args::Silence::Expire { id, json, through } => expire(&id, json, &through).await,
        args::Silence::Check(wanted) => check::run(wanted).await,
    }
}

/// Now, in milliseconds since the epoch.
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// What comes again, where `every` says when.
fn recurrence(every: Option<String>, zone: &str, length: Option<std::time::Duration>) -> Option<Recurrence> {
    let seconds = length.map_or(0, |length| i64::try_from(length.as_secs()).unwrap_or(i64::MAX));
    every.map(|cron| Recurrence { cron, zone: zone.to_owned(), seconds })
}

async fn add(wanted: SilenceAdd) -> Result<ExitCode> {
    let SilenceAdd { matchers, from, to, length, every, zone, reason, author, id, json, through } = wanted;
    let end = match (to, length.filter(|_| every.is_none())) {
        (Some(_), Some(_)) => return Err(WrongUse("--to and --for: give one of them".to_owned()).into()),
        (None, Some(length)) => {
            let end = from.unwrap_or_else(Timestamp::now).checked_add(length);
            Some(end.map_err(|e| WrongUse(format!("--for: {e}")))?)
        }
        (to, None) => to,
    };
    let wanted = SilenceJson {
        id,
        matchers: matchers.into_iter().map(MatcherJson::Text).collect(),
        from: from.map(|from| from.to_string()),
        to: end.map(|end| end.to_string()),
        recurrence: recurrence(every, &zone, length),
        author: author.unwrap_or_else(server::user),
        reason,
    };
    // Whatever takes it: what is wrong is wrong use of this command.
    let silence = wanted.read(now(), "").map_err(|e: SayingError| WrongUse(e.to_string()))?;
    let made = match way(&through).await? {
        Way::Log(log) => {
            publish(*log, outgoing(&silence), "recording the silence").await?;
            SilenceJson::of(&silence)
        }
        Way::Gateway(gateway) => gateway.told(gateway.client.silence(&SilenceJson::of(&silence)).await)?,
    };
    show("silenced", &made, &silence, json)
}

fn show(what: &str, made: &SilenceJson, silence: &Silence, json: bool) -> Result<ExitCode> {
    if json {
        output::enough(output::print_json(made))?;
        return Ok(ExitCode::SUCCESS);
    }
    let next = match silence.written().recurrence {
        Some(_) => format!(" ({})", applies(silence, now())),
        None => String::new(),
    };
    let line = format!("{what}: {} {}{next}, id {}\n", silence.matchers(), times(silence), silence.written().id);
    output::enough(output::print(&line))?;
    Ok(ExitCode::SUCCESS)
}

/// When it applies, in words.
fn times(silence: &Silence) -> String {
    let written = silence.written();
    let to = written.to.map_or("until it is expired".to_owned(), |to| format!("to {}", moment(to)));
    let every =
        written.recurrence.as_ref().map(|r| format!("at {} {} for {}, ", r.cron, r.zone, figures::span(r.seconds)));
    format!("{}from {} {to}", every.unwrap_or_default(), moment(written.from))
}

fn moment(ms: i64) -> String {
    figures::moment(slipstream_schemas::EventTime(ms.saturating_mul(1_000)))
}

/// `until ...`, or when it applies next.
fn applies(silence: &Silence, now: i64) -> String {
    list::applies(&ListedJson::of(silence, now))
}

async fn expire(id: &str, json: bool, through: &args::Said) -> Result<ExitCode> {
    let over = match way(through).await? {
        Way::Gateway(gateway) => gateway.told(gateway.client.expire(id).await)?,
        Way::Log(log) => {
            let found = silences(log.shared().as_ref()).await?.into_iter().find(|silence| silence.id == id);
            let Some(found) = found else {
                bail!("there is no silence {id}: slipstream silence list");
            };
            let over = Silence::new(expired(&found, now()))?;
            publish(*log, outgoing(&over), "recording the silence").await?;
            SilenceJson::of(&over)
        }
    };
    if json {
        output::enough(output::print_json(&over))?;
    } else {
        let matchers = over.matchers.iter().map(MatcherJson::to_string).collect::<Vec<_>>().join(", ");
        output::enough(output::print(&format!("expired: {{{matchers}}}, id {id}\n")))?;
    }
    Ok(ExitCode::SUCCESS)
}
