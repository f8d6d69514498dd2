//! What became of a notification, in words: what one wants to know at night.

use slipstream_query::history::NotificationRow;
use slipstream_schemas::records::{NotificationReason, Outcome};

/// How it ended, and why it was not sent.
pub fn told(n: &NotificationRow) -> String {
    match n.outcome {
        Outcome::Delivered => sent(n, if n.repeated { "reminded" } else { "delivered" }),
        Outcome::Refused => with(&sent(n, if n.repeated { "reminder refused" } else { "refused" }), ": ", &n.detail),
        Outcome::NotDue => with(not_sent(n), ": ", &why(n)),
        Outcome::HeldBack => with("held back", ": ", &why(n)),
        Outcome::Failed => with(&with(&sent(n, "failing"), ", ", &why_failed(n)), ": ", &n.detail),
    }
}

/// What did not happen.
fn not_sent(n: &NotificationRow) -> &'static str {
    if n.repeated { "not reminded" } else { "not sent" }
}

/// The next attempt may be the second that arrives.
fn why_failed(n: &NotificationRow) -> String {
    if n.reason == NotificationReason::InDoubt { why(n) } else { String::new() }
}

/// What the last attempt came to: `delivered 200 in 41 ms, attempt 3`.
fn sent(n: &NotificationRow, outcome: &str) -> String {
    let status = n.status.map_or(String::new(), |status| format!(" {status}"));
    let took = n.latency_ms.map_or(String::new(), |latency| format!(" in {latency} ms"));
    let attempt = if n.attempts > 1 { format!(", attempt {}", n.attempts) } else { String::new() };
    format!("{outcome}{status}{took}{attempt}")
}

fn why(n: &NotificationRow) -> String {
    match n.reason {
        NotificationReason::None => n.detail.clone(),
        NotificationReason::Silenced => with("silenced", " by ", &n.by),
        NotificationReason::Inhibited => with("inhibited", " by ", &n.by),
        NotificationReason::Muted => with("muted", " by ", &n.by),
        NotificationReason::NoRoute => "no route".to_owned(),
        NotificationReason::Untold => "its beginning was not sent".to_owned(),
        NotificationReason::Unwanted if n.kind == "severity" => "the receiver wants beginnings only".to_owned(),
        NotificationReason::Unwanted => "the receiver wants no ends".to_owned(),
        NotificationReason::Superseded => "a later state was sent instead".to_owned(),
        NotificationReason::Missed => "over before it could be sent".to_owned(),
        NotificationReason::Acknowledged => with("acknowledged", " by ", &n.by),
        NotificationReason::DryRun => "dry run".to_owned(),
        NotificationReason::RateLimited => "asked as often as it may be".to_owned(),
        NotificationReason::InDoubt => "it may have arrived".to_owned(),
    }
}

/// A text, and more if there is more.
fn with(text: &str, link: &str, more: &str) -> String {
    if more.is_empty() { text.to_owned() } else { format!("{text}{link}{more}") }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::records::Notification;

    use super::*;

    fn ended(outcome: Outcome, status: Option<i32>, latency_ms: Option<i64>, attempts: i32) -> Notification {
        Notification { outcome, status, latency_ms, attempts, ..Notification::default() }
    }

    fn not_sent(outcome: Outcome, reason: NotificationReason, by: &str) -> Notification {
        Notification { outcome, reason, by: by.to_owned(), ..Notification::default() }
    }

    #[test]
    fn every_outcome_is_told_with_why_not() {
        use NotificationReason::{
            Acknowledged, DryRun, InDoubt, Inhibited, Missed, Muted, NoRoute, RateLimited, Silenced, Superseded,
            Untold, Unwanted,
        };
        use Outcome::{Delivered, Failed, HeldBack, NotDue, Refused};
        let said = |detail: &str, n: Notification| Notification { detail: detail.to_owned(), ..n };
        for (notification, expected) in [
            (said("OK", ended(Delivered, Some(200), Some(41), 3)), "delivered 200 in 41 ms, attempt 3"),
            (ended(Delivered, None, Some(9), 1), "delivered in 9 ms"),
            (said("OK", ended(Delivered, Some(202), None, 1)), "delivered 202"),
            (Notification { repeated: true, ..ended(Delivered, Some(200), Some(41), 1) }, "reminded 200 in 41 ms"),
            (
                said("no such hook", ended(Refused, Some(404), Some(12), 2)),
                "refused 404 in 12 ms, attempt 2: no such hook",
            ),
            (ended(Refused, Some(404), None, 1), "refused 404"),
            (Notification { repeated: true, ..ended(Refused, Some(404), None, 1) }, "reminder refused 404"),
            (not_sent(HeldBack, Silenced, "s-1"), "held back: silenced by s-1"),
            (not_sent(HeldBack, Inhibited, "5a2f9c01d3b7e846"), "held back: inhibited by 5a2f9c01d3b7e846"),
            (not_sent(HeldBack, Muted, "nights"), "held back: muted by nights"),
            (not_sent(NotDue, Silenced, "s-1"), "not sent: silenced by s-1"),
            (not_sent(NotDue, NoRoute, ""), "not sent: no route"),
            (not_sent(NotDue, Untold, ""), "not sent: its beginning was not sent"),
            (not_sent(NotDue, Unwanted, ""), "not sent: the receiver wants no ends"),
            (not_sent(NotDue, Superseded, ""), "not sent: a later state was sent instead"),
            (not_sent(NotDue, Missed, ""), "not sent: over before it could be sent"),
            (
                Notification { kind: "severity".to_owned(), ..not_sent(NotDue, Unwanted, "") },
                "not sent: the receiver wants beginnings only",
            ),
            (Notification { repeated: true, ..not_sent(NotDue, Silenced, "s-1") }, "not reminded: silenced by s-1"),
            (
                Notification { repeated: true, ..not_sent(NotDue, Acknowledged, "ada") },
                "not reminded: acknowledged by ada",
            ),
            (not_sent(NotDue, DryRun, ""), "not sent: dry run"),
            (not_sent(NotDue, RateLimited, ""), "not sent: asked as often as it may be"),
            (said("busy", ended(Failed, Some(503), Some(4), 1)), "failing 503 in 4 ms: busy"),
            (
                Notification { reason: InDoubt, ..said("timed out", ended(Failed, None, Some(10_000), 1)) },
                "failing in 10000 ms, it may have arrived: timed out",
            ),
            // Of a former version.
            (said("not for this receiver", ended(NotDue, None, None, 0)), "not sent: not for this receiver"),
            (ended(NotDue, None, None, 0), "not sent"),
        ] {
            assert_eq!(told(&notification.into()), expected);
        }
    }
}
