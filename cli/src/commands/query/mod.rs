//! `slipstream query ...`: queries the installation, also while a process owns the directory.

mod alerts;
mod events;
mod kpis;
pub mod slos;

use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use slipstream_query::History;
use slipstream_schemas::EventTime;
use slipstream_store::EventFilter;
use slipstream_store::alerts::AlertFilter;

use crate::args::{Place, Query, What};
use crate::parts;

/// Runs a subcommand.
///
/// # Errors
/// When log or store cannot be read, or the query is invalid.
pub async fn run(query: Query) -> Result<ExitCode> {
    match query {
        Query::Kpis { by, step, what } => kpis::run(by, step, &what).await,
        Query::Events { limit, after, what } => events::run(limit, after.as_deref(), &what).await,
        Query::Slos { json, from } => slos::run(json, &from).await,
        Query::Alerts { from, to, slo, json, place } => {
            let filter = AlertFilter {
                slo,
                from: from.map(Timestamp::as_second),
                to: to.map(Timestamp::as_second),
                ..AlertFilter::default()
            };
            alerts::run(&filter, json, &place).await
        }
    }
}

async fn history(place: &Place) -> Result<History> {
    Ok(History::of(parts::store_of(&place.load()?).await?))
}

fn filter(what: &What) -> EventFilter {
    let micros = |t: Timestamp| EventTime(t.as_microsecond());
    EventFilter {
        service: what.service.clone(),
        environment: what.environment.clone(),
        endpoint: what.endpoint.clone(),
        method: what.method.clone(),
        status_code: what.status_code,
        from: what.from.map(micros),
        to: what.to.map(micros),
        ..EventFilter::default()
    }
}
