//! `slipstream query notifications`.

use std::process::ExitCode;

use anyhow::Result;
use slipstream_store::notifications::NotificationQuestion;

use crate::args::Place;
use crate::output;

/// Prints what became of notifications.
pub async fn run(question: &NotificationQuestion, json: bool, place: &Place) -> Result<ExitCode> {
    let page = super::history(place).await?.notifications(question).await?;
    if json {
        output::print_json(&page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["AT", "RECEIVER", "OUTCOME", "STATUS", "ATTEMPTS", "ALERT", "SEQ", "DETAIL"];
    let rows = page.notifications.iter().map(|n| {
        vec![
            n.at.clone(),
            n.receiver.clone(),
            serde_json::to_string(&n.outcome).unwrap_or_default().trim_matches('"').to_owned(),
            n.status.map_or("-".to_owned(), |status| status.to_string()),
            n.attempts.to_string(),
            n.alert_id.clone(),
            n.seq.to_string(),
            n.detail.clone(),
        ]
    });
    output::print(&output::table(&head, &["STATUS", "ATTEMPTS", "SEQ"], rows))?;
    match page.next {
        Some(next) => output::say(format_args!("next: repeat with --after '{next}'")),
        None if page.notifications.is_empty() => output::say("no notifications"),
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}
