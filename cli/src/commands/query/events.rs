//! `slipstream query events`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_store::EventQuestion;

use super::history;
use crate::args::What;
use crate::output;

/// Prints a page of events.
pub async fn run(question: &EventQuestion, what: &What) -> Result<ExitCode> {
    let page = history(&what.place).await?.events(question).await?;
    if what.json {
        output::print_json(&page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.events.into_iter().map(|e| {
        let latency = e.latency_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        vec![e.time, e.service, e.method, e.endpoint, e.status_code.to_string(), latency, e.event_id]
    });
    let head = ["TIME", "SERVICE", "METHOD", "ENDPOINT", "STATUS", "LATENCY MS", "EVENT ID"];
    output::print(&output::table(&head, &["STATUS", "LATENCY MS"], rows))?;
    if let Some(next) = page.next {
        output::say(format_args!("next: repeat with --after {next}"));
    }
    Ok(ExitCode::SUCCESS)
}
