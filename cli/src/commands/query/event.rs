//! `slipstream query event`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_query::History;
use slipstream_query::history::EventRow;
use slipstream_schemas::EventTime;

use super::remote::{self, Answer, Params, given};
use super::told;
use crate::args::AskedOf;
use crate::output;

/// Prints all that is stored of one request.
///
/// # Errors
/// When whoever is asked has no answer.
pub async fn run(id: &str, time: Option<EventTime>, json: bool, asked: &AskedOf) -> Result<ExitCode> {
    let here = async |history: History| Ok(history.event(id, time).await?);
    let mut params = Params::new();
    given(&mut params, "time", time.map(remote::time));
    let path = format!("/events/{}", remote::segment(id));
    let Some(event) = told(asked, json, (&path, params), here, Answer::read).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    output::print(&output::table(&["FIELD", "VALUE"], &[], lines(event)))?;
    Ok(ExitCode::SUCCESS)
}

/// A line for each field, and for each attribute.
fn lines(event: EventRow) -> Vec<Vec<String>> {
    let or_dash = |value: Option<String>| value.unwrap_or("-".to_owned());
    let fields = [
        ("time", event.time),
        ("log_time", event.log_time),
        ("event_id", event.event_id),
        ("service", event.service),
        ("environment", event.environment),
        ("endpoint", event.endpoint),
        ("method", event.method),
        ("status_code", event.status_code.to_string()),
        ("latency_ms", or_dash(event.latency_ms.map(|latency| latency.to_string()))),
        ("weight", event.weight.to_string()),
        ("trace_id", or_dash(event.trace_id)),
        ("user_ref", or_dash(event.user_ref)),
    ];
    let fields = fields.map(|(name, value)| vec![name.to_owned(), value]);
    let attributes = event.attributes.into_iter().map(|(name, value)| vec![format!("attribute.{name}"), value]);
    fields.into_iter().chain(attributes).collect()
}
