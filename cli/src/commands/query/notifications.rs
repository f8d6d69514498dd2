//! `slipstream query notifications`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_query::History;
use slipstream_query::history::NotificationRow;
use slipstream_schemas::EventTime;
use slipstream_schemas::records::{NotificationReason, Outcome};
use slipstream_store::notifications::NotificationQuestion;

use super::answered;
use super::outcome::told;
use super::remote::{self, Params, given};
use crate::args::{AskedOf, Form};
use crate::figures::or_dash;
use crate::output;

/// Prints what became of notifications.
pub async fn run(question: &NotificationQuestion, form: Form, asked: &AskedOf) -> Result<ExitCode> {
    let here = async |history: History| Ok(history.notifications(question).await?);
    let page = answered(asked, form, ("/notifications", params(question)), here).await?;
    let Some(page) = page else { return Ok(ExitCode::SUCCESS) };
    output::print(&table(&page.notifications))?;
    match page.next {
        Some(next) => remote::say_next(Some(&next)),
        None if page.notifications.is_empty() => output::say("no notifications"),
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each.
pub fn table(notifications: &[NotificationRow]) -> String {
    let head = ["AT", "WHAT", "SLO", "SEVERITY", "RECEIVER", "OUTCOME", "ALERT", "SEQ"];
    let rows = notifications.iter().map(|n| {
        vec![
            n.at.clone(),
            or_dash(&n.kind),
            or_dash(&n.slo),
            or_dash(&n.severity),
            n.receiver.clone(),
            told(n),
            n.alert_id.clone(),
            n.seq.to_string(),
        ]
    });
    output::table(&head, &["SEQ"], rows)
}

fn params(question: &NotificationQuestion) -> Params {
    let time = |millis: i64| remote::time(EventTime(millis.saturating_mul(1_000)));
    let mut params = Params::new();
    given(&mut params, "from", question.from.map(time));
    given(&mut params, "to", question.to.map(time));
    given(&mut params, "alert_id", question.alert_id.as_ref());
    given(&mut params, "receiver", question.receiver.as_ref());
    given(&mut params, "outcome", question.outcome.map(Outcome::name));
    given(&mut params, "reason", question.reason.map(NotificationReason::name));
    given(&mut params, "slo", question.slo.as_ref());
    given(&mut params, "severity", question.severity.as_ref());
    given(&mut params, "kind", question.kind.as_ref());
    given(&mut params, "limit", Some(question.limit));
    given(&mut params, "after", question.after.as_ref());
    params
}
