//! Remediations: asked when an alert begins, so often and no more; and what came of it is a note of the service.

use std::sync::Arc;
use std::time::Duration;

use slipstream_alerter::ReceiverConfig;
use slipstream_log::memory::MemoryLog;
use slipstream_role::markers::markers;
use slipstream_runtime::config::{Body, ReceiverFormat, Remediation};
use slipstream_schemas::records::TransitionKind::{Firing, Resolved, Severity};
use slipstream_schemas::records::{Marker, Notification, NotificationReason, Outcome};
use slipstream_schemas::{EventTime, Topic};

use crate::desk::{Desk, answer};
use crate::support::{Running, all, eventually, happens, log, recorded};
use crate::{receiver, tell};

fn repair(desk: &Desk, count: usize, dry_run: bool) -> ReceiverConfig {
    let template = r#"{"restart": "{{labels.endpoint}}"}"#.to_owned();
    let body = Body { template, content_type: "application/json".to_owned() };
    let settings = Remediation { body, count, per: Duration::from_secs(3_600), dry_run };
    ReceiverConfig {
        send_resolved: false,
        group_by: vec!["endpoint".to_owned()],
        ..receiver(&desk.url("/"), ReceiverFormat::Remediation(settings))
    }
}

async fn notes(log: &MemoryLog) -> Vec<Marker> {
    markers(log, EventTime(i64::MIN), EventTime(i64::MAX)).await.unwrap()
}

/// What became of it at the receiver.
async fn became(log: &MemoryLog) -> Vec<(Outcome, NotificationReason)> {
    let all: Vec<Notification> = all(log, Topic::Notifications).await;
    all.into_iter().filter(|n| n.outcome != Outcome::Failed).map(|n| (n.outcome, n.reason)).collect()
}

/// Waits for a note that says this.
async fn noted(log: &Arc<MemoryLog>, words: &str) -> Marker {
    eventually(words, async || notes(log).await.into_iter().find(|note| note.text.contains(words))).await
}

#[tokio::test]
async fn it_is_asked_when_an_alert_begins_and_its_answer_is_a_note() {
    let (log, _) = log();
    let desk = Desk::open([answer(202, "restarting")]).await;
    let notifier = Running::notifier(&log, repair(&desk, 3, false));
    for (seq, kind) in [(2, Firing), (3, Severity), (4, Resolved)] {
        happens(&log, "pay", 100, seq, kind).await;
        recorded(&log, "ops", seq as usize - 1).await;
    }
    notifier.stop().await;
    let unwanted = (Outcome::NotDue, NotificationReason::Unwanted);
    assert_eq!(became(&log).await, [(Outcome::Delivered, NotificationReason::None), unwanted, unwanted]);
    let [asked] = &desk.asked()[..] else { panic!("{:?}", desk.asked()) };
    assert_eq!(
        (asked.body.as_ref(), asked.header("idempotency-key")),
        (&br#"{"restart": "pay"}"#[..], "pay/100/2/ops")
    );
    let all = notes(&log).await;
    let [note] = &all[..] else { panic!("{all:?}") };
    assert_eq!(note.text, "asked 127.0.0.1, it answered 202: restarting\n{\"restart\": \"pay\"}");
    assert_eq!((note.service.as_str(), note.author.as_str(), note.kind.name()), ("payments", "slipstream/ops", "note"));
    slipstream_schemas::marker::validate(note).unwrap();
}

#[tokio::test]
async fn what_fails_is_asked_again_and_counts_once() {
    let (log, _) = log();
    let desk = Desk::open([answer(503, "busy"), answer(500, "oops"), answer(200, "done")]).await;
    let notifier = Running::notifier(&log, repair(&desk, 1, false));
    happens(&log, "pay", 100, 2, Firing).await;
    noted(&log, "it answered 200: done").await;
    notifier.stop().await;
    assert_eq!((desk.asked().len(), notes(&log).await.len()), (3, 1));
}

#[tokio::test]
async fn the_limit_holds_over_a_restart() {
    let (log, _) = log();
    let desk = Desk::open([]).await;
    let notifier = Running::notifier(&log, repair(&desk, 1, false));
    happens(&log, "pay", 100, 2, Firing).await;
    noted(&log, "it answered 200").await;
    notifier.stop().await;
    let notifier = Running::notifier(&log, repair(&desk, 1, false));
    happens(&log, "cart", 100, 2, Firing).await;
    let held = noted(&log, "not asked: the limit of 1 within 3600s is reached").await;
    assert_eq!(held.service, "payments");
    recorded(&log, "ops", 2).await;
    notifier.stop().await;
    // Not even after another restart: that is no beginning.
    let notifier = Running::notifier(&log, repair(&desk, 5, false));
    happens(&log, "cart", 100, 3, Severity).await;
    recorded(&log, "ops", 3).await;
    notifier.stop().await;
    assert_eq!(desk.asked().len(), 1);
    let mut became = became(&log).await;
    became.retain(|(outcome, _)| *outcome == Outcome::NotDue);
    assert_eq!(
        became,
        [NotificationReason::RateLimited, NotificationReason::Unwanted].map(|why| (Outcome::NotDue, why))
    );
}

#[tokio::test]
async fn a_dry_run_only_says_what_would_be_asked() {
    let (log, _) = log();
    let desk = Desk::open([]).await;
    let dry = repair(&desk, 3, true);
    let notifier = Running::notifier(&log, dry.clone());
    happens(&log, "pay", 100, 2, Firing).await;
    noted(&log, "dry run: would ask 127.0.0.1: {\"restart\": \"pay\"}").await;
    recorded(&log, "ops", 1).await;
    notifier.stop().await;
    assert_eq!(became(&log).await, [(Outcome::NotDue, NotificationReason::DryRun)]);
    let told = tell(&dry).await;
    assert!(told[0].accepted && told[0].said.starts_with("dry run: would ask"), "{told:?}");
    assert!(desk.asked().is_empty());
    // Tried by hand it is asked.
    assert!(tell(&repair(&desk, 3, false)).await[0].accepted);
    assert_eq!(desk.asked().len(), 1);
}
