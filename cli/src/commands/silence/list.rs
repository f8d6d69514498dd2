//! `slipstream silence list`: which silences there are, and when each applies.

use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use slipstream_producer::silencing::{ListedJson, ListingJson, Sayings, StateJson};
use slipstream_role::silences::silences;

use super::{moment, now};
use crate::args::Said;
use crate::{figures, output, parts};

/// Lists them: those of the log, or of the gateway that is named.
///
/// # Errors
/// When neither can be read.
pub async fn run(all: bool, json: bool, through: &Said) -> Result<ExitCode> {
    let mut found = match &through.gateway {
        Some(address) => Sayings::at(address, &through.server.credentials()?)?.list().await?,
        None => {
            let log = parts::log_of(&through.place.load()?).await?;
            ListingJson::of(&silences(log.as_ref()).await?, now())
        }
    };
    for unusable in std::mem::take(&mut found.unusable) {
        output::say(format_args!("the silence {} holds nothing back: {}", unusable.id, unusable.why));
    }
    found.silences.retain(|listed| all || listed.state != StateJson::Expired);
    if json {
        output::print_json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&table(&found.silences))?;
    if found.silences.is_empty() {
        output::say("no silences; to add one: slipstream silence add --help");
    }
    Ok(ExitCode::SUCCESS)
}

fn table(silences: &[ListedJson]) -> String {
    let head = ["STATE", "APPLIES", "FROM", "TO", "EVERY", "MATCHERS", "AUTHOR", "REASON", "ID"];
    let time = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), shown);
    let rows = silences.iter().map(|listed| {
        let silence = &listed.silence;
        let every = silence.recurrence.as_ref();
        let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
        vec![
            state(listed.state).to_owned(),
            applies(listed),
            time(&silence.from),
            time(&silence.to),
            every.map_or("-".to_owned(), |r| format!("{} {} for {}", r.cron, r.zone, figures::span(r.seconds))),
            format!("{{{}}}", matchers.join(", ")),
            figures::or_dash(&silence.author),
            figures::beginning(&silence.reason),
            silence.id.clone().unwrap_or_default(),
        ]
    });
    output::table(&head, &[], rows)
}

fn state(state: StateJson) -> &'static str {
    match state {
        StateJson::Active => "active",
        StateJson::Pending => "pending",
        StateJson::Expired => "expired",
    }
}

/// `until ...`, or when it applies next.
pub(super) fn applies(listed: &ListedJson) -> String {
    match (listed.state, &listed.until, &listed.next) {
        (StateJson::Active, Some(until), _) => format!("until {}", shown(until)),
        (StateJson::Active, None, _) => "now".to_owned(),
        (StateJson::Pending, _, Some(next)) => format!("from {}", shown(next)),
        (StateJson::Pending | StateJson::Expired, ..) => "-".to_owned(),
    }
}

/// A time of JSON, for people.
fn shown(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), |at| moment(at.as_millisecond()))
}
