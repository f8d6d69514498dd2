//! `slipstream query events`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_query::History;
use slipstream_store::{EventQuestion, Order};

use super::answered;
use super::remote::{self, Params, given};
use crate::args::What;
use crate::output;

/// Prints a page of events.
pub async fn run(question: &EventQuestion, what: &What) -> Result<ExitCode> {
    let here = async |history: History| Ok(history.events(question).await?);
    let page = answered(&what.place, what.form, ("/events", params(question)), here).await?;
    let Some(page) = page else { return Ok(ExitCode::SUCCESS) };
    let rows = page.events.into_iter().map(|e| {
        let latency = e.latency_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        vec![e.time, e.service, e.method, e.endpoint, e.status_code.to_string(), latency, e.event_id]
    });
    let head = ["TIME", "SERVICE", "METHOD", "ENDPOINT", "STATUS", "LATENCY MS", "EVENT ID"];
    output::print(&output::table(&head, &["STATUS", "LATENCY MS"], rows))?;
    remote::say_next(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

fn params(question: &EventQuestion) -> Params {
    let mut params = remote::of_filter(&question.filter);
    given(&mut params, "order", Some(if question.order == Order::Newest { "desc" } else { "asc" }));
    given(&mut params, "limit", Some(question.limit));
    given(&mut params, "after", question.after);
    params
}
