//! What a notifier tells after a restart: what is true by then, and not what the log remembers.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use slipstream_alerter::ReceiverConfig;
use slipstream_alerter::notifier::payload::Status;
use slipstream_definitions::matchers::Matchers;
use slipstream_log::memory::MemoryLog;
use slipstream_runtime::config::{Route, Routing};
use slipstream_schemas::Topic;
use slipstream_schemas::records::TransitionKind::{Firing, Resolved, Severity};
use slipstream_schemas::records::{Notification, NotificationReason, Outcome, Silence};
use support::{Hook, Mode, Running, all, config, eventually, happens, log, outcomes, publish, recorded};

/// A silence of everything with this matcher, until a time.
async fn silence(log: &MemoryLog, matcher: &str, to: Option<i64>) {
    let matchers = Matchers::parse(matcher).unwrap().written();
    let (id, author, reason) = ("s".to_owned(), String::new(), String::new());
    let silence = Silence { id, matchers, from: 0, to, recurrence: None, author, reason, created_at: 0 };
    publish(log, Topic::Silences, "s", &silence).await;
}

/// Alerts that the receiver was told of, in order.
fn told(hook: &Hook) -> Vec<String> {
    hook.took().into_iter().flatten().map(|(id, ..)| id).collect()
}

#[tokio::test]
async fn a3_what_was_held_back_and_is_over_meanwhile_is_not_told() {
    let (log, _) = log();
    let hook = Hook::open([]).await;
    silence(&log, "endpoint=a", None).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    let held = recorded(&log, "ops", 1).await;
    assert_eq!(held, [("a".to_owned(), 2, Outcome::HeldBack)]);
    notifier.stop().await;
    silence(&log, "endpoint=a", Some(1)).await;
    happens(&log, "a", 100, 3, Resolved).await;
    happens(&log, "b", 100, 2, Firing).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    hook.received(1).await;
    notifier.stop().await;
    assert_eq!(told(&hook), ["b"]);
    assert!(outcomes(&log, "ops").await.contains(&("a".to_owned(), 3, Outcome::NotDue)));
}

#[tokio::test]
async fn a3_what_was_held_back_and_still_fires_is_told() {
    let (log, _) = log();
    let hook = Hook::open([]).await;
    silence(&log, "endpoint=a", None).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    recorded(&log, "ops", 1).await;
    notifier.kill().await;
    silence(&log, "endpoint=a", Some(1)).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    hook.received(1).await;
    recorded(&log, "ops", 2).await;
    notifier.stop().await;
    assert_eq!(told(&hook), ["a"]);
}

#[tokio::test]
async fn what_went_to_somebody_else_is_not_told_after_a_restart() {
    let (log, _) = log();
    let hook = Hook::open([]).await;
    let matchers = Matchers::parse("severity=ticket").unwrap();
    let pager = Route { receiver: Some("pager".to_owned()), matchers, ..Route::default() };
    let root = Route { receiver: Some("ops".to_owned()), routes: vec![pager], ..Route::default() };
    let routing = Arc::new(Routing { root: Some(root), ..Routing::default() });
    let config = || config("ops", &hook.url()).routed(Arc::clone(&routing));
    silence(&log, "endpoint=a", None).await;
    let notifier = Running::notifier(&log, config());
    happens(&log, "a", 100, 2, Firing).await;
    recorded(&log, "ops", 1).await;
    happens(&log, "a", 100, 3, Severity).await;
    assert_eq!(recorded(&log, "ops", 2).await[1], ("a".to_owned(), 3, Outcome::NotDue));
    notifier.stop().await;
    silence(&log, "endpoint=a", Some(1)).await;
    happens(&log, "b", 100, 2, Firing).await;
    let notifier = Running::notifier(&log, config());
    hook.received(1).await;
    notifier.stop().await;
    assert_eq!(told(&hook), ["b"]);
}

#[tokio::test]
async fn a2_the_end_of_what_the_receiver_may_have_is_told_by_whoever_takes_over() {
    let (log, _) = log();
    // After such an answer nobody knows whether it has it.
    let hook = Hook::open(std::iter::repeat_n(Mode::Status(500), 1_000)).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    hook.received(1).await;
    silence(&log, "endpoint=a", None).await;
    assert_eq!(recorded(&log, "ops", 1).await, [("a".to_owned(), 2, Outcome::HeldBack)]);
    notifier.stop().await;
    let hook = Hook::open([]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 3, Resolved).await;
    assert_eq!(recorded(&log, "ops", 2).await[1], ("a".to_owned(), 3, Outcome::Delivered));
    notifier.stop().await;
    assert_eq!(hook.took().concat(), [("a".to_owned(), "page".to_owned(), Status::Resolved)]);
}

#[tokio::test]
async fn a2_what_was_attempted_last_is_known_although_nothing_is_settled() {
    let (log, _) = log();
    let hook = Hook::open(std::iter::repeat_n(Mode::Status(500), 1_000)).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    happens(&log, "a", 100, 2, Firing).await;
    eventually("the doubt is noted", async || {
        let notes: Vec<Notification> = all(&log, Topic::Notifications).await;
        notes.iter().any(|n| n.reason == NotificationReason::InDoubt).then_some(())
    })
    .await;
    notifier.kill().await;
    silence(&log, "endpoint=a", None).await;
    happens(&log, "a", 100, 3, Resolved).await;
    let hook = Hook::open([]).await;
    let notifier = Running::notifier(&log, config("ops", &hook.url()));
    recorded(&log, "ops", 2).await;
    notifier.stop().await;
    let took = hook.took().concat();
    assert_eq!(took, [("a".to_owned(), "page".to_owned(), Status::Resolved)]);
}

/// How somebody stops to speak while a request is under way.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    /// It is stopped, and the answer takes longer than it may wait.
    Stops,
    /// Its partitions are with somebody else for a moment.
    IsExpelled,
}

/// The receiver has it, and its answer never comes.
async fn leaves_in_the_middle(how: Leaves) {
    let (log, _) = log();
    let hook = Hook::open([Mode::Slow]).await;
    let config = || ReceiverConfig { timeout: Duration::from_secs(60), ..config("ops", &hook.url()) };
    let mut notifier = Running::notifier(&log, config());
    happens(&log, "a", 100, 2, Firing).await;
    hook.received(1).await;
    silence(&log, "endpoint=a", None).await;
    match how {
        Leaves::Stops => {
            notifier.stop().await;
            notifier = Running::notifier(&log, config());
        }
        Leaves::IsExpelled => log.expel("notifier-ops"),
    }
    assert_eq!(recorded(&log, "ops", 1).await, [("a".to_owned(), 2, Outcome::HeldBack)], "{how:?}");
    let notes: Vec<Notification> = all(&log, Topic::Notifications).await;
    let noted: Vec<_> = notes.iter().map(|n| (n.seq, n.outcome, n.reason)).collect();
    let want =
        [(2, Outcome::Failed, NotificationReason::InDoubt), (2, Outcome::HeldBack, NotificationReason::Silenced)];
    assert_eq!(noted, want, "{how:?}");
    happens(&log, "a", 100, 3, Resolved).await;
    assert_eq!(recorded(&log, "ops", 2).await[1], ("a".to_owned(), 3, Outcome::Delivered), "{how:?}");
    notifier.stop().await;
    assert_eq!(hook.took().concat(), [("a".to_owned(), "page".to_owned(), Status::Resolved)], "{how:?}");
}

#[tokio::test]
async fn a2_a3_what_was_under_way_when_the_notifier_was_stopped_is_in_doubt_and_its_end_is_told() {
    leaves_in_the_middle(Leaves::Stops).await;
}

#[tokio::test]
async fn a2_a3_what_was_under_way_when_the_speaker_changed_is_in_doubt_and_its_end_is_told() {
    leaves_in_the_middle(Leaves::IsExpelled).await;
}
